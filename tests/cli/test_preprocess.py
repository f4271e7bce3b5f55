"""`mrsjax preprocess` with the settings and files that its other tests leave out, and `mrsjax run`."""

import numpy as np
import pytest
import yaml

from mrsjax import io
from mrsjax.core import FIDs, Sampling
from mrsjax.core.data import Acquisition
from tests.cli.conftest import AMOUNT, DWELL, F0, LINES, N, _signal
from tests.cli.test_fit import concentrations

SAMPLING = Sampling(DWELL, F0, N)
T = np.arange(N) * DWELL
ABOUT = Acquisition(echo_time=0.03, repetition_time=2.0)
BARE = {"align": False, "reject": False, "eddy": False, "remove_water": False, "reference": None}


def signal(**amount):
    amount = AMOUNT | amount
    return sum(a * _signal(LINES[k], SAMPLING) for k, a in amount.items()) * np.exp(-np.pi * 4 * T)


def noise(seed, sd, *shape):
    rng = np.random.default_rng(seed)
    return sd * (rng.normal(size=(*shape, N)) + 1j * rng.normal(size=(*shape, N)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Series of 6 drifting transients, conditions in turn, a grid with its lipid mask, waters, coils, an LCModel RAW."""
    place = tmp_path_factory.mktemp("preprocess")
    rng = np.random.default_rng(0)
    hz, phase = rng.uniform(-5, 5, (6, 1)), rng.uniform(-0.5, 0.5, (6, 1))
    series = signal() * np.exp(1j * (2 * np.pi * hz * T + phase)) + noise(1, 0.2, 6)
    series[5] += noise(2, 6.0)  # a noisy one
    current = np.exp(1j * (0.4 + 1.0 * np.exp(-T / 0.03)))
    water = 2e4 * np.exp(-np.pi * 6 * T)
    turns = np.stack([signal(), signal(NAA=0.0, Glu=12.0)] * 3) * np.exp(0.3j) + noise(3, 0.05, 6)
    fat = 300 * np.exp(2j * np.pi * float(SAMPLING.to_hz(1.3)) * T - np.pi * 20 * T)
    grid = np.tile(signal(), (3, 3, 1, 1)) + 0.1 * fat + noise(4, 0.2, 3, 3, 1)
    grid[0] = fat + noise(5, 0.2, 3, 1)
    mask = np.zeros((3, 3, 1), bool)
    mask[0] = True
    np.save(place / "mask.npy", mask)
    b = np.array([1.0, 0.6j, -0.8])
    for name, data, dims in (
        ("series", series, ("DIM_DYN",)), ("bent", signal() * current, ()), ("ecc", water * current, ()),
        ("turns", turns, ("DIM_DYN",)), ("grid", grid, ("x", "y", "z")), ("water", water, ()),
        ("coils", b[:, None, None] * (signal() * np.exp(0.3j) + noise(6, 0.4, 3, 2)), ("DIM_COIL", "DIM_DYN")),
        ("coil_water", b[:, None] * water + noise(7, 0.4, 3), ("DIM_COIL",)),
    ):  # fmt: skip
        io.write(FIDs(data, SAMPLING, dims, ABOUT), place / f"{name}.nii.gz")
    io.write(FIDs(b[:, None] * (signal() + noise(8, 0.4, 3)), SAMPLING, ("DIM_COIL",)), place / "untimed.nii.gz")
    points = "".join(f"{z.real:15.6E}{-z.imag:15.6E}\n" for z in signal() + noise(9, 0.2))
    (place / "one.raw").write_text(f" $NMID ID='svs' FMTDAT='(2E15.6)' VOLUME=1.0 TRAMP=1.0 $END\n{points}")
    return place


def away(found, truth=None):
    """Distance from the truth after a common size and phase, relative."""
    truth = signal() if truth is None else truth
    scale = np.vdot(truth, found) / np.vdot(truth, truth)
    return np.linalg.norm(found - scale * truth) / np.linalg.norm(found)


def middle(found):
    """The series keeps the median of its drifts: taken off by the truth's phase slope."""
    turn = np.unwrap(np.angle(found * signal().conj())[:60])
    return found * np.exp(-1j * np.polyval(np.polyfit(T[:60], turn, 1), T))


SERIES = {"align": True, "reject": False}


@pytest.mark.parametrize(
    ("file", "given", "settings", "words", "good"),
    [
        ("series", [], {**SERIES, "robust": True}, "robust spectral registration", lambda d: away(middle(d)) < 0.1),
        ("series", [], {**SERIES, "target": "Cr", "reject": True}, "fit of Cr", lambda d: away(d) < 0.1),
        ("series", [], {**SERIES, "beside": True}, "beside changing water and lipid", lambda d: away(middle(d)) < 0.1),
        ("series", [], {**SERIES, "weighted": True, "beside": False}, "weighted", lambda d: away(middle(d)) < 0.02),
        ("series", [], {**SERIES, "weighted": False, "beside": False}, "6 of 6", lambda d: 0.03 < away(middle(d)) < 0.5),
        ("bent", ["--ecc", "ecc"], {"eddy": True}, "klose, --ecc", lambda d: np.linalg.norm(d - signal()) < 1e-3),
        ("turns", ["--edited"], {}, "3 of 3 transients, condition 2", lambda d: away(d[0]) < 0.02),
        ("grid", ["--lipid-mask", "mask.npy"], {}, "3 lipid voxels", lambda d: away(d[2, 1, 0]) < 0.2),
        ("series", [], {"truncate": 2}, "2 leading points", lambda d: d.shape == (N - 2,)),
        ("series", [], {"apodise_hz": 3.0}, "Lorentz 3 Hz", lambda d: d.shape == (N,)),
        ("coils", [], {"coil_method": "first_points"}, "first points, whitened", lambda d: away(d) < 0.05),
        ("series", [], {"denoise": True}, "6 of 6 transients", lambda d: d.shape == (N,)),
    ],
)  # fmt: skip
def test_settings_and_files(folder, command, tmp_path, file, given, settings, words, good):
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(BARE | settings))
    given = [g if g.startswith("--") else folder / (g if "." in g else f"{g}.nii.gz") for g in given]
    out = tmp_path / "out"
    code, _, err = command("preprocess", folder / f"{file}.nii.gz", *given, "--config", tmp_path / "s.yaml", "-o", out)
    assert code == 0, err
    made = io.read(out / "preprocessed.nii.gz")
    assert words in str(made.acquisition.header["ProcessingApplied"])
    assert good(np.asarray(made.data)), file
    if file == "turns":
        found = np.asarray(io.read(out / "difference.nii.gz").data)
        wanted = (signal(NAA=0.0, Glu=12.0) - signal()) * np.exp(0.3j)
        assert np.linalg.norm(found - wanted) < 0.1 * np.linalg.norm(wanted)
    if settings.get("denoise"):
        assert "denoise: of grids, not done in a single voxel" in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("align: [", "wanted YAML"), ("- 1", "wanted settings as"), ("rubost: true", "unknown settings rubost"),
        ("coil_method: best", "coil_method: wanted one of wsvd, first_points"), ("edited_condition: true", "wanted one of None, 1, 2"),
        ("align_window: [4.2, 1.8]", "window: wanted (low, high) in ppm"), ("components: 2.5", "components: wanted a value like 12"),
    ],
)  # fmt: skip
def test_bad_settings_are_one_line(folder, command, tmp_path, text, words):
    (tmp_path / "s.yaml").write_text(text)
    given = folder / "series.nii.gz", "--config", tmp_path / "s.yaml", "-o", tmp_path / "out"
    code, _, err = command("preprocess", *given)
    assert code == 2 and words in err.splitlines()[-1] and "Traceback" not in err, err


def test_what_a_file_does_not_say_is_given_by_hints(folder, command, tmp_path):
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(BARE))
    given = "preprocess", folder / "one.raw", "--config", tmp_path / "s.yaml", "-o", tmp_path / "out"
    code, _, err = command(*given)
    assert code == 2 and "--dwell-s" in err.splitlines()[-1] and "Traceback" not in err, err
    code, _, err = command(*given, "--dwell-s", "8e-4", "--central-frequency-mhz", "123.25", "--te-ms", "35")
    assert code == 0, err
    made = io.read(tmp_path / "out" / "preprocessed.nii.gz")
    assert float(made.sampling.dwell_time) == pytest.approx(8e-4) and made.acquisition.echo_time == pytest.approx(0.035)
    assert away(np.asarray(made.data)) < 0.1
    assert yaml.safe_load((tmp_path / "out" / "run.yaml").read_text())["options"]["dwell_s"] == pytest.approx(8e-4)


def test_raw_coils_become_concentrations_in_one_go(folder, scans, command, quick, tmp_path):
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(BARE))
    out = tmp_path / "out"
    code, _, err = command(
        "run", folder / "coils.nii.gz", "--water", folder / "coil_water.nii.gz", "--basis", scans["basis"],
        "--steps", tmp_path / "s.yaml", "--config", scans["config"], "-o", out,
    )  # fmt: skip
    assert code == 0, err
    found = concentrations(out)
    for name in ("Cr", "Glu"):
        assert found[name] / found["NAA"] == pytest.approx(AMOUNT[name] / AMOUNT["NAA"], rel=0.1)
    assert {"report.html", "run.yaml", "preprocessing"} <= {p.name for p in out.iterdir()}
    assert {"preprocessed.nii.gz", "water.nii.gz", "report.html"} <= {p.name for p in (out / "preprocessing").iterdir()}


def test_of_edited_data_the_difference_is_fitted(folder, scans, command, quick, tmp_path):
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(BARE))
    out = tmp_path / "out"
    code, _, err = command(
        "run", folder / "turns.nii.gz", "--edited", "--basis", scans["basis"], "--steps", tmp_path / "s.yaml",
        "--config", scans["config"], "-o", out,
    )  # fmt: skip
    assert code == 0, err
    found = concentrations(out)
    assert found["NAA"] == pytest.approx(-AMOUNT["NAA"], rel=0.03)
    assert found["Glu"] == pytest.approx(3.0, rel=0.1) and abs(found["GPC"]) < 0.2


def test_mistakes_of_a_fit_are_found_before_the_preprocessing(folder, scans, command, tmp_path):
    bad = tmp_path / "bad.basis"
    bad.write_text("no basis\n")
    water = "--water", folder / "coil_water.nii.gz"
    for given, words in (
        (["--basis", bad, *water], "bad.basis"),
        (["--basis", scans["basis"], *water], "untimed.nii.gz: does not say the timing that water scaling needs; give --te-ms and --tr-s"),
    ):  # fmt: skip
        out = tmp_path / "out"
        code, _, err = command("run", folder / "untimed.nii.gz", *given, "-o", out)
        assert code == 2 and words in err.splitlines()[-1] and "Traceback" not in err, err
        assert not out.exists()
