"""Small models that several tests share: ten Lorentz lines at 3 T."""

import jax.numpy as jnp
import numpy as np

from mrsjax.core import BasisSet, Sampling
from mrsjax.physics import (
    EddyPhase,
    FreeLine,
    Gauss,
    Group,
    Lorentz,
    OwnLine,
    Phase,
    ShimDephasing,
    SignalModel,
    default_model,
    spline,
    window_of,
)

SHIFTS = {
    "NAA": (2.01, 3.0), "Cr": (3.03, 3.0), "GPC": (3.21, 9.0), "Ins": (3.55, 4.0), "Glu": (2.35, 2.0), "Lac": (1.33, 3.0),
}  # fmt: skip


#: Options of the smallest model: one Lorentz line, nothing else; it compiles in seconds.
PLAIN = {
    "lineshape": "lorentz", "macromolecules": "off", "baseline": None, "own_shift": 0, "own_width": 0, "water_tails": 0, "creatine_ch2": 0,
}  # fmt: skip


def sampling(n: int = 1024) -> Sampling:
    return Sampling(5e-4, 123.25e6, n)


def basis(n: int = 1024, fwhm: float = 0.5) -> BasisSet:
    """Singlets, one a metabolite (three for Glu, so that not all are alike)."""
    s = sampling(n)
    t = np.asarray(s.time)
    line = lambda ppm: np.exp((2j * np.pi * float(s.to_hz(ppm)) - np.pi * fwhm) * t)  # noqa: E731
    fids = [protons * line(ppm) for ppm, protons in SHIFTS.values()]
    fids[4] = 2.0 * line(2.35) + 2.0 * line(2.08) + line(3.75)
    return BasisSet(np.array(fids), tuple(SHIFTS), s)


def full_model(n: int = 1024) -> SignalModel:
    """Every term at once: own shifts and widths, free line, Gaussian lines, shim currents, eddy phase, spline."""
    b, s = basis(n), sampling(n)
    m = len(b.names)
    mets = Group(
        jnp.asarray(b.fids),
        Lorentz() * FreeLine(modes=2),
        OwnLine(np.full(m, 0.5), np.full(m, 0.5)),
        "metabolites",
        b.names,
    )
    broad = jnp.exp((2j * jnp.pi * s.to_hz(0.92) - 40.0) * s.time)[None]
    mm = Group(broad, Gauss(), OwnLine(shift_sd=np.ones(1), gauss_sd=np.full(1, 30.0)), "mm", ("MM09",), 2.0)
    rng = np.random.default_rng(0)
    shim = ShimDephasing(jnp.asarray(rng.normal(0, 1, 20)), jnp.full(20, 0.05), jnp.asarray(rng.normal(0, 1, (20, 2))))
    eddy = EddyPhase(0.3 * jnp.exp(-s.time / 0.05))
    window = window_of(s, 0.2, 4.2)
    ppm = np.asarray(s.ppm)[window[0] : window[1]]
    return SignalModel((mets, mm), Phase(), spline(ppm, ed_per_ppm=3.0), (shim, eddy), (), s, window)


def brain(n: int = 1024, **options) -> SignalModel:
    """The default model of these singlets (their creatine has no CH2)."""
    return default_model(basis(n), sampling(n), **({"creatine_ch2": 0.0} | options))
