"""Thermal noise: complex, white, normal."""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Key

#: No draw is further from zero than sqrt(2 ln 2^21): a normal deviate passes it once in 2 million.
LARGEST = math.sqrt(2 * math.log(2**21))


def complex_normal(key: Key[Array, ""], n_points: int, dtype=jnp.complex64) -> Complex[Array, " n"]:
    """Circular complex normal deviates, standard deviation 1 in the real and in the imaginary part.

        z = sqrt(-2 ln u) exp(2 pi i v),      u = (j + 1/2) 2^-20,  v = (k + 1/2) 2^-12

    with the 20 + 12 bits (j, k) of one random word a point (Box and Muller 1958): half the random bits of two `jax.random.normal`, and no sine of
    a large angle. The modulus ends at `LARGEST`.
    """
    word = jax.random.bits(key, (n_points,), jnp.uint32)
    real = jnp.finfo(dtype).dtype
    number = lambda bits: lax.convert_element_type(bits, real)  # noqa: E731
    radius = jnp.sqrt(-2 * jnp.log((number(word >> 12) + real.type(0.5)) * real.type(2.0**-20)))
    # nine bits inside an octant, three bits to choose it
    angle = (number(word & 511) + real.type(0.5)) * real.type(math.pi / 4 / 512)
    square = angle * angle
    cosine = 1 - square * (1 / 2 - square * (1 / 24 - square * (1 / 720 - square / 40320)))
    sine = angle * (1 - square * (1 / 6 - square * (1 / 120 - square / 5040)))
    swap, left, down = ((word >> bit) & 1 == 1 for bit in (9, 10, 11))
    x, y = jnp.where(swap, sine, cosine), jnp.where(swap, cosine, sine)
    return lax.complex(radius * jnp.where(left, -x, x), radius * jnp.where(down, -y, y))
