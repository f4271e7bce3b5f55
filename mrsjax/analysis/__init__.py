"""Workflow step 3: what a fitted spectrum is worth, and a whole file from signals to numbers."""

from mrsjax.analysis.curves import CurveStack as CurveStack
from mrsjax.analysis.pipeline import Analysis as Analysis
from mrsjax.analysis.pipeline import Method as Method
from mrsjax.analysis.pipeline import Water as Water
from mrsjax.analysis.pipeline import analyse as analyse
from mrsjax.analysis.quality import Quality as Quality
from mrsjax.analysis.quality import assess as assess
from mrsjax.analysis.volumes import curve_fids as curve_fids
from mrsjax.analysis.volumes import maps as maps
from mrsjax.analysis.volumes import on_grid as on_grid
