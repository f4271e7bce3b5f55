"""A Flax NNX module inside an Equinox tree: the only place where the two meet."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


class FlaxNet(eqx.Module):
    """A stateless NNX module as an `eqx.Module`: `params` are leaves, `graphdef` is static.

    Called with one example (no batch axis; `vmap` from outside). The input is cast to the dtype of the parameters (float32 even under x64), the output
    back to that of the input. Keywords, such as a dropout `key`, go to the module.

    **Raises:** `ValueError` for a module that holds anything but `nnx.Param`: BatchNorm statistics and the stream of `nnx.Dropout(rngs=...)` would
    be lost in silence inside a pure step.
    """

    params: Any
    graphdef: Any = eqx.field(static=True)

    def __init__(self, module: nnx.Module):
        graphdef, params, rest = nnx.split(module, nnx.Param, ...)
        found = {f"{'.'.join(map(str, path))} ({type(v).__name__})" for path, v in nnx.to_flat_state(rest)}
        if found:
            raise ValueError(
                f"module: wanted parameters only, found state in {', '.join(sorted(found))}; use LayerNorm or GroupNorm in place of BatchNorm, "
                "and a dropout that takes its key at the call"
            )
        self.params, self.graphdef = params, graphdef

    def __call__(self, x: Float[Array, "..."], **keywords: Any) -> Float[Array, "..."]:
        module = nnx.merge(self.graphdef, self.params)
        return module(x.astype(jnp.float32), **keywords).astype(x.dtype)
