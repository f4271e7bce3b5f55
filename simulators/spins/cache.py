"""Simulated basis sets kept on disk, so that the same options a second time cost nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from mrsjax.core import BasisSet, Sampling
from mrsjax.core.basis import BasisOrigin
from simulators.spins.series import BasisSeries

Basis = BasisSet | BasisSeries


def name_of(options: Mapping[str, Any], files: Iterable[str | Path] = ()) -> str:
    """A key for the options of `commands.make`, the contents of files they name, and the simulator's own source."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    sources = sorted(p for p in Path(__file__).parent.rglob("*") if p.suffix in (".py", ".json"))
    for path in (*map(Path, files), *sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def to_cache(folder: Path, key: str, made: Mapping[str, Basis]) -> None:
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
            if isinstance(basis, BasisSeries):
                about |= {"what": basis.what, "values": [float(v) for v in basis.values]}
            place = folder / f"{key}-{label or 'one'}.npz"
            with open(place.with_suffix(".part"), "wb") as file:
                np.savez(file, fids=np.asarray(basis.fids), about=np.array(json.dumps(about)))
            place.with_suffix(".part").replace(place)
    except OSError:
        return


def from_cache(folder: Path, key: str) -> dict[str, Basis] | None:
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
        sampling = Sampling(dwell, frequency, fids.shape[-1], ppm_ref=ppm_ref, nucleus=about["nucleus"])
        origin = BasisOrigin(*about["origin"], header=about["header"])
        labels, names = about["labels"], tuple(about["names"])
        out["" if label == "one" else label] = (
            BasisSeries(jnp.asarray(fids), np.asarray(about["values"]), sampling, names, about["what"], origin)
            if "what" in about
            else BasisSet(jnp.asarray(fids), names, sampling, origin)
        )
    return {k: out[k] for k in labels} if labels is not None and set(labels) == set(out) else None
