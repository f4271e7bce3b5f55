"""`fit`: spectra in, amplitudes with uncertainties out."""

from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex

from mrsjax.core.compilation import bound
from mrsjax.core.parameters import to_rows
from mrsjax.core.results import FitResult
from mrsjax.inference import batch, noise, shortening, stages
from mrsjax.inference.ahead import compile_ahead
from mrsjax.inference.summary import result_of, summary
from mrsjax.inference.varpro import single
from mrsjax.physics.decimation import decimated, halved
from mrsjax.physics.model import SignalModel, Values

#: Predicted decrease of chi^2 / 2 at which the first and the second stage stop.
TOLERANCES = (0.5, 0.1)
MAX_ITERATIONS = (30, 60)


def fit(
    model: SignalModel,
    fids: Complex[Array | np.ndarray, "s n"],
    *,
    start: Values | None = None,
    noise_sd: float | None = None,
    tolerance: float = TOLERANCES[1],
    max_iterations: int = MAX_ITERATIONS[1],
    progress: Callable[[int, int], None] | None = None,
) -> FitResult:
    """Fit spectra by variable projection with Levenberg-Marquardt.

    **Arguments:**

    - `model`: e.g. of `physics.default_model`.
    - `fids`: (spectra, points), on the model's sampling; any scale.
    - `start`: where to begin, e.g. from a network: values of the parameters of `model.coarse()`, leading axis the spectra, in place of the
      correlation with a typical spectrum.
    - `noise_sd`: standard deviation of the real part of each point's noise, for spectra that do not show it any more (denoised ones); measured in each by default.
    - `tolerance`: predicted decrease of chi^2 / 2 at which a spectrum has converged.
    - `max_iterations`: of each stage, the evaluation of its starting point counted; 1 gives the exact amplitudes at `start`.
    - `progress`: called as `progress(done, total)` as spectra finish; the first of the two stages counts half.

    **Returns:** a `FitResult` with a `Status` for each spectrum. Spectra that hold NaN, infinities, zeros or a FID of constant modulus (but for its first point) get NaN numbers and
    `Status.INVALID_DATA`; no spectrum stops the others.

    **Raises:** `ValueError` when `fids` or `start` do not fit the model, the model's basis is not finite, or a number is out of its range.
    """
    fids = checked(model, fids, noise_sd)
    if not tolerance > 0:
        raise ValueError(f"tolerance: wanted a positive change of chi^2 / 2, found {tolerance}")
    if max_iterations < 1:
        raise ValueError(f"max_iterations: wanted 1 or more, found {max_iterations}")
    if start is not None:
        start = checked_start(start, model.coarse(), len(fids))
    total = len(fids)
    parts, size = [], batch.chunk(model)
    for first in range(0, total, size):
        rows = slice(first, first + size)

        def report(done, first=first):
            if progress is not None:
                progress(first + done, total)

        given = None if start is None else jax.tree.map(lambda x, rows=rows: x[rows], start)
        parts.append(_fit_chunk(model, fids[rows], given, noise_sd, tolerance, max_iterations, report))
        report(len(fids[rows]))
    return parts[0] if len(parts) == 1 else jax.tree.map(lambda *x: jnp.concatenate(x), *parts)


def _fit_chunk(
    model: SignalModel,
    fids: Complex[np.ndarray, "s n"],
    start: Values | None,
    noise_sd,
    tolerance,
    max_iterations,
    report,
) -> FitResult:
    dtype = jnp.result_type(complex)
    coarse = model.coarse()
    clean, scale, usable = cleaned(fids)
    blocks, clean = noise.noise_blocks(model.sampling), clean.astype(dtype)
    half = halved(model)
    guess = half if shortening.is_long(half) else model
    short = decimated(guess)
    reported = decimated(model) if model.baseline.columns.shape[1] and max_iterations > 1 else model
    compile_ahead(model, half, guess, short, reported, blocks, started=start is not None)
    if start is None:
        *rough, fids = single((coarse, stages.singlet_band(coarse), clean))
        theta, elsewhere = batch.map_rows(bound(stages.correlated, *rough), fids)
    else:
        elsewhere = np.zeros(len(fids))
        theta = to_rows(start, coarse.start(), len(fids)).astype(jnp.result_type(float))
    points = model.window[1] - model.window[0]
    known = (np.nan if noise_sd is None else noise_sd) / scale.astype(jnp.result_type(float))
    prepared = batch.map_rows(bound(stages.prepare, coarse, half, blocks), clean, theta, known)
    active = usable & prepared.valid
    signal, late = (np.maximum(x, 0.0) for x in (prepared.energy - points, prepared.late_energy - points / 2))
    early = shortening.first_half_is_enough(half, signal[active], late[active])
    part, problems = (half, prepared.half) if early else (model, prepared.problems)
    short = short if part is guess else decimated(part)
    limit = min(MAX_ITERATIONS[0], max_iterations)
    # a spectrum counts by halves: one in each stage
    first = batch.minimise(
        short.coarse(),
        problems,
        theta,
        active,
        tolerance=TOLERANCES[0],
        max_iterations=limit,
        progress=lambda done, _: report(done // 2),
    )
    problems, second, excess = stages.between(part.coarse(), part, problems, first.at)
    run = partial(batch.minimise, tolerance=tolerance, max_iterations=max_iterations)
    last = run(
        short,
        problems,
        second,
        active,
        passive=np.asarray(first.at.linear.passive),
        progress=lambda done, all_: report((done + all_) // 2),
    )
    data = prepared.problems.data / excess[:, None]
    problems = eqx.tree_at(lambda p: p.data, problems, data)
    # where the short model's error would be seen, the whole model has the last word
    strong = active & shortening.decimation_is_seen(model, signal, tolerance)
    if strong.any():
        reported = model
        if max_iterations > 1:
            last = _replaced(last, strong, run(model, problems, np.asarray(last.at.theta), strong))
    end = batch.map_rows(bound(summary, reported), problems, last.at)
    return result_of(
        model, problems, last, end, prepared.noise * scale, excess, active, elsewhere, max_iterations, tolerance
    )


def checked(model: SignalModel, fids: Complex[Array | np.ndarray, "s n"], noise_sd) -> Complex[np.ndarray, "s n"]:
    """FIDs on the host that fit the model."""
    fids = np.asarray(fids)
    if noise_sd is not None and not noise_sd > 0:
        raise ValueError(f"noise_sd: wanted a positive standard deviation, found {noise_sd}")
    if not all(np.isfinite(np.asarray(group.fids)).all() for group in model.groups):
        raise ValueError("model: wanted a finite basis, found NaN or infinities in it")
    if fids.ndim != 2 or fids.shape[1] != model.sampling.n_points or not np.iscomplexobj(fids):
        raise ValueError(
            f"fids: wanted complex (spectra, {model.sampling.n_points}), found {fids.dtype} of shape {fids.shape}; use fids[None] for one spectrum"
        )
    if not len(fids):
        raise ValueError("fids: wanted at least one spectrum, found none")
    return fids


def cleaned(fids: Complex[np.ndarray, "s n"]) -> tuple[Complex[np.ndarray, "s n"], np.ndarray, Bool[np.ndarray, " s"]]:
    """FIDs of largest value 1, their scale, and which can be fitted; the others are 0."""
    finite = np.all(np.isfinite(fids), axis=1)
    size = np.abs(np.where(finite[:, None], fids, 0.0))
    scale = np.max(size, axis=1)
    # a constant, a single point and an undamped line are no spectra, whatever rounding adds to them
    varying = np.ptp(size[:, 1:], axis=1) > 1e-9 * scale
    scale = np.where(varying & (scale > 0), scale, 1.0)
    return np.where((finite & varying)[:, None], fids, 0.0) / scale[:, None], scale, finite & varying


def checked_start(start: Values, coarse: SignalModel, total: int) -> Values:
    """Starting values that have the names and shapes of `coarse`'s."""
    named = lambda tree: {f"{g}.{n}": v for g, entries in tree.items() for n, v in entries.items()}  # noqa: E731
    wanted, found = ({k: np.shape(v) for k, v in named(t).items()} for t in (coarse.start(), start))
    wanted = {k: (total, *shape) for k, shape in wanted.items()}
    if wrong := sorted(k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k)):
        k = wrong[0]
        raise ValueError(f"start: {k}: wanted {wanted.get(k, 'nothing')}, found {found.get(k, 'nothing')}")
    return start


def _replaced(old, rows: Bool[np.ndarray, " s"], new):
    """`old` with some of its rows from `new`."""
    return jax.tree.map(lambda n, o: np.where(rows.reshape(-1, *[1] * (o.ndim - 1)), n, o), new, old)
