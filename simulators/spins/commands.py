"""What `mrsjax basis simulate` does: from options in the units of a protocol to basis sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mrsjax.core import BasisSet, Sampling
from simulators.spins import library
from simulators.spins.accuracy import FINE, STANDARD
from simulators.spins.catalogue import Edited, Protocol, Series, build
from simulators.spins.default_basis import NAMES
from simulators.spins.events import Sequence
from simulators.spins.extras import reference_line, with_macromolecules, with_measured
from simulators.spins.isotopes import gamma_bar
from simulators.spins.sequence_files import load_sequence
from simulators.spins.series import BasisSeries, simulate_basis_series, simulate_conditions
from simulators.spins.simulation import simulate


def make(
    *, sequence: str, te_ms: float | None = None, te1_ms: float | None = None, te2_ms: float | None = None,
    tm_ms: float | None = None, field_t: float | None = None, central_frequency_mhz: float | None = None,
    edit_on_ppm: float | None = None, edit_off_ppm: float | None = None, increments: int | None = None,
    step_ms: float | None = None, points: int = 2048, dwell_s: float = 5e-4, linewidth_hz: float = 1.0,
    ideal: bool = False, positions: int = 32, metabolites: str | None = None,
    macromolecules: BasisSet | str | None = None,
    reference: bool = False, fine: bool = False, progress: Callable[[str], None],
) -> Mapping[str, BasisSet | BasisSeries]:  # fmt: skip
    """Basis sets by the name of their condition; `""` for a sequence with one.

    `macromolecules`: "parametric" appends our Gaussian lines, a basis its entries (a measured spectrum), to what is not a difference.

    **Raises:** `ValueError` for unknown names and for timings that contradict each other.
    """
    sampling = Sampling(dwell_s, _frequency(field_t, central_frequency_mhz), points)
    te, te1 = _echo_times(te_ms, te1_ms, te2_ms)
    protocol = Protocol(
        te=te, te1=te1, tm=_seconds(tm_ms), edit_on=edit_on_ppm, edit_off=edit_off_ppm, increments=increments,
        step=_seconds(step_ms), ideal=ideal, central_frequency=float(sampling.central_frequency),
    )  # fmt: skip
    made = _from_file(sequence, protocol) if sequence.lower().endswith((".yaml", ".yml")) else build(sequence, protocol)
    systems = _systems(metabolites)
    for system in systems:
        if not system.settled:
            progress(f"{system.name}: published values disagree, see the provenance ({system.source})")
    if reference:
        systems.append(reference_line())
    options: dict[str, Any] = dict(
        positions=positions, accuracy=FINE if fine else STANDARD, linewidth=linewidth_hz, progress=progress
    )
    if isinstance(made, Series):
        if macromolecules is not None:
            raise ValueError(f"macromolecules: a 2-D series ({sequence}) takes none")
        return {"": simulate_basis_series(systems, made.build, made.values, sampling, what=made.what, **options)}
    if isinstance(made, Edited):
        out = simulate_conditions(systems, made.conditions, sampling, combine=made.combine, unit=made.unit, **options)
        out = out if made.single is None else {"": out[made.single]}
    else:
        out = {"": simulate(systems, made, sampling, **options)}
    if macromolecules is None:
        return out
    append = (
        partial(with_measured, other=macromolecules) if isinstance(macromolecules, BasisSet) else with_macromolecules
    )
    return {k: append(b) if k in ("", "off") else b for k, b in out.items()}


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms * 1e-3


def _from_file(path: str, protocol: Protocol) -> Sequence:
    """The sequence of a .yaml file, which says all that options could say."""
    if protocol != Protocol(central_frequency=protocol.central_frequency):
        raise ValueError(f"sequence: pulses and timings are written in {path}; leave --ideal and the times out")
    return load_sequence(path)


def _frequency(field_t: float | None, central_frequency_mhz: float | None) -> float:
    if central_frequency_mhz is not None:
        found = central_frequency_mhz * 1e6 / gamma_bar("1H")
        if field_t is not None and abs(found / field_t - 1) > 0.1:
            raise ValueError(
                f"field_t: {central_frequency_mhz:g} MHz are protons at {found:.2f} T, not at {field_t:g} T"
            )
        return central_frequency_mhz * 1e6
    return gamma_bar("1H") * (3.0 if field_t is None else field_t)


def _echo_times(te_ms: float | None, te1_ms: float | None, te2_ms: float | None) -> tuple[float | None, float | None]:
    """TE and TE1 in s from whatever of the three is given."""
    if te1_ms is not None and te2_ms is not None:
        if te_ms is not None and abs(te_ms - te1_ms - te2_ms) > 1e-6:
            raise ValueError(f"te_ms: TE1 + TE2 = {te1_ms + te2_ms:g} ms, but TE is given as {te_ms:g} ms")
        te_ms = te1_ms + te2_ms
    elif te2_ms is not None and te_ms is not None:
        te1_ms = te_ms - te2_ms
    te = None if te_ms is None else te_ms * 1e-3
    return te, None if te1_ms is None else te1_ms * 1e-3


def _systems(metabolites: str | None):
    """The default ones, those of a .json file, or a list of names, each with an alternative after a colon."""
    if metabolites is None:
        return library.metabolites(NAMES)
    if metabolites.lower().endswith(".json"):
        return library.load(metabolites)
    asked = [n.strip().partition(":") for n in metabolites.split(",") if n.strip()]
    return [library.metabolite(name, alternative=other or None) for name, _, other in asked]
