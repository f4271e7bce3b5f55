"""Amplitudes near the zero bound: `python -m benchmarks.accuracy.near_zero [-n 200]`.

One simulated spectrum of the packaged basis (default model, SNR of NAA about 80) in which one weak metabolite has 0, 1, 2, 4 and 8 of its Cramer-Rao bounds, each under n draws of noise (seed 5),
fitted with the default model. Of that metabolite, in bounds: mean error, scatter, the reported bound (median), and how often truth lies within 1.96 of the reported bounds, at zero or not.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core.metabolites import is_nuisance
from mrsjax.data import default_basis
from mrsjax.inference import fit
from mrsjax.physics import default_model

NAMES, LEVELS = ("GABA", "Lac", "Asp"), (0.0, 1.0, 2.0, 4.0, 8.0)
TYPICAL = {"NAA": 12.0, "Glu": 10.0, "Ins": 6.0, "Cr": 5.0, "PCr": 4.0, "Gln": 2.5, "NAAG": 1.5, "GSH": 2.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=200)
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    basis = default_basis()
    model = default_model(basis, basis.sampling)
    typical = np.array([5.0 if is_nuisance(n) else TYPICAL.get(n, 1.0) for n in model.names])
    rng = np.random.default_rng(5)

    def spectra(truth, count):
        clean = np.asarray(model.signal(model.start(), jnp.asarray(truth)))
        noise = rng.normal(size=(count, clean.size)) + 1j * rng.normal(size=(count, clean.size))
        return clean + 0.3 * noise

    bounds = np.median(np.asarray(fit(model, spectra(typical, 16)).crlb), axis=0)
    print("| metabolite | truth | mean error | scatter | reported | within 1.96 | at zero | converged |")
    print("|---|---|---|---|---|---|---|---|")
    for name in NAMES:
        i = model.names.index(name)
        for level in LEVELS:
            truth = typical.copy()
            truth[i] = level * bounds[i]
            result = fit(model, spectra(truth, args.n))
            ok = np.asarray(result.status) == 0
            found, said = (np.asarray(x)[ok, i] / bounds[i] for x in (result.amplitudes, result.crlb))
            inside = np.abs(found - level) < 1.96 * said
            zero = found < 1e-3
            print(
                f"| {name} | {level:g} | {np.mean(found - level):+.2f} | {found.std():.2f} | {np.median(said):.2f} | {100 * inside.mean():.1f} % | {100 * zero.mean():.0f} % "
                f"| {ok.sum()} of {args.n} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
