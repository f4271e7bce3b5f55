"""`ArtificialData`: draws labelled spectra from a population, on the device, inside a jitted training step."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import optimization_barrier as once
from jaxtyping import Array, Complex, Key
from numpyro.distributions import Distribution

from mrsjax.core import Sample, Sampling, to_fid, to_spectrum
from mrsjax.physics import SignalModel
from simulators.artefacts.artefact import Artefact, Scene
from simulators.artefacts.noise import complex_normal
from simulators.artefacts.random import draws
from simulators.artefacts.receiver import Coils, correlated
from simulators.artefacts.short import added, real_rows
from simulators.artefacts.transients import FrequencyPhaseScatter, Transients
from simulators.datasets.signal import Evaluation, height, height_probe
from simulators.tissue import Population
from simulators.tissue.relaxation import Relaxation


class ArtificialData(eqx.Module):
    """Population -> signal model -> artefacts -> noise; a `mrsjax.core.Simulator`.

    **Arguments:**

    - `model`: of `generating_model`; `population.names` are its names, in its order.
    - `population`: priors of the amplitudes (mmol/L) and of parameters; a parameter without a prior has the model's start value.
    - `edited`: FIDs `(conditions, m, n)` of the metabolites in further conditions of an edited experiment, in the order of `model`'s; the data then have a leading
      axis of 1 + conditions (behind those of transients and coils), and so has `truth["fid"]`. `None`: one condition.
    - `artefacts`: applied in this order, the ones before the noise.
    - `coils`: a receive array that sees the result and whose noise is correlated; `None`: one channel.
    - `relaxation`: what the sequence leaves of the metabolites; amplitudes then are concentrations times it. `None`: amplitudes are drawn as they are.
    - `snr`: prior of the signal-to-noise ratio: height of the tallest resonance at `reference_ppm` over one standard deviation of the real noise
      in the spectrum (core.fourier), metabolites alone; in each FID (each transient; a coil of sensitivity 1). `None`: no noise.
    - `after`: artefacts of the receiver, after the noise (ADC).

    A sample:

    - `data`: complex64 `(n,)`, or with the leading axes that artefacts make (coils, transients).
    - `truth["amplitudes"]` `(m,)`, as seen in the signal (with a relaxation also `truth["concentrations"]`, and the factors in `labels["relaxation"]`), in the order of `model.names`; `truth["values"]`: the model's whole parameter tree;
      `truth["fid"]` `(n,)`: the clean metabolite signal, with its shift, line and phase, without macromolecules, lipids, baseline, artefacts, noise.
    - `labels["snr"]`, `labels["noise"]` (standard deviation of the real part of each point), and one entry an artefact by its name (see its class); "signal" of what was added is
      what of it is in `data` (`Artefact.passed`).

    **Raises:** `ValueError` when the population is for other amplitudes or for parameters that the model has not.
    """

    model: SignalModel
    population: Population
    artefacts: tuple[Artefact, ...]
    after: tuple[Artefact, ...]
    coils: Coils | None
    snr: Distribution | None
    edited: Complex[Array, "c m n"] | None
    relaxation: Relaxation | None
    evaluations: tuple[Evaluation, ...]
    probe: Complex[Array, " n"]
    first_order: bool = eqx.field(static=True)

    #: Spectra in a compiled block, and together in one pass of it (what a processor's cache holds).
    block = 256
    together = 64

    def __init__(
        self,
        model: SignalModel,
        population: Population,
        artefacts: tuple[Artefact, ...] = (),
        *,
        snr: Distribution | None,
        coils: Coils | None = None,
        after: tuple[Artefact, ...] = (),
        edited: Complex[Array, "c m n"] | None = None,
        relaxation: Relaxation | None = None,
        reference_ppm: float = 2.008,
    ):
        self.model = model
        self.population = population
        self.artefacts = tuple(artefacts)
        self.after = tuple(after)
        self.coils = coils
        self.edited = edited
        self.relaxation = relaxation
        self.snr = snr
        self.first_order = "delay" in population.values.get("phase", {})
        first, *others = model.groups
        self.evaluations = (
            Evaluation(first, model.sampling, edited), *(Evaluation(g, model.sampling) for g in others)
        )  # fmt: skip
        self.probe = height_probe(model.sampling, reference_ppm)

    def __check_init__(self):
        if self.population.names != self.model.names:
            raise ValueError(
                f"population: wanted the amplitudes {', '.join(self.model.names)}, found {', '.join(self.population.names)}"
            )
        known = {(g, p) for g, tree in self.model.parameters().items() for p in tree}
        asked = {(g, p) for g, tree in self.population.values.items() for p in tree}
        if unknown := sorted(f"{g}.{p}" for g, p in asked - known):
            raise ValueError(f"population: the model has no parameter {', '.join(unknown)}")
        names = [a.name for a in (*self.artefacts, *self.after)]
        if len(set(names)) != len(names):
            raise ValueError(f"artefacts: wanted distinct names, found {', '.join(names)}")

    def sample(self, key: Key[Array, ""]) -> Sample:
        """One labelled spectrum; pure: `jax.vmap(simulator.sample)(keys)` inside a jitted step makes a batch."""
        of_population, of_artefacts, of_noise, of_coils = jax.random.split(key, 4)
        amplitudes, drawn = self.population.sample(of_population)
        truth, labels = {}, {}
        if self.relaxation is not None:
            truth["concentrations"] = amplitudes
            weight = self.relaxation.voxel(key=jax.random.fold_in(of_population, 1))
            labels["relaxation"] = jnp.concatenate([weight, jnp.ones(len(amplitudes) - len(weight), jnp.float32)])
            amplitudes = amplitudes * labels["relaxation"]
        values = {g: tree | drawn.get(g, {}) for g, tree in self._start().items()}
        still, everything, clean = self._signals(values, amplitudes)
        if self.first_order:
            everything, clean = self._delayed(everything, values), self._delayed(clean, values)
        scene = Scene(self.model.sampling, jnp.abs(still[0]), values["metabolites"]["shift"])
        data = everything
        keys = jax.random.split(of_artefacts, max(len(self.artefacts) + len(self.after), 1))
        for artefact, k in zip(self.artefacts, keys, strict=False):
            data, label = artefact(data, scene, key=k)
            data, labels = once(data), _passed(artefact, label, labels)
        mixing = None
        if self.coils is not None:
            data, mixing, labels["coils"] = self.coils(data, key=of_coils)
        if self.snr is not None:
            of_noise, (snr,) = draws(of_noise, self.snr)
            sd = height(still, self.probe) / snr
            white = complex_normal(of_noise, data.size).reshape(data.shape)
            data = once(data + sd * (white if mixing is None else correlated(white, mixing)))
            labels |= {"snr": snr, "noise": sd}
        for artefact, k in zip(self.after, keys[len(self.artefacts) :], strict=False):
            data, label = once(artefact(data, scene, key=k))
            labels = _passed(artefact, label, labels)
        return Sample(data, truth | {"amplitudes": amplitudes, "values": values, "fid": clean}, labels)

    @property
    def sampling(self) -> Sampling:
        return self.model.sampling

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the data's leading axes, as NIfTI-MRS has them."""
        transients = any(isinstance(a, Transients | FrequencyPhaseScatter) for a in self.artefacts)
        there = (("DIM_COIL", self.coils), ("DIM_DYN", transients or None), ("DIM_EDIT", self.edited))
        return tuple(name for name, part in there if part is not None)

    def _start(self):
        return jax.tree.map(lambda x: x.astype(jnp.float32), self.model.start())

    def _signals(self, values, amplitudes):
        """The metabolites of the first condition without shift and phase (n,), everything, and the metabolites, in all conditions."""
        parts = zip(self.model.groups, self.evaluations, jnp.split(amplitudes, self._ends), strict=True)
        (group, at, of_metabolites), *others = parts
        value, phase = values[group.name], values["phase"]["phase_zero"]
        still = at.still(group, value, of_metabolites)
        clean = at.moved(still, value, phase)
        if self.edited is not None:
            more = [
                at.still(group, value, of_metabolites, real_rows(fids[:, : at.sampling.n_points]))
                for fids in self.edited
            ]
            clean = jnp.stack([clean, *(at.moved(x, value, phase) for x in more)])
        everything = clean
        for group, at, c in others:
            value = values[group.name]
            everything = added(everything, at.moved(at.still(group, value, c), value, phase))
        return still, everything, clean

    @property
    def _ends(self) -> tuple[int, ...]:
        return tuple(np.cumsum([len(g.names) for g in self.model.groups])[:-1].tolist())

    def _delayed(self, fid, values):
        model = self.model
        zero = values["phase"] | {"phase_zero": jnp.zeros_like(values["phase"]["phase_zero"])}
        return to_fid(model.phase(zero, model.sampling.frequency, model.pivot) * to_spectrum(fid))


def _passed(artefact: Artefact, label: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """The labels so far with that of one more step, through which the signals that were added before it have gone."""
    through = lambda x: x | {"signal": artefact.passed(x["signal"], label)}  # noqa: E731
    moved = {k: through(x) if isinstance(x, dict) and "signal" in x else x for k, x in earlier.items()}
    return moved | {artefact.name: label}
