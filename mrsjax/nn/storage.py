"""Trained networks on disk: one .npz of arrays and JSON, loaded without the script that trained them and without pickle."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core import BasisSet, Sampling
from mrsjax.core.basis import BasisOrigin
from mrsjax.nn.checkpoint import filled, leaves, read_arrays, write_arrays
from mrsjax.nn.familiarity import Familiarity, blank
from mrsjax.nn.flows import NeuralPosterior
from mrsjax.nn.network import Network, NetworkSpec, build
from mrsjax.nn.spread import Ensemble

SCHEMA = "mrsjax-network/1"
MODEL, CARD = "model.npz", "card.json"


class Saved(NamedTuple):
    """A loaded network: what it computes, what it knows of its data, and its model card.

    `whole`: an `Ensemble` or a `NeuralPosterior` where that was saved, `network` then its first member or the network inside; else the network again.
    """

    network: Network
    basis: BasisSet
    sampling: Sampling
    familiarity: Familiarity
    card: dict[str, Any]
    whole: Network | Ensemble | NeuralPosterior

    def check(self, sampling: Sampling, basis: BasisSet | None = None) -> None:
        """Refuses data that the network was not made for.

        **Raises:** `ValueError` naming dwell time, points, frequency, nucleus or basis with what was found and wanted.
        """
        own = self.sampling
        pairs = [
            ("dwell time", float(sampling.dwell_time), float(own.dwell_time), 1e-4, "s"),
            ("central frequency", float(sampling.central_frequency), float(own.central_frequency), 5e-3, "Hz"),
            ("points", sampling.n_points, own.n_points, 0.0, ""),
            ("ppm reference", float(sampling.ppm_ref), float(own.ppm_ref), 1e-6, "ppm"),
        ]
        wrong = [
            f"{name}: wanted {wanted:.9g} {unit}".rstrip() + f", found {found:.9g}"
            for name, found, wanted, tolerance, unit in pairs
            if abs(found - wanted) > tolerance * abs(wanted)
        ]
        if sampling.nucleus != own.nucleus:
            wrong.append(f"nucleus: wanted {own.nucleus}, found {sampling.nucleus}")
        if basis is not None and basis_hash(basis) != self.card["basis"]["sha256"]:
            wrong.append(
                f"basis: wanted {self.card['basis']['source']} ({self.card['basis']['sha256'][:12]}), found {basis_hash(basis)[:12]}"
            )
        if wrong:
            raise ValueError(
                f"the network was not made for these data: {'; '.join(wrong)}; train one for them with mrsjax train"
            )


def basis_hash(basis: BasisSet) -> str:
    """SHA-256 of names, grid and FIDs (rounded to single precision)."""
    s = basis.sampling
    text = json.dumps(
        [basis.names, f"{float(s.dwell_time):.6e}", f"{float(s.central_frequency):.6e}", f"{float(s.ppm_ref):.4f}"]
    )
    return hashlib.sha256(text.encode() + np.asarray(basis.fids).astype(np.complex64).tobytes()).hexdigest()


def write_network(
    path: Path,
    trained: Network | Ensemble | NeuralPosterior,
    basis: BasisSet,
    sampling: Sampling,
    known: Familiarity,
    about: Mapping[str, Any],
) -> None:
    """`path/model.npz`, and `path/card.json` beside it for readers.

    **Arguments:** `trained`: a network, an ensemble of them, or one with its flow. `basis`: as given to `build`; `about`: entries of the card (recipe, training, metrics), plain values.
    """
    network = trained if isinstance(trained, Network) else trained.network
    card = {
        "schema": SCHEMA,
        "written": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %z"),
        "versions": {p: metadata.version(p) for p in ("mrsjax", "jax", "flax", "equinox", "optax", "numpy")},
        "network": json.loads(network.spec.text),
        "sampling": {
            "dwell_time_s": float(sampling.dwell_time), "central_frequency_hz": float(sampling.central_frequency),
            "points": sampling.n_points, "ppm_ref": float(sampling.ppm_ref), "nucleus": sampling.nucleus,
        },
        "window_ppm": [round(float(x), 4) for x in np.asarray(network.model.ppm)[[0, -1]]],
        "basis": {
            "names": list(basis.names), "sha256": basis_hash(basis), "source": basis.origin.source,
            "sequence": basis.origin.sequence, "echo_time_s": basis.origin.echo_time,
            "sampling": {
                "dwell_time_s": float(basis.sampling.dwell_time), "ppm_ref": float(basis.sampling.ppm_ref),
                "central_frequency_hz": float(basis.sampling.central_frequency),
            },
        },
        "members": jax.tree.leaves(trained.params)[0].shape[0] if isinstance(trained, Ensemble) else None,
        "flow": list(trained.options) if isinstance(trained, NeuralPosterior) else None,
        **about,
    }  # fmt: skip
    text = json.dumps(card, indent=1, sort_keys=True)
    fids = np.asarray(basis.fids).astype(np.complex64)
    arrays = leaves(_kept(trained), "network") | leaves(known, "familiarity")
    write_arrays(path / MODEL, {"card": np.array(text), "basis": fids, **arrays})
    (path / CARD).write_text(text + "\n", encoding="utf-8")


def read(path: str | Path) -> tuple[Path, dict[str, Any], dict[str, np.ndarray]]:
    """The `model.npz` of a folder of `mrsjax train` (or itself), its card and its arrays.

    **Raises:** `ValueError` when the file is no network, or is damaged.
    """
    path = Path(path)
    for inside in (path / MODEL, path / "best" / MODEL):
        if inside.is_file():
            path = inside
            break
    else:
        if path.is_dir():
            raise ValueError(f"{path}: wanted a folder of mrsjax train with {MODEL} or best/{MODEL}, found neither")
    arrays = read_arrays(path)
    card = json.loads(str(arrays["card"])) if "card" in arrays else {}
    if card.get("schema") != SCHEMA:
        raise ValueError(f"{path}: wanted a network of schema {SCHEMA}, found {card.get('schema', 'none')}")
    missing = [k for k in ("sampling", "network", "basis") if k not in card]
    known = [f.name for f in dataclasses.fields(NetworkSpec)]
    unknown = [] if missing else [k for k in card["network"] if k not in known]
    if missing or unknown or "basis" not in arrays:
        what = f"no {', '.join(missing)}" if missing else f"{', '.join(unknown)}" if unknown else "no basis"
        raise ValueError(f"{path}: found {what} in its card; wanted that of a network of this version or an older one")
    return path, card, arrays


def load(path: str | Path) -> Saved:
    """The network in a folder of `mrsjax train`, or in its `model.npz`.

    **Raises:** `ValueError` when the file is no network, is damaged, or needs an encoder that is not registered.
    """
    path, card, arrays = read(path)
    s, of_basis = card["sampling"], card["basis"]["sampling"]
    sampling = Sampling(
        s["dwell_time_s"], s["central_frequency_hz"], s["points"], ppm_ref=s["ppm_ref"], nucleus=s["nucleus"]
    )
    fids = arrays["basis"]
    grid = Sampling(
        of_basis["dwell_time_s"],
        of_basis["central_frequency_hz"],
        fids.shape[1],
        ppm_ref=of_basis["ppm_ref"],
        nucleus=s["nucleus"],
    )
    said = [card["basis"].get(k) for k in ("sequence", "echo_time_s", "source")]  # older files do not have all
    origin = BasisOrigin(said[0], said[1], source=said[2])
    basis = BasisSet(jnp.asarray(fids, jnp.result_type(complex)), card["basis"]["names"], grid, origin)
    whole: Any = build(NetworkSpec(**card["network"]), basis, sampling)
    if card.get("members"):
        whole = Ensemble(whole, basis, sampling, card["members"])
    elif card.get("flow"):
        layers, width, knots = card["flow"]
        whole = NeuralPosterior(whole, key=jax.random.key(0), layers=layers, width=width, knots=knots)
    whole = _restored(whole, filled(_kept(whole), arrays, path, "network"))
    network = whole if isinstance(whole, Network) else whole.network
    if isinstance(whole, Ensemble):
        network = whole.member(jax.tree.map(lambda x: x[0], whole.params))
    size = int(np.prod(network.inputs.shape(sampling.n_points)))
    return Saved(network, basis, sampling, filled(blank(size), arrays, path, "familiarity"), card, whole)


def _kept(trained: Network | Ensemble | NeuralPosterior) -> dict[str, Any]:
    """What is stored: weights and calibration (the signal model is rebuilt from the basis); of a flow also its permutations, which are drawn."""
    if isinstance(trained, NeuralPosterior):
        rest = eqx.filter(trained.rest.inner, eqx.is_array)
        return _kept(trained.network) | {"flow": trained.params, "permutations": rest}
    if isinstance(trained, Ensemble):
        members = eqx.tree_at(lambda n: n.encoder.params, trained.network, trained.params)
        return _kept(members)
    network = trained
    return {
        "encoder": network.encoder.params,
        "map": (network.map.location, network.map.scale),
        "amplitude": (network.amplitude, network.amplitude_spread),
    }


def _restored(trained, kept):
    if isinstance(trained, NeuralPosterior):
        rest = eqx.combine(kept["permutations"], trained.rest.inner)
        parts = _restored(trained.network, kept), kept["flow"], rest
        return eqx.tree_at(lambda t: (t.network, t.params, t.rest.inner), trained, parts)
    if isinstance(trained, Ensemble):
        network = eqx.tree_at(
            lambda n: n.encoder.params, _restored(trained.network, kept), trained.network.encoder.params
        )
        return eqx.tree_at(lambda t: (t.network, t.params), trained, (network, kept["encoder"]))
    where = lambda n: (n.encoder.params, n.map.location, n.map.scale, n.amplitude, n.amplitude_spread)  # noqa: E731
    return eqx.tree_at(where, trained, (kept["encoder"], *kept["map"], *kept["amplitude"]))
