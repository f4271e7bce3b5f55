"""Posteriors of the classical model: Laplace's approximation and NUTS on one log density.

The density is that of `inference.unbounded`. Amplitudes are sampled, not maximised: their prior is flat on c >= 0 times the ratio priors. The sampler moves in x, where
u = centre + L x: first the mode and the Fisher information there, then after each pilot run the mean of its draws, and L stretched along the
directions in which they are wider than the Gaussian (`stretch`): the shared line's widths and shape trade with each other along a ridge many of its standard deviations long.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.compilation import jit
from mrsjax.core.parameters import to_rows
from mrsjax.core.results import FitResult, Status
from mrsjax.inference import batch
from mrsjax.inference.linalg import solve
from mrsjax.inference.shortening import decimation_is_seen
from mrsjax.inference.summary import FitState
from mrsjax.inference.unbounded import Coordinates, information, potential
from mrsjax.inference.varpro import Problem, Tree
from mrsjax.physics.decimation import decimated
from mrsjax.physics.model import SignalModel

#: Iterations to the mode in unconstrained coordinates.
MODE_STEPS = 20
#: Error of chi^2 / 2 below which the short model (physics.decimation) stands for the whole.
NEGLIGIBLE = 0.05
#: Steps of warm-up and draws of a pilot run.
PILOT = 100


class Laplace(eqx.Module):
    """Gaussian in the unconstrained coordinates at the mode there; `draws` a spectrum."""

    draws: int = 1000


class Nuts(eqx.Module):
    """No-U-turn sampler (Hoffman and Gelman 2014; numpyro): `chains` of `draws` after `warmup`, for each spectrum.

    `pilots`: runs of `PILOT` + `PILOT` before, which find its coordinates. `target_accept`: of the warm-up's step size; larger means smaller steps and fewer
    divergences. `depth`: at most 2^depth - 1 gradients a draw.
    """

    warmup: int = 200
    draws: int = 800
    chains: int = 2
    pilots: int = 2
    target_accept: float = 0.9
    depth: int = 8


class Posterior(eqx.Module):
    """`k` chains of `d` draws for each of `s` spectra; spectra without a fit hold NaN.

    - `amplitudes`: in units of the basis; `theta`: non-linear parameters, flat (order of `ravel_pytree` of the model's parameters).
    - `weighted`: effective number of draws of Laplace's approximation, from the importance weights exact / approximate density: few mean that
      the approximation is not to be trusted. NaN for NUTS.
    - `divergent`: draws that ended in a divergence.
    """

    amplitudes: Float[np.ndarray, "s k d m"]
    theta: Float[np.ndarray, "s k d p"]
    weighted: Float[np.ndarray, " s"]
    divergent: Float[np.ndarray, " s"]
    names: tuple[str, ...] = eqx.field(static=True)

    def diagnose(
        self, quantity: Float[np.ndarray, "s k d q"]
    ) -> tuple[Float[np.ndarray, "s q"], Float[np.ndarray, "s q"]]:
        """Split R-hat and effective number of draws (Gelman et al. 2013) of what was computed from the draws.

        For Laplace, whose draws are independent, R-hat is NaN and the number is `weighted`.
        """
        r_hat = np.full((len(quantity), quantity.shape[-1]), np.nan)
        ess = np.broadcast_to(self.weighted[:, None], r_hat.shape).copy()
        sampled = np.isnan(self.weighted) & np.isfinite(quantity).all(axis=(1, 2, 3))
        if sampled.any():
            from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

            chains = np.moveaxis(quantity[sampled], 0, 2)  # (k, d, s, q)
            r_hat[sampled], ess[sampled] = split_gelman_rubin(chains), effective_sample_size(chains)
        return r_hat, ess


@jit
def _modes(model: SignalModel, problems: Problem, places: Coordinates, theta, amplitudes):
    """Mode in u by Levenberg-Marquardt, and the curvature there."""

    def one(problem, at, theta, c):
        def energy(u):
            return potential(model, problem, at, u)

        def step(_, carry):
            u, value, damping = carry
            h = information(model, problem, at, u)
            h = h + damping * jnp.diag(jnp.diagonal(h))
            new = u - solve(h, jax.grad(energy)(u), jnp.ones(u.shape, bool))
            found = energy(new)
            better = found < value
            damping = jnp.where(better, damping * 0.2, damping * 6.0)
            return jnp.where(better, new, u), jnp.where(better, found, value), damping

        u = at.inward(theta, c)
        u, value, _ = jax.lax.fori_loop(0, MODE_STEPS, step, (u, energy(u), jnp.asarray(1e-2, u.dtype)))
        return u, value, information(model, problem, at, u)

    return jax.vmap(one)(problems, places, theta, amplitudes)


@jit
def _evaluate(model: SignalModel, problems: Problem, places: Coordinates, mode, factor, x):
    """theta, c and the potential at whitened draws x (slots, draws, n)."""

    def one(problem, at, mode, factor, x):
        def draw(x):
            u = mode + factor @ x
            return *at.outward(u), potential(model, problem, at, u)

        return jax.lax.map(draw, x)

    return jax.vmap(one)(problems, places, mode, factor, x)


@eqx.filter_jit
def _nuts(model: SignalModel, rows, method: Nuts):
    from numpyro.infer.hmc import hmc

    def one(problem, at, centre, factor, start, seed):
        def energy(x):
            return potential(model, problem, at, centre + factor @ x)

        begin, step = hmc(potential_fn=energy, algo="NUTS")
        state = begin(
            start,
            method.warmup,
            target_accept_prob=method.target_accept,
            max_tree_depth=method.depth,
            rng_key=jax.random.key(seed),
        )
        state = jax.lax.fori_loop(0, method.warmup, lambda _, s: step(s), state)

        def draw(state, _):
            state = step(state)
            return state, (state.z, *at.outward(centre + factor @ state.z), state.diverging)

        return jax.lax.scan(draw, state, length=method.draws)[1]

    return jax.vmap(one)(*rows)


def stretch(x: Float[np.ndarray, "s k d n"]) -> tuple[Float[np.ndarray, "s n"], Float[np.ndarray, "s n n"]]:
    """Mean m and matrix S of better coordinates y, x = m + S y, for draws x of each spectrum that were meant to be standard normal.

    S stretches along principal axes with more variance than so many independent normal draws show by chance, (1 + sqrt(n / draws))^2 (Marchenko and Pastur 1967); the rest is turned only.
    """
    flat = x.reshape(len(x), -1, x.shape[-1])
    count, n = flat.shape[1:]
    mean = flat.mean(axis=1)
    centred = flat - mean[:, None]
    variance, axes = np.linalg.eigh(np.swapaxes(centred, 1, 2) @ centred / (count - 1))
    wide = np.where(variance > (1 + np.sqrt(n / count)) ** 2, variance, 1.0)
    return mean, axes * np.sqrt(wide)[:, None, :]


def _sampled(model: SignalModel, problems: Problem, places: Coordinates, mode, factor, method: Nuts, key: Array):
    """theta and c of `method`'s draws, and which of them diverged; (s * chains, draws, ...)."""
    chains, count, n = method.chains, len(mode) * method.chains, mode.shape[1]
    repeated = lambda tree: jax.tree.map(lambda x: np.repeat(x, chains, axis=0), tree)  # noqa: E731
    fixed = repeated((problems, places))
    size = min(batch.slots(), count)  # a repeated chain would cost as much as another
    # chains begin apart, as wide as the posterior
    start = np.asarray(jax.random.normal(jax.random.fold_in(key, method.pilots), (count, n)))

    def run(method, number):
        seeds = np.asarray(jax.random.randint(jax.random.fold_in(key, number), (count,), 0, 2**31 - 1))
        rows = *fixed, *repeated((mode, factor)), start, seeds
        return batch.map_rows(lambda x: _nuts(model, x, method), rows, size=size)

    pilot = Nuts(PILOT, PILOT, chains, 0, method.target_accept, method.depth)
    for number in range(method.pilots):
        x = run(pilot, number)[0]
        mean, wider = stretch(x.reshape(-1, chains, PILOT, n))
        ends = x[:, -1] - np.repeat(mean, chains, axis=0)
        start = np.linalg.solve(np.repeat(wider, chains, axis=0), ends[:, :, None])[:, :, 0]
        mode, factor = mode + (factor @ mean[:, :, None])[:, :, 0], factor @ wider
    return run(method, method.pilots + 1)[1:]


def posterior(
    model: SignalModel,
    fids: Complex[Array | np.ndarray, "s n"],
    result: FitResult,
    method: Laplace | Nuts,
    *,
    key: Array,
) -> Posterior:
    """Draws from the posterior of each spectrum, started and whitened by its fit.

    **Arguments:** `result`: of `fit(model, fids)`; its noise (the residual's, where that is larger), stiffness and priors are those of the density.
    `method`: `Laplace()` or `Nuts()`.

    **Raises:** `ImportError` naming the extra when numpyro is missing for `Nuts`.
    """
    if isinstance(method, Nuts):
        _require_numpyro()
    rows = np.flatnonzero(np.asarray(result.status) != Status.INVALID_DATA)
    m, p, total = len(model.names), result.state.theta.shape[1], len(fids)
    chains = method.chains if isinstance(method, Nuts) else 1
    out = Posterior(
        np.full((total, chains, method.draws, m), np.nan),
        np.full((total, chains, method.draws, p), np.nan),
        np.full(total, np.nan),
        np.zeros(total),
        model.names,
    )
    if not len(rows):
        return out
    state: FitState = jax.tree.map(lambda x: jnp.asarray(x)[rows], result.state)
    tree, unit = Tree(model), state.unit[:, None]
    data = model.crop(jnp.asarray(fids)[rows]) / unit
    if not decimation_is_seen(model, np.asarray(jnp.sum(jnp.abs(data) ** 2, axis=1)) / 2, NEGLIGIBLE).any():
        model = decimated(model)
    problems = Problem(data, state.log_stiffness, state.precision, state.weight)
    wide = lambda x: jnp.tile(x, (len(rows), 1))  # noqa: E731
    spread = jnp.asarray(_spread(model, tree, result)[rows])
    places = Coordinates(wide(tree.lower), wide(tree.upper), spread, result.crlb[rows] / unit)
    given = problems, places, state.theta, state.amplitudes
    mode, lowest, curvature = batch.map_rows(lambda x: _modes(model, *x), given)
    # on the host: no LAPACK under vmap
    factor = np.linalg.inv(np.linalg.cholesky(curvature)).swapaxes(1, 2)
    at = problems, places, mode, factor
    if isinstance(method, Laplace):
        x = np.asarray(jax.random.normal(key, (len(rows), method.draws, p + m)))
        theta, c, energy = batch.map_rows(lambda x: _evaluate(model, *x), (*at, x))
        log_weight = lowest[:, None] - energy + 0.5 * np.sum(x**2, axis=2)
        w = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        out.weighted[rows] = w.sum(axis=1) ** 2 / np.sum(w**2, axis=1)
    else:
        theta, c, diverging = _sampled(model, *at, method, key)
        out.divergent[rows] = diverging.reshape(len(rows), -1).sum(axis=1)
    shape = len(rows), chains, method.draws
    out.amplitudes[rows] = c.reshape(*shape, m) * np.asarray(unit)[:, :, None, None]
    out.theta[rows] = theta.reshape(*shape, p)
    return out


def _spread(model: SignalModel, tree: Tree, result: FitResult) -> Float[np.ndarray, "s p"]:
    """Standard deviations of the parameters, at most a quarter of the distance of their bounds: that of parameters at one, which the fit takes as known."""
    nested: dict = {}
    for name, x in result.parameters_sd.items():
        group, key = name.split(".")
        nested.setdefault(group, {})[key] = np.asarray(x)
    found, most = to_rows(nested, model.start(), len(result.status)), np.asarray(tree.upper - tree.lower) / 4
    return np.where((found > 0) & (found < most), found, most)


def _require_numpyro() -> None:
    try:
        import numpyro.infer  # noqa: F401
    except ImportError:
        raise ImportError("NUTS needs numpyro: pip install 'mrsjax[posterior]'; method Laplace needs nothing") from None
