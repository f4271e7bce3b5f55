"""What a basis may hold besides metabolites: macromolecules and a reference line."""

from __future__ import annotations

import jax.numpy as jnp

from mrsjax.core import BasisSet
from mrsjax.core.basis import BasisOrigin
from mrsjax.physics.macromolecules import MACROMOLECULES, Peak, peak_fids
from simulators.spins.systems import SpinSystem, singlet


def with_fids(basis: BasisSet, fids, names, *, note: str) -> BasisSet:
    """A basis with more entries; `note` goes into the provenance."""
    origin = basis.origin
    header = {**origin.header, "appended": [*origin.header.get("appended", ()), note]}
    origin = BasisOrigin(origin.sequence, origin.echo_time, origin.linewidth, origin.source, header)
    return BasisSet(jnp.concatenate([basis.fids, fids]), [*basis.names, *names], basis.sampling, origin)


def with_macromolecules(basis: BasisSet, peaks: tuple[Peak, ...] = MACROMOLECULES) -> BasisSet:
    """The basis with Gaussian macromolecule lines, one entry each (`mrsjax.physics.macromolecules`)."""
    fids = peak_fids(peaks, basis.sampling).astype(basis.fids.dtype)
    return with_fids(basis, fids, [p.name for p in peaks], note=f"{len(peaks)} Gaussian macromolecule lines")


def with_measured(basis: BasisSet, other: BasisSet) -> BasisSet:
    """The basis with all entries of another one (a measured macromolecule spectrum), resampled to its grid."""
    other = other.resample(basis.sampling)
    return with_fids(basis, other.fids, other.names, note=f"{', '.join(other.names)} of {other.origin.source}")


def reference_line(ppm: float = 0.0, name: str = "TMS") -> SpinSystem:
    """A reference singlet to simulate with the metabolites, e.g. at 0 ppm."""
    return singlet(name, ppm)
