"""The basis set that comes with the package."""

from __future__ import annotations

import json
from importlib import resources

import jax.numpy as jnp
import numpy as np

from mrsjax.core import BasisSet, Sampling
from mrsjax.core.basis import BasisOrigin


def default_basis() -> BasisSet:
    """Twenty metabolites at 3 T (123.25 MHz), PRESS TE 30 ms (10 + 20), 2048 points of 0.5 ms, 1.5 Hz Lorentzian.

    Ideal pulses, one unit a proton. Made by `simulators.spins.default_basis`; `origin.header` holds the sequence, the
    source of each spin system, the gyromagnetic ratio and the version. For data of another sequence make a basis with
    `mrsjax basis simulate`.

    **Returns:** a `BasisSet`, FIDs stored in complex64 (relative rounding 6e-8) in JAX's default complex width.
    """
    with resources.files("mrsjax.data").joinpath("basis_press30_3t.npz").open("rb") as file, np.load(file) as content:
        fids, names, about = content["fids"], content["names"], json.loads(str(content["about"]))
    sampling = Sampling(
        about["dwell_time"],
        about["central_frequency"],
        fids.shape[1],
        ppm_ref=about["ppm_ref"],
        nucleus=about["nucleus"],
    )
    origin = BasisOrigin(
        sequence=about["sequence"],
        echo_time=about["echo_time"],
        linewidth=about["linewidth"],
        source="mrsjax default basis",
        header=about["header"],
    )
    return BasisSet(jnp.asarray(fids, jnp.result_type(complex)), [str(n) for n in names], sampling, origin)
