"""What the data are: sampling, FIDs, basis sets, parameters, results."""

from mrsjax.core.basis import BasisSet as BasisSet
from mrsjax.core.data import DIMS as DIMS
from mrsjax.core.data import Acquisition as Acquisition
from mrsjax.core.data import FIDs as FIDs
from mrsjax.core.field_map import FieldMap as FieldMap
from mrsjax.core.fourier import cis as cis
from mrsjax.core.fourier import exponentials as exponentials
from mrsjax.core.fourier import to_fid as to_fid
from mrsjax.core.fourier import to_spectrum as to_spectrum
from mrsjax.core.results import FitResult as FitResult
from mrsjax.core.results import Status as Status
from mrsjax.core.sample import Sample as Sample
from mrsjax.core.sample import Simulator as Simulator
from mrsjax.core.sampling import Sampling as Sampling
