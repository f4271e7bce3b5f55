"""Soft priors on ratios of amplitudes.

Each row says c_i = ratio_i * S, give or take `sd` * ratio_i * S, where S is a sum of amplitudes with given weights. With S in the spread
replaced by its estimate from a first stage, the prior is quadratic in the amplitudes: c' P c / 2, P = sum_rows r r' / (sd ratio_i S)^2, r = e_i - ratio_i S(c).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

T = TypeVar("T", np.ndarray, Array)

#: Ratios to tCr of metabolites that a short-TE spectrum hardly determines: medians of healthy adult groups (Gudmundson et al. 2023, as in
#: simulators/tissue/data/concentrations.csv).
PUBLISHED = {
    "Asc": 0.416,
    "Asp": 0.3094,
    "GABA": 0.1086,
    "Glc": 0.25,
    "Gly": 0.2092,
    "PE": 0.1332,
    "Scyllo": 0.04658,
    "Tau": 0.1888,
}


class RatioPrior(eqx.Module):
    """Expected amplitudes relative to a common scale.

    - `rows` (q, m): one homogeneous row e_i / (sd_i ratio_i) - scale / sd_i for each constrained component.
    - `scale` (m,): the scale S as a linear function of the amplitudes.
    """

    rows: Float[Array, "q m"]
    scale: Float[Array, " m"]

    def precision(self, amplitudes: Float[T, "*s m"], floor: Float[T, "*s"]) -> Float[T, "*s m m"]:
        """P for the scale found at `amplitudes`, not below `floor` (an amplitude that the noise alone would give); of NumPy arrays in NumPy."""
        numbers: Any = np if isinstance(amplitudes, np.ndarray) else jnp
        rows, scale = numbers.asarray(self.rows), numbers.asarray(self.scale)
        size = numbers.maximum(amplitudes @ scale, floor)
        return (rows.T @ rows) / size[..., None, None] ** 2


def ratio_prior(
    names: tuple[str, ...],
    ratios: Mapping[str, float],
    *,
    sd: float | Mapping[str, float],
    reference: Mapping[str, float],
) -> RatioPrior:
    """Prior that each component of `ratios` has its ratio to S = sum_j weight_j c_j, `reference` name -> weight, with relative spread `sd`.

    **Raises:** `ValueError` for a name that the model lacks, a ratio or sd that is not positive, or no reference.
    """
    missing = [n for n in (*ratios, *reference) if n not in names]
    if missing or not reference:
        raise ValueError(f"ratios: {', '.join(missing) or 'the reference'} not among the components {', '.join(names)}")
    spread = {n: float(sd[n] if isinstance(sd, Mapping) else sd) for n in ratios}
    if wrong := [n for n in ratios if ratios[n] <= 0 or spread[n] <= 0]:
        raise ValueError(f"ratios: wanted positive ratios and sd, found otherwise for {', '.join(wrong)}")
    scale = np.zeros(len(names))
    for n, weight in reference.items():
        scale[names.index(n)] = weight
    rows = np.tile(-scale, (len(ratios), 1))
    for row, (n, ratio) in zip(rows, ratios.items(), strict=True):
        row[names.index(n)] += 1.0 / ratio
        row /= spread[n]
    dtype = jnp.result_type(float)
    return RatioPrior(jnp.asarray(rows, dtype), jnp.asarray(scale, dtype))


def zero_prior(names: tuple[str, ...], name: str, sd: float, reference: tuple[str, ...]) -> RatioPrior:
    """Prior that a component is 0, give or take `sd` times the sum of `reference`."""
    scale = np.isin(names, reference).astype(float)
    row = np.isin(names, (name,)).astype(float) / sd
    dtype = jnp.result_type(float)
    return RatioPrior(jnp.asarray(row[None], dtype), jnp.asarray(scale, dtype))
