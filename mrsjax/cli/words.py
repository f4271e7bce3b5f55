"""Hints of the readers as options of the command line, and messages that name one in words of the other."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

#: Hint of `read` -> (option, factor from the hint's unit to the option's).
OPTIONS = {
    "dwell_time": ("--dwell-s", 1.0),
    "central_frequency": ("--central-frequency-mhz", 1e-6),
    "n_points": ("--points", 1.0),
    "ppm_ref": ("--ppm-ref", 1.0),
    "nucleus": ("--nucleus", None),
    "echo_time": ("--te-ms", 1e3),
    "repetition_time": ("--tr-s", 1.0),
    "conjugate": ("--conjugate", None),
}
#: The same for `read_basis`.
BASIS_OPTIONS = {
    "ppm_ref": ("--basis-ppm-ref", 1.0),
    "subspectrum": ("--basis-subspectrum", 1.0),
    "conjugate": ("--conjugate-basis", None),
}


def as_arguments(hints: Mapping[str, Any], basis_hints: Mapping[str, Any]) -> str:
    """The options that repeat the hints, each with a space before it."""
    out = ""
    for given, options in ((hints, OPTIONS), (basis_hints, BASIS_OPTIONS)):
        for name, value in given.items():
            if name not in options or value is None or value is False:
                continue
            option, factor = options[name]
            out += (
                f" {option}" if value is True else f" {option} {value if factor is None else f'{value * factor:.9g}'}"
            )
    return out


def in_options(text: str, *, of_basis: bool = False) -> str:
    """`dwell_time=... (s)` becomes `--dwell-s` and so on: a message of the readers for a user of the command line."""
    options = OPTIONS | BASIS_OPTIONS if of_basis else BASIS_OPTIONS | OPTIONS
    text = re.sub(
        r"(?:read (?:it )?(?:again )?with )?conjugate=True \((?:command line: )?(--[a-z-]+)\)", r"give \1", text
    )
    text = re.sub(r"\bbasis=\.\.\.", "--basis", text)
    for name, (option, _) in options.items():
        text = re.sub(rf"\b{name}=\.\.\.(?: \([A-Za-z]+\))?", option, text)
        text = re.sub(rf"\b(?:read (?:it )?with )?{name}=(?=[-\d])", f"give {option} ", text)
    return text.replace("give give ", "give ")


def next_command(fix: str, path: str, basis: str | None, given: str) -> str:
    """The command that a "next" finding leads to: a fit or run with the hints that were given, or the same check with one more."""
    if fix.startswith("mrsjax fit "):
        return fix.replace(" -o ", f"{given} -o ")
    if fix.startswith("mrsjax run "):  # which knows the hints of timing only: others go into a file of their own first
        timing = "".join(re.findall(r" --(?:te-ms|tr-s) \S+", given))
        return (
            fix.replace(" -o ", f"{timing} -o ")
            if timing == given
            else f"mrsjax convert {shlex.quote(path)} RAW.nii.gz{given}"
        )
    if (option := re.match(r"give (--[a-z-]+(?: -?[\d.]+)?)(?:$|,)", fix)) is None:
        return fix
    if " " not in option[1] and not option[1].startswith("--conjugate"):
        return fix  # its value is for the user to say
    if f"{option[1]} " in f"{given} ":
        given, option = given.replace(f" {option[1]}", ""), None
    against = "" if basis is None else f" --basis {shlex.quote(basis)}"
    return f"mrsjax check {shlex.quote(path)}{against}{given}{f' {option[1]}' if option else ''}"
