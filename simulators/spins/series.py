"""Several sequences at once: conditions of an edited experiment, and series over a timing (J-PRESS, L-COSY, T2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Many
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core import BasisSet, Sampling
from mrsjax.core.basis import BasisOrigin
from simulators.spins.accuracy import STANDARD
from simulators.spins.events import Sequence, _known
from simulators.spins.provenance import describe, open_systems
from simulators.spins.simulation import reference_spin, signals
from simulators.spins.systems import SpinSystem


def simulate_conditions(
    systems: Many[SpinSystem],
    conditions: Mapping[str, Sequence],
    sampling: Sampling,
    *,
    combine: Mapping[str, Mapping[str, float]] | None = None,
    unit: str | None = None,
    **options: Any,
) -> dict[str, BasisSet]:
    """A basis set for each condition and each combination of conditions.

    All are divided by the response of one uncoupled proton at `reference` ppm in the condition or combination `unit`
    (the first condition when left out), so that differences keep their size. `options` are those of `simulate`,
    without `normalise`.

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
    found: dict[str, Array] = {
        label: signals([*systems, reference], sequence, sampling, normalise=False, **options)
        for label, sequence in conditions.items()
    }
    for label, weights in combine.items():
        found[label] = jnp.stack([w * found[c] for c, w in weights.items()]).sum(0)
    one = found[next(iter(conditions)) if unit is None else unit][-1, 0]
    fids = {label: x[:-1] / one for label, x in found.items()}
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
                header={
                    "conditions": header,
                    "combination": dict(combine.get(label, {label: 1.0})),
                    "open_systems": open_systems(systems),
                },
            ),
        )
        for label, x in fids.items()
    }


def simulate_series(
    systems: Many[SpinSystem],
    build: Callable[[Any], Sequence],
    values: Float[Array | np.ndarray, " k"],
    sampling: Sampling,
    *,
    chunk: int = 32,
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> Complex[Array, "k m n"]:
    """FIDs for each of `values`: `build(value)` makes the sequence, the values run as one batch.

    What does not depend on the value (pulses, spin systems) is computed once for a chunk of `chunk` values. J-PRESS is
    `build = lambda te2: press(te1 + te2, te1)`, L-COSY `build = lambda t1: l_cosy(te, t1)`. Options as in `signals`;
    `progress` is called with a line for each chunk.
    """

    def one(value):
        return signals(systems, build(value), sampling, **options)

    values = jnp.asarray(values)
    parts = []
    for i in range(0, len(values), chunk):
        part = values[i : i + chunk]
        if progress is not None:
            progress(f"timings {i + 1} to {i + len(part)} of {len(values)}")
        parts.append(jax.vmap(one)(part))
    return jnp.concatenate(parts)


class BasisSeries(eqx.Module):
    """Basis sets of a 2-D experiment: one FID for each entry and each value of the indirect dimension.

    - `fids`: `(m, k, n)`; `names`: of the m entries; `values`: of the k timings, s, and `what` they are.
    - `sampling`, `origin`: as in a `BasisSet`.
    """

    fids: Complex[Array | np.ndarray, "m k n"]
    values: Float[np.ndarray, " k"]
    sampling: Sampling
    names: tuple[str, ...] = eqx.field(static=True)
    what: str = eqx.field(static=True)
    origin: BasisOrigin = eqx.field(static=True)


def simulate_basis_series(
    systems: Many[SpinSystem],
    build: Callable[[Any], Sequence],
    values: Float[np.ndarray, " k"],
    sampling: Sampling,
    *,
    what: str,
    **options: Any,
) -> BasisSeries:
    """`simulate_series` with names and provenance.

    **Raises:** `ValueError` when the pulses do not fit into the first timing.
    """
    first = build(float(values[0]))
    fids = simulate_series(systems, build, values, sampling, **options)
    header = describe(
        systems, first, sampling, accuracy=options.get("accuracy", STANDARD), positions=options.get("positions", 32)
    )
    origin = BasisOrigin(
        sequence=first.name,
        echo_time=_known(first.echo_time),
        linewidth=_known(options.get("linewidth", 0.0)),
        source="simulators.spins",
        header={**header, "series": {"of": what, "values_s": [float(v) for v in values]}},
    )
    return BasisSeries(
        jnp.swapaxes(fids, 0, 1), np.asarray(values), sampling, tuple(s.name for s in systems), what, origin
    )
