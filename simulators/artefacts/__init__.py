"""What disturbs a spectrum: small pure steps that compose, each with a label that says what it did."""

from simulators.artefacts.artefact import Artefact as Artefact
from simulators.artefacts.artefact import Scene as Scene
from simulators.artefacts.baseline import SplineBaseline as SplineBaseline
from simulators.artefacts.baseline import spline_baseline as spline_baseline
from simulators.artefacts.echoes import OutOfVoxelEcho as OutOfVoxelEcho
from simulators.artefacts.echoes import out_of_voxel_echo as out_of_voxel_echo
from simulators.artefacts.eddy import EddyCurrents as EddyCurrents
from simulators.artefacts.eddy import eddy_currents as eddy_currents
from simulators.artefacts.lines import Lines as Lines
from simulators.artefacts.lines import residual_water as residual_water
from simulators.artefacts.lines import scalp_lipids as scalp_lipids
from simulators.artefacts.lines import spurious_peaks as spurious_peaks
from simulators.artefacts.noise import complex_normal as complex_normal
from simulators.artefacts.receiver import Coils as Coils
from simulators.artefacts.receiver import Digitiser as Digitiser
from simulators.artefacts.receiver import Truncation as Truncation
from simulators.artefacts.receiver import coils as coils
from simulators.artefacts.receiver import correlated as correlated
from simulators.artefacts.receiver import digitiser as digitiser
from simulators.artefacts.receiver import truncation as truncation
from simulators.artefacts.transients import FrequencyPhaseScatter as FrequencyPhaseScatter
from simulators.artefacts.transients import Transients as Transients
from simulators.artefacts.transients import scatter as scatter
from simulators.artefacts.transients import transients as transients
