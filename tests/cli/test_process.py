"""Single steps and BIDS datasets on the command line."""

import dataclasses
import json
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax import io
from mrsjax.cli.process import STEPS
from mrsjax.core import FIDs
from mrsjax.core.data import Acquisition
from mrsjax.processing import Options, preprocess, steps
from tests.processing.signals import METABOLITES, SAMPLING, WATER, line, moved, noise


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Raw data of 3 coils, 6 transients, 2 conditions, and the water; a small grid and its mask."""
    place = tmp_path_factory.mktemp("process")
    rng = np.random.default_rng(0)
    b = np.array([1.0, 0.6j, -0.8])
    hz, phase = rng.uniform(-4, 4, (6, 2)), rng.uniform(-0.5, 0.5, (6, 2))
    data = b[:, None, None, None] * moved(METABOLITES + WATER / 20, hz, phase) + noise(rng, 0.2, 3, 6, 2)
    about = Acquisition(echo_time=0.03, repetition_time=2.0)
    io.write(FIDs(data, SAMPLING, ("DIM_COIL", "DIM_DYN", "DIM_EDIT"), about), place / "raw.nii.gz")
    io.write(FIDs(b[:, None] * WATER, SAMPLING, ("DIM_COIL",), about), place / "water.nii.gz")
    grid = np.tile(METABOLITES, (4, 4, 1, 1)) * rng.uniform(0.5, 1.5, (4, 4, 1, 1)) + noise(rng, 0.2, 4, 4, 1)
    io.write(FIDs(grid, SAMPLING, ("x", "y", "z"), about), place / "grid.nii.gz")
    import nibabel

    ring = np.zeros((4, 4, 1), np.uint8)
    ring[0] = 1
    nibabel.save(nibabel.Nifti1Image(ring, np.eye(4)), place / "ring.nii.gz")
    return place


def test_every_step_has_a_function_with_its_options_and_help_without_jax():
    import inspect

    for name, step in STEPS.items():
        function = getattr(steps, {"align": "align_transients"}.get(name, name.replace("-", "_")))
        wanted = [o.replace("-", "_") for o in step.options]
        assert [p for p in inspect.signature(function).parameters if p != "fids"] == wanted, name
    code = (
        "import sys\nfrom mrsjax.cli import main\ntry:\n    main(['process', 'align', '--help'])\n"
        "except SystemExit: pass\nprint('jax' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.rstrip().endswith("False False") and "--window-ppm" in done.stdout


def test_a_chain_of_steps_is_logged_and_ends_at_the_truth(folder, command):
    chain = [
        ("coil-combine", "--reference", folder / "water.nii.gz"),
        ("align",),
        ("remove-outliers",),
        ("average",),
        ("remove-water",),
        ("align-edit",),
        ("add",),
        ("reference",),
    ]
    now = folder / "raw.nii.gz"
    for i, (name, *options) in enumerate(chain):
        out = folder / f"{i}.nii.gz"
        code, stdout, stderr = command("process", name, now, *options, "-o", out)
        assert code == 0 and stdout.startswith(STEPS[name].method), stderr
        now = out
    made = io.read(now)
    assert made.dims == ()
    applied = [s["Method"] for s in made.acquisition.header["ProcessingApplied"]]
    assert applied == [STEPS[name].method for name, *_ in chain]
    found = np.asarray(made.data)
    scale = np.vdot(METABOLITES, found) / np.vdot(METABOLITES, METABOLITES)
    assert np.linalg.norm(found - scale * METABOLITES) < 0.1 * np.linalg.norm(found)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("phase", ["--zero-deg", "90"]), ("apodise", ["--lorentz-hz", "3"]), ("zero-fill", ["--points", "600"]),
        ("truncate", ["--first", "2"]), ("interpolate", ["--factor", "2"]), ("denoise", []), ("hamming", []),
        ("remove-lipid", ["--mask", "ring.nii.gz"]),
    ],
)  # fmt: skip
def test_the_other_steps_on_a_grid(folder, command, name, options):
    before = io.read(folder / "grid.nii.gz")
    options = [str(folder / o) if o.endswith(".gz") else o for o in options]
    code, _, stderr = command("process", name, folder / "grid.nii.gz", *options, "-o", folder / f"{name}.nii.gz")
    assert code == 0, stderr
    after = io.read(folder / f"{name}.nii.gz")
    x, y = np.asarray(before.data), np.asarray(after.data)
    wanted = {
        "phase": lambda: 1j * x,
        "apodise": lambda: x * np.exp(-3 * np.pi * np.asarray(SAMPLING.time)),
        "zero-fill": lambda: np.pad(x, [(0, 0)] * 3 + [(0, 88)]),
        "truncate": lambda: x[..., 2:],
    }
    if name in wanted:
        np.testing.assert_allclose(y, wanted[name](), atol=1e-4)
    elif name == "denoise":  # one spectrum times a weight: rank 1, and most of the noise of 0.2 is gone
        u, d, v = np.linalg.svd(x.reshape(16, -1), full_matrices=False)
        np.testing.assert_allclose(y.reshape(16, -1), d[0] * np.outer(u[:, 0], v[0]), atol=1e-3)
        assert after.acquisition.noise_sd == pytest.approx(0.2, rel=0.05)
    elif name == "hamming":
        w = 0.54 + 0.46 * np.cos(2 * np.pi * np.fft.fftfreq(4))
        wanted = np.fft.ifft2(np.fft.fft2(x, axes=(0, 1)) * np.outer(w, w)[..., None, None], axes=(0, 1))
        np.testing.assert_allclose(y, wanted, atol=1e-4)
    elif name == "interpolate":
        np.testing.assert_allclose(y[..., ::2], x, atol=1e-4)
        assert float(after.sampling.dwell_time) == pytest.approx(2.5e-4)
    elif name == "remove-lipid":
        from mrsjax.processing import lipids

        mask = np.zeros((4, 4), bool)
        mask[0] = True
        goal, _ = lipids.remove_lipids(jnp.asarray(x.reshape(16, -1)), jnp.asarray(mask.ravel()), SAMPLING)
        np.testing.assert_allclose(y.reshape(16, -1), goal, atol=1e-4)
    assert not np.array_equal(x, y) and after.dims == ("x", "y", "z")
    assert (after.acquisition.noise_sd is not None) == (name == "denoise")


def series(*shape, seed=0):
    rng = np.random.default_rng(seed)
    hz, phase = rng.uniform(-4, 4, shape), rng.uniform(-0.5, 0.5, shape)
    return moved(METABOLITES, hz, phase), noise(rng, 0.2, *shape)


def test_values_of_subtract_and_add_and_the_noise_that_goes_with_them():
    pair = np.stack([METABOLITES, 2j * METABOLITES])
    fids = FIDs(pair, SAMPLING, ("DIM_EDIT",), Acquisition(noise_sd=0.3))
    for name, factor in (("subtract", 2j - 1), ("add", 2j + 1)):
        done, _ = steps.run(name, fids, dim="DIM_EDIT")
        np.testing.assert_allclose(done.data, factor * METABOLITES)
        assert done.acquisition.noise_sd == pytest.approx(0.3 * 2**0.5)


def test_values_of_ecc_with_a_reference():
    current = np.exp(1j * (0.4 + 1.5 * np.exp(-np.asarray(SAMPLING.time) / 0.03)))
    fids = FIDs(np.stack([METABOLITES, 2 * METABOLITES]) * current, SAMPLING, ("DIM_DYN",))
    done, words = steps.run("ecc", fids, reference=FIDs(line(4.65, 2000, 6) * current, SAMPLING))
    np.testing.assert_allclose(done.data, [METABOLITES, 2 * METABOLITES], atol=1e-4)
    assert words == "klose, with a reference"


@pytest.mark.parametrize("target", ["first", "NAA"])
def test_values_of_align_to_a_target(target):
    clean, grain = series(5)
    done, _ = steps.run(
        "align", FIDs(clean + grain, SAMPLING, ("DIM_DYN",)), window_ppm=(1.8, 4.2), target=target, robust=False
    )
    goal = clean[0] if target == "first" else METABOLITES
    away = np.linalg.norm(np.asarray(done.data) - goal, axis=1) / np.linalg.norm(grain, axis=1)
    assert np.all(away < 1.6) and np.all(
        np.linalg.norm(clean[1:] - goal, axis=1) > 3 * np.linalg.norm(grain[1:], axis=1)
    )


def test_values_of_a_weighted_average():
    _, grain = series(6)
    data = METABOLITES + grain * np.array([1, 1, 1, 1, 1, 30.0])[:, None]
    fids = FIDs(data, SAMPLING, ("DIM_DYN",), Acquisition(noise_sd=0.2))
    (plain, _), (weighted, words) = (steps.run("average", fids, weighted=w) for w in (False, True))
    np.testing.assert_allclose(plain.data, data.mean(axis=0), atol=1e-12)
    away = [np.linalg.norm(np.asarray(x.data) - METABOLITES) for x in (plain, weighted)]
    assert away[1] < 0.2 * away[0]
    assert plain.acquisition.noise_sd == pytest.approx(0.2 / 6**0.5)
    assert weighted.acquisition.noise_sd is None and "dropped" in words


@pytest.mark.parametrize(
    ("name", "options", "factor"),
    [
        ("phase", {"zero_deg": 30.0, "delay_ms": 0.0}, 1.0), ("truncate", {"first": 2, "last": 0}, 1.0),
        ("remove-outliers", {"z_limit": 4.0}, 1.0), ("reference", {"peak": "NAA"}, 1.0), ("denoise", {}, 1.0),
        ("apodise", {"lorentz_hz": 3.0, "gauss_hz": 0.0}, None), ("zero-fill", {"points": 600}, None),
        ("interpolate", {"factor": 2}, None),
    ],
)  # fmt: skip
def test_the_noise_that_a_file_carries_holds_or_is_dropped(name, options, factor):
    clean, grain = series(4)
    fids = FIDs(clean + grain, SAMPLING, ("DIM_DYN",), Acquisition(noise_sd=0.2))
    done, words = steps.run(name, fids, **options)
    assert done.acquisition.noise_sd == (None if factor is None else pytest.approx(0.2 * factor))
    assert ("dropped" in words) == (factor is None)


def test_the_noise_that_a_file_carries_through_coils_and_the_pipeline_by_monte_carlo():
    rng = np.random.default_rng(3)
    b = np.array([1.0, 0.6j, -0.8])
    data = b[:, None, None] * METABOLITES + noise(rng, 0.2, 3, 4)
    fids = FIDs(data, SAMPLING, ("DIM_COIL", "DIM_DYN"), Acquisition(noise_sd=0.2))
    one, _ = steps.run("coil-combine", fids, reference=None)
    seen = np.std(np.diff(np.asarray(one.data), axis=0).real) / 2**0.5
    np.testing.assert_allclose(seen, one.acquisition.noise_sd, rtol=0.1)
    few = Options(align=False, reject=False, eddy=False, remove_water=False, reference=None)
    done = preprocess(fids, options=few)
    np.testing.assert_allclose(done.fids.acquisition.noise_sd, one.acquisition.noise_sd / 2)
    lost = preprocess(fids, options=dataclasses.replace(few, weighted=True))
    assert lost.fids.acquisition.noise_sd is None and any("was dropped" in n for n in lost.notes)
    conditions = FIDs(np.stack([data[0], data[0]]), SAMPLING, ("DIM_EDIT", "DIM_DYN"), Acquisition(noise_sd=0.2))
    pair = preprocess(conditions, options=few)
    np.testing.assert_allclose(pair.combined["difference"].acquisition.noise_sd, 0.2 * (2 / 4) ** 0.5)


def test_eddy_currents_without_a_reference_by_the_datas_own_water(folder, command):
    current = np.exp(1j * (0.4 + 1.5 * np.exp(-np.asarray(SAMPLING.time) / 0.03)))
    io.write(FIDs((METABOLITES + line(4.65, 400, 6)) * current, SAMPLING), folder / "bent.nii.gz")
    code, _, stderr = command("process", "ecc", folder / "bent.nii.gz", "-o", folder / "straight.nii.gz")
    assert code == 0, stderr
    found = np.asarray(io.read(folder / "straight.nii.gz").data)
    bent, straight = METABOLITES * (current - 1), found - METABOLITES - line(4.65, 400, 6)
    late = slice(20, None)
    assert np.linalg.norm(straight[late]) < 0.3 * np.linalg.norm((bent + line(4.65, 400, 6) * (current - 1))[late])


def test_mistakes_are_one_line(folder, command):
    grid, out = folder / "grid.nii.gz", folder / "x.nii.gz"
    for given, words in (
        (["average", grid, "-o", out], "wanted DIM_DYN"),
        (["align", grid, "-o", folder / "x.txt"], "ends in .nii.gz"),
        (["denoise", grid, "-o", grid], "another file"),
        (["interpolate", grid, "--factor", "0", "-o", out], "factor"),
        (["subtract", folder / "raw.nii.gz", "--dim", "DIM_DYN", "-o", out], "wanted 2 entries"),
    ):
        code, _, stderr = command("process", *given)
        assert code == 2 and words in stderr and stderr.count("\n") == 1, stderr


def test_a_bids_dataset_becomes_a_derivative_that_batch_can_read(command, tmp_path):
    rng = np.random.default_rng(1)
    about = Acquisition()  # the JSON files alone say the timing
    for subject in ("01", "02"):
        place = tmp_path / "bids" / f"sub-{subject}" / "mrs"
        place.mkdir(parents=True)
        data = METABOLITES + line(4.65, 40, 6) + noise(rng, 0.2, 3)
        if subject == "02":
            data = data * np.nan
        io.write(FIDs(data, SAMPLING, ("DIM_DYN",), about), place / f"sub-{subject}_svs.nii.gz")
        io.write(FIDs(line(4.65, 3000, 6), SAMPLING, (), about), place / f"sub-{subject}_mrsref.nii.gz")
    (tmp_path / "bids" / "dataset_description.json").write_text(json.dumps({"Name": "x", "BIDSVersion": "1.10.0"}))
    for suffix, tr in (("svs", 2.0), ("mrsref", 10.0)):
        (tmp_path / "bids" / f"{suffix}.json").write_text(json.dumps({"EchoTime": 0.03, "RepetitionTime": tr}))
    (tmp_path / "few.yaml").write_text("{align: false, remove_water: false, reference: null}")
    code, stdout, stderr = command(
        "preprocess", tmp_path / "bids", "--config", tmp_path / "few.yaml", "-o", tmp_path / "out"
    )
    assert code == 2 and "1 preprocessed, 1 failed" in stdout and "sub-02_svs failed: data: wanted data" in stderr
    made = sorted(p.name for p in (tmp_path / "out" / "sub-01" / "mrs").iterdir())
    assert made == [
        "sub-01_desc-preprocessed_mrsref.nii.gz", "sub-01_desc-preprocessed_svs.nii.gz", "sub-01_desc-report_svs.html",
        "sub-01_desc-run_svs.yaml",
    ]  # fmt: skip
    assert json.loads((tmp_path / "out" / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    from mrsjax.cli.subjects import find

    (subject,) = find([str(tmp_path / "out")], None)
    assert subject.data.name == made[1] and subject.options["water"].endswith(made[0])
    place = tmp_path / "out" / "sub-01" / "mrs"
    times = [(a.echo_time, a.repetition_time) for a in (io.read(place / made[k]).acquisition for k in (1, 0))]
    assert times == [(0.03, 2.0), (0.03, 10.0)]
