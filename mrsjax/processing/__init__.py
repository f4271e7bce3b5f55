"""Workflow step 2: from raw coils and transients to a clean spectrum. Each step is a pure function of one data set."""

from mrsjax.processing.align import Target as Target
from mrsjax.processing.align import align as align
from mrsjax.processing.align import align_to_peak as align_to_peak
from mrsjax.processing.eddy import klose as klose
from mrsjax.processing.hlsvd import BandHLSVD as BandHLSVD
from mrsjax.processing.hlsvd import remove_peaks as remove_peaks
from mrsjax.processing.hlsvd import remove_peaks_all as remove_peaks_all
from mrsjax.processing.pipeline import preprocess as preprocess
from mrsjax.processing.record import Options as Options
from mrsjax.processing.record import Preprocessed as Preprocessed
