"""What a good shim is, judged on the spectrum: linewidth, peak height, Cramer-Rao bounds of chosen metabolites."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mrsjax.acquisition.shimming.objectives import Objective
from mrsjax.acquisition.shimming.region import Region
from mrsjax.core.basis import BasisSet
from mrsjax.core.fourier import exponentials, to_spectrum
from mrsjax.core.metabolites import canonical
from mrsjax.core.sampling import Sampling
from mrsjax.inference.linalg import inverse, masked, schur
from mrsjax.inference.varpro import Problem, Tree, gram_matrix, rows_of, smooth, stacked
from mrsjax.physics.defaults import default_model
from mrsjax.physics.factors import ShimDephasing
from mrsjax.physics.model import SignalModel

#: Zero filling of a line before its width is read off.
_FILL = 4


class Line(NamedTuple):
    """A single line of a voxel: `frequency` (Hz), real `spectrum` (1/Hz, area 1), `fwhm` and position of the maximum `peak` (Hz), `height` (1/Hz)."""

    frequency: Float[Array, " m"]
    spectrum: Float[Array, " m"]
    fwhm: Float[Array, ""]
    peak: Float[Array, ""]
    height: Float[Array, ""]


def line(
    field: Float[Array, " r"], weight: Float[Array, " r"], *, lorentz: float = 2.0, band: float = 512.0, n: int = 512
) -> Line:
    """The line of a singlet: exp(-pi lorentz t) times the dephasing of the field, transformed.

    **Arguments:** `field` Hz, `weight` sum 1; `lorentz`: FWHM of the homogeneous line, Hz; `band`: spectral width about the weighted mean of the
    field, Hz, beyond which offsets fold back; `n` points.

    The FWHM is between the crossings of half the height next to the maximum, linearly interpolated on a grid of band / 4n: differentiable almost everywhere.
    """
    sampling = Sampling(1.0 / band, 1e8, n)
    centre = weight @ field
    decay = ShimDephasing(offset=field - centre, weight=weight, maps=jnp.zeros((field.shape[0], 0)), histogram=True)(
        {}, sampling
    )
    decay = decay * exponentials(jnp.asarray(-jnp.pi * lorentz + 0j), sampling.dwell_time, n)
    m = _FILL * n
    # the half-sided transform's real part has half the area
    spectrum = to_spectrum(jnp.pad(decay, (0, m - n))).real * (2.0 * np.sqrt(m) / band)
    frequency = (jnp.arange(m) - m // 2) * (band / m) + centre
    top = jnp.argmax(spectrum)
    height = spectrum[top]
    index = jnp.arange(m)
    left = jnp.max(jnp.where((index < top) & (spectrum < height / 2), index, 0))
    right = jnp.min(jnp.where((index > top) & (spectrum < height / 2), index, m - 1))

    def crossing(i, j):
        """Between i, below half the height, and its neighbour j, above."""
        rise = spectrum[j] - spectrum[i]
        return frequency[i] + (frequency[j] - frequency[i]) * (height / 2 - spectrum[i]) / jnp.where(
            rise == 0, 1.0, rise
        )

    fwhm = crossing(right, right - 1) - crossing(left, left + 1)
    return Line(frequency, spectrum, fwhm, frequency[top], height)


def volume_kept(
    region: Region, field: Float[Array, " r"], peak: Float[Array, ""], *, half_width: float = 12.0
) -> Float[Array, ""]:
    """Fraction of the whole voxel (also of what the map does not know) whose field (Hz) is within `half_width` Hz of the line's maximum `peak`: what the
    spectrum shows.
    """
    near = jnp.abs(field - peak) <= half_width
    return region.covered * (region.weight @ near.astype(field.dtype))


class Linewidth(Objective):
    """FWHM of the voxel's line, Hz; `lorentz`: FWHM of the homogeneous line, Hz."""

    lorentz: float = eqx.field(static=True, default=2.0)

    def __call__(self, region, currents):
        return line(region.predicted(currents), region.weight, lorentz=self.lorentz).fwhm


class InversePeak(Objective):
    """2 / (pi height), Hz: the FWHM of the Lorentz line as tall as the voxel's line; smooth, and made small by a tall peak."""

    lorentz: float = eqx.field(static=True, default=2.0)

    def __call__(self, region, currents):
        return 2.0 / (jnp.pi * line(region.predicted(currents), region.weight, lorentz=self.lorentz).height)


class CRLB(Objective):
    """Mean of the Cramer-Rao bounds of chosen metabolites relative to their amplitudes, through the signal model with the voxel's field.

        mean_m sd_m / c_m,   sd from the full Fisher information of model x ShimDephasing(field + maps @ currents)

    **Arguments:**

    - `model`: a `SignalModel` without a shim factor; its start values (shift, width, phase) are what the bound is taken at.
    - `amplitudes` (m,): expected, in the model's order; `chosen`: indices of those that count; `noise_sd`: of the real part of a spectrum.

    The field's mean is taken out: the model has a shift of its own. A voxel of the same noise and less signal is not penalised here; add
    `LostVolume`.
    """

    model: SignalModel
    amplitudes: Float[Array, " m"]
    chosen: tuple[int, ...] = eqx.field(static=True)
    noise_sd: float = eqx.field(static=True, default=1.0)

    def __call__(self, region, currents):
        return jnp.mean(self.relative(region, currents))

    def relative(self, region: Region, currents: Float[Array, " k"]) -> Float[Array, " c"]:
        """Bound of each chosen amplitude relative to the amplitude."""
        field = region.predicted(currents)
        field = field - region.weight @ field
        shim = ShimDephasing(offset=field, weight=region.weight, maps=jnp.zeros((field.shape[0], 0)), histogram=True)
        model = eqx.tree_at(lambda m: m.factors, self.model, (*self.model.factors, shim))
        tree = Tree(self.model)
        size = self.amplitudes / self.noise_sd
        m = len(self.amplitudes)
        precision = jnp.zeros((m, m)) + sum(prior.precision(size, jnp.asarray(1.0)) for prior in self.model.ratios)
        problem = Problem(
            jnp.zeros(self.model.window[1] - self.model.window[0], complex),
            jnp.asarray(self.model.baseline.log_stiffness),
            precision,
            1.0 / tree.sd**2,
        )
        covariance = _covariance(model, tree, problem, size)
        chosen = jnp.asarray(self.chosen)
        return jnp.sqrt(jnp.diagonal(covariance)[chosen]) / size[chosen]


def _covariance(
    model: SignalModel, tree: Tree, problem: Problem, amplitudes: Float[Array, " m"]
) -> Float[Array, "m m"]:
    """Covariance of the amplitudes at the model's start values, as `inference.fisher`, but with the amplitudes given and differentiable: no fit is made."""
    values = tree.unravel(tree.start)
    design, fids = model.design(values)
    a, j = stacked(design), stacked(rows_of(model.jacobian(values, amplitudes, fids)))
    pa, pj = smooth(model, problem, a), smooth(model, problem, j)
    gram, cross = gram_matrix(problem, a, pa), a @ j.T - pa @ pj.T
    free = (tree.start > tree.lower) & (tree.start < tree.upper)
    inner = inverse(masked(schur(gram, cross, j @ j.T - pj @ pj.T) + jnp.diag(problem.weight), free))
    known = inverse(gram)
    back = known @ jnp.where(free[None, :], cross, 0.0)
    return known + back @ inner @ back.T


def crlb(
    model: SignalModel,
    amplitudes: dict[str, float],
    chosen: tuple[str, ...],
    *,
    snr: float = 40.0,
    reference: str = "NAA",
) -> CRLB:
    """A `CRLB` objective by names.

    **Arguments:** `amplitudes`: name -> expected amplitude, the rest 0; `chosen`: names that count; `snr`: height of `reference` in the unshimmed model
    (start values, no field) over the noise's standard deviation. Names are found under all their spellings (`core.metabolites`).

    **Raises:** `ValueError` for names that the model has not.
    """
    place = {canonical(n): i for i, n in enumerate(model.names)}
    unknown = [n for n in (*amplitudes, *chosen, reference) if canonical(n) not in place]
    if unknown:
        raise ValueError(f"crlb: {', '.join(dict.fromkeys(unknown))} not among the model's {', '.join(model.names)}")
    values = np.zeros(len(model.names))
    for name, amplitude in amplitudes.items():
        values[place[canonical(name)]] = amplitude
    missing = [n for n in (*chosen, reference) if not values[place[canonical(n)]]]
    if missing:
        raise ValueError(f"crlb: wanted a positive amplitude of {', '.join(dict.fromkeys(missing))}, found none")
    alone = np.where(np.arange(len(values)) == place[canonical(reference)], values, 0.0)
    height = jnp.max(model.spectrum(model.start(), jnp.asarray(alone)).real)
    return CRLB(model, jnp.asarray(values), tuple(place[canonical(n)] for n in chosen), float(height) / snr)


#: Expected amplitudes, mmol/L: middles of the ranges of Shamaei et al. 2023 (normal brain, with its macromolecules left out).
TYPICAL = {
    "Ala": 0.8, "Asp": 1.5, "Cr": 7.5, "GABA": 1.5, "GPC": 1.25, "GSH": 2.25, "Glc": 1.5, "Gln": 4.5, "Glu": 9.25, "Gly": 0.7,
    "Ins": 5.95, "Lac": 0.6, "NAA": 12.25, "NAAG": 1.5, "PCh": 1.5, "PCr": 4.25, "PE": 1.5, "Tau": 4.0, "sIns": 0.45,
}  # fmt: skip


def typical_model(basis: BasisSet) -> tuple[SignalModel, dict[str, float]]:
    """A `SignalModel` of a brain spectrum for shimming, and its expected amplitudes: the basis' metabolites of `TYPICAL` with a Voigt line, parametric
    macromolecules, the default baseline; at most 1024 points of the basis' dwell time, which at 3 T is more than the lines last.

    **Raises:** `ValueError` when the basis has none of them.
    """
    names = tuple(n for n in basis.names if canonical(n) in {canonical(t) for t in TYPICAL})
    if "NAA" not in [canonical(n) for n in names]:
        raise ValueError(f"basis: wanted NAA and other brain metabolites, found {', '.join(basis.names)}")
    table = {canonical(n): value for n, value in TYPICAL.items()}
    s = basis.sampling
    short = Sampling(
        s.dwell_time, s.central_frequency, min(s.n_points, 1024), ppm_ref=float(s.ppm_ref), nucleus=s.nucleus
    )
    model = default_model(basis.select(names), short, lineshape="voigt")
    amplitudes = {n: table[canonical(n)] for n in names}
    return model, amplitudes | {n: 1.0 for n in model.names if n not in names}
