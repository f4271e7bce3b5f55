"""Pure forward maps of one spectrum: lineshapes, phase, macromolecules, baseline, shim field; `SignalModel` composes them."""

from mrsjax.physics.baseline import Baseline as Baseline
from mrsjax.physics.baseline import no_baseline as no_baseline
from mrsjax.physics.baseline import polynomial as polynomial
from mrsjax.physics.baseline import spline as spline
from mrsjax.physics.baseline import with_columns as with_columns
from mrsjax.physics.defaults import STIFFNESS as STIFFNESS
from mrsjax.physics.defaults import default_model as default_model
from mrsjax.physics.factors import EddyPhase as EddyPhase
from mrsjax.physics.factors import Factor as Factor
from mrsjax.physics.factors import ShimDephasing as ShimDephasing
from mrsjax.physics.group import Group as Group
from mrsjax.physics.group import OwnLine as OwnLine
from mrsjax.physics.lineshape import FreeLine as FreeLine
from mrsjax.physics.lineshape import Gauss as Gauss
from mrsjax.physics.lineshape import Lineshape as Lineshape
from mrsjax.physics.lineshape import Lorentz as Lorentz
from mrsjax.physics.model import SignalModel as SignalModel
from mrsjax.physics.model import window_of as window_of
from mrsjax.physics.phase import Phase as Phase
from mrsjax.physics.ratios import RatioPrior as RatioPrior
from mrsjax.physics.ratios import ratio_prior as ratio_prior
