"""Reading the files of a fit: data, basis, water, mask and tissue maps, with messages in the words of the command
line.
"""

from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mrsjax import io
from mrsjax.analysis import Water
from mrsjax.analysis.pipeline import SPACE, field_strength, selected
from mrsjax.cli.control import unused
from mrsjax.cli.hint_options import basis_hints, read_hints
from mrsjax.cli.settings import FitSettings
from mrsjax.cli.words import in_options
from mrsjax.core import BasisSet, FIDs
from mrsjax.core.metabolites import canonical
from mrsjax.inference.quantification import Timing, Tissue, user_table
from mrsjax.io.check_basis import compare
from mrsjax.io.check_spectrum import averaged, check_shift
from mrsjax.physics.relaxation import RelaxationTable, relaxation_table


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What the files of a fit hold. `notes`: sentences for the console and the report."""

    fids: FIDs
    basis: BasisSet
    water: Water | None
    mask: np.ndarray | None
    notes: tuple[str, ...]


def load(settings: FitSettings, given: BasisSet | None = None) -> Inputs:
    """Reads and checks every file, so that a mistake shows before the fit starts; `given`: a basis in place of the file.

    **Raises:** `ValueError` (FormatError included) and `OSError` with one line.
    """
    assert settings.data is not None and settings.basis is not None
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        whole = _basis(settings) if given is None else given
        basis = _without(whole, settings, notes.append)
        fids = _signals(settings.data, settings, basis, notes.append)
        mask = None
        if settings.mask is not None:  # NaN is what SPM writes outside
            mask = np.nan_to_num(volume(settings.mask, fids.acquisition.affine)) != 0
        water = _scaling(settings, fids, basis, mask, notes.append)
    notes += dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UserWarning))
    shift = check_shift(averaged(fids))
    doubts = [f for f in compare(fids, whole) if f.level >= io.Level.WARNING]
    doubts += [shift] if shift.message.endswith("off") else []  # not seen: the fit will say so
    notes += [f"{f.message[0].upper()}{f.message[1:]}; {in_options(f.fix)}." for f in doubts]
    if settings.control is not None and (left := unused(settings.control)):
        notes.append(f"Options of {Path(settings.control).name} without a counterpart here: {left}.")
    return Inputs(fids, basis, water, mask, tuple(notes))


def check(settings: FitSettings, fids: FIDs, name: str) -> None:
    """Raises what `load` and the fit would raise after a preprocessing of the raw `fids` of the file `name`, as far as it can be known before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _without(_basis(settings), settings, lambda said: None).resample(fids.sampling)
    if settings.water is not None:
        about = fids.acquisition
        te = about.echo_time if settings.te_ms is None else settings.te_ms
        tr = about.repetition_time if settings.tr_s is None else settings.tr_s
        _check_timing(name, te, tr)
        _table(settings, field_strength(fids))


def _check_timing(name: str | None, te: float | None, tr: float | None) -> None:
    missing = " and ".join(n for n, v in (("--te-ms", te), ("--tr-s", tr)) if v is None)
    if missing:
        raise ValueError(f"{name}: does not say the timing that water scaling needs; give {missing}")


def _basis(settings: FitSettings) -> BasisSet:
    assert settings.basis is not None
    return io.read_basis(settings.basis, **basis_hints(vars(settings)))


def _without(basis: BasisSet, settings: FitSettings, note: Callable[[str], None]) -> BasisSet:
    """The basis less what the settings omit."""
    unwanted = {canonical(n): n for n in settings.omit or ()}
    keep = [n for n in basis.names if canonical(n) not in unwanted]
    if not keep:
        raise ValueError(f"{settings.basis}: nothing is left after omitting {', '.join(basis.names)}")
    absent = [name for key, name in unwanted.items() if key not in map(canonical, basis.names)]
    if absent:
        note(f"omit: {', '.join(absent)} not among the entries of the basis ({', '.join(basis.names)}).")
    return basis if len(keep) == len(basis.names) else basis.select(keep)


def _signals(path: str, settings: FitSettings, basis: BasisSet, note: Callable[[str], None]) -> FIDs:
    hints: dict[str, Any] = {**read_hints(vars(settings)), "control": settings.control}
    try:
        return io.read(path, **hints)
    except io.FormatError as error:
        if not any(word in error.wanted for word in ("dwell_time", "central_frequency")):
            raise
        # LCModel RAW holds no sampling; LCModel itself takes that of the basis when nothing else is said.
        fids = io.read(path, basis=settings.basis, **hints)
        if fids.sampling.n_points != basis.sampling.n_points:
            raise ValueError(
                f"{path}: an LCModel RAW file holds neither dwell time nor frequency, and the basis has another length"
                f" ({basis.sampling.n_points} points, data {fids.sampling.n_points}); give --dwell-s and"
                " --central-frequency-mhz"
            ) from None
        note(
            f"{Path(path).name} does not say its dwell time and frequency: those of the basis were taken"
            f" ({float(fids.sampling.dwell_time):.6g} s, {1e-6 * float(fids.sampling.central_frequency):.4f} MHz; equal"
            " length)."
        )
        return fids


def _scaling(
    settings: FitSettings, fids: FIDs, basis: BasisSet, mask: np.ndarray | None, note: Callable[[str], None]
) -> Water | None:
    if settings.water is None:
        return None
    if settings.control is not None and fids.acquisition.repetition_time is None:
        note("Water scaling is left out: a control file does not say the repetition time; give --tr-s.")
        return None
    return _water(settings, fids, basis, mask, note)


def _water(
    settings: FitSettings, fids: FIDs, basis: BasisSet, mask: np.ndarray | None, note: Callable[[str], None]
) -> Water:
    # The TE of the options is that of the metabolite scan: the water file speaks for itself.
    assert settings.water is not None
    own = dataclasses.replace(settings, te_ms=settings.water_te_ms, tr_s=settings.water_tr_s)
    water = _signals(settings.water, own, basis, note)
    te, tr = fids.acquisition.echo_time, fids.acquisition.repetition_time
    _check_timing(settings.data, te, tr)
    assert te is not None and tr is not None
    timing = Timing(te, tr, water.acquisition.echo_time, water.acquisition.repetition_time)
    if timing.taken_over:
        name = Path(settings.water).name
        asked = " and ".join({"TE": "water_te_ms", "TR": "water_tr_s"}[t] for t in timing.taken_over)
        note(
            f"{name} does not say its {' and '.join(timing.taken_over)}: taken from the metabolite scan (TE"
            f" {1e3 * timing.of_water[0]:g} ms, TR {timing.of_water[1]:g} s); where it differs, give {asked} in --config."
        )
    return Water(water, timing, _tissue(settings, fids, mask, note), _table(settings, field_strength(fids)))


def _table(settings: FitSettings, field: float) -> RelaxationTable:
    if settings.relaxation is None:
        try:
            return relaxation_table(field)
        except ValueError as error:
            raise ValueError(f"{error}; give your own with 'relaxation:' in --config") from None
    try:
        water = {k: (float(t1) * 1e-3, float(t2) * 1e-3) for k, (t1, t2) in settings.relaxation["water"].items()}
        t1, t2 = settings.relaxation["metabolites"]
        return user_table(field, water, (float(t1) * 1e-3, float(t2) * 1e-3))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            "relaxation: wanted {water: {gm: [T1, T2], wm: [T1, T2], csf: [T1, T2]}, metabolites: [T1, T2]} in ms, "
            f"found {dict(settings.relaxation)!r} ({error})"
        ) from None


#: Between these a voxel's gm + wm + csf is scaled to 1: maps resampled onto a coarse grid lose a part at the edge, or overshoot.
PARTIAL = (0.5, 1.1)


def _tissue(settings: FitSettings, fids: FIDs, mask: np.ndarray | None, note: Callable[[str], None]) -> Tissue | None:
    if settings.tissue is None:
        return None
    parts = {
        k: v if isinstance(v, int | float) else volume(v, fids.acquisition.affine) for k, v in settings.tissue.items()
    }
    spatial = tuple(n for n, d in zip(fids.data.shape, fids.dims, strict=False) if d in SPACE)
    shape = fids.data.shape[:-1]
    for name, part in parts.items():
        if isinstance(part, np.ndarray):
            if part.shape != spatial:
                raise ValueError(f"--tissue {name}: wanted a map of shape {spatial}, found {part.shape}")
            parts[name] = np.broadcast_to(part.reshape(spatial + (1,) * (len(shape) - len(spatial))), shape)
    if not any(isinstance(p, np.ndarray) for p in parts.values()):
        return Tissue(parts["gm"], parts["wm"], parts["csf"])
    inside = selected(fids, mask)
    values = np.stack([np.broadcast_to(parts[k], shape).ravel() for k in ("gm", "wm", "csf")], axis=-1)
    values = np.where(np.isnan(values), 0.0, values)
    total = values.sum(axis=-1)
    wrong = inside[(values[inside].min(axis=-1) < -0.02) | (total[inside] > PARTIAL[1])]
    if len(wrong):
        Tissue(*values[wrong].T)  # raises, in its words
    some = inside[total[inside] >= PARTIAL[0]]
    if not len(some):
        raise ValueError(
            f"--tissue: wanted maps of the voxels, found gm + wm + csf below {PARTIAL[0]:g} in all {len(inside)}"
        )
    given = np.full_like(values, np.nan)
    given[some] = np.maximum(values[some], 0.0)
    given[some] /= given[some].sum(axis=-1, keepdims=True)
    scaled = int(np.sum(np.abs(total[some] - 1) > 0.02))
    if scaled or len(some) < len(inside):
        note(
            f"Tissue maps: of {len(inside)} voxels {scaled} have gm + wm + csf off 1 and were scaled to it; {len(inside) - len(some)} have less than"
            f" {PARTIAL[0]:g}, so no concentrations."
        )
    return Tissue(*given.T)


def volume(path: str, affine: np.ndarray | None = None) -> np.ndarray:
    """A three-dimensional NIfTI image, or a .npy array without pickled objects; refused where it says to lie elsewhere than `affine` (of the data)."""
    if not Path(path).is_file():
        raise ValueError(f"{path}: wanted a NIfTI or .npy file, found none")
    try:
        if path.endswith(".npy"):
            return np.load(path, allow_pickle=False)
        import nibabel

        loaded: Any = nibabel.load(path)
        image = np.asarray(loaded.dataobj)
        placed = loaded.header["sform_code"] > 0 or loaded.header["qform_code"] > 0
    except Exception as error:
        raise ValueError(f"{path}: wanted a NIfTI or .npy image, found {' '.join(str(error).split())[:120]}") from None
    # An identity is what programs write that know no position.
    placed = placed and not np.array_equal(loaded.affine, np.eye(4))
    if affine is not None and placed and not np.allclose(loaded.affine, affine, atol=1e-2):
        raise ValueError(
            f"{path}: wanted an image on the grid of the data, found another position or orientation (its affine differs by"
            f" {np.abs(loaded.affine - affine).max():.3g}); resample it onto the grid of the spectra"
        )
    return image.reshape(image.shape[:3]) if image.ndim > 3 and set(image.shape[3:]) == {1} else image


def fingerprints(settings: FitSettings) -> list[dict[str, str]]:
    """Absolute path, role and SHA-256 of every input file, those that are read along with a named one included; a folder is hashed over its files in name order."""
    named = {role: getattr(settings, role) for role in ("data", "basis", "water", "mask", "control")}
    named |= {f"tissue_{k}": v for k, v in (settings.tissue or {}).items() if isinstance(v, str)}
    out = []
    for role, path in named.items():
        for place in [] if path is None else [Path(path).absolute(), *io.companions(Path(path).absolute())]:
            digest = hashlib.sha256()
            for file in sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]:
                digest.update(file.read_bytes())
            out.append({"path": str(place), "role": role, "sha256": digest.hexdigest()})
    return out
