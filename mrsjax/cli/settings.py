"""The settings of a fit: from options and a configuration file to one checked object, and back to run.yaml."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrsjax.cli.posterior import METHODS

#: Outside of these a number has the wrong unit.
RANGES = {
    "te_ms": (1.0, 500.0),
    "tr_s": (0.1, 20.0),
    "water_te_ms": (1.0, 500.0),
    "water_tr_s": (0.1, 20.0),
    "dwell_s": (1e-6, 0.1),
    "central_frequency_mhz": (5.0, 1300.0),
    "ppm_ref": (-10.0, 10.0),
    "basis_ppm_ref": (-10.0, 10.0),
}

#: Without an option of their own.
CONFIG_ONLY = ("water_te_ms", "water_tr_s")

PATHS = ("data", "basis", "water", "mask", "out", "control")
FLAGS = ("conjugate", "conjugate_basis")
TEXTS = (*PATHS, "peak", "nucleus", "posterior")
WHOLE = ("points", "basis_subspectrum")


@dataclasses.dataclass(frozen=True)
class FitSettings:
    """Everything that decides what `mrsjax fit` computes, in the units of the command line; None = not given.

    `tissue` has a number or the path of a map for each of gm, wm, csf; `model` are options of the default model;
    `omit` names basis entries to leave out; `control` is an LCModel control file (cli.control).
    `relaxation` replaces the table: `{water: {gm: [T1, T2], wm: ..., csf: ...}, metabolites: [T1, T2]}` in ms.
    """

    data: str | None = None
    basis: str | None = None
    out: str | None = None
    water: str | None = None
    tissue: Mapping[str, float | str] | None = None
    te_ms: float | None = None
    tr_s: float | None = None
    water_te_ms: float | None = None
    water_tr_s: float | None = None
    mask: str | None = None
    dwell_s: float | None = None
    central_frequency_mhz: float | None = None
    ppm_ref: float | None = None
    points: int | None = None
    nucleus: str | None = None
    conjugate: bool = False
    conjugate_basis: bool = False
    basis_ppm_ref: float | None = None
    basis_subspectrum: int | None = None
    control: str | None = None
    omit: tuple[str, ...] | None = None
    peak: str = "tNAA"
    model: Mapping[str, Any] | None = None
    relaxation: Mapping[str, Any] | None = None
    posterior: str | None = None

    def as_options(self) -> dict[str, Any]:
        """The settings as plain values; paths absolute, so that the file repeats the run from any folder."""
        out = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        absolute = lambda path: str(Path(path).absolute())  # noqa: E731
        for name in PATHS:
            if out[name] is not None:
                out[name] = absolute(out[name])
        if self.tissue is not None:
            out["tissue"] = {k: absolute(v) if isinstance(v, str) else v for k, v in self.tissue.items()}
        out["omit"] = None if self.omit is None else list(self.omit)
        return out


def parse_tissue(text: str) -> dict[str, float | str]:
    """`gm=0.6,wm=0.3,csf=0.1` (or paths of maps) as a mapping.

    **Raises:** `ValueError` naming what is missing or unknown.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    wrong = [f"{key}{equals}{value}".strip() for key, equals, value in pairs if not equals]
    if wrong:
        raise ValueError(f"--tissue: wanted gm=...,wm=...,csf=..., found {wrong[0]!r}")
    return _fractions({key.strip(): value.strip() for key, _, value in pairs})


def _fractions(given: Mapping[str, Any]) -> dict[str, float | str]:
    """Numbers as numbers, what is none as the path of a map."""
    found: dict[str, float | str] = {}
    for key, value in given.items():
        name = str(key).lower()
        if name not in ("gm", "wm", "csf") or isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"--tissue: wanted gm=...,wm=...,csf=..., found '{key}={value}'")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = str(value)
    missing = [k for k in ("gm", "wm", "csf") if k not in found]
    if missing:
        raise ValueError(f"--tissue: wanted gm=...,wm=...,csf=..., {' and '.join(missing)} missing")
    return found


def read_config(path: str) -> dict[str, Any]:
    """The options in a configuration file: the `options` of a run.yaml, or a plain mapping of settings.

    **Raises:** `ValueError` for a file that is no such mapping, unknown names (with the known ones), or values of the
    wrong kind.
    """
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: wanted YAML, found {' '.join(str(error).split())[:120]}") from None
    if isinstance(content, dict) and isinstance(content.get("options"), dict):
        content = content["options"]
    if not isinstance(content, dict):
        raise ValueError(f"{path}: wanted settings as 'name: value' lines, found {type(content).__name__}")
    known = [f.name for f in dataclasses.fields(FitSettings)]
    unknown = [str(k) for k in content if k not in known]
    if unknown:
        raise ValueError(f"{path}: unknown settings {', '.join(unknown)}; known are {', '.join(known)}")
    options = {k: v for k, v in content.items() if v is not None}
    for name, value in options.items():
        options[name] = _checked(path, name, value)
    return options


def _checked(path: str, name: str, value: Any) -> Any:
    if name == "tissue":
        return parse_tissue(value) if isinstance(value, str) else _fractions(_mapping(path, name, value))
    if name == "model":
        from mrsjax.physics.options import model_options

        try:
            return model_options(_mapping(path, name, value))
        except ValueError as error:
            raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    if name == "relaxation":
        return _mapping(path, name, value)
    if name == "omit":
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ValueError(f"{path}: {name}: wanted a list of names, found {value!r}")
        return tuple(value)
    if name in WHOLE:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{path}: {name}: wanted a whole number, found {value!r}")
        return value
    if name in FLAGS:
        if not isinstance(value, bool):
            raise ValueError(f"{path}: {name}: wanted true or false, found {value!r}")
        return value
    if name in TEXTS:
        if not isinstance(value, str):
            raise ValueError(f"{path}: {name}: wanted a text, found {value!r}")
        return value
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)  # YAML 1.1 reads 5e-4 as a text
    except (TypeError, ValueError):
        raise ValueError(f"{path}: {name}: wanted a number, found {value!r}") from None


def _mapping(path: str, name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{path}: {name}: wanted a mapping, found {value!r}")
    return value


def resolve(options: Mapping[str, Any], config: str | None) -> FitSettings:
    """Options of the command line over those of the configuration file.

    **Raises:** `ValueError` when data, basis or the output folder are in neither.
    """
    merged = {} if config is None else read_config(config)
    merged |= {k: v for k, v in options.items() if v is not None}
    if isinstance(merged.get("tissue"), str):
        merged["tissue"] = parse_tissue(merged["tissue"])
    if merged.get("control") is not None:
        from mrsjax.cli.control import with_control

        merged = with_control(merged)
    settings = FitSettings(**merged)
    for name, what in (("data", "DATA"), ("basis", "--basis"), ("out", "--out")):
        if getattr(settings, name) is None:
            raise ValueError(f"{what} is missing: mrsjax fit DATA --basis BASIS --out DIR (or --config run.yaml)")
    for name, (low, high) in RANGES.items():
        value = getattr(settings, name)
        if value is not None and not low <= value <= high:
            said = name if name in CONFIG_ONLY else f"--{name.replace('_', '-')}"
            raise ValueError(f"{said}: wanted {low:g} to {high:g}, found {value:g}; another unit?")
    if settings.peak != FitSettings.peak:
        from mrsjax.analysis.quality import RESONANCES

        if settings.peak not in RESONANCES:
            raise ValueError(f"peak: wanted one of {', '.join(RESONANCES)}, found {settings.peak}")
    if settings.posterior not in (None, *METHODS):
        raise ValueError(f"posterior: wanted {' or '.join(METHODS)}, found {settings.posterior!r}")
    if settings.tissue is not None and settings.water is None:
        raise ValueError("--tissue corrects water scaling and needs --water")
    return settings
