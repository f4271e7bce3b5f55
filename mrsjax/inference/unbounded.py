"""The log density of parameters and amplitudes in unbounded coordinates, and its curvature.

With the data z in units of the noise, the baseline marginalised (W = 1 - H, `inference.varpro`) and the fit's priors,

    log p(theta, c | z) = -|z - c A(theta)|_W^2 / 2 - c' P c / 2 - |(theta - mean) / sd|^2 / 2,    c >= 0, theta within its bounds

theta and c are smooth maps of u (`Coordinates`; the logarithm of the derivative is added to the density).
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mrsjax.inference.implicit import cost
from mrsjax.inference.varpro import Problem, Tree, rows_of, smooth, stacked
from mrsjax.physics.model import SignalModel


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
