"""The fit as layers: amplitudes solved exactly, and Levenberg-Marquardt steps from where an encoder points. Same code as `inference.fit`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Complex, Float

from mrsjax.inference import varpro
from mrsjax.inference.varpro import Problem, Tree
from mrsjax.physics.model import SignalModel

#: Relative damping of an unrolled step: little, since it starts near the optimum.
DAMPING = 1e-3


def problem(model: SignalModel, fid: Complex[Array, " n"], noise: Float[Array, ""]) -> Problem:
    """The fit's problem of one FID: no priors of amplitudes, the model's priors of parameters and its baseline."""
    tree = Tree(model)
    m, data = len(model.names), model.crop(fid) / noise
    dtype = data.real.dtype
    weight = (1.0 / tree.sd**2).astype(dtype)
    return Problem(data, model.baseline.log_stiffness.astype(dtype), jnp.zeros((m, m), dtype), weight)


def project(model: SignalModel, given: Problem, values: dict[str, dict[str, Any]]) -> Float[Array, " m"]:
    """Variable-projection layer: the non-negative amplitudes that are best at `values`, in units of the problem's noise.

        c(theta) = argmin_{c >= 0} |z - c A(theta)|_W^2 + c' P c

    Derivatives in both modes by the implicit function theorem on the amplitudes that are not zero (Golub and Pereyra 1973, without Kaufman's
    simplification).
    """
    design, _ = model.design(values)
    linear, _ = varpro.linear_solution(model, given, design, jnp.ones(len(model.names), bool))
    return linear.amplitudes


def reduced_cost(model: SignalModel, given: Problem, values: dict[str, dict[str, Any]]) -> Float[Array, ""]:
    """chi^2 / 2 with amplitudes and baseline at their best: what an encoder is trained on without truth."""
    design, _ = model.design(values)
    linear, _ = varpro.linear_solution(model, given, design, jnp.ones(len(model.names), bool))
    return linear.cost


def refine(
    model: SignalModel, given: Problem, values: dict[str, dict[str, Any]], steps: int
) -> tuple[dict[str, dict[str, Any]], Float[Array, " m"]]:
    """Refinement layer: `steps` Gauss-Newton steps of the fit from `values`, unrolled, then the exact amplitudes.

    Differentiable with respect to `values` and the data. The steps are not guarded by an acceptance test: for numbers that are reported use
    `inference.fit(..., start=...)`, which is.
    """
    theta = ravel_pytree(values)[0]
    tree = jax.tree.map(lambda x: x.astype(theta.dtype), Tree(model))  # bounds are double under x64, networks never
    theta = jnp.clip(theta, tree.lower, tree.upper)
    passive = jnp.ones(len(model.names), bool)
    for _ in range(steps):
        at = varpro.point(model, tree, given, theta, passive)
        theta, passive, _ = varpro.trial(tree, at, jnp.asarray(DAMPING, theta.dtype))
    values = tree.unravel(theta)
    return values, project(model, given, values)
