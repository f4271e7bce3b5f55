"""Several sequences at once: conditions of an edited experiment, and series over a timing (J-PRESS, L-COSY, T2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Many
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from mrsjax.core import BasisSet, Sampling
from mrsjax.core.basis import BasisOrigin
from simulators.spins.accuracy import STANDARD
from simulators.spins.events import Sequence, _known
from simulators.spins.provenance import describe
from simulators.spins.simulation import reference_spin, signals
from simulators.spins.systems import SpinSystem


def simulate_conditions(
    systems: Many[SpinSystem],
    conditions: Mapping[str, Sequence],
    sampling: Sampling,
    *,
    combine: Mapping[str, Mapping[str, float]] | None = None,
    **options: Any,
) -> dict[str, BasisSet]:
    """A basis set for each condition and each combination of conditions.

    All are divided by the response of one uncoupled proton at `reference` ppm in the first condition, so that
    differences keep their size. `options` are those of `simulate`, without `normalise`.

    **Raises:** `ValueError` for a combination of conditions that do not exist.
    """
    combine = {} if combine is None else combine
    unknown = {c for weights in combine.values() for c in weights} - set(conditions)
    if unknown:
        raise ValueError(
            f"combine: wanted conditions among {', '.join(conditions)}, found {', '.join(sorted(unknown))}"
        )
    first = next(iter(conditions.values()))
    reference = dataclasses.replace(reference_spin(first.reference, sampling.nucleus), name="reference of the basis")
    fids: dict[str, Array] = {}
    unit = None
    for label, sequence in conditions.items():
        out = signals([*systems, reference], sequence, sampling, normalise=False, **options)
        unit = out[-1, 0] if unit is None else unit
        fids[label] = out[:-1] / unit
    for label, weights in combine.items():
        fids[label] = jnp.stack([w * fids[c] for c, w in weights.items()]).sum(0)
    names = [s.name for s in systems]
    header = {
        label: describe(
            systems, s, sampling, accuracy=options.get("accuracy", STANDARD), positions=options.get("positions", 32)
        )
        for label, s in conditions.items()
    }
    return {
        label: BasisSet(
            x,
            names,
            sampling,
            BasisOrigin(
                sequence=f"{first.name} {label}",
                echo_time=_known(first.echo_time),
                linewidth=_known(options.get("linewidth", 0.0)),
                source="simulators.spins",
                header={"conditions": header, "combination": dict(combine.get(label, {label: 1.0}))},
            ),
        )
        for label, x in fids.items()
    }


def simulate_series(
    systems: Many[SpinSystem],
    build: Callable[[Any], Sequence],
    values: Float[Array, " k"],
    sampling: Sampling,
    *,
    chunk: int = 32,
    **options: Any,
) -> Complex[Array, "k m n"]:
    """FIDs for each of `values`: `build(value)` makes the sequence, the values run as one batch.

    What does not depend on the value (pulses, spin systems) is computed once for a chunk of `chunk` values. J-PRESS is
    `build = lambda te2: press(te1 + te2, te1)`, L-COSY `build = lambda t1: l_cosy(te, t1)`. Options as in `signals`.
    """

    def one(value):
        return signals(systems, build(value), sampling, **options)

    values = jnp.asarray(values)
    parts = [jax.vmap(one)(values[i : i + chunk]) for i in range(0, len(values), chunk)]
    return jnp.concatenate(parts)
