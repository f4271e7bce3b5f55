"""Analyses made of truth, without a fit: the report must not depend on how the numbers came about."""

import copy

import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.analysis import Analysis, CurveStack, assess
from mrsjax.core import BasisSet, FIDs, FitResult, Sampling, to_spectrum
from mrsjax.core.data import Acquisition
from mrsjax.inference.quantification import Timing, Tissue, WaterReference, quantify
from mrsjax.physics.relaxation import relaxation_table

N, DWELL, F0 = 1024, 5e-4, 123.25e6
PEAKS = {
    "NAA": ((2.01, 3), (2.6, 2), (4.38, 1)),
    "NAAG": ((2.04, 3), (2.5, 1)),
    "Cr": ((3.03, 3), (3.91, 2)),
    "PCr": ((3.03, 3), (3.93, 2)),
    "GPC": ((3.21, 9), (3.65, 5)),
    "PCh": ((3.21, 9), (3.6, 2)),
    "Glu": ((2.35, 2), (2.08, 2), (3.75, 1)),
    "Gln": ((2.44, 2), (2.12, 2), (3.76, 1)),
    "Ins": ((3.52, 2), (3.61, 2), (3.27, 1), (4.05, 1)),
    "GABA": ((2.28, 2), (1.89, 2), (3.0, 2)),
    "MM09": ((0.93, 30),),
    "Lip13": ((1.3, 20),),
}
AMOUNT = np.array([10, 1, 4, 4, 1.2, 0.6, 9, 3, 6, 1.5, 1.0, 0.6])


def make_analysis(
    shape=(), dims=(), *, seed=0, water=True, failures=0, title_in_header="", noise=40.0, copies=1
) -> Analysis:
    """`copies` of the basis, side by side: 3 make as many components as the default model has."""
    rng = np.random.default_rng(seed)
    sampling = Sampling(DWELL, F0, N)
    t = np.arange(N) * DWELL
    peaks_of = {name + "'" * k: peaks for k in range(copies) for name, peaks in PEAKS.items()}
    names = tuple(peaks_of)

    def fid(peaks, width):
        return sum(a * np.exp(2j * np.pi * float(sampling.to_hz(p)) * t - np.pi * width * t) for p, a in peaks)

    widths = np.where(np.arange(len(names)) % 12 < 10, 1.0, 20.0)
    basis = BasisSet(np.array([fid(peaks_of[k], w) for k, w in zip(names, widths, strict=True)]), names, sampling)
    s, m = int(np.prod(shape, dtype=int)), len(names)
    amounts = np.tile(AMOUNT, copies) * rng.uniform(0.7, 1.3, (s, m))
    decay = np.exp(-np.pi * rng.uniform(3, 9, (s, 1)) * t)
    components = np.asarray(to_spectrum(jnp.asarray(amounts[:, :, None] * basis.fids[None] * decay[:, None])))
    ppm = np.asarray(sampling.ppm)
    inside = (ppm > 0.2) & (ppm < 4.2)
    baseline = (60 * np.exp(-((ppm - 1.5) ** 2)) + 30 * np.cos(2 * ppm) * (ppm > 0.1)) * np.ones((s, 1))
    spread = rng.normal(size=(2, s, N))
    full = components.sum(axis=1) + baseline + noise * 0.1 * (spread[0] + 1j * spread[1])
    cut = {k: v[..., inside] for k, v in {"data": full, "baseline": baseline + 0j, "components": components}.items()}
    fit = cut["components"].sum(axis=1) + cut["baseline"]
    residual = cut["data"] - fit
    root = rng.normal(size=(s, m, m)) * 0.05
    covariance = root @ root.swapaxes(1, 2) + 0.02 * np.eye(m)
    status = np.zeros(s, dtype=int)
    status[:failures] = 1
    zero = np.zeros(s)
    result = FitResult(
        amplitudes=jnp.asarray(amounts),
        covariance=jnp.asarray(covariance),
        parameters={"metabolites.shift": jnp.asarray(zero), "phase.zero": jnp.asarray(zero)},
        parameters_sd={"metabolites.shift": jnp.asarray(zero + 0.1), "phase.zero": jnp.asarray(zero + 0.01)},
        noise_sd=jnp.asarray(zero + noise * 0.1),
        baseline_ed=jnp.asarray(zero + 3.0),
        misfit=jnp.asarray(zero),
        effective_parameters=jnp.asarray(zero),
        status=jnp.asarray(status),
        iterations=jnp.asarray(status + 9),
        cost=jnp.asarray(zero),
        state=None,
        names=names,
        metabolites=names[:10],
        units={"metabolites.shift": "Hz", "phase.zero": "rad"},
    )
    curves = {"ppm": ppm[inside], "fit": fit, "baseline": cut["baseline"], "residual": residual}
    quality = assess(full, sampling, {**curves, "component": cut["components"][:, :2].sum(axis=1)})
    reference = None
    if water:
        reference = WaterReference(
            (2e4 * np.exp(-np.pi * 8 * t))[None],
            basis,
            Timing(0.03, 2.0, 0.03, 2.0),
            relaxation_table(2.89),
            Tissue(0.6, 0.3, 0.1),
        )
    index = np.arange(s)
    position = None
    if "x" in dims:
        where = np.unravel_index(index, shape)
        position = np.stack([where[dims.index(d)] if d in dims else np.zeros(s, int) for d in "xyz"], axis=-1)
    fids = FIDs(
        np.zeros((*shape, N), dtype=complex),
        sampling,
        dims,
        Acquisition(echo_time=0.03, header={"Manufacturer": title_in_header} if title_in_header else {}),
    )
    stack = CurveStack(
        ppm[inside],
        *(np.real(x).astype(np.float32) for x in (cut["data"], fit, cut["baseline"], residual, cut["components"])),
        names,
        np.arange(s),
    )
    return Analysis(fids, basis, result, quantify(result, reference), quality, stack, index, position)


RUN = {
    "title": "sub-01_press.nii.gz",
    "started": "2026-11-22 18:00",
    "seconds": 1.5,
    "device": "cpu (2 cores)",
    "versions": {"mrsjax": "0.1.0", "jax": "0.10.1"},
    "options": {"data": "sub-01_press.nii.gz", "basis": "3t.basis", "model": None},
    "files": [{"path": "sub-01_press.nii.gz", "role": "data", "sha256": "0" * 64}],
}


@pytest.fixture
def run():
    return copy.deepcopy(RUN)


@pytest.fixture(scope="session")
def analysis_of():
    made = {}

    def get(kind: str) -> Analysis:
        if kind not in made:
            made[kind] = {
                "single": lambda: make_analysis(),
                "series": lambda: make_analysis((24,), ("DIM_DYN",), failures=2, water=False),
                "grid": lambda: make_analysis((10, 10, 10), ("x", "y", "z"), failures=25, noise=120.0),
            }[kind]()
        return made[kind]

    return get
