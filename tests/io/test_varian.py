"""Varian/Agilent fid folders."""

import struct

import numpy as np
import pytest

from mrsjax import io


def test_varian(tmp_path, samples, brain):
    folder = samples["varian"][0](tmp_path)
    for path in (folder, folder / "fid"):
        fids = io.read(path)
        np.testing.assert_allclose(fids.data, brain(), atol=1e-6)
        assert fids.acquisition.echo_time == 0.008 and fids.acquisition.sequence == "steam"
        assert fids.acquisition.repetition_time == 5.0


@pytest.mark.parametrize(
    ("offset", "kind", "value"),
    [
        (0, ">i", 1000),
        (0, ">i", -1),
        (4, ">i", 2),
        (8, ">i", 256),
        (12, ">i", 2),
        (20, ">i", 0),
        (28, ">i", 10**9),
        (26, ">h", 1),
    ],
)
def test_varian_headers_must_fit_the_file(tmp_path, samples, offset, kind, value):
    folder = samples["varian"][0](tmp_path)
    raw = bytearray((folder / "fid").read_bytes())
    struct.pack_into(kind, raw, offset, value)
    (folder / "fid").write_bytes(bytes(raw))
    with pytest.raises(io.FormatError, match="lengths that fit one another"):
        io.read(folder)


def test_varian_headers_that_only_cancel_out(tmp_path, samples):
    folder = samples["varian"][0](tmp_path)
    head = struct.pack(">6i2hi", 1, 2, 8, 4, 32, 64 - 28, 0, 0x1 | 0x8 | 0x40, -1)  # minus one block header
    (folder / "fid").write_bytes(head + bytes(36))
    with pytest.raises(io.FormatError, match="lengths that fit one another"):
        io.read(folder)


@pytest.mark.parametrize(("status", "kind"), [(0x1 | 0x4 | 0x40, ">i4"), (0x1 | 0x40, ">i2")])
def test_varian_integers_and_several_blocks(tmp_path, samples, status, kind):
    folder = samples["varian"][0](tmp_path)
    size = int(kind[-1])
    numbers = np.arange(3 * 2 * 8).reshape(3, 2, 8)
    head = struct.pack(">6i2hi", 3, 2, 8, size, 8 * size, 2 * 8 * size + 28, 0, status, 1)
    raw = head + b"".join(bytes(28) + block.astype(kind).tobytes() for block in numbers)
    (folder / "fid").write_bytes(raw)
    fids = io.read(folder)
    want = numbers.reshape(6, 8)
    np.testing.assert_array_equal(fids.data, want[:, 0::2] - 1j * want[:, 1::2])
    assert fids.dims == ("DIM_DYN",)


def test_varian_of_the_consensus_set(real):
    varian = pytest.importorskip("nmrglue.fileio.varian")
    for name, width in (("3T", 6002.4), ("7T", 6000.15)):
        folder = real / f"macromolecules_consensus/{name}_MM_human_STEAM_CMRR.fid"
        fids = io.read(folder)
        assert fids.data.shape == (2048,) and float(fids.sampling.dwell_time) == pytest.approx(1 / width, rel=1e-5)
        assert io.mirror_ratio(fids) > 1.2
        parameters, theirs = varian.read(str(folder))
        np.testing.assert_array_equal(fids.data[1:], np.conj(theirs)[1:])  # the 3 T one has half a first point
        header = {k: v for k, v in fids.acquisition.header.items() if k != "mrsjax_first_point"}
        for key, values in header.items():
            assert values == parameters["procpar"][key]["values"][: len(values)], key
        assert set(parameters["procpar"]) == set(header)
