"""Weighting of metabolites by T1 and T2, by field and tissue."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from mrsjax.core.metabolites import canonical
from mrsjax.physics.relaxation import relaxation_table
from simulators.tissue.priors import single


class Relaxation(eqx.Module):
    """What a sequence leaves of the signal.

        w = (1 - exp(-TR / T1)) exp(-TE / T2)

    - `t1`, `t2` (2, m): in grey and white matter, s; `share` (2, m): part of each metabolite's amount that lies in either, sum 1.
    - `echo_time`, `repetition_time`: s. `spread`: standard deviation of log T1 and log T2 from person to person, one deviate a metabolite and time, common to
      both tissues.

    Macromolecules and lipids are not weighted: their amplitudes in a recipe are those seen at its echo time.
    """

    t1: Float[Array, "2 m"]
    t2: Float[Array, "2 m"]
    share: Float[Array, "2 m"]
    echo_time: Float[Array, ""] = eqx.field(converter=single)
    repetition_time: Float[Array, ""] = eqx.field(converter=single)
    spread: Float[Array, ""] = eqx.field(converter=single, default=0.0)

    def tissues(self, *, key: Key[Array, ""]) -> Float[Array, "2 m"]:
        """w in grey and in white matter."""
        longer = jnp.exp(self.spread * jax.random.normal(key, (2, self.t1.shape[1]), jnp.float32))
        return -jnp.expm1(-self.repetition_time / (self.t1 * longer[0])) * jnp.exp(
            -self.echo_time / (self.t2 * longer[1])
        )

    def voxel(self, *, key: Key[Array, ""]) -> Float[Array, " m"]:
        """w of a voxel's metabolites, mean over its tissues by `share`."""
        return jnp.sum(self.share * self.tissues(key=key), axis=0)


def relaxation(
    names: tuple[str, ...],
    share: Float[np.ndarray, "2 m"],
    *,
    field_strength: float,
    echo_time: float,
    repetition_time: float,
    spread: float = 0.0,
) -> Relaxation:
    """With the times of `physics.relaxation` (each with its source), 3 T and 7 T; a metabolite that is not there has that table's mean.

    **Raises:** `ValueError` for another field.
    """
    times = [relaxation_table(field_strength).of(canonical(name)) for name in names]
    t1, t2 = (single(np.array([[getattr(t, k) for t in pair] for pair in times]).T) for k in ("t1", "t2"))
    return Relaxation(t1, t2, single(share / share.sum(0)), echo_time, repetition_time, spread)
