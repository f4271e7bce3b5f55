"""jMRUI text: what is refused."""

import pytest

from mrsjax import io


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PointsInDataset: 32", "PointsInDataset: 33", "signal 1: found 128 numbers, wanted 2 or 4 columns of 33 rows"),
        ("PointsInDataset: 32", "", "PointsInDataset: found nothing"),
        ("PointsInDataset: 32", "PointsInDataset: 1.5", "PointsInDataset: found 1.5"),
        ("DatasetsInFile: 2", "DatasetsInFile: 3", "DatasetsInFile: found 2 signals, wanted 3"),
        (
            "SamplingInterval: 0.5",
            "SamplingInterval: 500",
            r"SamplingInterval .ms.: found 0.5 s .a thousand times too large",
        ),
        (
            "TransmitterFrequency: 127700000.0",
            "TransmitterFrequency: 127.7",
            r"TransmitterFrequency: found 127.7 Hz .a million",
        ),
        ("TypeOfNucleus: 0", "TypeOfNucleus: 77", "TypeOfNucleus: found 77"),
        ("E+00\t", "Q+00\t", r"signal 1: found '.*Q.00', wanted a number"),
        ("E+00\t", "-01\t", "signal 1: found .*, wanted a number"),
    ],
)
def test_wrong_files_are_named(tmp_path, samples, old, new, message):
    path = samples["jmrui"][0](tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(io.FormatError, match=message):
        io.read(path)


def test_two_columns_are_enough(tmp_path, samples, make_fids):
    path = samples["jmrui"][0](tmp_path)
    lines = path.read_text().split("\n")
    path.write_text("\n".join("\t".join(x.split("\t")[:2]) if x[:1] in "-0123456789" else x for x in lines))
    assert io.read(path).data == pytest.approx(make_fids(("spectrum",), (2,), n_points=32).data, abs=1e-8)


def test_a_binary_mrui_is_neither_read_nor_made(tmp_path, make_fids):
    (tmp_path / "a.mrui").write_bytes(bytes(200))
    with pytest.raises(io.FormatError, match="save it from jMRUI as text"):
        io.read(tmp_path / "a.mrui")
    with pytest.raises(io.FormatError, match="extension"):
        io.write(make_fids(), tmp_path / "b.mrui")
