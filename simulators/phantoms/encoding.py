"""An MRSI encoding: which k-space positions are read, and the image that is made of them."""

from __future__ import annotations

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Key

from simulators.phantoms import kspace, nonuniform


class Encoding(eqx.Module):
    """Reads the k-space of an object and makes the image of `matrix` voxels."""

    matrix: eqx.AbstractVar[tuple[int, int, int]]

    @abc.abstractmethod
    def plan(self, *, key: Key[Array, ""]) -> Array:
        """What is read this time: a mask (a, b, c) or, where that is fixed, the weight of each sample in the image."""

    @abc.abstractmethod
    def read(self, image: Complex[Array, "x y z n"], plan: Array) -> Complex[Array, "*k n"]:
        """The samples of an object, the time axis last."""

    @abc.abstractmethod
    def image(self, samples: Complex[Array, "*k n"], plan: Array) -> Complex[Array, "a b c n"]:
        """The image of the samples."""

    @abc.abstractmethod
    def gain(self, plan: Array) -> Float[Array, ""]:
        """Standard deviation of an image's noise over that of the samples'."""


class Cartesian(Encoding):
    """Phase encoding of all positions of the matrix, of those inside an ellipsoid, or of a random choice of `variable_density` for each key; zero elsewhere."""

    matrix: tuple[int, int, int] = eqx.field(static=True)
    ellipse: bool = eqx.field(static=True, default=False)
    acceleration: float | None = eqx.field(static=True, default=None)
    centre: float = eqx.field(static=True, default=0.2)

    def __check_init__(self):
        jax.eval_shape(lambda: self.plan(key=jax.random.key(0)))  # an acceleration that cannot be is refused here

    def plan(self, *, key) -> Bool[Array, "a b c"]:
        if self.acceleration is not None:
            return kspace.variable_density(key, self.matrix, acceleration=self.acceleration, centre=self.centre)
        return jnp.asarray(kspace.elliptical(self.matrix) if self.ellipse else np.ones(self.matrix, bool))

    def read(self, image, plan):
        return kspace.sampled(image, self.matrix) * plan[..., None]

    def image(self, samples, plan):
        return kspace.reconstructed(samples * plan[..., None])

    def gain(self, plan):
        return jnp.sqrt(jnp.sum(plan.astype(jnp.float32)))


class Along(Encoding):
    """A stack of spirals or rosettes: `trajectory` in the plane, phase encoding along z."""

    matrix: tuple[int, int, int] = eqx.field(static=True)
    trajectory: nonuniform.Trajectory

    def plan(self, *, key) -> Float[Array, " j"]:
        return self.trajectory.density

    def read(self, image, plan):
        stack = kspace.sampled(image, (image.shape[0], image.shape[1], self.matrix[2]), axes=(2,))
        return jnp.moveaxis(nonuniform.sampled_along(jnp.moveaxis(stack, (2, 3), (0, 1)), self.trajectory), 1, -1)

    def image(self, samples, plan):
        flat = jnp.moveaxis(samples, -1, 1)
        planes = nonuniform.image_along(flat, self.trajectory, self.matrix[:2])
        return kspace.reconstructed(jnp.moveaxis(planes, (0, 1), (2, 3)), axes=(2,))

    def gain(self, plan):
        return jnp.sqrt(self.matrix[2] * jnp.sum(plan**2))
