"""Which files a batch fits, with what water, and where the results of each go."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

#: Suffixes of BIDS-MRS that hold spectra to fit; `mrsref` is their water.
SPECTRA = ("svs", "mrsi", "unloc")
#: Files of a plain folder that are taken for data by their extension, so that a damaged one is listed; of the others that may be data, the content decides.
_DATA = (".raw", ".sdat", ".rda", ".met", ".dat", ".7")
_LOOKED_INTO = (".nii", ".nii.gz", ".txt", ".ima", ".dcm")


@dataclasses.dataclass(frozen=True)
class Subject:
    """One file of a batch: `name` for the index, `folder` of its results relative to the batch's, `named` the name of each
    output file there, `options` what is known beside the file (water, timing).
    """

    name: str
    data: Path
    folder: Path
    named: Callable[[str], str]
    options: dict[str, Any]

    def processed(self, name: str) -> str:
        """The name of an output of preprocessing: spectra keep the suffix of the data, their water is an `mrsref` of the same entities."""
        if name == "water.nii.gz" and self.named(name) != name:
            return self.named("preprocessed.nii.gz").rpartition("_")[0] + "_mrsref.nii.gz"
        return self.named(name)


def find(inputs: Sequence[str], water: str | None) -> list[Subject]:
    """The subjects of files and folders, in order.

    **Arguments:** `water`: "OLD=NEW": the water file of each data file is its name with OLD replaced by NEW.

    **Raises:** `ValueError` when there is nothing to fit, no such input, or two files whose results would have one name.
    """
    swap = None if water is None else _swap(water)
    found: list[Subject] = []
    plain: list[Path] = []
    datasets = [p for p in map(Path, inputs) if _is_dataset(p)]
    for given in map(Path, inputs):
        if not given.is_dir() or _is_data(given):
            plain.append(given)
        elif given in datasets:
            found += _bids(given, given.absolute().name if len(datasets) > 1 else "")
        else:
            files = sorted(p for p in given.rglob("*") if _is_data(p))
            plain += [p for p in files if swap is None or not _is_water(p, swap)]
    found += _plain(plain, swap)
    if not found:
        raise ValueError(f"{', '.join(inputs)}: found no spectra to fit")
    first: dict[str, Path] = {}
    for subject in found:
        if first.setdefault(subject.name, subject.data) is not subject.data:
            both = f"{first[subject.name]} and {subject.data}"
            raise ValueError(
                f"{both}: would both be {subject.name} in the results; leave one out or give it a batch of its own"
            )
    return found


def _is_dataset(place: Path) -> bool:
    return place.is_dir() and ((place / "dataset_description.json").is_file() or any(place.glob("sub-*/**/mrs")))


def _is_data(path: Path) -> bool:
    """Whether a file, or a folder that is one (Varian's), is taken for spectra: no README.txt, basis set or image."""
    from mrsjax.io.content import read_bytes
    from mrsjax.io.formats import FORMATS

    name = path.name.lower()
    if path.is_dir():
        return (path / "fid").is_file() and (path / "procpar").is_file()
    if not path.is_file() or not name.endswith(_LOOKED_INTO):
        return path.is_file() and name.endswith(_DATA)
    head = read_bytes(path, 16384)
    if name.endswith((".ima", ".dcm")):  # MR Spectroscopy Storage, and Siemens' own class of objects that are no image
        return b"1.2.840.10008.5.1.4.1.1.4.2" in head or b"1.3.12.2.1107.5.9.1" in head
    kind = next((f for f in FORMATS if f.looks_like(path, head)), None)
    return kind is not None and kind.read is not None and not (kind.name == "NIfTI-MRS" and _is_image(path))


def _is_image(path: Path) -> bool:
    """Whether a NIfTI file holds real numbers; a damaged one may be spectra."""
    import nibabel

    try:
        loaded: Any = nibabel.load(path)
        return loaded.get_data_dtype().kind != "c"
    except Exception:  # nibabel raises many kinds for damaged files
        return False


def _swap(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise ValueError(f"--water: wanted OLD=NEW, found {text!r}")
    return old, new


def _is_water(path: Path, swap: tuple[str, str]) -> bool:
    """Whether the file is the water of another one in its folder."""
    return swap[1] in path.name and (path.parent / path.name.replace(swap[1], swap[0])).exists()


def stem(path: Path) -> str:
    """The file's name without its extension (.nii.gz is one)."""
    return re.sub(r"(\.nii)?\.[^.]+$", "", path.name) or path.name


def _plain(files: Sequence[Path], swap: tuple[str, str] | None) -> list[Subject]:
    stems = [stem(p) for p in files]
    out: list[Subject] = []
    used: set[str] = set()
    for path, short in zip(files, stems, strict=True):
        name = short if stems.count(short) == 1 else f"{path.absolute().parent.name}_{short}"
        while name in used:
            name += "_"
        used.add(name)
        options = {}
        if swap is not None:
            options["water"] = str(path.parent / path.name.replace(*swap))
            if swap[0] not in path.name:
                options["water"] = str(path.parent / f"no {swap[0]!r} in {path.name}")
        out.append(Subject(name, path, Path(name), _unchanged, options))
    return out


def _unchanged(name: str) -> str:
    return name


def _bids(root: Path, prefix: str) -> list[Subject]:
    """The spectra of a dataset; `prefix`: its name where there are several, a folder of its own for its results."""
    out = []
    for path in sorted(root.glob("sub-*/**/mrs/sub-*")):
        match = re.fullmatch(rf"(sub-.+)_({'|'.join(SPECTRA)})\.nii(\.gz)?", path.name)
        if match is None:
            continue
        entities, suffix = match[1], match[2]
        options = _sidecar(path, root)
        reference = _reference(path, entities)
        if reference is not None:
            options["water"] = str(reference)
            options |= {f"water_{k}": v for k, v in _sidecar(reference, root).items()}
        name = f"{prefix}_{entities}_{suffix}".lstrip("_")
        folder = prefix / path.parent.relative_to(root)
        out.append(Subject(name, path, folder, _derivative(entities, suffix), options))
    return out


def _derivative(entities: str, suffix: str) -> Callable[[str], str]:
    """Names of derivatives: `sub-01_desc-results_svs.csv`; a map is `sub-01_desc-<quantity><metabolite>_mrsimap.nii.gz`, the voxel `sub-01_desc-voxel_mask.nii.gz`."""

    def named(name: str) -> str:
        path, dot, extension = name.partition(".")
        if path == "voxel_mask":
            return f"{entities}_desc-voxel_mask{dot}{extension}"
        first, *rest = path.split("/")
        kind = "mrsimap" if first == "maps" else suffix
        label = re.sub(r"[^A-Za-z0-9]", "", "".join(rest) if rest else first)
        return f"{entities}_desc-{label}_{kind}{dot}{extension}"

    return named


def _reference(path: Path, entities: str) -> Path | None:
    """The water: `mrsref` of the same entities, else the only one that differs in `acq-` or lacks `voi-` or `nuc-`."""
    exact = [p for p in path.parent.glob(f"{entities}_mrsref.nii*")]
    if exact:
        return exact[0]
    others = [p for p in path.parent.glob("*_mrsref.nii*") if _is_of(_entities(p), _entities(path))]
    return others[0] if len(others) == 1 else None


def _entities(path: Path) -> set[str]:
    return {e for e in path.name.split("_")[:-1] if not e.startswith("acq-")}


def _is_of(water: set[str], data: set[str]) -> bool:
    return water <= data and all(e.startswith(("voi-", "nuc-")) for e in data - water)


def _sidecar(path: Path, root: Path) -> dict[str, Any]:
    """TE and TR, which BIDS gives in seconds, of the JSON files that hold for the data by the inheritance principle: of the same suffix, in its folder or one
    above, with no entity that the data lack. The nearest file has the last word."""
    wanted = stem(path).split("_")
    depth = len(path.parent.relative_to(root).parts)
    content: dict[str, Any] = {}
    for folder in [path.parent, *path.parent.parents][depth::-1]:
        for place in sorted(folder.glob("*.json"), key=lambda p: p.name.count("_")):
            parts = place.stem.split("_")
            if parts[-1] == wanted[-1] and set(parts) <= set(wanted):
                content |= _read(place)
    out = {}
    for key, name, scale in (("EchoTime", "te_ms", 1e3), ("RepetitionTime", "tr_s", 1.0)):
        value = content.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            out[name] = float(value) * scale
    return out


def _read(place: Path) -> dict[str, Any]:
    """A JSON object; nothing where the file holds none."""
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
