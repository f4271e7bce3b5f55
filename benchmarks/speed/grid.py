"""Memory and time of a whole grid from FIDs to tables and page: `python -m benchmarks.speed.grid [-n 6000]`.

Spectra of the packaged basis at the model's start values with noise, on a grid, through `analyse`, `report.to_csv` and `report.render`. Printed: CPU time a spectrum, the
largest resident memory after each part (it never falls), sizes of what is written, share converged.
"""

import argparse
import resource
import time

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax import report
from mrsjax.analysis import analyse
from mrsjax.core import FIDs
from mrsjax.data import default_basis
from mrsjax.physics import default_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=6000)
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    basis = default_basis()
    model = default_model(basis, basis.sampling)
    rng = np.random.default_rng(1)
    clean = np.asarray(model.signal(model.start(), jnp.asarray(rng.uniform(1, 10, len(model.names)))))
    shape = (args.n // 100, 100, 1)
    noise = rng.normal(size=(*shape, clean.size)) + 1j * rng.normal(size=(*shape, clean.size))
    fids = FIDs((clean + 0.3 * noise).astype(np.complex64), basis.sampling, ("x", "y", "z"))
    del noise

    def say(what: str, start: float, more: str = "") -> None:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        cpu = 1e3 * (time.process_time() - start) / args.n
        print(f"{what}: {cpu:.1f} ms CPU a spectrum, {memory:.2f} GiB {more}", flush=True)

    start = time.process_time()
    say(f"{args.n} spectra, nothing done yet", start)
    analysis = analyse(fids, basis)
    converged = 100 * np.mean(np.asarray(analysis.result.status) == 0)
    say("analyse", start, f"({converged:.1f} % converged, curves of {len(analysis.curves.rows)} kept)")
    start = time.process_time()
    tables = {"results": report.results_rows, "parameters": report.parameters_rows, "qc": report.qc_rows}
    files = {f"{name}.csv": report.to_csv(rows(analysis)) for name, rows in tables.items()}
    say("tables", start, " ".join(f"{k} {len(v) / 1e6:.0f} MB" for k, v in files.items()))
    start = time.process_time()
    run = {
        "title": "grid", "started": "", "seconds": 0.0, "device": "cpu", "versions": {"mrsjax": "", "jax": ""}, "options": {}, "files": []
    }  # fmt: skip
    say("page", start, f"{len(report.render(analysis, run, files).encode()) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
