"""Alignment of a series of transients: what they are aligned to, and the iteration."""

from __future__ import annotations

import enum
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex

from mrsjax.core import Sampling, exponentials
from mrsjax.processing import alignment
from mrsjax.processing.alignment import Drift
from mrsjax.processing.beside import register_beside, shrink
from mrsjax.processing.checks import usable
from mrsjax.processing.phasing import PEAKS, fit_peak


class Target(enum.Enum):
    """What transients are aligned to."""

    MEAN = "mean"
    MEDIAN = "median"
    FIRST = "first"


def align(
    fids: Complex[Array, "t n"],
    sampling: Sampling,
    *,
    target: Target | Complex[Array, " n"] = Target.MEAN,
    window: tuple[float, float] | None = None,
    robust: bool = False,
    nuisance: Complex[Array, "n m"] | None = None,
    limit_hz: float = 50.0,
    rounds: int = 3,
    keep: Bool[Array, " t"] | None = None,
) -> tuple[Complex[Array, "t n"], Drift]:
    """Transients turned to a common frequency and phase, and by how much each was off.

    With MEAN and MEDIAN the first round registers to the most typical transient (a mean of drifting transients has broad, weak lines), later rounds to the mean or median
    of the corrected ones; the frequencies are then shifted so that their median is zero: alignment moves no spectrum as a whole.

    **Arguments:**

    - `target`: a `Target`, or a FID of its own.
    - `window`: ppm; only this part of the spectra is looked at. Required by `robust`.
    - `nuisance`: of `beside.subspace`; signals that change between transients are left out of the comparison. Instead of `window` and `robust`.
    - `keep`: which transients may enter the target; all finite ones by default. Transients that are not finite are left as they are, with a drift of zero.

    **Raises:** `ValueError` for robust without a window, and for `nuisance` beside either.
    """
    if nuisance is not None and (robust or window is not None):
        raise ValueError("nuisance: takes the place of window and robust; give one of them")
    if robust and window is None:
        raise ValueError("window: robust registration needs a window of ppm, found none")
    good = usable(fids)
    chosen = jnp.asarray(good if keep is None else good & keep)
    clean = jnp.where(good[:, None], fids, 0.0)

    def seen(signals):
        if window is None or robust:
            return signals
        return jax.vmap(lambda s, w=window: alignment.band(s, sampling, w))(signals)

    def back(drift: Drift):
        return jax.vmap(lambda s, f, p: alignment.correct(s, sampling, f, p))(clean, drift.frequency, drift.phase)

    def against(goal, now: Drift) -> Drift:
        """Offsets from a goal that is seen as the transients are; `now` is a first guess: what a window cuts off depends on where a line is."""
        if nuisance is not None:
            return jax.vmap(lambda s, b=nuisance: register_beside(s, goal, sampling, b, limit_hz=limit_hz))(clean)
        if robust and window is not None:
            one = partial(alignment.register_robust, target=goal, sampling=sampling, window=window, limit_hz=limit_hz)
            return jax.vmap(one)(clean)
        rest = jax.vmap(lambda s: alignment.register(s, goal, sampling, limit_hz=limit_hz))(seen(back(now)))
        return Drift(now.frequency + rest.frequency, now.phase + rest.phase)

    def template(goal: Array, averages: Array | float = 1.0) -> Array:
        return goal if nuisance is None else shrink(goal, clean, averages)

    zeros = jnp.zeros(len(fids), clean.real.dtype)
    drift = Drift(zeros, zeros)
    if not isinstance(target, Target) or target is Target.FIRST:
        first = isinstance(target, Target)
        goal = template(seen(clean)[jnp.argmax(chosen)]) if first else seen(jnp.asarray(target)[None])[0]
        times = 1 if window is None or robust else 2
        drift = jax.lax.fori_loop(0, times, lambda _, drift: against(goal, drift), drift)
    else:
        make = alignment.mean_target if target is Target.MEAN else alignment.median_target

        def again(turn, drift):  # the loop's body is compiled once
            typical = alignment.typical(seen(clean), chosen)
            goal = jnp.where(turn == 0, typical, make(seen(back(drift)), chosen))
            return against(template(goal, jnp.where(turn == 0, 1, jnp.sum(chosen))), drift)

        drift = jax.lax.fori_loop(0, rounds, again, drift)
        middle = jnp.nanmedian(jnp.where(chosen, drift.frequency, jnp.nan))
        drift = Drift(drift.frequency - jnp.nan_to_num(middle), drift.phase)
    drift = Drift(jnp.where(good, drift.frequency, 0.0), jnp.where(good, alignment.wrapped(drift.phase), 0.0))
    return jnp.where(good[:, None], back(drift), fids), drift


def align_to_peak(
    fids: Complex[Array, "t n"], sampling: Sampling, peak: str, *, limit_hz: float = 50.0
) -> tuple[Complex[Array, "t n"], Drift]:
    """Transients turned so that a singlet (a name of `phasing.PEAKS`) lies at its chemical shift with phase zero in each, and by how much each was off.

    Spectral registration to a Lorentzian of 5 Hz, for which the singlet must be the tallest line within `limit_hz`, then the fit of the line (`phasing.fit_peak`): for data whose one
    line is far above the noise of each transient. No transient is told from another: NaN and zeros are left as they are, with a drift of zero.
    """
    ppm, window = PEAKS[peak]
    good = usable(fids)
    clean = jnp.where(good[:, None], fids, 0.0)
    reach = limit_hz / float(sampling.central_frequency) * 1e6
    line = exponentials(-5.0 * jnp.pi + 2j * jnp.pi * sampling.to_hz(ppm), sampling.dwell_time, sampling.n_points)

    def one(s):
        wide = alignment.band(s, sampling, (ppm - reach, ppm + reach))
        first = alignment.register(wide, line.astype(s.dtype), sampling, limit_hz=limit_hz)
        found = fit_peak(alignment.correct(s, sampling, first.frequency, first.phase), sampling, window)
        off = Drift(
            first.frequency + found.frequency - sampling.to_hz(ppm), alignment.wrapped(first.phase + found.phase)
        )
        return alignment.correct(s, sampling, off.frequency, off.phase), off

    turned, drift = jax.vmap(one)(clean)
    drift = Drift(jnp.where(good, drift.frequency, 0.0), jnp.where(good, drift.phase, 0.0))
    return jnp.where(good[:, None], turned, fids), drift
