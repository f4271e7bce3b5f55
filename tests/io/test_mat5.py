"""The MAT reader against scipy, which stays the judge of what a valid file says."""

import io as streams
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from mrsjax.io import mat5


def saved(content, **options):
    out = streams.BytesIO()
    savemat(out, content, **options)
    return out.getvalue()


ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.array([[1 + 2j, 3 - 4j]]),
    np.arange(5, dtype=np.int16),
    np.float32(2.5),
    np.zeros((2, 0)),
]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("value", ARRAYS)
def test_arrays(value, compressed):
    raw = saved({"other": 1.0, "A": value}, do_compression=compressed)
    np.testing.assert_array_equal(mat5.load(raw, "A"), np.atleast_2d(value))
    assert mat5.load(raw, "B") is None


@pytest.mark.parametrize("compressed", [False, True])
def test_structs_cells_and_texts(compressed):
    content = {
        "x": np.ones((3, 2)),
        "long_field_name": "a text",
        "c": np.array(["NAA", "Cr"], dtype=object),
        "s": {"t": 1.5},
    }
    got = mat5.load(saved({"A": content}, do_compression=compressed), "A")
    np.testing.assert_array_equal(got["x"], np.ones((3, 2)))
    assert got["long_field_name"] == "a text" and got["c"] == ["NAA", "Cr"]
    np.testing.assert_array_equal(got["s"]["t"], [[1.5]])


def test_a_bomb_is_not_inflated(monkeypatch):
    monkeypatch.setattr(mat5, "_MAX", 1 << 16)
    raw = saved({"A": np.zeros((1000, 100))}, do_compression=True)
    assert len(raw) < 5000
    with pytest.raises(mat5.MatError, match="above 65536 bytes"):
        mat5.load(raw, "A")


def test_impossible_sizes_are_refused_before_memory_is_asked_for():
    raw = bytearray(saved({"A": np.zeros((2, 2))}))
    at = raw.index(np.array([2, 2], dtype="<i4").tobytes())
    raw[at : at + 8] = np.array([2**31 - 1, 2**31 - 1], dtype="<i4").tobytes()
    with pytest.raises(mat5.MatError, match="a shape of"):
        mat5.load(bytes(raw), "A")


@pytest.mark.parametrize("raw", [b"", bytes(200), b"MATLAB 5.0" + bytes(116) + b"\0\1IM" + zlib.compress(b"x" * 99)])
def test_rubbish(raw):
    with pytest.raises(mat5.MatError):
        mat5.load(raw, "A")
