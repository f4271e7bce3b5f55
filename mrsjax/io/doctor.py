"""`check`: everything that can be said about a file before it is fitted, as structured findings."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Mapping
from typing import Any

from mrsjax.core import BasisSet, FIDs
from mrsjax.io.check_basis import check_basis, compare
from mrsjax.io.check_data import check_fids
from mrsjax.io.errors import FormatError, MirroredWarning
from mrsjax.io.findings import Finding, Level, worst
from mrsjax.io.formats import detect, read, read_basis
from mrsjax.io.lcmodel_control import read_control
from mrsjax.io.lcmodel_results import read_lcmodel_results


def _refused(topic: str, error: FormatError) -> Finding:
    where = "" if error.path is None else f"{error.path}: "
    return Finding(Level.ERROR, topic, f"{where}{error.key}: found {error.found}, wanted {error.wanted}", error.fix)


def _read(path: Any, basis: Any, hints: dict[str, Any], out: list[Finding]) -> FIDs:
    """As a fit reads: a RAW file without sampling takes that of the basis."""
    try:
        return read(path, **hints)
    except FormatError as e:
        named = any(word in e.wanted for word in ("dwell_time", "central_frequency"))
        if not named or basis is None or isinstance(basis, BasisSet):
            raise
        fids = read(path, **{**hints, "basis": basis})
        text = "the file does not say its dwell time and frequency: those of the basis are taken"
        out.append(Finding(Level.NOTE, "sampling", text, "give dwell_time=... (s) if they are others"))
        return fids


def check(
    path: str | os.PathLike,
    basis: str | os.PathLike | BasisSet | None = None,
    *,
    basis_hints: Mapping[str, Any] | None = None,
    **hints: Any,
) -> list[Finding]:
    """Findings about a data file (or a basis set), and about a basis against it. Nothing is changed and nothing raised.

    **Arguments:** `path` data, or a basis set alone; `basis` a basis file, folder or `BasisSet`; `hints` as for `read`,
    `basis_hints` as for `read_basis`.

    **Returns:** findings in reading order. The last one, topic "next", says what to run.
    """
    out: list[Finding] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MirroredWarning)  # the findings say it
        try:
            kind = detect(path)
            out.append(Finding(Level.OK, "format", kind.name))
            if kind.read is None:
                out += check_basis(read_basis(path, **(basis_hints or {})))
                return [*out, _next(path, None, out, alone=True)]
            fids = _read(path, basis, hints, out)
        except FormatError as e:
            if not out and (known := _of_lcmodel(path)):
                return known
            return [
                *out,
                _refused("format", e),
                Finding(Level.ERROR, "next", "mend the file or give the hint, then check again", e.fix),
            ]
        out += check_fids(fids)
        if basis is not None:
            try:
                loaded = basis if isinstance(basis, BasisSet) else read_basis(basis, **(basis_hints or {}))
                out += [*check_basis(loaded), *compare(fids, loaded)]
            except FormatError as e:
                out.append(_refused("basis", e))
    return [*out, _next(path, basis, out)]


def _next(path: Any, basis: Any, findings: list[Finding], *, alone: bool = False) -> Finding:
    """The next command to run, or what stands in its way."""
    serious = [f for f in findings if f.level is Level.ERROR]
    if serious:
        return Finding(Level.ERROR, "next", f"mend first: {serious[0].message}", serious[0].fix)
    name = shlex.quote(os.fspath(path))
    if alone:
        return Finding(Level.OK, "next", "usable as a basis", f"mrsjax fit DATA --basis {name} -o RESULTS")
    raw = any(f.topic == "dims" and f.fix.startswith(("combine", "align")) for f in findings)
    if any(f.topic == "water" and f.level is Level.WARNING for f in findings):
        verb = "run RAW" if raw else "fit DATA"
        command = f"mrsjax {verb} --basis BASIS --water {name} -o RESULTS"
        return Finding(Level.WARNING, "next", "use it as the water reference", command)
    named = "BASIS" if basis is None or isinstance(basis, BasisSet) else shlex.quote(os.fspath(basis))
    level = min(worst(findings), Level.WARNING)
    if raw:
        message = "coils and transients are combined, aligned and averaged before the fit"
        return Finding(level, "next", message, f"mrsjax run {name} --basis {named} -o RESULTS")
    message = "ready to fit" if level < Level.WARNING else "can be fitted; look at the warnings first"
    return Finding(level, "next", message, f"mrsjax fit {name} --basis {named} -o RESULTS")


def _of_lcmodel(path: str | os.PathLike) -> list[Finding] | None:
    """A file of an LCModel run that holds no data; `None` for any other."""
    name = shlex.quote(os.fspath(path))
    try:
        control = read_control(path)
        text = f"LCModel control file of {control.filraw or 'no data'}"
        return [
            Finding(Level.OK, "format", text),
            Finding(Level.OK, "next", "its run can be repeated", f"mrsjax fit --control {name} -o RESULTS"),
        ]
    except FormatError:
        pass
    try:
        found = len(read_lcmodel_results(path)[0].concentrations)
    except FormatError:
        return None
    said = f"LCModel results: {found} concentrations"
    return [
        Finding(Level.OK, "format", said),
        Finding(Level.OK, "next", "results, no data", f"in Python: mrsjax.io.read_lcmodel_results({name!r})"),
    ]
