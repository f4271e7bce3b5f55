"""Files in and out. Units and signs are converted here and nowhere else: +Hz = higher ppm in memory, SI units."""

from mrsjax.io.companions import companions as companions
from mrsjax.io.doctor import check as check
from mrsjax.io.errors import FormatError as FormatError
from mrsjax.io.errors import MirroredWarning as MirroredWarning
from mrsjax.io.field_map import read_field_map as read_field_map
from mrsjax.io.findings import Finding as Finding
from mrsjax.io.findings import Level as Level
from mrsjax.io.formats import detect as detect
from mrsjax.io.formats import read as read
from mrsjax.io.formats import read_basis as read_basis
from mrsjax.io.formats import write as write
from mrsjax.io.formats import write_basis as write_basis
from mrsjax.io.lcmodel_control import Control as Control
from mrsjax.io.lcmodel_control import read_control as read_control
from mrsjax.io.lcmodel_results import Concentration as Concentration
from mrsjax.io.lcmodel_results import LCModelResult as LCModelResult
from mrsjax.io.lcmodel_results import read_lcmodel_results as read_lcmodel_results
from mrsjax.io.mirror import mirror_ratio as mirror_ratio
from mrsjax.io.mirror import mirrored as mirrored
