"""An analysis as images: maps on the grid of the data, and the curves of the fits as time-domain signals."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from mrsjax.analysis.curves import blocks
from mrsjax.analysis.pipeline import SPACE, Analysis
from mrsjax.core import FIDs, to_fid

QUANTITIES = ("raw_amplitude", "crlb", "crlb_percent", "ratio_tcr", "water_scaled_molal", "water_scaled_molar")
QUALITIES = ("snr_spec", "fwhm_hz", "fwhm_ppm", "fqn", "noise_sd")

#: Components of more spectra than this many values are not made: they would not fit into memory.
LARGEST = 32_000_000


def on_grid(analysis: Analysis, values) -> Float[np.ndarray, "x y z *rest"]:
    """One value a fitted spectrum as a volume (x, y, z first, then the other dimensions); NaN where nothing was fitted."""
    shape, dims = analysis.fids.data.shape[:-1], analysis.fids.dims
    volume = np.full(int(np.prod(shape, dtype=int)), np.nan)
    volume[analysis.index] = np.asarray(values, dtype=float)
    volume = volume.reshape(shape)
    volume = volume.transpose([dims.index(d) for d in sorted(dims, key=_space_first)])
    missing = tuple(i for i, d in enumerate(SPACE) if d not in dims)
    return np.expand_dims(volume, missing)


def _space_first(dim: str) -> int:
    return SPACE.index(dim) if dim in SPACE else len(SPACE)


def maps(analysis: Analysis) -> Iterator[tuple[str, Float[np.ndarray, "x y z *rest"]]]:
    """(name, volume) of every quantity that has a number, as `quantity/metabolite`, and of the quality numbers, `qc/...`."""
    q = analysis.quantities
    for quantity in QUANTITIES:
        values = np.asarray(getattr(q, quantity))
        if np.isfinite(values).any():
            for j, name in enumerate(q.names):
                yield f"{quantity}/{name}", on_grid(analysis, values[:, j])
    for quality in QUALITIES:
        yield f"qc/{quality}", on_grid(analysis, getattr(analysis.quality, quality))
    yield "qc/status", on_grid(analysis, np.asarray(analysis.result.status))


def curve_fids(analysis: Analysis) -> dict[str, FIDs]:
    """The curves of the fits as signals: `fit` (baseline included), `baseline`, `residual`, and `components` where memory allows.

    Each is the phased spectrum on the fit window, zero outside of it, transformed back: fit + residual is the phased data in
    the window. The components are a further dimension, DIM_USER_0. Zero where nothing was fitted.

    **Raises:** `ValueError` for an analysis without its model.
    """
    if analysis.model is None:
        raise ValueError("analysis: wanted one that `analyse` made, found one without its model")
    fids, names = analysis.fids, analysis.curves.names
    n, low = fids.sampling.n_points, int(np.argmin(np.abs(np.asarray(fids.sampling.ppm) - analysis.curves.ppm[0])))
    shape = fids.data.shape[:-1]
    total = int(np.prod(shape, dtype=int))
    free = sum(d not in SPACE for d in fids.dims) < 3 and "DIM_USER_0" not in fids.dims
    with_components = free and total * len(names) * n <= LARGEST
    spectra = np.asarray(fids.spectra)[analysis.index]
    kept = {k: np.zeros((total, n), np.complex64) for k in ("fit", "baseline", "residual")}
    parts = np.zeros((total, len(names), n), np.complex64) if with_components else None
    high = low + len(analysis.curves.ppm)
    for index, curves, _ in blocks(analysis.model, analysis.result, spectra):
        for name, stack in kept.items():
            stack[analysis.index[index], low:high] = np.nan_to_num(getattr(curves, name))
        if parts is not None:
            parts[analysis.index[index], :, low:high] = np.nan_to_num(curves.components)
    about = dataclasses.replace(fids.acquisition, header=_without_dims(fids.acquisition.header))
    out = {k: FIDs(_signal(v.reshape(*shape, n)), fids.sampling, fids.dims, about) for k, v in kept.items()}
    if parts is not None:
        header = dict(about.header) if "SpectrometerFrequency" in about.header else _minimal_header(fids)
        header |= {"dim_5": "DIM_USER_0", "dim_5_info": "components of the fit"}
        header |= {"dim_5_header": {"Metabolite": {"Value": list(names), "Description": "component of each index"}}}
        dims = (*fids.dims, "DIM_USER_0")
        data = _signal(parts.reshape(*shape, len(names), n))
        out["components"] = FIDs(data, fids.sampling, dims, dataclasses.replace(about, header=header))
    return out


def _signal(spectra) -> np.ndarray:
    return to_fid(spectra).astype(np.complex64)


def _without_dims(header) -> dict:
    """The header without what belongs to the data's own further dimensions and processing."""
    return {k: v for k, v in header.items() if not k.startswith("dim_")}


def _minimal_header(fids: FIDs) -> dict:
    frequency = float(fids.sampling.central_frequency)
    return {"SpectrometerFrequency": [1e-6 * frequency], "ResonantNucleus": [fids.sampling.nucleus]}
