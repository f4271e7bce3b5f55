"""What a preprocessing was asked for, and what it says of each step."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Complex

from mrsjax.core import FIDs
from mrsjax.processing.alignment import Drift
from mrsjax.processing.edited import WINDOW as EDIT_WINDOW
from mrsjax.processing.transients import Selection


@dataclasses.dataclass(frozen=True)
class Options:
    """Choices of `preprocess`. Windows in ppm; `limit_hz` largest drift looked for; `reference` a name of `phasing.PEAKS` or `None`.

    `truncate`: leading points that are cut off; `coil_method`: a name of `coils.METHODS`. `target`: "mean", "median", "first" (`align.Target`), or a name of `phasing.PEAKS`: the fit of that line in
    each transient. `beside`: registration beside water and lipid that change between transients; `None`: where they do (`beside.changing`; in grids never). `edit_window`: where edited sub-spectra
    are aligned on each other; `edited_condition`: 1 or 2, `None`: the one with less NAA. `apodise_hz`: Lorentzian FWHM that lines gain at the end. `denoise`, `hamming`: of grids.
    """

    truncate: int = 0
    coil_method: str = "wsvd"

    align: bool = True
    align_window: tuple[float, float] = (1.8, 4.2)
    target: str = "mean"
    robust: bool = False
    beside: bool | None = None
    limit_hz: float = 50.0
    reject: bool = True
    z_limit: float = 4.0
    weighted: bool = False
    eddy: bool = True
    remove_water: bool = True
    water_window: tuple[float, float] = (4.35, 4.95)
    components: int = 12
    reference: str | None = "NAA"
    edit_window: tuple[float, float] = EDIT_WINDOW
    edited_condition: int | None = None
    apodise_hz: float = 0.0
    denoise: bool = False
    hamming: bool = False


@dataclasses.dataclass(frozen=True)
class Record:
    """One step: its consensus term (Near 2021), what was done, and the signal before and after (one FID each)."""

    method: str
    details: str
    before: Complex[np.ndarray, " n"]
    after: Complex[np.ndarray, " n"]


@dataclasses.dataclass(frozen=True)
class Preprocessed:
    """The clean FIDs, the water prepared in the same way (`None` without), and what was done.

    `drift`, `selection`, `reasons` have one entry a transient (`None` for a single one), those of edited data condition by condition; `weights` one a coil. `combined`: "difference" and "sum" of
    edited data.
    """

    fids: FIDs
    water: FIDs | None
    records: tuple[Record, ...]
    notes: tuple[str, ...]
    drift: Drift | None = None
    selection: Selection | None = None
    reasons: tuple[str, ...] | None = None
    weights: Complex[np.ndarray, " c"] | None = None
    combined: dict[str, FIDs] = dataclasses.field(default_factory=dict)
