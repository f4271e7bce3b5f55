"""Cost of the fit: `python -m benchmarks.speed.fit [-n 1000]`.

The default model on 2048 points: 20 metabolites, 15 macromolecules, spline baseline and water tails. The spectra are drawn from the model itself around typical
amplitudes (seeded), SNR 20 to 80. Printed: CPU seconds of compilation (cold, and from the persistent cache when a second process runs this with the same
--cache), CPU time a spectrum after it, share converged, iterations, the largest resident memory, and the ratio to one FFT of the basis timed in the same run.
CPU time is that of the whole process, all threads.
"""

import argparse
import resource
import time

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core import Status, memory
from mrsjax.data import default_basis
from mrsjax.inference import fit
from mrsjax.inference.starting import TYPICAL
from mrsjax.physics import default_model


def spectra(model, count: int, seed: int = 0) -> np.ndarray:
    """FIDs of the model with random amplitudes, lines, phases and noise."""
    rng = np.random.default_rng(seed)
    start = model.start()
    typical = np.array([TYPICAL.get(n, 0.7 if n in model.groups[0].names else 3.0) for n in model.names])
    typical[model.names.index("-CrCH2")] = 0.0

    @jax.jit
    def one(amplitudes, shift, lorentz, gauss, phase):
        values = {g: dict(v) for g, v in start.items()}
        values["metabolites"] |= {"shift": shift, "lorentz": lorentz, "gauss": gauss}
        values["macromolecules"] |= {"shift": shift}
        values["phase"]["phase_zero"] = phase
        return model.signal(values, amplitudes)

    out = []
    for _ in range(count):
        draw = rng.normal(0, 3), rng.uniform(1, 4), rng.uniform(9, 36), rng.uniform(-0.5, 0.5)
        x = np.asarray(one(jnp.asarray(typical * np.clip(rng.normal(1, 0.3, len(typical)), 0, 3)), *draw))
        sd = np.abs(np.asarray(model.crop(jnp.asarray(x)))).max() / rng.uniform(20, 80)
        out.append(x + sd * (rng.standard_normal(x.size) + 1j * rng.standard_normal(x.size)))
    return np.array(out)


def cpu(call, repeat: int = 1) -> float:
    """CPU seconds of a call that has run before."""
    start = time.process_time()
    for _ in range(repeat):
        jax.block_until_ready(call())
    return (time.process_time() - start) / repeat


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--cache", help="folder of the persistent compilation cache")
    args = parser.parse_args()
    memory.keep()  # as the command line does
    jax.config.update("jax_enable_x64", True)
    if args.cache:
        jax.config.update("jax_compilation_cache_dir", args.cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    basis = default_basis()
    model = default_model(basis, basis.sampling)
    data = spectra(model, args.n)
    wall, first = time.perf_counter(), cpu(lambda: fit(model, data[:8]).amplitudes)
    wall = time.perf_counter() - wall
    fids = jnp.asarray(np.asarray(model.groups[0].fids))
    transform = jax.jit(jnp.fft.fft)
    transform(fids).block_until_ready()
    one_fft = cpu(lambda: transform(fids), 200)
    start = time.process_time()
    result = fit(model, data)
    each = (time.process_time() - start) / len(data)
    status = np.bincount(np.asarray(result.status), minlength=len(Status))
    iterations = np.asarray(result.iterations)
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(data)} spectra, {len(basis.names)} metabolites, {model.window[1] - model.window[0]} points in the window, device {jax.devices()[0].device_kind}\n"
        f"first call (compilation and 8 fits): {first:.1f} s CPU, {wall:.1f} s wall\n"
        f"a spectrum: {1e3 * each:.2f} ms CPU = {each / one_fft:.0f} FFTs of the basis ({1e6 * one_fft:.0f} us)\n"
        f"converged {100 * status[0] / len(data):.1f} %, iterations median {np.median(iterations):.0f}, mean {iterations.mean():.1f}, most {iterations.max()}\n"
        f"largest resident memory {largest:.2f} GiB"
    )


if __name__ == "__main__":
    main()
