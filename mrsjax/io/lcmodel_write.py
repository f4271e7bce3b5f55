"""Writing LCModel .RAW/.H2O and .BASIS files, and the control file that makes a RAW file complete."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrsjax.core import BasisSet, FIDs
from mrsjax.io import hints as checks
from mrsjax.io.content import read_text, write_text
from mrsjax.io.errors import FormatError
from mrsjax.io.fortran_numbers import format_pairs
from mrsjax.io.grid import referenced

_SIGNATURE = "written by mrsjax"


def _quoted(text: str, limit: int = 60) -> str:
    """A Fortran string on one line."""
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:limit]
    return "'" + plain.replace("'", "''") + "'"


def _protons(sampling_nucleus: str, path: Path) -> None:
    if sampling_nucleus != "1H":
        raise FormatError(
            path, "nucleus", found=sampling_nucleus, wanted="1H (LCModel knows no other)", fix="write NIfTI-MRS"
        )


def _representable(values: np.ndarray, path: Path) -> None:
    top = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    if not np.all(np.isfinite(values)) or top >= 1e99:
        raise FormatError(
            path,
            "data",
            found="NaN, infinite or huge values",
            wanted="numbers that (2E15.6) can hold",
            fix="leave those spectra out",
        )


def write_raw(fids: FIDs, path: Path) -> None:
    """An LCModel RAW (or H2O) file: 7 digits, one $NMID block for each spectrum, TRAMP = VOLUME = 1, 0 Hz at 4.65 ppm.

    The format cannot hold the dwell time: NAME.control beside it does (LCModel's own start file, to be completed by the
    user). A control file that somebody else wrote is left alone.
    """
    _protons(fids.sampling.nucleus, path)
    data = referenced(fids).conj()
    _representable(data, path)
    sampling, echo = fids.sampling, fids.acquisition.echo_time
    mhz = checks.exact(sampling.central_frequency) / 1e6
    head = [" $SEQPAR", f" HZPPPM = {mhz!r}"]
    if echo is not None:
        head.append(f" ECHOT = {echo * 1e3:.6g}")
    if fids.acquisition.sequence:
        head.append(f" SEQ = {_quoted(fids.acquisition.sequence, 20)}")
    parts = ["\n".join([*head, " $END\n"])]
    for i, fid in enumerate(data):
        name = _quoted(f"{path.stem}_{i + 1}" if len(data) > 1 else path.stem, 20)
        parts.append(f" $NMID\n ID = {name}, FMTDAT = '(2E15.6)'\n TRAMP = 1.\n VOLUME = 1.\n $END\n")
        parts.append(format_pairs(fid))
    write_text(path, "".join(parts))
    _write_control(fids, path, mhz)


def _write_control(fids: FIDs, path: Path, mhz: float) -> None:
    beside = path.with_suffix(".control")
    if beside.exists() and _SIGNATURE not in read_text(beside, 4096):
        return
    key = "FILH2O" if path.suffix.lower() == ".h2o" else "FILRAW"
    lines = [
        " $LCMODL", f" TITLE = {_quoted(_SIGNATURE)}", f" {key} = {_quoted(path.name, 200)}",
        f" NUNFIL = {fids.sampling.n_points}",
        f" DELTAT = {checks.exact(fids.sampling.dwell_time)!r}", f" HZPPPM = {mhz!r}",
    ]  # fmt: skip
    if fids.acquisition.echo_time is not None:
        lines.append(f" ECHOT = {fids.acquisition.echo_time * 1e3:.6g}")
    write_text(beside, "\n".join([*lines, " $END\n"]))


def write_basis(basis: BasisSet, path: Path) -> None:
    """An LCModel BASIS file, 7 digits: halved first points, 0 Hz at 4.65 ppm, CONC = TRAMP = VOLUME = 1, ISHIFT = 0.

    **Raises:** `FormatError` for other nuclei, numbers that the format cannot hold, and names that LCModel (6
    characters) could not tell apart.
    """
    _protons(basis.sampling.nucleus, path)
    fids = referenced(basis)
    _representable(fids, path)
    short = [n[:6].lower() for n in basis.names]
    twice = [n for n, s in zip(basis.names, short, strict=True) if short.count(s) > 1]
    if twice:
        raise FormatError(
            path,
            "METABO",
            found=", ".join(twice),
            wanted="names that differ in their first 6 letters (LCModel reads no more)",
            fix="rename them",
        )
    halved = fids.conj()
    halved[:, 0] *= 0.5
    spectra = np.fft.fft(halved, norm="ortho")
    mhz, origin = checks.exact(basis.sampling.central_frequency) / 1e6, basis.origin
    head = [" $SEQPAR"]
    if origin.linewidth is not None:
        head.append(f" FWHMBA = {origin.linewidth / mhz:.6g},")
    head.append(f" HZPPPM = {mhz!r},")
    if origin.echo_time is not None:
        head.append(f" ECHOT = {origin.echo_time * 1e3:.6g},")
    head += [f" SEQ = {_quoted(origin.sequence or '', 20)}", " $END"]
    head += [
        " $BASIS1", f" IDBASI = {_quoted(_SIGNATURE)},", " FMTBAS = '(2E15.6)',",
        f" BADELT = {checks.exact(basis.sampling.dwell_time)!r},", f" NDATAB = {basis.sampling.n_points}", " $END\n",
    ]  # fmt: skip
    parts = ["\n".join(head)]
    for name, spectrum in zip(basis.names, spectra, strict=True):
        quoted = _quoted(name, 40)
        made = _made(basis, name)
        used = f" FILERAW = {_quoted(made, 200)},\n" if made else ""
        parts.append(
            f" $NMUSED\n{used} XTRASH = 0.\n $END\n $BASIS\n ID = {quoted},\n METABO = {quoted},\n"
            " CONC = 1.,\n TRAMP = 1.,\n VOLUME = 1.,\n ISHIFT = 0\n $END\n"
        )
        parts.append(format_pairs(spectrum))
    write_text(path, "".join(parts))


def _made(basis: BasisSet, name: str) -> str:
    """How an entry was simulated, in the one text of the format that no reader needs; empty for a basis that does not say."""
    about = basis.origin.header
    if "program" not in about:
        return ""
    source = about.get("systems", {}).get(name, "appended")
    te = basis.origin.echo_time
    time = "" if te is None else f", TE {1e3 * te:g} ms"
    pulses = sum("samples in" in e for e in about.get("events", ()))
    kind = f"{pulses} shaped pulses" if pulses else "ideal pulses"
    gamma = f"{1e-6 * about.get('gamma_bar_hz_per_t', float('nan')):.9g} MHz/T"
    return f"{about['program']} {about.get('version', '')}: {about.get('sequence')}{time}, {kind}, {gamma}; {source}"
