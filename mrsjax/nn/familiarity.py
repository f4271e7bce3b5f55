"""How far an input is from what a network was trained on."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key

from mrsjax.core import Simulator
from mrsjax.nn.inputs import Inputs

COMPONENTS, QUANTILE = 24, 0.99


class Familiarity(eqx.Module):
    """Distance of the features of a FID from those of the training data, 1 at their 99 % quantile.

        d^2 = sum_j (z_j / sd_j)^2 / J + (r / r_0)^2,    z: the first J principal components, r: the norm of what they leave

    above 1 for one training spectrum in a hundred; well above 1 the network has seen nothing alike. r_0: the 99 % quantile of r.
    """

    mean: Float[Array, " f"]
    directions: Float[Array, "j f"]
    deviations: Float[Array, " j"]
    remainder: Float[Array, ""]
    limit: Float[Array, ""]

    def _raw(self, features: Float[Array, "..."]) -> Float[Array, ""]:
        x = features.reshape(-1).astype(jnp.float32) - self.mean
        z = self.directions @ x
        rest = jnp.sqrt(jnp.maximum(jnp.sum(x**2) - jnp.sum(z**2), 0.0))
        return jnp.sqrt(jnp.mean((z / self.deviations) ** 2) + (rest / self.remainder) ** 2)

    def __call__(self, features: Float[Array, "..."]) -> Float[Array, ""]:
        """The distance of one input's features."""
        return self._raw(features) / self.limit


def blank(size: int) -> Familiarity:
    """The shape of a `Familiarity` over `size` features, before its arrays are loaded."""
    one = jnp.float32(1.0)
    j = min(COMPONENTS, size)
    return Familiarity(
        jnp.zeros(size, jnp.float32), jnp.zeros((j, size), jnp.float32), jnp.ones(j, jnp.float32), one, one
    )


def familiarity(inputs: Inputs, simulator: Simulator, *, count: int = 1024, key: Key[Array, ""]) -> Familiarity:
    """`Familiarity` of the simulator's spectra: half of `count` give the components, the other half the quantiles."""

    @eqx.filter_jit
    def draw(inputs, simulator, keys):
        return jax.vmap(lambda k: inputs(simulator.sample(k).data)[0].reshape(-1))(keys)

    features = np.asarray(draw(inputs, simulator, jax.random.split(key, count)), np.float64)
    one, two = features[: count // 2], features[count // 2 :]
    mean = one.mean(axis=0)
    _, singular, rows = np.linalg.svd(one - mean, full_matrices=False)
    j = min(COMPONENTS, features.shape[1])
    deviations = np.maximum(singular[:j] / np.sqrt(len(one)), 1e-6)
    centred = two - mean
    rest = np.linalg.norm(centred - (centred @ rows[:j].T) @ rows[:j], axis=1)
    single = lambda x: jnp.asarray(x, jnp.float32)  # noqa: E731
    found = Familiarity(
        single(mean),
        single(rows[:j]),
        single(deviations),
        single(max(np.quantile(rest, QUANTILE), 1e-6)),
        jnp.float32(1.0),
    )
    raw = np.asarray(jax.vmap(found._raw)(single(two)))
    return eqx.tree_at(lambda f: f.limit, found, single(np.quantile(raw, QUANTILE)))


def distances(saved: Familiarity, inputs: Inputs, fids: Complex[Array | np.ndarray, "s n"]) -> Float[np.ndarray, " s"]:
    """Distance of each FID; above 1 it is unlike what the network was trained on. NaN for data that are not finite."""
    return np.asarray(_distances(saved, inputs, jnp.asarray(fids, jnp.complex64)))


@eqx.filter_jit
def _distances(saved, inputs, fids):
    return jax.vmap(lambda x: saved(inputs(x)[0]))(fids)
