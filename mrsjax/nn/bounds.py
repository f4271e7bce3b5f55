"""From the unbounded outputs of a network to parameters of the signal model inside their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mrsjax.core.parameters import Parameter
from mrsjax.nn.frozen import Frozen


class ParameterMap(eqx.Module):
    """Outputs u -> the values `names` ("group.parameter", scalars) of a model; all others stay at their start.

        value = lower + (upper - lower) sigmoid(a + g u)    both bounds finite
        value = location + scale u                          else

    with a and g such that u = 0 is the `location` and the slope there is `scale` (mean and standard deviation of the training data): outputs of order 1 cover what
    occurs, and no output leaves the bounds.

    **Raises:** `ValueError` for a name that the model has not, or that is no scalar.
    """

    lower: Frozen[Float[Array, " p"]]
    upper: Frozen[Float[Array, " p"]]
    location: Frozen[Float[Array, " p"]]
    scale: Frozen[Float[Array, " p"]]
    start: Frozen[dict[str, dict[str, Any]]]
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self,
        parameters: dict[str, dict[str, Parameter]],
        names: Sequence[str],
        location: Float[np.ndarray | Array, " p"],
        scale: Float[np.ndarray | Array, " p"],
    ):
        known = {f"{g}.{n}": p for g, tree in parameters.items() for n, p in tree.items()}
        for name in names:
            if name not in known or known[name].start.ndim:
                scalars = ", ".join(n for n, p in known.items() if p.start.ndim == 0)
                raise ValueError(f"predicted: wanted scalar parameters of the model ({scalars}), found {name!r}")
        dtype = jnp.float32
        stack = lambda field: jnp.array([getattr(known[n], field) for n in names], dtype)  # noqa: E731
        lower, upper = stack("lower"), stack("upper")
        span = jnp.where(jnp.isfinite(upper - lower), upper - lower, 0.0)
        location = jnp.clip(jnp.asarray(location, dtype), lower + 0.005 * span, upper - 0.005 * span)
        self.names = tuple(names)
        self.lower, self.upper = Frozen(lower), Frozen(upper)
        self.location, self.scale = Frozen(location), Frozen(jnp.asarray(scale, dtype))
        self.start = Frozen({g: {n: p.start for n, p in tree.items()} for g, tree in parameters.items()})

    def _parts(self, dtype):
        lower, upper, location, scale = (
            x.value.astype(dtype) for x in (self.lower, self.upper, self.location, self.scale)
        )
        bounded = jnp.isfinite(lower) & jnp.isfinite(upper)
        low, span = jnp.where(bounded, lower, 0.0), jnp.where(bounded, upper - lower, 1.0)
        part = jnp.where(bounded, (location - low) / span, 0.5)
        gain = scale / (span * part * (1 - part))
        return bounded, low, span, jnp.log(part) - jnp.log1p(-part), gain, location, scale

    def vector(self, outputs: Float[Array, " p"]) -> Float[Array, " p"]:
        """The named values as a vector."""
        bounded, low, span, at, gain, location, scale = self._parts(outputs.dtype)
        return jnp.where(bounded, low + span * jax.nn.sigmoid(at + gain * outputs), location + scale * outputs)

    def outputs(self, vector: Float[Array, " p"]) -> Float[Array, " p"]:
        """The inverse of `vector`; values at a bound or outside are moved inside by 1e-4 of the bounds' distance."""
        bounded, low, span, at, gain, location, scale = self._parts(vector.dtype)
        part = jnp.clip((vector - low) / span, 1e-4, 1 - 1e-4)
        inside = (jnp.log(part) - jnp.log1p(-part) - at) / gain
        return jnp.where(bounded, inside, (vector - location) / scale)

    def tree(self, vector: Float[Array, " p"]) -> dict[str, dict[str, Array]]:
        """The model's whole tree of values."""
        values = {g: dict(tree) for g, tree in self.start.value.items()}
        for name, x in zip(self.names, vector, strict=True):
            group, parameter = name.split(".")
            values[group][parameter] = x.astype(values[group][parameter].dtype)
        return values

    def of(self, values: dict[str, dict[str, Array]]) -> Float[Array, " p"]:
        """The named entries of a tree of values."""
        pairs = [name.split(".") for name in self.names]
        return jnp.stack([jnp.asarray(values[g][n]) for g, n in pairs]) if pairs else jnp.zeros(0)
