"""jMRUI text files: a header of `Key: value` lines, then columns sig(real) sig(imag), possibly followed by their
spectrum.

Both senses of frequency exist in the wild and the format does not say which: data are taken as +Hz = higher ppm
(FSL-MRS does the same) unless the mirror test says otherwise.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax.core import Acquisition, FIDs
from mrsjax.core.constants import GYROMAGNETIC_RATIO
from mrsjax.io import hints as checks
from mrsjax.io import namelist
from mrsjax.io.content import read_text, write_text
from mrsjax.io.errors import FormatError
from mrsjax.io.grid import referenced
from mrsjax.io.hints import Hints
from mrsjax.io.mirror import mirrored

_KEY = re.compile(r"^\s*([A-Za-z][A-Za-z ]*?)\s*:(.*)$")
_SIGNAL = re.compile(r"^[ \t]*Signal\s+(\d+)\s+out of\s+(\d+)[^\n]*$", re.MULTILINE | re.IGNORECASE)
_NUCLEI = {0.0: "1H", 1.0: "31P", 2.0: "13C", 3.0: "19F"}
_REPAIR = "export it from jMRUI again"


def looks_like(path: Path, head: bytes) -> bool:
    """By its first line or its keys."""
    return b"jMRUI Data Textfile" in head or (b"PointsInDataset" in head and b"SamplingInterval" in head)


def _header(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for line in text.splitlines():
        match = _KEY.match(line)
        if match:
            found = namelist.number(match[2])
            values.setdefault(match[1], match[2].strip() if found is None else found)
    return values


def _columns(path: Path, where: str, text: str, points: int) -> np.ndarray:
    """The first two of two or four columns."""
    words = text.split()
    per_row = {2 * points: 2, 4 * points: 4}.get(len(words))
    if per_row is None:
        raise FormatError(
            path, where, found=f"{len(words)} numbers", wanted=f"2 or 4 columns of {points} rows (PointsInDataset)",
            fix="the file is truncated or its header is wrong",
        )  # fmt: skip
    try:
        table = np.array(words, dtype=np.float64).reshape(points, per_row)
    except ValueError:
        bad = next((w for w in words if namelist.number(w) is None), "another notation")
        raise FormatError(path, where, found=repr(bad), wanted="a number", fix=_REPAIR) from None
    return table[:, 0] + 1j * table[:, 1]


def _signals(path: Path, text: str, points: int, count: int) -> np.ndarray:
    marks = list(_SIGNAL.finditer(text))
    if len(marks) != count:
        raise FormatError(
            path, "DatasetsInFile", found=f"{len(marks)} signals", wanted=f"{count}", fix="the file is truncated"
        )
    stops = [m.start() for m in marks[1:]] + [len(text)]
    return np.stack(
        [
            _columns(path, f"signal {i + 1}", text[m.end() : stop], points)
            for i, (m, stop) in enumerate(zip(marks, stops, strict=True))
        ]
    )


def _count(path: Path, header: dict[str, Any], key: str, default: int | None = None) -> int:
    value = header.get(key, default)
    number = checks.plain(value)
    if number is None or number != int(number) or not 1 <= number <= 1 << 24:
        raise FormatError(path, key, found=repr(value), wanted="a whole number of 1 or more", fix=_REPAIR)
    return int(number)


def read(path: Path, hints: Hints) -> FIDs:
    """FIDs of a jMRUI text file; several signals have dims `("spectrum",)`.

    **Raises:** `FormatError`.
    """
    text = read_text(path)
    start = _SIGNAL.search(text)
    header = _header(text[: start.start()] if start else text)
    for key in ("PointsInDataset", "SamplingInterval", "TransmitterFrequency"):
        hinted = {"SamplingInterval": hints.dwell_time, "TransmitterFrequency": hints.central_frequency}.get(key)
        if key not in header and hinted is None:
            raise FormatError(path, key, found="nothing", wanted="this key of a jMRUI text file", fix=_REPAIR)
    points, count = _count(path, header, "PointsInDataset"), _count(path, header, "DatasetsInFile", 1)
    data = _signals(path, text, points, count)
    kind = checks.plain(header.get("TypeOfNucleus"))
    field = checks.plain(header.get("MagneticField"))
    sampling = checks.sampling(
        path,
        dwell=("SamplingInterval (ms)", checks.scaled(header.get("SamplingInterval"), 1e-3)),
        frequency=("TransmitterFrequency", header.get("TransmitterFrequency")),
        n_points=points,
        hints=hints,
        nucleus_found=("TypeOfNucleus", _NUCLEI.get(kind or 0.0, header.get("TypeOfNucleus"))),
    )
    if field is not None:  # exporters leave a constant here, so it is kept only where it fits the frequency
        fits = abs(field * abs(GYROMAGNETIC_RATIO[sampling.nucleus]) / float(sampling.central_frequency) - 1) < 0.05
        field = field if fits else None
    acquisition = Acquisition(
        echo_time=checks.echo_time(path, "echo_time", None, hints.echo_time),
        repetition_time=checks.repetition_time(path, "repetition_time", None, hints.repetition_time),
        field_strength=field,
        header=header,
        source=str(path),
    )
    dims = () if count == 1 else ("spectrum",)
    fids = FIDs(data[0] if count == 1 else data, sampling, dims, acquisition)
    return FIDs(np.conj(fids.data), sampling, dims, acquisition) if mirrored(fids) else fids


def write(fids: FIDs, path: Path) -> None:
    """A jMRUI text file, +Hz = higher ppm, 0 Hz at 4.65 ppm (what jMRUI assumes), one signal for each spectrum, 10
    digits.
    """
    data, sampling = referenced(fids), fids.sampling
    count, points = data.shape
    f0, dwell = checks.exact(sampling.central_frequency), checks.exact(sampling.dwell_time)
    number = next((k for k, v in _NUCLEI.items() if v == sampling.nucleus), None)
    if number is None:
        raise FormatError(
            path,
            "TypeOfNucleus",
            found=sampling.nucleus,
            wanted=f"one of {', '.join(_NUCLEI.values())}",
            fix="write NIfTI-MRS",
        )
    field = fids.acquisition.field_strength or abs(f0 / GYROMAGNETIC_RATIO[sampling.nucleus])
    lines = [
        "jMRUI Data Textfile", "", f"Filename: {path.name}", "",
        f"PointsInDataset: {points}", f"DatasetsInFile: {count}", f"SamplingInterval: {dwell * 1e3!r}",
        "ZeroOrderPhase: 0E0", "BeginTime: 0E0", f"TransmitterFrequency: {f0!r}", f"MagneticField: {field:.6g}",
        f"TypeOfNucleus: {number:g}", "NameOfPatient: ", "DateOfExperiment: ", "Spectrometer: ", "AdditionalInfo: ",
        "SignalNames: " + ";".join(f"{path.stem}_{i + 1}" for i in range(count)), "", "",
        "Signal and FFT", "sig(real)\tsig(imag)\tfft(real)\tfft(imag)",
    ]  # fmt: skip
    for i, fid in enumerate(data):
        spectrum = np.fft.fftshift(np.fft.fft(fid))
        lines.append(f"Signal {i + 1} out of {count} in file")
        lines += [f"{a.real:.9E}\t{a.imag:.9E}\t{b.real:.9E}\t{b.imag:.9E}" for a, b in zip(fid, spectrum, strict=True)]
    write_text(path, "\n".join(lines) + "\n")
