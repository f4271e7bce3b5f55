"""The configuration of `mrsjax train`: checked before JAX starts, then turned into a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SOURCES = ("recipe", "dataset", "data")
SECTIONS = ("network", "loss", "training")
KEYS = (*SOURCES, "basis", "members", *SECTIONS)
#: Losses that need no truth.
BLIND = ("residual", "signal")


def read_training(path: str) -> dict[str, Any]:
    """The content of a configuration file.

    **Raises:** `ValueError` naming the file and the key.
    """
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: wanted YAML, found {' '.join(str(error).split())[:120]}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: wanted {', '.join(KEYS)}, found {type(content).__name__}")
    if unknown := [str(k) for k in content if k not in KEYS]:
        raise ValueError(f"{path}: unknown settings {', '.join(unknown)}; known are {', '.join(KEYS)}")
    if len(sources := [k for k in SOURCES if k in content]) != 1:
        raise ValueError(f"{path}: wanted one of {', '.join(SOURCES)}, found {', '.join(sources) or 'none'}")
    for key in [k for k in (*sources, "basis") if k in content]:
        if not isinstance(content[key], str):
            raise ValueError(f"{path}: {key}: wanted a name or a path, found {content[key]!r}")
    if "basis" in content and "data" not in content:
        raise ValueError(f"{path}: basis: the recipe names its own; only measured data need one here")
    members = content.setdefault("members", 1)
    if not isinstance(members, int) or isinstance(members, bool) or members < 1:
        raise ValueError(f"{path}: members: wanted the number of networks of an ensemble, found {members!r}")
    for key in SECTIONS:
        if not isinstance(content.setdefault(key, {}), dict):
            raise ValueError(f"{path}: {key}: wanted a mapping, found {content[key]!r}")
    return {"path": path, **content}


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Errors of a configuration begin with its file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _made(key: str, kind: Any, given: Mapping[str, Any]) -> Any:
    known = [f.name for f in dataclasses.fields(kind)]
    if unknown := [str(k) for k in given if k not in known]:
        raise ValueError(f"{key}: unknown settings {', '.join(unknown)}; known are {', '.join(known)}")
    return kind(**given)


def run(given: Mapping[str, Any], out: Path, say: Callable[[str], None]) -> Any:
    """Trains what the configuration says; `say` gets a line at each validation."""
    import jax

    from mrsjax.cli.training_data import source
    from mrsjax.nn import Matched, NetworkSpec, Training, build, calibrate, familiarity, weighted
    from mrsjax.nn import train as training
    from mrsjax.nn.checkpoint import make_folder
    from mrsjax.nn.losses import check
    from mrsjax.nn.ranges import number
    from mrsjax.nn.spread import Ensemble, each
    from mrsjax.nn.storage import write_network

    path = given["path"]
    with _named(path):
        spec = _made("network", NetworkSpec, given["network"])
        settings = _made("training", Training, given["training"])
        usual = "residual" if "data" in given else "likelihood" if spec.variance else "parameters"
        weights = {str(k): number(f"loss.{k}", v, above=0.0) for k, v in (given["loss"] or {usual: 1.0}).items()}
        if "data" in given and (seeing := [k for k in weights if k not in BLIND]):
            raise ValueError(f"loss.{seeing[0]}: measured data have no truth; wanted {' or '.join(BLIND)}")
        loss = weighted(weights)
        check(spec, weights)
    simulator, validation, basis, sampling, of_data = source(given)
    with _named(path):
        build(spec, basis, sampling)
    make_folder(out)
    network = calibrate(spec, basis, sampling, simulator, seed=settings.seed)
    names = network.model.names
    known = familiarity(network.inputs, simulator, key=jax.random.fold_in(jax.random.key(settings.seed), 0xFA))

    about = {**of_data, "loss": weights}

    def save(network, folder, history):
        metrics = {"step": history[-1].step, "validation": history[-1].validation}
        whole = {**about, "training": dataclasses.asdict(settings), "metrics": metrics}
        write_network(folder, network, basis, sampling, known, whole)

    def report(record, steps):
        left = (steps - record.step) * settings.batch / max(record.spectra_per_s, 1e-9)
        say(
            f"step {record.step} of {steps}, loss {record.loss:.4g}, validation {record.validation:.4g},"
            f" {record.spectra_per_s:.0f} spectra/s, {left:.0f} s left"
        )

    if given["members"] > 1:
        network, loss = Ensemble(network, basis, sampling, given["members"]), each(loss)
    data, held_out = (Matched(s, names, spec.predicted) for s in (simulator, validation))
    return training(network, data, loss, settings, out=out, save=save, report=report, about=about, validation=held_out)
