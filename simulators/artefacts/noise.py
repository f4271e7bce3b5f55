"""Thermal noise: complex, white, normal."""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Complex, Float, Key, UInt32

from simulators.artefacts.circle import quarter

#: No draw is further from zero than sqrt(2 ln 2^24): a normal deviate passes it once in 10^7.
LARGEST = math.sqrt(2 * math.log(2**24))

#: Second half of the counter: no counter that `jax.random` makes of the same key.
STREAM = 0x6E6F6973

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))

#: Minimax polynomial of ln(1 + x) / x between sqrt(1/2) and sqrt(2): relative error 1.7e-7.
_LOGARITHM = (
    0.999999945, -0.500003651, 0.333350589, -0.24969909, 0.199001661, -0.172508314, 0.162225758, -0.101068841,
)  # fmt: skip

#: Bits of sqrt(1/2) in single precision.
_ROOT_HALF = 0x3F3504F3


def threefry(
    key: tuple[ArrayLike, ArrayLike], counter: tuple[ArrayLike, ArrayLike], rounds: int = 20
) -> tuple[UInt32[Array, "*s"], UInt32[Array, "*s"]]:
    """Threefry 2x32 (Salmon 2011): two random words of a key and a counter; with 20 rounds the generator of `jax.random`.

    Written out, so that XLA makes one loop of it and of what uses the words; `jax.random.bits` on a CPU stores the words between groups of rounds, and throws half of them away.
    """
    first, second = (jnp.asarray(k, jnp.uint32) for k in key)
    schedule = (first, second, first ^ second ^ jnp.uint32(0x1BD11BDA))
    x, y = (jnp.asarray(c, jnp.uint32) + k for c, k in zip(counter, schedule, strict=False))
    for number in range(rounds):
        bits = _ROTATIONS[number // 4 % 2][number % 4]
        x = x + y
        y = x ^ ((y << jnp.uint32(bits)) | (y >> jnp.uint32(32 - bits)))
        if number % 4 == 3:
            group = number // 4
            x, y = x + schedule[(group + 1) % 3], y + schedule[(group + 2) % 3] + jnp.uint32(group + 1)
    return x, y


def complex_normal(key: Key[Array, ""], n_points: int) -> Complex[Array, " n"]:
    """Circular complex normal deviates, standard deviation 1 in the real and in the imaginary part.

        z = sqrt(-2 ln u) exp(i a),      u = (2 j + 1) 2^-24,  a in the midpoints of 2^25 parts of the circle

    with 23 bits j and 25 bits of an angle from the two words of `threefry` at counter (point, `STREAM`) (Box and Muller 1958). Of 13 rounds: the fewest that are Crush-resistant
    (Salmon 2011); keys are split with 20. Point i does not depend on how many there are. The modulus ends at `LARGEST`.
    """
    first, second = jax.random.key_data(key)[:2]
    word, turn = threefry((first, second), (jnp.arange(n_points, dtype=jnp.uint32), STREAM), rounds=13)
    # 23 bits within +-45 degrees; one that swaps the parts, one for their sign: the four quarters of the circle
    within = (lax.bitcast_convert_type(turn, jnp.int32) >> 8) | 1
    cosine, sine = quarter(within.astype(jnp.float32) * jnp.float32(math.pi / 4 / 2**23))
    swap = (turn & 1) == 1
    sign = (turn << jnp.uint32(30)) & jnp.uint32(1 << 31)
    signed = lax.bitcast_convert_type(lax.bitcast_convert_type(radius(word), jnp.uint32) ^ sign, jnp.float32)
    return lax.complex(signed * jnp.where(swap, sine, cosine), signed * jnp.where(swap, cosine, sine))


def radius(word: UInt32[Array, "*s"]) -> Float[Array, "*s"]:
    """sqrt(-2 ln u) of u = (2 j + 1) 2^-24, j the upper 23 bits: exponent and fraction of 2 j + 1 apart, none of the special cases of `jnp.log`."""
    odd = ((word >> 8) | 1).astype(jnp.int32).astype(jnp.float32)
    bits = lax.bitcast_convert_type(odd, jnp.int32) - jnp.int32(_ROOT_HALF)
    exponent = (bits >> 23).astype(jnp.float32)
    x = lax.bitcast_convert_type((bits & 0x7FFFFF) + jnp.int32(_ROOT_HALF), jnp.float32) - 1
    p = tuple(jnp.float32(-2 * c) for c in _LOGARITHM)
    square = x * x
    low, high = ((p[k] + p[k + 1] * x) + (p[k + 2] + p[k + 3] * x) * square for k in (0, 4))
    return jnp.sqrt(x * (low + high * (square * square)) + (24 - exponent) * jnp.float32(2 * math.log(2)))
