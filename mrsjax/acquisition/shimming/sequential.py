"""Shimming without a field map: the field is inferred from the spectra themselves, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float, Key

from mrsjax.acquisition.shimming.solvers import ShimStatus
from mrsjax.core.sampling import Sampling
from mrsjax.inference.linalg import solve
from mrsjax.physics.dephasing import histogram_sum

#: Most acquisitions of one inference; fewer cost less: the compiled program loops over those that there are.
_MOST = 32
#: Steps of all starts, and of those that are then kept.
_FIRST, _KEPT, _LAST = 6, 5, 14


def _number(x) -> Float[Array, ""]:
    return jnp.asarray(x, jnp.result_type(float))


class Specimen(eqx.Module):
    """What is known of a spectrometer and its sample: `weight` (r,) of its points, sum 1; `maps` (r, k): field of each channel, Hz for one unit, at the points;
    `spread`: expected currents of the unknown field, for each channel; the FIDs' `sampling`; `lorentz`: expected homogeneous FWHM, Hz, and `lorentz_sd` of
    its logarithm; `model_error`: what the model leaves out (cross-talk, higher orders), relative to the amplitude.
    """

    weight: Float[Array, " r"]
    maps: Float[Array, "r k"]
    spread: Float[Array, " k"]
    sampling: Sampling
    lorentz: Float[Array, ""] = eqx.field(converter=_number)
    lorentz_sd: Float[Array, ""] = eqx.field(converter=_number)
    model_error: Float[Array, ""] = eqx.field(converter=_number)

    def decay(
        self, currents: Float[Array, " k"], lorentz: Float[Array, ""]
    ) -> tuple[Float[Array, " n"], Float[Array, "k n"]]:
        """|D(t; currents)| exp(-pi lorentz t), the magnitude of a FID of one line, free of phase and frequency; and its derivatives by the currents."""
        time = self.sampling.time
        rows = jnp.concatenate([self.weight[None], self.weight * self.maps.T])
        sums = histogram_sum(self.maps @ currents, rows, self.sampling)
        size = jnp.sqrt(sums[0].real ** 2 + sums[0].imag ** 2 + 1e-8)
        slope = (jnp.conj(sums[0]) * (2j * jnp.pi * time * sums[1:])).real / size
        fall = jnp.exp(-jnp.pi * lorentz * time)
        return size * fall, slope * fall


class Belief(eqx.Module):
    """The inferred field as currents that would make it, the homogeneous width (Hz), the cost of each start, in the order of the cost."""

    currents: Float[Array, "s k"]
    lorentz: Float[Array, " s"]
    cost: Float[Array, " s"]


def infer(
    sample: Specimen,
    fids: Complex[np.ndarray, "m n"],
    settings: Float[np.ndarray, "m k"],
    *,
    noise_sd: float,
    starts: int = 16,
    known: Belief | None = None,
    key: Key[Array, ""],
) -> Belief:
    """The field's currents d from m FIDs acquired at known shim settings, each of one line with the decay of d + setting.

        minimise sum_i |a decay(d + setting_i, w) - m_i|^2 / (sigma^2 + model_error^2)
                 + |d / (2 spread)|^2 + (log(w / lorentz) / lorentz_sd)^2 + (log(a) / 0.1)^2

    over d, the homogeneous width w (Hz) and the amplitude a; m_i = sqrt(|fid_i|^2 - 2 noise_sd^2) (0 where negative) and sigma = noise_sd, both over the
    mean of the first points of all m_i; by Levenberg-Marquardt from `starts` random d (and those of `known`), of which the best five are followed to the end. Magnitudes are free of the phase and frequency of each acquisition; the
    signs that one magnitude cannot tell come from the settings.

    **Raises:** `ValueError` for more than 32 acquisitions.
    """
    m, k = settings.shape
    if m > _MOST:
        raise ValueError(f"fids: wanted at most {_MOST} acquisitions, found {m}")
    data = np.zeros((_MOST, fids.shape[1]))
    # the noise lifts a magnitude: E|s|^2 = signal^2 + 2 sigma^2
    data[:m] = np.sqrt(np.maximum(np.abs(fids) ** 2 - 2 * noise_sd**2, 0.0))
    amplitude = data[:m, 0].mean()
    padded = np.zeros((_MOST, k))
    padded[:m] = settings
    # some starts reach out: large distortions that partly undo each other make the same width as small ones
    reach = np.linspace(1.0, 3.0, starts)[:, None]
    draws = np.array(reach * sample.spread * jax.random.normal(key, (starts, k)))
    if known is not None:
        draws[: len(known.currents) // 2] = np.asarray(known.currents)[: len(known.currents) // 2]
    theta = np.concatenate([draws, np.full((starts, 2), [np.log(float(sample.lorentz)), 0.0])], axis=1)
    theta, cost = _minimise(sample, data / amplitude, padded, np.int32(m), noise_sd / amplitude, theta)
    return Belief(theta[:, :k], jnp.exp(theta[:, k]), cost)


@eqx.filter_jit
def _minimise(sample: Specimen, data, settings, count, sigma, theta):
    """The best ends of all starts (currents, log lorentz, log amplitude) and their costs, in the order of the cost."""
    k = settings.shape[1]
    scale = jnp.sqrt(sigma**2 + sample.model_error**2)
    mean = jnp.zeros(k + 2).at[k].set(jnp.log(sample.lorentz))
    sd = jnp.concatenate([2.0 * sample.spread, jnp.stack([sample.lorentz_sd, 0.1 * jnp.ones_like(sample.lorentz_sd)])])

    def evaluate(x):
        """Cost, gradient and Gauss-Newton matrix at (currents, log lorentz, log amplitude)."""
        lorentz, off = jnp.exp(x[k]), (x - mean) / sd

        def add(i, sums):
            model, slope = sample.decay(x[:k] + settings[i], lorentz)
            rest = (jnp.exp(x[k + 1]) * model - data[i]) / scale
            width = -jnp.pi * lorentz * sample.sampling.time * model
            j = jnp.exp(x[k + 1]) / scale * jnp.concatenate([slope, width[None], model[None]])
            return sums[0] + 0.5 * jnp.sum(rest**2), sums[1] + j @ rest, sums[2] + j @ j.T

        return lax.fori_loop(0, count, add, (0.5 * jnp.sum(off**2), off / sd, jnp.diag(sd**-2)))

    free = jnp.ones(k + 2, bool)

    def step(state, _):
        x, at, damping = state
        _, gradient, matrix = at
        trial = x - solve(matrix + damping * jnp.diag(jnp.diagonal(matrix)), gradient, free)
        new = evaluate(trial)
        better = new[0] < at[0]
        x, at = jax.tree.map(lambda a, b: jnp.where(better, a, b), (trial, new), (x, at))
        return (x, at, jnp.where(better, damping * 0.3, damping * 5.0)), None

    def onward(states, steps):
        """The states after some steps, in the order of the cost."""
        states = lax.map(lambda s: lax.scan(step, s, None, length=steps)[0], states)
        order = jnp.argsort(states[1][0])
        return jax.tree.map(lambda a: a[order], states)

    states = onward(lax.map(lambda x: (x, evaluate(x), jnp.asarray(0.1)), theta), _FIRST)
    x, at, _ = onward(jax.tree.map(lambda a: a[:_KEPT], states), _LAST)
    return x, at[0]


class BySpectra(NamedTuple):
    """The setting whose FID lasts longest (largest sum of |fid|), all settings in order, `ShimStatus`: converged where the last FID was good enough,
    else the acquisitions were used up.
    """

    setting: Float[np.ndarray, " k"]
    settings: Float[np.ndarray, "m k"]
    status: ShimStatus


def shim_by_spectra(
    acquire: Callable[[Float[np.ndarray, " k"]], Complex[np.ndarray, " n"]],
    sample: Specimen,
    *,
    noise_sd: float,
    good_enough: Callable[[Complex[np.ndarray, " n"]], bool],
    most: int = 10,
    key: Key[Array, ""],
) -> BySpectra:
    """Shims a spectrometer by its spectra: acquire, infer the field through the model, go where it would vanish, repeat.

    **Arguments:** `acquire(setting)`: a FID at shim currents; `good_enough(fid)`: whether to stop; `most`: acquisitions. The second acquisition is a probe
    with all channels at one expected current, which tells the signs.
    """
    settings = [np.zeros(len(sample.spread))]
    fids = [np.asarray(acquire(settings[0]))]
    belief = None
    while not (done := good_enough(fids[-1])) and len(settings) < most:
        if len(settings) == 1:
            settings.append(np.asarray(sample.spread) * 0.7)
        else:
            key, now = jax.random.split(key)
            belief = infer(sample, np.stack(fids), np.stack(settings), noise_sd=noise_sd, known=belief, key=now)
            settings.append(_next(belief, settings, np.asarray(sample.spread)))
        fids.append(np.asarray(acquire(settings[-1])))
    best = int(np.argmax([np.abs(f).sum() for f in fids]))
    status = ShimStatus.CONVERGED if done else ShimStatus.MAX_ITERATIONS
    return BySpectra(settings[best], np.stack(settings), status)


def _next(belief: Belief, settings: list[np.ndarray], spread: np.ndarray) -> np.ndarray:
    """Minus the most likely field; where that was tried already, the next likely one that was not, else a small random step away."""
    tried = np.stack(settings) / spread
    for candidate in np.asarray(-belief.currents):
        if np.linalg.norm(tried - candidate / spread, axis=1).min() > 0.02:
            return candidate
    rng = np.random.default_rng(len(settings))
    return np.asarray(-belief.currents[0]) + 0.05 * spread * rng.normal(size=len(spread))
