"""Options that say what a file leaves unsaid or says wrongly: shared by the commands that read files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

#: (option, type, help); a type of None makes a flag.
_OF_DATA = (
    ("--dwell-s", float, "Dwell time, s, where the file does not say it."),
    ("--central-frequency-mhz", float, "Spectrometer frequency, MHz, where the file does not say it."),
    ("--te-ms", float, "Echo time, ms, where the file does not say it."),
    ("--tr-s", float, "Repetition time, s, where the file does not say it."),
    ("--ppm-ref", float, "Chemical shift at 0 Hz, ppm."),
    ("--conjugate", None, "Turn mirrored data round."),
    ("--points", int, "Points of one FID, where a file holds several behind one header."),
    ("--nucleus", str, "For example 1H."),
)
_OF_BASIS = (
    ("--conjugate-basis", None, "Turn a mirrored basis round."),
    ("--basis-ppm-ref", float, "Chemical shift at 0 Hz of the basis, ppm."),
    ("--basis-subspectrum", int, "Which of an edited basis (Osprey), from 0."),
)


def hint_options(*, visible: tuple[str, ...] = (), leave_out: tuple[str, ...] = ()) -> Callable:
    """Adds every option above that is not in `leave_out`; those not in `visible` work without being listed."""

    def add(command: Callable) -> Callable:
        for option, kind, text in reversed((*_OF_DATA, *_OF_BASIS)):
            if option in leave_out:
                continue
            hidden = option not in visible
            if kind is None:
                command = click.option(option, is_flag=True, default=None, hidden=hidden, help=text)(command)
            else:
                command = click.option(option, type=kind, hidden=hidden, help=text)(command)
        return command

    return add


def read_hints(options: Mapping[str, Any]) -> dict[str, Any]:
    """The hints of `io.read`, in SI units, from options as the command line names them."""
    scaled = (("central_frequency", "central_frequency_mhz", 1e6), ("echo_time", "te_ms", 1e-3))
    plain = (("dwell_time", "dwell_s"), ("repetition_time", "tr_s"), ("ppm_ref", "ppm_ref"), ("nucleus", "nucleus"))
    hints = {name: options.get(key) for name, key in (*plain, ("n_points", "points"))}
    hints |= {name: None if options.get(key) is None else options[key] * scale for name, key, scale in scaled}
    return {**hints, "conjugate": bool(options.get("conjugate"))}


def basis_hints(options: Mapping[str, Any]) -> dict[str, Any]:
    """The hints of `io.read_basis`."""
    return {
        "ppm_ref": options.get("basis_ppm_ref"),
        "subspectrum": options.get("basis_subspectrum"),
        "conjugate": bool(options.get("conjugate_basis")),
    }
