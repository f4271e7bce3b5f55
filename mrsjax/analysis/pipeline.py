"""From measured signals to numbers with their quality: fit, quantities and quality control of one file in one call."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mrsjax.analysis.curves import CurveStack, curves_and_quality
from mrsjax.analysis.quality import Quality
from mrsjax.core import BasisSet, FIDs, FitResult, Status
from mrsjax.core.constants import GYROMAGNETIC_RATIO
from mrsjax.inference.quantification import Quantities, Timing, Tissue, WaterReference, quantify
from mrsjax.physics.model import SignalModel
from mrsjax.physics.relaxation import RelaxationTable, relaxation_table

SPACE = ("x", "y", "z")


@dataclasses.dataclass(frozen=True)
class Analysis:
    """Everything that is known of a fitted file.

    - `fids`, `basis`: what was fitted (all spectra of the file), and with which responses, on the grid of the data.
    - `index`: 0-based number in the file, C order over `fids.dims`, of each of the `s` spectra that were fitted (a
      mask leaves some out).
    - `position`: `(s, 3)` voxel indices when the data have a spatial dimension, else None.
    - `notes`: sentences that a reader of the numbers must know.
    - `model`: what was fitted; None where the numbers did not come from `analyse`.
    - `method`: where the estimates are from, when not from the fit alone; `distance` of each spectrum from what a network was trained on, above 1 unlike it.
    """

    fids: FIDs
    basis: BasisSet
    result: FitResult
    quantities: Quantities
    quality: Quality
    curves: CurveStack
    index: Int[np.ndarray, " s"]
    position: Int[np.ndarray, "s 3"] | None
    notes: tuple[str, ...] = ()
    model: SignalModel | None = None
    method: str = ""
    distance: Float[np.ndarray, " s"] | None = None

    @property
    def status(self) -> list[Status]:
        """How each fit ended."""
        return [Status(int(code)) for code in np.asarray(self.result.status)]


@dataclasses.dataclass(frozen=True)
class Method:
    """A way from spectra `(s, n)` to a `FitResult` of `model`: `estimate(spectra, noise_sd, progress)`, its `name` for reports, and `notes` to its reader.

    `noise_sd`: of data that do not show it any more, else None. `distance`: of each spectrum from what the method was made for, above 1 unlike it.
    """

    model: SignalModel
    estimate: Callable[[np.ndarray, float | None, Callable[[int, int], None] | None], FitResult]
    name: str
    notes: tuple[str, ...] = ()
    distance: Callable[[np.ndarray], np.ndarray] | None = None


@dataclasses.dataclass(frozen=True)
class Water:
    """Unsuppressed water `fids`, the timing of both acquisitions, tissue fractions and relaxation times (default: by
    field).
    """

    fids: FIDs
    timing: Timing
    tissue: Tissue | None = None
    table: RelaxationTable | None = None


def field_strength(fids: FIDs) -> float:
    """Static field in T, from the central frequency and the nucleus."""
    return float(fids.sampling.central_frequency) / abs(GYROMAGNETIC_RATIO[fids.sampling.nucleus])


def analyse(
    fids: FIDs,
    basis: BasisSet,
    *,
    water: Water | None = None,
    mask: np.ndarray | None = None,
    peak: str = "tNAA",
    model_options: Mapping[str, Any] | None = None,
    method: Method | None = None,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Analysis:
    """Fits every spectrum of a file and puts the numbers into units.

    **Arguments:**

    - `fids`: one FID, a series or a grid; no coil dimension.
    - `basis`: on any grid of the same field and nucleus.
    - `water`: for water scaling; its FIDs are one, or one for each spectrum.
    - `mask`: boolean, shape of the leading dims (or of the spatial ones): which spectra to fit.
    - `peak`: the resonance that SNR and line width are of.
    - `model_options`: options of `physics.default_model`; what they leave open is chosen for the file (analysis.model_choice).
    - `method`: another way from spectra to a `FitResult`, e.g. a network, with its own model and basis; None: the fit.
    - `progress`: called with (done, total); `say`: with what is being done, where it is not the fit.

    **Raises:** `ValueError` for uncombined coils, a mask or a water file of another shape, an empty mask, an unusable
    basis.
    """
    from mrsjax.analysis.model_choice import model_of_file
    from mrsjax.inference import fit

    if "DIM_COIL" in fids.dims:
        raise ValueError("fids: wanted combined coils, found a DIM_COIL dimension; combine the coils first")
    index = selected(fids, mask)
    basis = basis.resample(fids.sampling)
    reference = None if water is None else _reference(water, fids, basis, index)
    spectra, noise_sd = np.asarray(fids.spectra)[index], fids.acquisition.noise_sd
    if method is None:
        model, choice = model_of_file(basis, fids.sampling, spectra, model_options or {}, say, noise_sd)
        result = fit(model, spectra, noise_sd=noise_sd, progress=progress)
        distance = None
    else:
        distance = None if method.distance is None else method.distance(spectra)
        model, choice = method.model, (*method.notes, *_unlike(distance, index))
        result = method.estimate(spectra, noise_sd, progress)
    curves, quality = curves_and_quality(model, result, spectra, fids.sampling, peak)
    quantities = quantify(result, reference)
    doubts = (*choice, *_doubts(quantities, quality, water is not None))
    if noise_sd is not None:
        doubts += (DENOISED,)
    return Analysis(
        fids,
        basis,
        result,
        quantities,
        quality,
        curves,
        index,
        _position(fids, index),
        doubts,
        model,
        "" if method is None else method.name,
        distance,
    )


#: Of files that carry the noise before denoising.
DENOISED = (
    "The data were denoised: the CRLBs are those of the noise before it; SNR and FQN are of the noise that is left and say little; signals too weak for the"
    " denoising's rank are biased, which no bound shows."
)

#: Total creatine of living brain lies well inside these bounds, mmol/kg (Gudmundson 2023: 6 to 12).
PLAUSIBLE_TCR = (2.0, 40.0)


def _unlike(distance: Float[np.ndarray, " s"] | None, index: Int[np.ndarray, " s"]) -> list[str]:
    """Which of the analysed spectra a network has not seen the like of, by their number in the file."""
    far = [] if distance is None else np.flatnonzero(distance > 1)
    if distance is None or not len(far):
        return []
    shown = ", ".join(f"{index[i]} ({distance[i]:.1f})" for i in far[:10]) + (", ..." if len(far) > 10 else "")
    return [
        f"{len(far)} of {len(distance)} spectra are unlike the network's training data (distance above 1, its 99 % quantile): {shown}. "
        "Compare them with mrsjax fit."
    ]


def _doubts(quantities: Quantities, quality: Quality, with_water: bool) -> list[str]:
    """What makes the numbers doubtful, in sentences."""
    out = []
    missing = int(np.sum(~np.isfinite(quantities.water_amplitude)))
    if with_water and missing:
        total = len(quantities.water_amplitude)
        out.append(f"No water signal could be measured for {missing} of {total} spectra: they have no concentrations.")
    if "tCr" in quantities.names:
        values = quantities.water_scaled_molal[:, quantities.names.index("tCr")]
        middle = float(np.median(values[np.isfinite(values)])) if np.isfinite(values).any() else np.nan
        if np.isfinite(middle) and not PLAUSIBLE_TCR[0] < middle < PLAUSIBLE_TCR[1]:
            out.append(
                f"Total creatine comes out as {middle:.3g} mmol/kg, which no brain has: water and metabolite data are "
                "probably not scaled alike (averages, receiver gain, VOLUME and TRAMP of LCModel files)."
            )
    if "emptied" in quality.window.reason:
        out.append("The data were filtered: noise, SNR and FQN are those of the region that is left.")
    return out


def selected(fids: FIDs, mask: np.ndarray | None) -> Int[np.ndarray, " s"]:
    """Numbers, C order over the dims, of the spectra inside a mask of the leading dims or of the spatial ones; None: all.

    **Raises:** `ValueError` for a mask of another shape or an empty one.
    """
    shape = fids.data.shape[:-1]
    if mask is None:
        return np.arange(int(np.prod(shape, dtype=int)))
    mask = np.asarray(mask, dtype=bool)
    spatial = tuple(n for n, d in zip(shape, fids.dims, strict=True) if d in SPACE)
    if mask.shape != shape:
        if mask.size != np.prod(spatial, dtype=int) or mask.shape[: len(spatial)] != spatial:
            raise ValueError(f"mask: wanted shape {spatial or shape}, found {mask.shape}")
        mask = np.broadcast_to(mask.reshape(spatial + (1,) * (len(shape) - len(spatial))), shape)
    index = np.flatnonzero(mask)
    if index.size == 0:
        raise ValueError("mask: wanted at least one voxel inside, found none")
    return index


def _position(fids: FIDs, index) -> Int[np.ndarray, "s 3"] | None:
    if not any(d in SPACE for d in fids.dims):
        return None
    coordinates = np.unravel_index(index, fids.data.shape[:-1])
    return np.stack(
        [coordinates[fids.dims.index(d)] if d in fids.dims else np.zeros_like(index) for d in SPACE], axis=-1
    )


def _water_stack(water: FIDs, fids: FIDs) -> np.ndarray:
    """The water FIDs: one, or one for each of the data's, on their grid."""
    if "DIM_COIL" in water.dims:
        raise ValueError(
            "water: wanted combined coils, found a DIM_COIL dimension; combine them with mrsjax process coil-combine, or raw data and water together with"
            " mrsjax run"
        )
    stack = np.asarray(water.spectra)
    if len(stack) == 1:
        return stack
    said, wanted = ([(d, k) for d, k in zip(f.dims, f.data.shape, strict=False) if k > 1] for f in (water, fids))
    if said != wanted:
        words = lambda axes: ", ".join(f"{d} {k}" for d, k in axes)  # noqa: E731
        raise ValueError(
            f"water: wanted one FID{f' or one for each spectrum ({words(wanted)})' if wanted else ''}, found {words(said)}; several averages become one by"
            " mrsjax process average, or use mrsjax run"
        )
    there, here = water.acquisition.affine, fids.acquisition.affine
    if there is None or here is None or not any(d in SPACE for d, _ in wanted):
        return stack
    # An identity is what programs write that know no position.
    if not any(np.array_equal(a, np.eye(4)) or np.allclose(there, here, atol=1e-2) for a in (there, here)):
        raise ValueError(
            f"water: wanted the grid of the data, found another position or orientation (its affine differs by {np.abs(there - here).max():.3g})"
        )
    return stack


def _reference(water: Water, fids: FIDs, basis: BasisSet, index) -> WaterReference:
    stack = _water_stack(water.fids, fids)
    total = int(np.prod(fids.data.shape[:-1], dtype=int))
    stack = stack if len(stack) == 1 else stack[index]
    tissue = water.tissue
    if tissue is not None and np.ndim(tissue.fractions) > 1:
        fractions = np.asarray(tissue.fractions).reshape(-1, 3)
        if len(fractions) != total:
            raise ValueError(f"tissue: wanted 1 or {total} sets of fractions, found {len(fractions)}")
        tissue = Tissue(*fractions[index].T)
    table = relaxation_table(field_strength(fids)) if water.table is None else water.table
    return WaterReference(stack, basis, water.timing, table, tissue)
