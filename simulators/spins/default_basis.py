"""How the basis in `mrsjax/data` was made: `python -m simulators.spins.default_basis` writes it again."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np

from mrsjax.core import BasisSet, Sampling
from simulators.spins.library import metabolites
from simulators.spins.sequences import press
from simulators.spins.simulation import simulate

#: What is usually fitted in a healthy brain at 3 T and short TE (Wilson et al. 2019, consensus), with glucose,
# glycine and PE.
NAMES = (
    "Ala Asc Asp Cr GABA Glc Gln Glu Gly GPC GSH Ins Lac NAA NAAG PCh PCr PE Scyllo Tau".split()
)  # fmt: skip
PATH = Path(__file__).parents[2] / "mrsjax" / "data" / "basis_press30_3t.npz"


def make() -> BasisSet:
    """PRESS with ideal pulses, TE1/TE2 = 10/20 ms, 123.25 MHz, 2048 points of 0.5 ms, 1.5 Hz Lorentzian."""
    sampling = Sampling(5e-4, 123.25e6, 2048)
    return simulate(metabolites(NAMES), press(0.03, 0.01), sampling, linewidth=1.5)


def save(basis: BasisSet, path: Path) -> None:
    """A basis as a compressed .npz of plain arrays: FIDs in complex64, names, the grid, and provenance as JSON text."""
    sampling = basis.sampling
    about = {
        "dwell_time": float(sampling.dwell_time), "central_frequency": float(sampling.central_frequency),
        "ppm_ref": float(sampling.ppm_ref), "nucleus": sampling.nucleus, "sequence": basis.origin.sequence,
        "echo_time": basis.origin.echo_time, "linewidth": basis.origin.linewidth, "header": dict(basis.origin.header),
    }  # fmt: skip
    arrays = {
        "fids": np.asarray(basis.fids, np.complex64),
        "names": np.array(basis.names),
        "about": np.array(json.dumps(about)),
    }
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    save(make(), PATH)
    print(f"{PATH}: {PATH.stat().st_size} bytes")
