"""Thermal noise: complex, white, normal."""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Complex, Key, UInt32

#: No draw is further from zero than sqrt(2 ln 2^24): a normal deviate passes it once in 10^7.
LARGEST = math.sqrt(2 * math.log(2**24))

#: Second half of the counter: no counter that `jax.random` makes of the same key.
STREAM = 0x6E6F6973

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(
    key: tuple[ArrayLike, ArrayLike], counter: tuple[ArrayLike, ArrayLike]
) -> tuple[UInt32[Array, "*s"], UInt32[Array, "*s"]]:
    """Threefry 2x32 with 20 rounds (Salmon 2011): two random words of a key and a counter, the generator of `jax.random`.

    Written out, so that XLA makes one loop of it and of what uses the words; `jax.random.bits` on a CPU stores the words between groups of rounds, and throws half of them away.
    """
    first, second = (jnp.asarray(k, jnp.uint32) for k in key)
    schedule = (first, second, first ^ second ^ jnp.uint32(0x1BD11BDA))
    x, y = (jnp.asarray(c, jnp.uint32) + k for c, k in zip(counter, schedule, strict=False))
    for group in range(5):
        for bits in _ROTATIONS[group % 2]:
            x = x + y
            y = x ^ ((y << jnp.uint32(bits)) | (y >> jnp.uint32(32 - bits)))
        x, y = x + schedule[(group + 1) % 3], y + schedule[(group + 2) % 3] + jnp.uint32(group + 1)
    return x, y


def complex_normal(key: Key[Array, ""], n_points: int, dtype=jnp.complex64) -> Complex[Array, " n"]:
    """Circular complex normal deviates, standard deviation 1 in the real and in the imaginary part.

        z = sqrt(-2 ln u) exp(2 pi i v),      u = (j + 1/2) 2^-23,  v = (k + 1/2) 2^-23

    with 23 bits each (j, k) of the two words of `threefry` at counter (point, `STREAM`) (Box and Muller 1958): no sine of a large angle. Point i does not depend on
    how many there are. The modulus ends at `LARGEST`.
    """
    first, second = jax.random.key_data(key)[:2]
    word, turn = threefry((first, second), (jnp.arange(n_points, dtype=jnp.uint32), STREAM))
    real = jnp.finfo(dtype).dtype
    number = lambda bits: lax.convert_element_type(bits, real)  # noqa: E731
    radius = jnp.sqrt(-2 * jnp.log((number(word >> 9) + real.type(0.5)) * real.type(2.0**-23)))
    # twenty bits inside an octant, three bits to choose it
    angle = (number(turn >> 12) + real.type(0.5)) * real.type(math.pi / 4 / 2**20)
    square = angle * angle
    cosine = 1 - square * (1 / 2 - square * (1 / 24 - square * (1 / 720 - square / 40320)))
    sine = angle * (1 - square * (1 / 6 - square * (1 / 120 - square / 5040)))
    swap, left, down = ((turn >> bit) & 1 == 1 for bit in (9, 10, 11))
    x, y = jnp.where(swap, sine, cosine), jnp.where(swap, cosine, sine)
    return lax.complex(radius * jnp.where(left, -x, x), radius * jnp.where(down, -y, y))
