"""A trained network as a method of analysis, and beside the fit in the scenario suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mrsjax.analysis import Method
from mrsjax.cli import inputs
from mrsjax.cli.settings import FitSettings
from mrsjax.nn import distances, load, predict
from mrsjax.nn.adaptation import adapt
from mrsjax.nn.prediction import fit_model, steps_after
from mrsjax.nn.storage import read

#: Gradient steps of test-time adaptation in the scenario suite.
ADAPTATION = 20


def inputs_of(settings: FitSettings, path: str) -> tuple[inputs.Inputs, list[dict[str, str]]]:
    """The files of a prediction: data beside the network's own basis.

    **Raises:** `ValueError` when the network was not made for these data.
    """
    saved = load(path)
    given = inputs.load(settings, saved.basis)
    saved.check(given.fids.sampling)
    return given, inputs.fingerprints(settings)


def steps_of(path: str, iterations: int | None) -> int:
    """Fit steps after the network of a file: those asked for, or None for the usual number.

    **Raises:** `ValueError` naming the file for steps after a network that gives the amplitudes itself.
    """
    try:
        return steps_after(read(path)[1]["network"]["amplitudes"], iterations)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def method_of(path: str, given: inputs.Inputs, iterations: int) -> Method:
    """The network's `Method`, which knows how far spectra are from its training data."""
    saved = load(path)
    card = saved.card
    name = card["network"]["encoder"].get("name", "mlp")
    own = card["network"]["amplitudes"] == "network"
    then = (
        "amplitudes by the network"
        if own
        else f"{iterations} fit steps from its estimate"
        if iterations
        else "exact amplitudes at its estimate"
    )
    recipe = (
        card.get("recipe", {}).get("name", "unknown")
        if isinstance(card.get("recipe"), dict)
        else card.get("recipe", "unknown")
    )
    members = card.get("members")
    what = f"an ensemble of {members} networks" if members else "a network"
    notes = (f"Estimates by {what} ({name}, trained on recipe {recipe}), {then}.",)

    def estimate(spectra: np.ndarray, noise_sd: float | None, progress: Any):
        return predict(saved, spectra, given.fids.sampling, noise_sd=noise_sd, iterations=iterations, progress=progress)

    def distance(spectra: np.ndarray) -> np.ndarray:
        return distances(saved.familiarity, saved.network.inputs, spectra)

    return Method(fit_model(saved), estimate, f"{what} ({name}), {then}", notes, distance)


def scenario_rows(
    path: str,
    count: int,
    seed: int,
    iterations: int | None,
    *,
    say: Callable[[str], None],
    note: Callable[[str], None],
) -> list[Any]:
    """`analysis.scenarios.Row`s on scenarios of the recipe in the network's card: the fit, the network alone, adapted to each spectrum, and with fit steps (not
    of a network that gives the amplitudes itself); of an ensemble "network" is its first member, and the ensemble is one method more.

    `say`: what is being done; `note`: scenarios and sums that are left out. **Raises:** `ValueError` when the card has no recipe, the basis none of the sums, or for fit steps after a network that gives the amplitudes itself.
    """
    import equinox as eqx
    import jax

    from mrsjax.analysis.scenarios import QUANTITIES, Trial, evaluate_scenarios, scored
    from mrsjax.inference import fit
    from simulators.datasets.scenarios import CHANGES, scenarios

    after, saved = steps_of(path, iterations), load(path)
    recipe = saved.card.get("recipe")
    if not isinstance(recipe, dict) or "text" not in recipe:
        raise ValueError(f"{path}: wanted a network with its recipe in the card, as mrsjax train writes it, found none")
    worlds = scenarios(recipe["text"], str(recipe.get("name", "recipe")), basis=saved.basis)
    model = fit_model(saved)
    quantities = scored(model.names, *(w.model.names for w in worlds.values()))
    for what, whole, part in (("scenarios", CHANGES, worlds), ("sums", QUANTITIES, quantities)):
        if missing := [n for n in whole if n not in part]:
            note(f"{what} left out, of which the recipe or its basis has nothing: {'; '.join(missing)}")
    keys = jax.random.split(jax.random.key(seed), count)
    sample = eqx.filter_jit(lambda simulator, keys: jax.vmap(simulator.sample)(keys))
    trials = {}
    for name, world in worlds.items():
        drawn = sample(world, keys)
        trials[name] = Trial(np.asarray(drawn.data), np.asarray(drawn.truth["amplitudes"]), world.model.names)
    alone = saved._replace(whole=saved.network)
    members = saved.card.get("members")
    methods = {
        "fit": lambda fids: fit(model, fids),
        "network": lambda fids: predict(alone, fids, saved.sampling, iterations=0),
    }
    if saved.network.spec.amplitudes != "network":
        moved = lambda fids: adapt(alone.network, fids, steps=ADAPTATION).values  # noqa: E731
        methods[f"network, adapted in {ADAPTATION} steps"] = lambda fids: fit(
            model, fids, start=moved(fids), max_iterations=1
        )
    if after:
        methods[f"network, {after} fit steps"] = lambda fids: predict(alone, fids, saved.sampling, iterations=after)
    if members:
        methods[f"ensemble of {members}"] = lambda fids: predict(saved, fids, saved.sampling, iterations=0)
    far = lambda fids: distances(saved.familiarity, saved.network.inputs, fids)  # noqa: E731
    say(f"{len(trials)} scenarios of {count} spectra")
    return evaluate_scenarios(
        trials, methods, quantities=quantities, alarms={m: far for m in methods if m != "fit"}, report=say
    )
