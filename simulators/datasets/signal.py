"""The signal model that artificial data are drawn from, and its evaluation without a Fourier transform."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float

from mrsjax.core import BasisSet, Sampling, exponentials
from mrsjax.core.metabolites import is_nuisance
from mrsjax.physics import Gauss, Group, Lineshape, Lorentz, OwnLine, Phase, SignalModel, no_baseline
from mrsjax.physics.macromolecules import LIPIDS, MACROMOLECULES, Peak, basis_offset, peak_fids
from simulators.artefacts.circle import cis_turns
from simulators.artefacts.short import real_rows, support


def generating_model(
    basis: BasisSet,
    sampling: Sampling,
    *,
    lineshape: Lineshape | None = None,
    macromolecules: bool = True,
    lipids: bool = False,
    own_lines: bool = False,
) -> SignalModel:
    """A `SignalModel` to draw from, its arrays in single precision.

    Groups "metabolites" (the basis, resampled), "macromolecules" (the parametric Gaussians of `physics.macromolecules`, unit amplitude = the basis' median
    first point times the line's relative area) and "lipids", each with its own shift and Voigt line (`lineshape`: of the metabolites). `own_lines`: each
    metabolite has a shift and a Lorentz width of its own, which costs one exponential a metabolite and point.
    """
    basis = basis.resample(sampling)
    names = tuple(n for n in basis.names if not is_nuisance(n))
    if not names:
        raise ValueError(f"basis: wanted at least one metabolite, found {', '.join(basis.names)}")
    fids = jnp.asarray(basis.select(names).fids)
    norm = float(np.median(np.abs(np.asarray(fids)[:, 0])))
    offset = basis_offset(basis)
    ones = np.ones(len(names))
    own = OwnLine(ones, ones) if own_lines else OwnLine()
    groups = [Group(fids, lineshape or Lorentz() * Gauss(), own, "metabolites", names)]

    def peaks(name: str, lines: tuple[Peak, ...]) -> Group:
        shape = norm * peak_fids(lines, sampling, offset)
        return Group(shape, Lorentz() * Gauss(), OwnLine(), name, tuple(p.name for p in lines))

    if macromolecules:
        groups.append(peaks("macromolecules", MACROMOLECULES))
    if lipids:
        groups.append(peaks("lipids", LIPIDS))
    ppm = np.asarray(sampling.ppm)
    window = (0, sampling.n_points)
    return single_precision(SignalModel(tuple(groups), Phase(), no_baseline(ppm), (), (), sampling, window))


def single_precision(tree):
    """The tree with its arrays in float32 and complex64."""

    def cast(x):
        if not isinstance(x, jax.Array | np.ndarray) or not jnp.issubdtype(x.dtype, jnp.inexact):
            return x
        return jnp.asarray(x).astype(jnp.complex64 if jnp.iscomplexobj(x) else jnp.float32)

    return jax.tree.map(cast, tree)


def group_signals(
    model: SignalModel, values: dict[str, dict[str, Array]], amplitudes: Float[Array, " m"]
) -> dict[str, Complex[Array, " n"]]:
    """What each group contributes, with its shift and line, before the phase: their sum is `SignalModel.signal` at zero phase."""
    ends = np.cumsum([len(g.names) for g in model.groups])[:-1]
    parts = zip(model.groups, jnp.split(amplitudes, ends), strict=True)
    return {g.name: g.signal(values[g.name], c, model.sampling) for g, c in parts}


class Evaluation(eqx.Module):
    """A group of a model on its first k points, after which its signal is below rounding (`artefacts.short`).

    `rows` (m, 2k): (Re, Im) of the group's FIDs, stored as they are multiplied. `sampling`: of k points, on which the FIDs of `others` (further conditions) are over, too.
    """

    rows: Float[Array, "m 2k"]
    sampling: Sampling

    def __init__(self, group: Group, sampling: Sampling, others: Complex[Array, "c m n"] | None = None):
        fids = (
            group.fids if others is None else jnp.concatenate([group.fids[None], others]).reshape(-1, sampling.n_points)
        )
        k = support(np.asarray(fids))
        self.rows = real_rows(group.fids[:, :k])
        self.sampling = single_precision(
            Sampling(sampling.dwell_time, sampling.central_frequency, k, ppm_ref=float(sampling.ppm_ref))
        )

    def still(
        self, group: Group, values: dict[str, Array], amplitudes: Float[Array, " m"], rows: Float[Array, "m 2k"] | None = None
    ) -> Complex[Array, " k"]:  # fmt: skip
        """sum_m c_m x_m(t) at no shift and no phase: one real exponential a point. `rows`: of other FIDs (another condition)."""
        rows = self.rows if rows is None else rows
        k = self.sampling.n_points
        if any(name.startswith("own_") for name in values):
            at = values | {"shift": jnp.zeros_like(values["shift"])}
            waves = exponentials(group.rates(at), self.sampling.dwell_time, k)
            cut = eqx.tree_at(lambda g: g.fids, group, lax.complex(rows[:, :k], rows[:, k:]))
            return amplitudes @ cut.components(at, waves, self.sampling) * group.lineshape.envelope(at, self.sampling)
        both = amplitudes @ rows
        decay = jnp.exp(group.lineshape.rate(values) * self.sampling.time)
        return lax.complex(both[:k], both[k:]) * (decay * group.lineshape.envelope(values, self.sampling))

    def moved(
        self, still: Complex[Array, " k"], values: dict[str, Array], phase: Float[Array, ""]
    ) -> Complex[Array, " k"]:
        """A still signal at the group's shift and a phase (rad)."""
        turns = phase * (0.5 / math.pi) + values["shift"] * self.sampling.time
        return still * cis_turns(turns)


def height_probe(sampling: Sampling, ppm: float = 2.008) -> Complex[Array, " n"]:
    """Weights p with sum(s p) the spectrum of s (core.fourier) at one chemical shift: the height of a resonance without a transform."""
    n = sampling.n_points
    turn = float(sampling.to_hz(ppm)) * float(sampling.dwell_time) * np.arange(n)
    weight = np.where(np.arange(n) == 0, 0.5, 1.0) / np.sqrt(n)
    return jnp.asarray((weight * np.exp(-2j * np.pi * turn)).astype(np.complex64))


def height(still: Complex[Array, " n"], probe: Complex[Array, " n"]) -> Float[Array, ""]:
    """|sum(still probe)|, its real and imaginary part by products with ones, which on a CPU are faster than XLA's sums (its complex ones would store what they add)."""
    parts = jnp.stack(
        [still.real * probe.real - still.imag * probe.imag, still.real * probe.imag + still.imag * probe.real]
    )
    real, imaginary = jnp.dot(parts, jnp.ones(parts.shape[1], parts.dtype), precision=lax.Precision.HIGHEST)
    return jnp.hypot(real, imaginary)
