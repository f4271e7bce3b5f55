"""Checks of a basis set, alone and against data."""

from __future__ import annotations

import numpy as np

from mrsjax.core import BasisSet, FIDs
from mrsjax.core.metabolites import canonical, is_nuisance
from mrsjax.io.findings import Finding, Level
from mrsjax.io.mirror import mirror_ratio
from mrsjax.io.reference import SINGLETS, peak

#: What every fit of a brain spectrum needs.
EXPECTED = ("NAA", "NAAG", "Cr", "PCr", "GPC", "PCh", "Glu", "Gln", "Ins", "GSH", "Lac", "GABA")


def check_basis(basis: BasisSet) -> list[Finding]:
    """What the basis holds, whether it is mirrored, where its singlets are, empty and equal entries."""
    s = basis.sampling
    fids = np.asarray(basis.fids)
    metabolites = [n for n in basis.names if not is_nuisance(n)]
    others = [n for n in basis.names if is_nuisance(n)]
    text = f"{len(metabolites)} metabolites ({', '.join(metabolites)})" + (
        f" and {', '.join(others)}" if others else ""
    )
    out = [Finding(Level.OK, "basis", text)]
    if mirror_ratio(basis) < 1 / 1.5:
        out.append(
            Finding(Level.ERROR, "basis", "the basis is mirrored", "read it with conjugate=True (--conjugate-basis)")
        )
    for name, shift in SINGLETS.items():
        if name in [canonical(n) for n in basis.names]:
            row = [canonical(n) for n in basis.names].index(name)
            at = peak(fids[row], basis, shift, 0.3)
            if np.isfinite(at) and abs(at - shift) > 0.02:
                out.append(
                    Finding(
                        Level.WARNING,
                        "basis",
                        f"{name} is at {at:.3f} ppm, wanted {shift:.3f}",
                        f"read it with ppm_ref={float(s.ppm_ref) - at + shift:.2f}",
                    )
                )
    size = np.sqrt(np.mean(np.abs(fids) ** 2, axis=-1))
    empty = [n for n, v in zip(basis.names, size, strict=True) if v <= 1e-9 * size.max()]
    if empty:
        out.append(
            Finding(Level.ERROR, "basis", f"{', '.join(empty)}: no signal at all", "simulate again, or leave them out")
        )
    gram = np.abs(fids.conj() @ fids.T) / np.maximum(np.outer(size, size) * fids.shape[1], 1e-300)
    same = [(i, j) for i in range(len(size)) for j in range(i) if gram[i, j] > 0.99999 and size[i] > 0]
    for i, j in same:
        out.append(
            Finding(
                Level.WARNING,
                "basis",
                f"{basis.names[j]} and {basis.names[i]} are the same signal",
                "leave one of them out",
            )
        )
    out.append(
        Finding(Level.NOTE, "basis", "the basis does not state its echo time")
        if basis.origin.echo_time is None
        else _echo(basis)
    )
    return out


def _echo(basis: BasisSet) -> Finding:
    sequence = f"{basis.origin.sequence} " if basis.origin.sequence else ""
    return Finding(Level.OK, "basis", f"{sequence}TE {1e3 * (basis.origin.echo_time or 0.0):.4g} ms")


def compare(fids: FIDs, basis: BasisSet) -> list[Finding]:
    """Whether the basis fits the data: nucleus, field, echo time, grid, length, missing metabolites."""
    data, own = fids.sampling, basis.sampling
    if data.nucleus != own.nucleus:
        return [
            Finding(
                Level.ERROR, "match", f"the data are {data.nucleus}, the basis is {own.nucleus}", "give another basis"
            )
        ]
    out = []
    f_data, f_own = 1e-6 * float(data.central_frequency), 1e-6 * float(own.central_frequency)
    if abs(f_data / f_own - 1) > 0.02:
        out.append(
            Finding(
                Level.ERROR,
                "match",
                f"the data are at {f_data:.2f} MHz, the basis at {f_own:.2f} MHz",
                "simulate a basis for this field",
            )
        )
    te_data, te_own = fids.acquisition.echo_time, basis.origin.echo_time
    if te_data is not None and te_own is not None and abs(te_data - te_own) > 1.1e-3:
        text = f"the data have TE {1e3 * te_data:.4g} ms, the basis {1e3 * te_own:.4g} ms"
        out.append(Finding(Level.WARNING, "match", text, "simulate a basis for this echo time"))
    step_data, step_own = float(data.dwell_time), float(own.dwell_time)
    if abs(step_data / step_own - 1) > 1e-4:
        text = (
            f"dwell times differ ({1e3 * step_data:.4g} ms, basis {1e3 * step_own:.4g} ms): the basis is interpolated"
        )
        out.append(Finding(Level.NOTE, "match", text))
    tail = np.abs(np.asarray(basis.fids)[:, -max(4, own.n_points // 64) :]).max() / np.abs(np.asarray(basis.fids)).max()
    if own.n_points * step_own < (data.n_points - 1) * step_data and tail > 0.02:
        lasts = f"the basis ends after {own.n_points * step_own:.3f} s at {100 * tail:.0f} % of its start"
        text = f"{lasts}, the data last {data.n_points * step_data:.3f} s"
        out.append(Finding(Level.ERROR, "match", text, "use a longer or a broadened basis"))
    present = {canonical(n) for n in basis.names}
    missing = [n for n in EXPECTED if n not in present]
    if missing:
        level = Level.WARNING if {"NAA", "Glu", "Ins"} & set(missing) or not {"Cr", "PCr"} & present else Level.NOTE
        out.append(
            Finding(
                level,
                "match",
                f"the basis has no {', '.join(missing)}",
                "add them unless they cannot be seen in these data",
            )
        )
    return out or [Finding(Level.OK, "match", "the basis fits the data")]
