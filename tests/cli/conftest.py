"""A small measured-looking data set on disk, and the command run inside the test process."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

import mrsjax.inference
from mrsjax import io
from mrsjax.cli import main
from mrsjax.core import BasisSet, FIDs, FitResult, Sampling, Status
from mrsjax.core.basis import BasisOrigin
from mrsjax.core.data import Acquisition
from mrsjax.inference import Curves
from tests.physics.examples import PLAIN

N, DWELL, F0 = 512, 8e-4, 123.25e6
LINES = {
    "NAA": ((2.01, 3), (2.6, 2), (4.38, 1)),
    "Cr": ((3.03, 3), (3.91, 2)),
    "GPC": ((3.21, 9), (3.65, 5)),
    "Glu": ((2.35, 2), (2.08, 2), (3.75, 1)),
}
AMOUNT = {"NAA": 10.0, "Cr": 8.0, "GPC": 1.8, "Glu": 9.0}


def _signal(peaks, sampling, width=1.0):
    t = np.arange(sampling.n_points) * float(sampling.dwell_time)
    return sum(a * np.exp(2j * np.pi * float(sampling.to_hz(p)) * t - np.pi * width * t) for p, a in peaks)


@pytest.fixture(scope="session")
def scans(tmp_path_factory):
    """Paths: svs, series, mrsi, water, basis (folder of LCModel files), raw, config."""
    folder = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    sampling = Sampling(DWELL, F0, N)
    t = np.arange(N) * DWELL
    basis = BasisSet(
        np.array([_signal(p, sampling) for p in LINES.values()]), tuple(LINES), sampling, BasisOrigin(echo_time=0.03)
    )
    clean = sum(AMOUNT[k] * f for k, f in zip(LINES, basis.fids, strict=True)) * np.exp(-np.pi * 4 * t) * np.exp(0.3j)
    about = Acquisition(echo_time=0.03, repetition_time=2.0)

    def noisy(*shape):
        return clean + 0.4 * (rng.normal(size=(*shape, N)) + 1j * rng.normal(size=(*shape, N)))

    grid = noisy(3, 2, 2)
    grid[0, 0, 0] = 0.0
    grid[0, 1, 0] = np.nan
    water = 2e4 * np.exp(-np.pi * 6 * t)
    files = {
        "svs": FIDs(noisy(), sampling, (), about),
        "series": FIDs(noisy(5), sampling, ("DIM_DYN",), about),
        "mrsi": FIDs(grid, sampling, ("x", "y", "z"), about),
        "water": FIDs(water, sampling, (), about),
        "faint": FIDs(1e-3 * water, sampling, (), about),
        "untimed": FIDs(noisy(), sampling, ()),
    }
    paths = {}
    for name, fids in files.items():
        paths[name] = str(folder / f"{name}.nii.gz")
        io.write(fids, paths[name])
    paths["basis"], paths["raw"] = str(folder / "set.basis"), str(folder / "svs.raw")
    io.write_basis(basis, paths["basis"])
    # As LCModel's own tools write it: no sampling anywhere. +Hz is lower ppm on disk.
    points = "".join(f"{z.real:15.6E}{-z.imag:15.6E}\n" for z in np.asarray(files["svs"].data))
    (folder / "svs.raw").write_text(f" $NMID ID='svs' FMTDAT='(2E15.6)' VOLUME=1.0 TRAMP=1.0 $END\n{points}")
    half = "".join(f"{line}\n" for line in points.splitlines()[: N // 2])
    paths["short"] = str(folder / "short.raw")
    (folder / "short.raw").write_text(f" $NMID ID='svs' FMTDAT='(2E15.6)' VOLUME=1.0 TRAMP=1.0 $END\n{half}")
    paths["config"] = str(folder / "settings.yaml")
    (folder / "settings.yaml").write_text(yaml.safe_dump({"model": PLAIN}))
    mask = np.zeros((3, 2, 2), dtype=bool)
    mask[1:, 0, 1] = True
    np.save(folder / "mask.npy", mask)
    paths["mask"] = str(folder / "mask.npy")
    return paths


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """A compile cache of the test run, so that nothing is left in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("xla")))
        yield
    jax.config.update("jax_compilation_cache_dir", None)


def _known_lines(model, spectra):
    """Spectra of the basis with the line width, shift and phase that the scans were made with."""
    basis = np.asarray(model.groups[0].fids) * np.exp(-np.pi * 4 * np.asarray(model.sampling.time)) * np.exp(0.3j)
    return np.asarray(model.crop(jnp.asarray(basis))), np.asarray(model.crop(jnp.asarray(spectra)))


@pytest.fixture
def quick(monkeypatch):
    """Replaces the fit by linear least squares with known lines: what is tested is the command, and nothing
    compiles.
    """

    def fit(model, fids, *, noise_sd=None, progress=None):
        design, data = _known_lines(model, np.nan_to_num(fids))
        s, m = len(data), len(design)
        bad = ~np.isfinite(fids).all(axis=1) | (np.abs(np.nan_to_num(fids)).max(axis=1) == 0)
        stacked = np.concatenate([design.real, design.imag], axis=1)
        amplitudes = np.concatenate([data.real, data.imag], axis=1) @ np.linalg.pinv(stacked)
        covariance = np.broadcast_to(0.16 * np.linalg.inv(stacked @ stacked.T), (s, m, m)).copy()
        amplitudes[bad], covariance[bad] = np.nan, np.nan
        status = np.where(bad, Status.INVALID_DATA, Status.CONVERGED)
        zero = jnp.zeros(s)
        if progress is not None:
            progress(s, s)
        names = model.names
        return FitResult(
            amplitudes=jnp.asarray(amplitudes),
            covariance=jnp.asarray(covariance),
            parameters={"metabolites.shift": zero},
            parameters_sd={"metabolites.shift": zero},
            noise_sd=zero + 0.4,
            baseline_ed=zero,
            misfit=zero,
            effective_parameters=zero,
            status=jnp.asarray(status),
            iterations=jnp.asarray(status),
            cost=zero,
            state=None,
            names=names,
            metabolites=names,
            units={"metabolites.shift": "Hz"},
        )

    def evaluate_all(model, result, fids):
        design, data = _known_lines(model, fids)
        components = np.exp(-0.3j) * np.asarray(result.amplitudes)[:, :, None] * design
        total, data = components.sum(axis=1), np.exp(-0.3j) * data
        return Curves(np.asarray(model.ppm), data, total, 0 * total, data - total, components, np.full(len(data), 0.4))

    monkeypatch.setattr(mrsjax.inference, "fit", fit)
    monkeypatch.setattr(mrsjax.inference, "evaluate_all", evaluate_all)


@pytest.fixture
def command(capfd):
    """Runs a command; returns (exit code, stdout, stderr). Lines of XLA's log are left out: jax is there before the command, which silences it, begins."""

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return exit_.value.code, out, re.sub(r"^[IWE]\d{4} \d\d:\d\d:.*\n", "", err, flags=re.MULTILINE)

    return run
