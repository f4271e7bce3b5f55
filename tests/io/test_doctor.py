"""`check` on twenty broken files, each broken in one way; and on sound ones, where it must keep quiet."""

import json
import warnings

import numpy as np
import pytest

from mrsjax import io
from mrsjax.core import Acquisition, FIDs, Sampling
from mrsjax.io import Level


def worst_of(findings, topic=None):
    return max(f.level for f in findings if topic is None or f.topic == topic)


def damaged(fids, change, **sampling):
    """The same FIDs with changed data, sampling or acquisition."""
    data = np.array(fids.data)
    data = change(data) if change else data
    old = fids.sampling
    options = {"dwell_time": 5e-4, "central_frequency": 127.7e6, "ppm_ref": 4.65, "nucleus": "1H"} | sampling
    grid = Sampling(
        options["dwell_time"],
        options["central_frequency"],
        data.shape[-1],
        ppm_ref=options["ppm_ref"],
        nucleus=options["nucleus"],
    )
    assert old.n_points
    return FIDs(data, grid, fids.dims, fids.acquisition)


def put(data, index, value):
    data[index] = value
    return data


BROKEN = {
    # name: (file name, what to write, topic, level, part of the message, part of the fix)
    "mirrored": ("a.nii", lambda f, s: damaged(f(), np.conj), "mirror", Level.ERROR, "mirrored", "conjugate"),
    "zero transient": (
        "a.nii",
        lambda f, s: damaged(f(("DIM_DYN",), (4,)), lambda d: put(d, 2, 0)),
        "values",
        Level.WARNING,
        "1 of 4 spectra are all zero (number 2)",
        "leave",
    ),
    "nan transients": (
        "a.nii",
        lambda f, s: damaged(f(("DIM_DYN",), (4,)), lambda d: put(d, (slice(1, 3), 7), np.nan)),
        "values",
        Level.WARNING,
        "2 of 4 spectra hold NaN",
        "leave",
    ),
    "all zero": (
        "a.nii",
        lambda f, s: damaged(f(), lambda d: d * 0),
        "values",
        Level.ERROR,
        "1 of 1 spectra are all zero",
        "leave",
    ),
    "constant": (
        "a.nii",
        lambda f, s: damaged(f(), lambda d: d * 0 + 2),
        "values",
        Level.ERROR,
        "are constant",
        "leave",
    ),
    "outlier": (
        "a.nii",
        lambda f, s: damaged(f(("DIM_DYN",), (9,)), lambda d: put(d, 5, 9 * d[5])),
        "values",
        Level.WARNING,
        "than the others (number 5)",
        "look",
    ),
    "shifted": (
        "a.nii",
        lambda f, s: damaged(f(n_points=1024), lambda d: d * np.exp(2j * np.pi * 0.3 * 127.7 * np.arange(1024) * 5e-4)),
        "shift",
        Level.WARNING,
        "+0.30 ppm off",
        "ppm_ref=4.35",
    ),
    "no metabolites": (
        "a.nii",
        lambda f, s: damaged(f(), lambda d: np.random.default_rng(0).normal(size=d.shape) + 0j),
        "shift",
        Level.WARNING,
        "not seen",
        "sampling",
    ),
    "water": (
        "a.nii",
        lambda f, s: damaged(f(n_points=1024), lambda d: d * 1e-6 + np.exp(-30 * np.arange(1024) * 5e-4)),
        "water",
        Level.WARNING,
        "water reference",
        "--water",
    ),
    "phosphorus": ("a.nii", lambda f, s: f(nucleus="31P", ppm_ref=0.0), "nucleus", Level.ERROR, "31P", "1H"),
    "coils": ("a.nii", lambda f, s: f(("DIM_COIL",), (4,)), "dims", Level.WARNING, "coils are not combined", "combine"),
    "no TE": (
        "a.nii",
        lambda f, s: FIDs(f().data, f().sampling, (), Acquisition()),
        "TE",
        Level.NOTE,
        "does not state TE",
        "--te-ms",
    ),
    "late echo": (
        "a.nii",
        lambda f, s: damaged(f(), lambda d: np.concatenate([0.01 * d[60:0:-1], d])),
        "start",
        Level.WARNING,
        "largest at point",
        "cut",
    ),
    "narrow width": (
        "a.nii",
        lambda f, s: damaged(f(), None, dwell_time=2e-3),
        "sampling",
        Level.WARNING,
        "does not reach",
        "dwell",
    ),
    "wrong dwell": (
        "a.nii",
        lambda f, s: damaged(f(), None, dwell_time=1e-4),
        "sampling",
        Level.WARNING,
        "last only 26 ms",
        "dwell",
    ),
    "wrong field": (
        "a.nii",
        lambda f, s: damaged(f(), None, central_frequency=12.77e6),
        "field",
        Level.WARNING,
        "0.30 T",
        "central_frequency",
    ),
    "halved": (
        "a.nii",
        lambda f, s: damaged(f(), lambda d: put(d, 0, d[0] / 2)),
        "first point",
        Level.NOTE,
        "half of each first point",
        "",
    ),
    "several in one": (
        "a.nii",
        lambda f, s: damaged(f(), lambda d: np.tile(d * np.exp(-20 * np.arange(256) * 5e-4), 5)),
        "points",
        Level.WARNING,
        "5 FIDs of 256 points",
        "n_points=256",
    ),
    "empty": ("a.raw", lambda f, s: b"", "format", Level.ERROR, "0 bytes", "empty"),
    "truncated": ("a.nii", lambda f, s: "cut", "format", Level.ERROR, "bytes", "truncated"),
    "unknown": ("a.xyz", lambda f, s: b"hello", "format", Level.ERROR, "unknown", "spec2nii"),
    "no dwell": (
        "a.raw",
        lambda f, s: b" $NMID\n ID='x' FMTDAT='(2E15.6)'\n $END\n 1.0 2.0\n 3.0 4.0\n",
        "format",
        Level.ERROR,
        "found nothing",
        "dwell_time=",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files(tmp_path, make_fids, case):
    name, make, topic, level, message, fix = BROKEN[case]
    thing = make(make_fids, None)
    path = tmp_path / name
    if isinstance(thing, bytes):
        path.write_bytes(thing)
    elif thing == "cut":
        io.write(make_fids(), path)
        path.write_bytes(path.read_bytes()[:-999])
    else:
        io.write(thing, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the findings say it, once
        findings = io.check(path)
    hits = [f for f in findings if f.topic == topic and f.level == level and message in f.message and fix in f.fix]
    assert hits, "\n".join(f"{f.level.name} {f.topic}: {f.message} -> {f.fix}" for f in findings)
    assert findings[-1].topic == "next"
    if level is Level.ERROR:
        assert findings[-1].level is Level.ERROR and findings[-1].fix
    assert all("\n" not in f.message + f.fix for f in findings)


BROKEN_BASIS = {
    "other field": (lambda b, m: with_grid(b(), central_frequency=297e6), "match", Level.ERROR, "297.00 MHz"),
    "other dwell": (lambda b, m: with_grid(b(), dwell_time=2.5e-4), "match", Level.NOTE, "basis 0.25 ms"),
    "too short": (lambda b, m: b(n_points=64), "match", Level.ERROR, "ends after 0.032 s"),
    "few metabolites": (lambda b, m: b(), "match", Level.WARNING, "no NAAG, PCr"),
    "equal entries": (
        lambda b, m: b(names=("NAA", "NAAG", "Ins"), shifts=(2.0, 2.0, 3.6)),
        "basis",
        Level.WARNING,
        "the same signal",
    ),
    "other TE": (lambda b, m: b(), "match", Level.WARNING, "TE 68 ms, the basis 35 ms"),
    "empty entry": (
        lambda b, m: type(b())(b().fids * [[1], [0], [1]], b().names, b().sampling),
        "basis",
        Level.ERROR,
        "Cr: no signal",
    ),
    "NAA displaced": (
        lambda b, m: b(shifts=(2.06, 3.027, 3.6)),
        "basis",
        Level.WARNING,
        "NAA is at 2.060 ppm, wanted 2.008",
    ),
    "mirrored": (lambda b, m: type(b())(np.conj(b().fids), b().names, b().sampling), "basis", Level.ERROR, "mirrored"),
}


def with_grid(basis, **changes):
    options = {"dwell_time": 5e-4, "central_frequency": 127.7e6} | changes
    return type(basis)(basis.fids, basis.names, Sampling(n_points=basis.sampling.n_points, **options), basis.origin)


@pytest.mark.parametrize("case", BROKEN_BASIS)
def test_basis_against_data(tmp_path, make_fids, make_basis, case):
    make, topic, level, message = BROKEN_BASIS[case]
    io.write(make_fids(echo_time=0.068 if case == "other TE" else 0.035), tmp_path / "a.nii")
    findings = io.check(tmp_path / "a.nii", make(make_basis, None))
    hits = [f for f in findings if f.topic == topic and f.level == level and message in f.message]
    assert hits, "\n".join(f"{f.level.name} {f.topic}: {f.message} -> {f.fix}" for f in findings)


def test_a_missing_basis_is_a_finding(tmp_path, make_fids):
    io.write(make_fids(), tmp_path / "a.nii")
    findings = io.check(tmp_path / "a.nii", tmp_path / "no.basis")
    assert worst_of(findings, "basis") is Level.ERROR and findings[-1].level is Level.ERROR


def test_sound_files_are_ready_to_fit(tmp_path, make_fids):
    io.write(make_fids(n_points=1024), tmp_path / "a file.nii")
    findings = io.check(tmp_path / "a file.nii")
    assert worst_of(findings) is Level.OK, findings
    assert findings[-1].fix == f"mrsjax fit '{tmp_path}/a file.nii' --basis BASIS -o RESULTS"
    words = next(f for f in findings if f.topic == "dims").message
    assert words == "one spectrum, 1024 points each"


@pytest.mark.parametrize(
    ("dims", "sizes", "words"),
    [
        (("x", "y", "z"), (3, 2, 1), "a grid of 3 x 2 x 1 voxels, 256 points each"),
        (("DIM_COIL", "DIM_DYN"), (2, 3), "2 coils x 3 transients, 256 points each"),
        (("DIM_USER_1",), (2,), "2 user 1, 256 points each"),
    ],
)
def test_dims_in_words(make_fids, dims, sizes, words):
    from mrsjax.io.check_data import dims_in_words

    assert dims_in_words(make_fids(dims, sizes)) == words


def test_noisy_transients_are_averaged_for_a_look(tmp_path, make_fids, brain):
    fids = make_fids(("DIM_DYN",), (64,), n_points=1024)
    noisy = FIDs(brain((64,), 1024, noise=3.0), fids.sampling, fids.dims, fids.acquisition)
    io.write(noisy, tmp_path / "a.nii")
    assert worst_of(io.check(tmp_path / "a.nii"), "shift") is Level.OK
    one = FIDs(noisy.data[0], fids.sampling, (), fids.acquisition)
    io.write(one, tmp_path / "b.nii")
    assert worst_of(io.check(tmp_path / "b.nii"), "shift") is Level.WARNING


def test_a_basis_alone(tmp_path, make_basis):
    io.write_basis(make_basis(), tmp_path / "a.basis")
    findings = io.check(tmp_path / "a.basis")
    assert findings[0].message == "LCModel BASIS" and "3 metabolites (NAA, Cr, Ins)" in findings[1].message
    assert findings[-1].fix.endswith("--basis " + str(tmp_path / "a.basis") + " -o RESULTS")


def test_headers_from_strangers_stay_on_their_line(tmp_path, make_fids):
    io.write(make_fids(sequence="a\nb\x1b[31m<script>"), tmp_path / "a.nii")
    findings = io.check(tmp_path / "a.nii")
    assert all(f.message.isprintable() for f in findings)
    assert json.dumps([f.message for f in findings])
