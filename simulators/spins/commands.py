"""What `mrsjax basis simulate` does: from options in the units of a protocol to basis sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from mrsjax.core import BasisSet, Sampling
from mrsjax.core.basis import BasisOrigin
from simulators.spins import editing, library, presets, sequences
from simulators.spins.accuracy import FINE, STANDARD
from simulators.spins.default_basis import NAMES
from simulators.spins.events import Sequence
from simulators.spins.extras import reference_line, with_macromolecules
from simulators.spins.isotopes import gamma_bar
from simulators.spins.sequence_files import load_sequence
from simulators.spins.series import simulate_conditions
from simulators.spins.simulation import simulate


def make(
    *, sequence: str, te_ms: float | None, te1_ms: float | None, te2_ms: float | None, tm_ms: float,
    field_t: float | None, central_frequency_mhz: float | None, points: int, dwell_s: float, linewidth_hz: float,
    ideal: bool, positions: int,
    metabolites: str | None, macromolecules: bool, reference: bool, fine: bool, progress: Callable[[str], None],
) -> dict[str, BasisSet]:  # fmt: skip
    """Basis sets by the name of their condition; `""` for a sequence with one.

    **Raises:** `ValueError` for unknown names and for timings that contradict each other.
    """
    sampling = Sampling(dwell_s, _frequency(field_t, central_frequency_mhz), points)
    te, te1 = _echo_times(te_ms, te1_ms, te2_ms)
    made = build(sequence, te, te1, tm_ms * 1e-3, ideal=ideal, central_frequency=float(sampling.central_frequency))
    systems = _systems(metabolites)
    if reference:
        systems.append(reference_line())
    options: dict[str, Any] = dict(
        positions=positions, accuracy=FINE if fine else STANDARD, linewidth=linewidth_hz, progress=progress
    )
    if isinstance(made, Sequence):
        out = {"": simulate(systems, made, sampling, **options)}
    else:
        out = simulate_conditions(
            systems, made, sampling, combine={"difference": editing.MEGA["difference"]}, **options
        )
    return {k: with_macromolecules(b) if macromolecules and k in ("", "off") else b for k, b in out.items()}


def build(
    name: str, te: float | None, te1: float | None, tm: float, *, ideal: bool, central_frequency: float = 123.25e6
) -> Sequence | dict[str, Sequence]:
    """A sequence by its name on the command line, or of a .yaml file; `te`, `te1`, `tm` in s."""
    if name.lower().endswith((".yaml", ".yml")):
        if te is not None or te1 is not None:
            raise ValueError(f"te: the echo time is written in {name}; leave --te-ms, --te1-ms and --te2-ms out")
        return load_sequence(name)
    band = editing.editing_band(1.9)
    ideal_ones = {
        "pulse-acquire": lambda: sequences.pulse_acquire(),
        "spin-echo": lambda: sequences.spin_echo(te or 0.030),
        "press": lambda: sequences.press(te or 0.030, te1),
        "steam": lambda: sequences.steam(te or 0.020, tm),
        "slaser": lambda: sequences.semi_laser(te or 0.030),
        "laser": lambda: sequences.laser(te or 0.040),
        "mega-press": lambda: editing.mega_press(te or 0.068, te1 or 0.012, on=band),
        "mega-slaser": lambda: editing.mega_slaser(te or 0.080, on=band),
    }
    shaped_ones = {
        "press": lambda: presets.press(te or 0.030, te1),
        "steam": lambda: presets.steam(te or 0.020, tm),
        "slaser": lambda: presets.slaser(te or 0.030),
        "mega-press": lambda: presets.mega_press(te or 0.068, te1 or 0.012),
    }
    if name not in ideal_ones:
        raise ValueError(f"sequence: wanted one of {', '.join(ideal_ones)} or a .yaml file, found {name!r}")
    if not ideal and name not in shaped_ones and name != "pulse-acquire":
        raise ValueError(f"sequence: {name} has ideal pulses only; add --ideal, or write a .yaml file with pulses")
    return (ideal_ones if ideal or name == "pulse-acquire" else shaped_ones)[name]()


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
    if metabolites is None:
        return library.metabolites(NAMES)
    if metabolites.lower().endswith(".json"):
        return library.load(metabolites)
    return library.metabolites([n.strip() for n in metabolites.split(",") if n.strip()])


def to_cache(folder: Path, key: str, made: dict[str, BasisSet]) -> None:
    """Keeps basis sets under `key`; a folder that cannot be written is no error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for label, basis in made.items():
            s, o = basis.sampling, basis.origin
            about = {
                "grid": [float(s.dwell_time), float(s.central_frequency), float(s.ppm_ref)], "nucleus": s.nucleus,
                "origin": [o.sequence, o.echo_time, o.linewidth, o.source], "header": dict(o.header),
                "names": list(basis.names), "labels": list(made),
            }  # fmt: skip
            place = folder / f"{key}-{label or 'one'}.npz"
            with open(place.with_suffix(".part"), "wb") as file:
                np.savez(file, fids=np.asarray(basis.fids), about=np.array(json.dumps(about)))
            place.with_suffix(".part").replace(place)
    except OSError:
        return


def from_cache(folder: Path, key: str) -> dict[str, BasisSet] | None:
    """Basis sets kept under `key`, or `None`."""
    found = {p.stem.removeprefix(f"{key}-"): p for p in folder.glob(f"{key}-*.npz")}
    out, labels = {}, None
    for label, path in found.items():
        try:
            with np.load(path) as content:
                fids, about = content["fids"], json.loads(str(content["about"]))
        except (OSError, ValueError, KeyError):
            return None
        dwell, frequency, ppm_ref = about["grid"]
        sampling = Sampling(dwell, frequency, fids.shape[1], ppm_ref=ppm_ref, nucleus=about["nucleus"])
        origin = BasisOrigin(*about["origin"], header=about["header"])
        labels = about["labels"]
        out["" if label == "one" else label] = BasisSet(jnp.asarray(fids), about["names"], sampling, origin)
    return {k: out[k] for k in labels} if labels is not None and set(labels) == set(out) else None
