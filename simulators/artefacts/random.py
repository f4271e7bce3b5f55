"""Drawing the strengths of an artefact, and whether it occurs."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from numpyro.distributions import Distribution

from simulators.tissue.priors import draw


def draws(key: Key[Array, ""], *priors: Distribution) -> tuple[Key[Array, ""], list[Float[Array, "..."]]]:
    """A fresh key and one value of each prior, all from one random call."""
    key, here = jax.random.split(key)
    sizes = [int(np.prod(p.batch_shape)) for p in priors]
    deviates = jnp.split(jax.random.uniform(here, (sum(sizes),), jnp.float32), np.cumsum(sizes)[:-1])
    return key, [draw(p, u.reshape(p.batch_shape)) for p, u in zip(priors, deviates, strict=True)]


def happens(key: Key[Array, ""], probability: Float[Array, ""]) -> Float[Array, ""]:
    """1 with this probability, else 0."""
    return (jax.random.uniform(key, (), jnp.float32) < probability).astype(jnp.float32)
