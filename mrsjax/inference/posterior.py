"""Posteriors of the classical model: Laplace's approximation and NUTS on one log density.

With the data z in units of the noise, the baseline marginalised (W = 1 - H, `inference.varpro`) and the fit's priors,

    log p(theta, c | z) = -|z - c A(theta)|_W^2 / 2 - c' P c / 2 - |(theta - mean) / sd|^2 / 2,    c >= 0, theta within its bounds

Amplitudes are sampled, not maximised: their prior is flat on c >= 0 times the ratio priors. The sampler moves in x, where theta and c are smooth maps
of u (`Coordinates`; the logarithm of the derivative is added to the density) and u = mode + L x whitens u with the
Fisher information at the mode.
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
from mrsjax.inference.implicit import cost
from mrsjax.inference.linalg import solve
from mrsjax.inference.shortening import decimation_is_seen
from mrsjax.inference.summary import FitState
from mrsjax.inference.varpro import Problem, Tree, rows_of, smooth, stacked
from mrsjax.physics.decimation import decimated
from mrsjax.physics.model import SignalModel

#: Iterations to the mode in unconstrained coordinates.
MODE_STEPS = 20
#: Error of chi^2 / 2 below which the short model (physics.decimation) stands for the whole.
NEGLIGIBLE = 0.05


class Laplace(eqx.Module):
    """Gaussian in the unconstrained coordinates at the mode there; `draws` a spectrum."""

    draws: int = 1000


class Nuts(eqx.Module):
    """No-U-turn sampler (Hoffman and Gelman 2014; numpyro): `chains` of `draws` after `warmup`, for each spectrum.

    `target_accept`: of the warm-up's step size; larger means smaller steps and fewer divergences. `depth`: at most 2^depth - 1 gradients a draw.
    """

    warmup: int = 400
    draws: int = 500
    chains: int = 2
    target_accept: float = 0.95
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


class Coordinates(eqx.Module):
    """The map between u, unbounded, and (theta, c).

        x = lower + s (softplus(u) - softplus(u - a)),     a = (upper - lower) / s

    for bounded parameters: a straight line where x is several s from both bounds, so that what is Gaussian there stays so. Amplitudes are c = s softplus(u).
    """

    lower: Float[Array, " p"]
    upper: Float[Array, " p"]
    spread: Float[Array, " p"]  # s of the parameters: about their standard deviations
    scale: Float[Array, " m"]  # s of the amplitudes

    def _parts(self):
        bounded = jnp.isfinite(self.lower) & jnp.isfinite(self.upper)
        low, width = jnp.where(bounded, self.lower, 0.0), jnp.where(bounded, self.upper - self.lower, 1.0)
        return bounded, low, jnp.where(bounded, self.spread, 1.0), width / jnp.where(bounded, self.spread, 1.0)

    def outward(self, u: Float[Array, " n"]) -> tuple[Float[Array, " p"], Float[Array, " m"]]:
        """theta and c."""
        bounded, low, s, a = self._parts()
        v = u[: len(s)]
        theta = jnp.where(bounded, low + s * (jax.nn.softplus(v) - jax.nn.softplus(v - a)), v)
        return theta, self.scale * jax.nn.softplus(u[len(s) :])

    def inward(self, theta: Float[Array, " p"], c: Float[Array, " m"]) -> Float[Array, " n"]:
        """u, for a point moved off its bounds by 0.3 s (at most by a quarter of their distance) and amplitudes of at least 0.3 s."""
        bounded, low, s, a = self._parts()
        off = jnp.minimum(0.3, 0.25 * a)
        x, y = jnp.clip((theta - low) / s, off, a - off), jnp.maximum(c / self.scale, 0.3)
        v = x + jnp.log(-jnp.expm1(-x)) - jnp.log(-jnp.expm1(x - a))
        return jnp.concatenate([jnp.where(bounded, v, theta), y + jnp.log(-jnp.expm1(-y))])

    def slope(self, u: Float[Array, " n"]) -> Float[Array, " n"]:
        """d(theta, c) / du."""
        bounded, _, s, a = self._parts()
        v = u[: len(s)]
        inner = -s * jnp.expm1(-a) * jax.nn.sigmoid(v) * jax.nn.sigmoid(a - v)
        return jnp.concatenate([jnp.where(bounded, inner, 1.0), self.scale * jax.nn.sigmoid(u[len(s) :])])

    def log_slope(self, u: Float[Array, " n"]) -> Float[Array, ""]:
        """log |d(theta, c) / du| up to a constant, without underflow."""
        bounded, _, s, a = self._parts()
        v = u[: len(s)]
        inner = jax.nn.log_sigmoid(v) + jax.nn.log_sigmoid(a - v)
        return jnp.sum(jnp.where(bounded, inner, 0.0)) + jnp.sum(jax.nn.log_sigmoid(u[len(s) :]))

    def curvature(self, u: Float[Array, " n"]) -> Float[Array, " n"]:
        """Second derivative of -log |slope|."""
        bounded, _, s, a = self._parts()
        v = u[: len(s)]
        bend = lambda x: jax.nn.sigmoid(x) * jax.nn.sigmoid(-x)  # noqa: E731
        return jnp.concatenate([jnp.where(bounded, bend(v) + bend(a - v), 0.0), bend(u[len(s) :])])


def potential(model: SignalModel, problem: Problem, at: Coordinates, u: Float[Array, " n"]) -> Float[Array, ""]:
    """-log p(u | z) up to a constant."""
    return cost(model, problem, *at.outward(u)) - at.log_slope(u)


def information(model: SignalModel, problem: Problem, at: Coordinates, u: Float[Array, " n"]) -> Float[Array, "n n"]:
    """Gauss-Newton curvature of `potential`: the joint Fisher information of theta and c, priors and coordinates included."""
    theta, c = at.outward(u)
    p = theta.shape[0]
    values = Tree(model).unravel(theta)
    design, fids = model.design(values)
    x = stacked(jnp.concatenate([rows_of(model.jacobian(values, c, fids)), design]))
    px = smooth(model, problem, x)
    fisher = x @ x.T - px @ px.T
    fisher = fisher.at[:p, :p].add(jnp.diag(problem.weight)).at[p:, p:].add(problem.precision)
    slope = at.slope(u)
    return fisher * slope[:, None] * slope[None, :] + jnp.diag(at.curvature(u))


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

    def one(problem, at, mode, factor, start, seed):
        def energy(x):
            return potential(model, problem, at, mode + factor @ x)

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
            return state, (*at.outward(mode + factor @ state.z), state.diverging)

        return jax.lax.scan(draw, state, length=method.draws)[1]

    return jax.vmap(one)(*rows)


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
        first, second = jax.random.split(key)
        repeated = jax.tree.map(lambda x: np.repeat(x, chains, axis=0), at)
        count = len(rows) * chains
        start = np.asarray(jax.random.normal(first, (count, p + m)))  # chains begin apart, as wide as the posterior
        seeds = np.asarray(jax.random.randint(second, (count,), 0, 2**31 - 1))
        size = min(batch.slots(), count)  # a repeated chain would cost as much as another
        theta, c, diverging = batch.map_rows(lambda x: _nuts(model, x, method), (*repeated, start, seeds), size=size)
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
