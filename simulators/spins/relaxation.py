"""Relaxation as a weight of each group."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulators.spins.events import Sequence
from simulators.spins.systems import SpinGroup


class Relaxation(eqx.Module):
    """Weight of a group with T1, T2 at the sequence's TE and TM:

        w = (1 - exp(-TR / T1)) exp(-TE / T2) exp(-TM / T1)

    - `repetition_time`: s; infinite by default.

    A group whose T1 (T2) is `None` is not weighted by it. Relaxation during pulses, and that of multiple-quantum
    coherences, is left out.
    """

    repetition_time: Float[Array, ""] = eqx.field(
        converter=lambda x: jnp.asarray(x, jnp.result_type(float)), default=jnp.inf
    )


def relaxation_weight(group: SpinGroup, sequence: Sequence, relaxation: Relaxation | None) -> Float[Array, ""] | float:
    """The weight of a group; 1 without `relaxation`."""
    weight = 1.0
    if relaxation is None:
        return weight
    if group.t2 is not None:
        weight = weight * jnp.exp(-sequence.echo_time / group.t2)
    if group.t1 is not None:
        saturation = 1 - jnp.exp(-relaxation.repetition_time / group.t1)
        weight = weight * saturation * jnp.exp(-sequence.mixing_time / group.t1)
    return weight
