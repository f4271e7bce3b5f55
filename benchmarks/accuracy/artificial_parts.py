"""What keeps a fit from the truth of a recipe's spectra, part by part: `python -m benchmarks.accuracy.artificial_parts [-n 96] [--recipe brain]`.

The recipe with its artefacts and own lines switched on one at a time, fitted with the generating model and with the default one: error over the reported standard deviation (root mean square
and how often the 95 % interval holds the truth, over spectra and metabolites), the residual over the noise (variance), the bias of the large metabolites.

The fit protects itself on measured spectra: what its first stage, which has no own lines, does not explain counts as noise in the second (`inference.stages.excess_of`), and the own line of a component that is
hardly seen is held at its group's (`DETECTION`). "priors as given" takes both away, here alone: only then is the posterior that of the model that made the data.
"""

import argparse
import contextlib
import copy
from collections.abc import Iterator

import equinox as eqx
import jax
import numpy as np
import yaml

from benchmarks.accuracy.artificial_round_trip import drawn, fit_model
from mrsjax.data import default_basis
from mrsjax.inference import fit, stages
from mrsjax.physics import OwnLine, SignalModel, default_model
from simulators.datasets import recipe
from simulators.datasets.recipe import parse

LARGE = {"NAA": ("NAA",), "tCr": ("Cr", "PCr"), "tCho": ("GPC", "PCh"), "Glu": ("Glu",), "Ins": ("Ins",)}


@contextlib.contextmanager
def priors_as_given(excess: bool = True, doubt: bool = True) -> Iterator[None]:
    """The fit without its protections."""
    before = stages.excess_of, stages.DETECTION
    if excess:
        stages.excess_of = lambda model, cost: np.ones(len(cost))
    if doubt:
        stages.DETECTION = 0.0
    try:
        yield
    finally:
        stages.excess_of, stages.DETECTION = before


def variant(content: dict, own: tuple[str, ...], artefacts: tuple[str, ...]):
    """The simulator of a recipe's content with these own_* parameters and artefacts (by their names) only."""
    content = copy.deepcopy(content)
    lines = content["parameters"]["metabolites"]
    lines |= {k: 0 for k in lines if k.startswith("own_") and k not in own}  # the model keeps its parameters
    named = lambda entry: next((tree.get("name", kind) for kind, tree in entry.items()))  # noqa: E731
    content["artefacts"] = [entry for entry in content["artefacts"] if named(entry) in artefacts]
    return parse(yaml.safe_dump(content), "parts").spectra


def own_line(model: SignalModel, shift_sd: float | None, width_sd: float | None) -> SignalModel:
    """The model with other priors of the metabolites' own lines."""
    m = len(model.groups[0].names)
    own = OwnLine(*(None if sd is None else np.full(m, sd) for sd in (shift_sd, width_sd)))
    return eqx.tree_at(lambda x: x.groups[0].own, model, own, is_leaf=lambda x: isinstance(x, OwnLine))


def row(title: str, simulator, model: SignalModel, count: int) -> None:
    names = simulator.model.groups[0].names
    data = drawn(simulator, count, 11)
    truth = data["truth.amplitudes"][:, : len(names)].astype(float)
    result = fit(model, data["data"].astype(np.complex128))
    index = [result.names.index(n) for n in names]
    found, sd = np.asarray(result.amplitudes)[:, index], np.asarray(result.crlb)[:, index]
    ok = (np.asarray(result.status) == 0)[:, None] & np.isfinite(sd) & (sd > 0)
    z = np.where(ok, (found - truth) / np.where(ok, sd, 1.0), np.nan)
    each = np.sqrt(np.nanmean(z**2, axis=0))
    worst = " ".join(f"{names[j]} {each[j]:.1f}" for j in np.argsort(-each)[:3])
    bias = " ".join(
        f"{100 * np.mean(sum(found[:, names.index(n)] for n in parts) / sum(truth[:, names.index(n)] for n in parts) - 1):6.1f}"
        for parts in LARGE.values()
    )
    misfit = np.median(np.asarray(result.misfit)) / (model.window[1] - model.window[0])
    print(
        f"{title:48} {np.sqrt(np.nanmean(z**2)):6.2f} {100 * np.mean(np.abs(z[ok]) < 1.96):7.1f} {misfit:8.2f} {bias}  {worst} ({int(ok.any(1).sum())} converged)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=96)
    parser.add_argument("--recipe", default="brain")
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    content = yaml.safe_load(recipe(args.recipe).text)
    lines = tuple(k for k in content["parameters"]["metabolites"] if k.startswith("own_"))
    names = [next(tree.get("name", kind) for kind, tree in entry.items()) for entry in content["artefacts"]]
    generating = fit_model(recipe(args.recipe).spectra.model)
    print(f"{args.recipe}, {args.n} spectra\n{'':48} rms z  in 95%   misfit   bias % of {', '.join(LARGE)}; worst z")
    without = own_line(generating, None, None)
    row("no own lines, model without them", variant(content, (), ()), without, args.n)
    row("no own lines, generating model", variant(content, (), ()), generating, args.n)
    for k in lines:
        row(f"{k} alone, generating model", variant(content, (k,), ()), generating, args.n)
    plain = variant(content, lines, ())
    row("own lines, generating model", plain, generating, args.n)
    for title, options in (
        ("first stage's residual is no noise", {"doubt": False}),
        ("own lines of the hardly seen are free", {"excess": False}),
        ("priors as given", {}),
    ):
        with priors_as_given(**options):
            row(f"  {title}", plain, generating, args.n)
    default = default_model(default_basis(), generating.sampling, lineshape="voigt")
    row("no own lines, default model", variant(content, (), ()), default, args.n)
    row("own lines, default model", plain, default, args.n)
    with priors_as_given():
        row("  priors as given", plain, default, args.n)
    for name in names:
        row(f"own lines and {name}, default model", variant(content, lines, (name,)), default, args.n)
    row("all but the residue, default model", variant(content, lines, tuple(set(names) - {"residue"})), default, args.n)
    row("all, default model", variant(content, lines, tuple(names)), default, args.n)


if __name__ == "__main__":
    main()
