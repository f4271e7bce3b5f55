"""Alignment of a series of transients: what they are aligned to, and the iteration."""

from __future__ import annotations

import enum
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex

from mrsjax.core import Sampling
from mrsjax.processing import alignment
from mrsjax.processing.alignment import Drift
from mrsjax.processing.beside import register_beside, shrink


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
    good = alignment.finite(fids)
    keep = good if keep is None else good & keep
    clean = jnp.where(good[:, None], fids, 0.0)
    seen = clean if window is None else jax.vmap(lambda s: alignment.band(s, sampling, window))(clean)

    def against(goal) -> Drift:
        if nuisance is not None:
            return jax.vmap(lambda s, b=nuisance: register_beside(s, goal, sampling, b, limit_hz=limit_hz))(clean)
        if robust and window is not None:
            one = partial(alignment.register_robust, target=goal, sampling=sampling, window=window, limit_hz=limit_hz)
            return jax.vmap(one)(clean)
        return jax.vmap(lambda s: alignment.register(s, goal, sampling, limit_hz=limit_hz))(seen)

    def template(goal: Array, averages: Array | float = 1.0) -> Array:
        return goal if nuisance is None else shrink(goal, clean, averages)

    def windowed(goal):
        return goal if window is None or robust else alignment.band(goal, sampling, window)

    if not isinstance(target, Target):
        drift = against(windowed(jnp.asarray(target)))
    elif target is Target.FIRST:
        first = clean if robust else seen
        drift = against(template(first[jnp.argmax(keep)]))
    else:
        make = alignment.mean_target if target is Target.MEAN else alignment.median_target
        source = clean if robust else seen
        drift = against(template(alignment.typical(source, keep)))
        for _ in range(rounds - 1):
            turned = jax.vmap(lambda s, f, p: alignment.correct(s, sampling, f, p))(
                source, drift.frequency, drift.phase
            )
            drift = against(template(make(turned, keep), jnp.sum(keep)))
        middle = jnp.nanmedian(jnp.where(keep, drift.frequency, jnp.nan))
        drift = Drift(drift.frequency - jnp.nan_to_num(middle), drift.phase)
    drift = Drift(jnp.where(good, drift.frequency, 0.0), jnp.where(good, drift.phase, 0.0))
    turned = jax.vmap(lambda s, f, p: alignment.correct(s, sampling, f, p))(clean, drift.frequency, drift.phase)
    return jnp.where(good[:, None], turned, fids), drift
