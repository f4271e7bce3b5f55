"""CPU time of a derivative through the fit: `python -m benchmarks.speed.derivative`.

The packaged basis, the default model (82 parameters, 36 amplitudes, 2,048 points), float64: d Glu / d scale of the data at the optimum of four spectra by `differentiable_fit`, the first with
compilation; beside it the derivative by a refit of louder and quieter data.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.speed.fit import spectra
from mrsjax.data import default_basis
from mrsjax.inference import differentiable_fit, fit
from mrsjax.physics import default_model


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    basis = default_basis()
    model = default_model(basis, basis.sampling)
    fids = np.asarray(spectra(model, 4, seed=3))
    result = fit(model, fids)
    glu, h = result.names.index("Glu"), 0.02
    sd = float(result.noise_sd[0])
    louder, quieter = (
        np.asarray(fit(model, s * fids, noise_sd=sd, tolerance=1e-8, max_iterations=200).amplitudes[:, glu])
        for s in (1 + h, 1 - h)
    )
    for k in range(len(fids)):
        began = time.process_time()
        scaled = lambda s, k=k: differentiable_fit(model, s * jnp.asarray(fids[k]), result, k).amplitudes[glu]  # noqa: E731
        found = float(jax.grad(scaled)(1.0))
        print(
            f"{time.process_time() - began:5.1f} s CPU, derivative {found:.3f}, by refits {(louder - quieter)[k] / (2 * h):.3f} +- {float(result.crlb[k, glu]):.3f} (one bound)"
        )


if __name__ == "__main__":
    main()
