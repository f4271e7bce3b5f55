"""A set of metabolite responses on one sampling grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex
from scipy.interpolate import make_interp_spline

from mrsjax.core.sampling import Sampling


@dataclasses.dataclass(frozen=True, eq=False)
class BasisOrigin:
    """Where a basis came from: sequence, TE (s), line width already in the FIDs (Hz), file, simulator settings."""

    sequence: str | None = None
    echo_time: float | None = None
    linewidth: float | None = None
    source: str | None = None
    header: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class BasisSet(eqx.Module):
    """FIDs of unit concentration, one for each metabolite.

    **Arguments:**

    - `fids`: complex `(n_metabolites, n_points)`, +Hz = higher ppm.
    - `names`: one a metabolite, distinct.
    - `sampling`: the grid of the last axis.
    - `origin`: provenance.

    **Raises:** `ValueError` when shapes and names do not fit.
    """

    fids: Complex[Array | np.ndarray, "m n"]
    sampling: Sampling
    names: tuple[str, ...] = eqx.field(static=True)
    origin: BasisOrigin = eqx.field(static=True)

    def __init__(self, fids, names: Sequence[str], sampling: Sampling, origin: BasisOrigin | None = None):
        self.fids = fids
        self.names = tuple(str(n) for n in names)
        self.sampling = sampling
        self.origin = BasisOrigin() if origin is None else origin

    def __check_init__(self):
        wanted = (len(self.names), self.sampling.n_points)
        if self.fids.shape != wanted:
            raise ValueError(f"fids: wanted shape {wanted} for {len(self.names)} names, found {self.fids.shape}")
        if len(set(self.names)) != len(self.names):
            raise ValueError(
                f"names: wanted distinct names, found {sorted(n for n in set(self.names) if self.names.count(n) > 1)} twice"
            )

    def select(self, names: Sequence[str]) -> BasisSet:
        """The metabolites `names`, in that order."""
        missing = [n for n in names if n not in self.names]
        if missing:
            raise ValueError(f"names: {', '.join(missing)} not in the basis, which has {', '.join(self.names)}")
        rows = np.array([self.names.index(n) for n in names], dtype=int)
        return BasisSet(self.fids[rows], names, self.sampling, self.origin)

    def resample(self, sampling: Sampling) -> BasisSet:
        """The same responses on another grid.

        A central frequency that differs by up to 2 % stretches time (shifts in ppm are kept; couplings move by the same
        fraction); another ppm reference moves all lines; another dwell time interpolates (ninth-degree spline, then zeros).

        **Raises:** `ValueError` for another nucleus or field, or when the basis is too short for the data and has not decayed.
        """
        old, new = self.sampling, sampling
        if old.nucleus != new.nucleus:
            raise ValueError(f"sampling: the basis is for {old.nucleus}, the data are {new.nucleus}")
        scale = float(new.central_frequency) / float(old.central_frequency)
        if abs(scale - 1) > 0.02:
            raise ValueError(
                f"sampling: the basis was made at {float(old.central_frequency) / 1e6:.3f} MHz, the data are at "
                f"{float(new.central_frequency) / 1e6:.3f} MHz; simulate a basis at the field of the data"
            )
        fids = np.asarray(self.fids)
        time = np.arange(new.n_points) * float(new.dwell_time) * scale
        step = float(old.dwell_time)
        end = step * old.n_points
        tail, top = np.abs(fids[:, -max(4, old.n_points // 64) :]).max(), np.abs(fids).max()
        if time[-1] > end + step and tail > 0.02 * top:
            raise ValueError(
                f"sampling: the basis lasts {end:.3f} s and has not decayed (last points are {100 * tail / top:.0f} % of the "
                f"largest), the data last {time[-1]:.3f} s; use a longer or a broadened basis"
            )
        if np.allclose(time[: old.n_points], np.arange(old.n_points)[: new.n_points] * step, rtol=0, atol=1e-4 * step):
            out = np.zeros((len(self.names), new.n_points), dtype=fids.dtype)
            keep = min(old.n_points, new.n_points)
            out[:, :keep] = fids[:, :keep]
        else:
            spline = make_interp_spline(np.arange(old.n_points) * step, fids.T, k=9)
            inside = time <= step * (old.n_points - 1)
            out = np.where(inside[:, None], spline(np.where(inside, time, 0.0)), 0.0).T
        offset = float(new.to_hz(old.ppm_ref))
        if offset != 0.0:
            out = out * np.exp(2j * np.pi * offset * np.arange(new.n_points) * float(new.dwell_time))
        return BasisSet(jnp.asarray(out), self.names, new, self.origin)
