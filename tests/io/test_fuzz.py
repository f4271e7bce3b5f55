"""Damaged files end in a `FormatError` (settings and masks, which the command line reads, in a `ValueError`) or are read; nothing else, and within seconds.

Each example takes a small valid file and cuts, flips, swaps, repeats or replaces parts of it. MRSJAX_FUZZ sets the
number of examples a reader (default 100): MRSJAX_FUZZ=5000 for a thorough run.
"""

import os
import re
import shutil
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mrsjax import io
from mrsjax.core import BasisSet, FIDs, FieldMap

EXAMPLES = int(os.environ.get("MRSJAX_FUZZ", "100"))
READERS = (
    "nifti",
    "nifti_gz",
    "raw",
    "raw_alone",
    "basis",
    "basis_nifti",
    "fsl_folder",
    "jmrui",
    "sdat",
    "rda",
    "osprey_mat",
    "varian",
    "table",
    "csv",
    "coord",
    "control",
    "settings",
    "npy_mask",
    "nifti_mask",
    "field_map",
)
#: Those that the command line reads itself.
PLAIN = ("settings", "npy_mask", "nifti_mask")
#: Processor time that one example may take, s: far above the hundredths that it takes, far below what a user would wait for.
LONGEST = 5.0
#: Those that the doctor looks at too: it raises nothing at all.
CHECKED = ("nifti", "raw", "basis", "jmrui", "sdat", "rda", "fsl_folder", "osprey_mat")
NASTY = (
    b"",
    b"nan",
    b"-1",
    b"0",
    b"1e400",
    b"-1e308",
    b"99999999999999999999",
    b"1e-320",
    b"'",
    b'"',
    b"$END",
    b"\x00",
    b"(",
    b"-",
    b"T",
    b"1D+05",
    b"\xff\xfe",
    b"{",
    b"[[",
    b"null",
    b"true",
    b"\n",
    b"$",
    b"1_0",
    b",,",
    b"%",
    b"../../x",
    b"4294967296",
    b"0.0",
    b"inf",
)

_place = st.floats(0, 1, exclude_max=True)
_edit = st.one_of(
    st.tuples(st.just("cut"), _place, st.just(b"")),
    st.tuples(st.just("flip"), _place, st.binary(min_size=1, max_size=4)),
    st.tuples(st.just("insert"), _place, st.one_of(st.sampled_from(NASTY), st.binary(max_size=16))),
    st.tuples(st.just("remove"), _place, st.binary(min_size=1, max_size=64)),
    st.tuples(st.just("repeat"), _place, st.binary(min_size=1, max_size=64)),
    st.tuples(st.just("number"), _place, st.sampled_from(NASTY)),
    st.tuples(st.just("word"), _place, st.sampled_from(NASTY)),
    st.tuples(st.just("head"), _place, st.binary(min_size=1, max_size=4)),
)
_NUMBER = re.compile(rb"[-+]?\d+\.?\d*(?:[eEdD][-+]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_$]+")


def _replace(pattern, raw, where, new):
    """The match nearest to `where` of the first 4 kB (headers) or of everything is replaced."""
    found = list(pattern.finditer(raw[:4096] if where < 0.8 else raw))
    if not found:
        return raw
    match = found[int((where / 0.8 if where < 0.8 else (where - 0.8) / 0.2) * len(found)) % len(found)]
    return raw[: match.start()] + new + raw[match.end() :]


def mutate(raw, edits):
    """`raw` with a list of edits applied in turn."""
    for kind, where, what in edits:
        at = int(where * len(raw))
        if kind == "cut":
            raw = raw[:at]
        elif kind == "flip":
            raw = raw[:at] + what + raw[at + len(what) :]
        elif kind == "head":  # binary headers are a small part of the file
            at = int(where * min(600, len(raw)))
            raw = raw[:at] + what + raw[at + len(what) :]
        elif kind == "insert":
            raw = raw[:at] + what + raw[at:]
        elif kind == "remove":
            raw = raw[:at] + raw[at + len(what) :]
        elif kind == "repeat":
            raw = raw[:at] + raw[at : at + len(what)] * 3 + raw[at + len(what) :]
        else:
            raw = _replace(_NUMBER if kind == "number" else _WORD, raw, where, what)
    return raw


def check_result(result):
    """What a reader may return."""
    if isinstance(result, FIDs):
        assert isinstance(result.data, np.ndarray) and result.data.dtype == np.complex128
        assert np.isfinite(float(result.sampling.dwell_time)) and float(result.sampling.dwell_time) > 0
        for time in (result.acquisition.echo_time, result.acquisition.repetition_time):
            assert time is None or 1e-3 <= time <= 20
    elif isinstance(result, FieldMap):
        assert np.all(np.isfinite(result.field[result.known]))
    elif isinstance(result, BasisSet):
        assert np.all(np.isfinite(result.fids)) and result.names
    else:
        assert isinstance(result, io.Control | list | dict | np.ndarray)


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_end_in_a_format_error(name, samples, tmp_path_factory):
    make, read = samples[name]
    source = make(tmp_path_factory.mktemp(name))
    parts = sorted(p for p in (source.rglob("*") if source.is_dir() else source.parent.glob("*")) if p.is_file())
    contents = [p.read_bytes() for p in parts]
    outcomes = {"read": 0, "refused": 0}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=EXAMPLES <= 100,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, len(parts) - 1), st.lists(_edit, min_size=1, max_size=4))
    def run(index, edits):
        folder = Path(tempfile.mkdtemp(dir=source.parent.parent))
        try:
            root = folder / source.name if source.is_dir() else folder
            root.mkdir(exist_ok=True)
            for i, (part, raw) in enumerate(zip(parts, contents, strict=True)):
                (root / part.name).write_bytes(mutate(raw, edits) if i == index else raw)
            began = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    check_result(read(folder / source.name))
                    outcomes["read"] += 1
                except ValueError as e:
                    assert isinstance(e, io.FormatError) or name in PLAIN, repr(e)
                    outcomes["refused"] += 1
                    assert "\n" not in str(e) and len(str(e)) < 1500
                if name in CHECKED:
                    assert io.check(folder / source.name)[-1].topic == "next"
            assert time.process_time() - began < LONGEST
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    run()
    if EXAMPLES > 100:
        print(f"\n{name}: {outcomes}")
    assert outcomes["refused"] > 0
