"""`Network`: inputs, encoder, and what its outputs mean in terms of the signal model."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key

from mrsjax.core import BasisSet, Sampling
from mrsjax.inference.noise import NoiseBlocks, noise_blocks, noise_sd
from mrsjax.nn import layers
from mrsjax.nn.bounds import ParameterMap
from mrsjax.nn.encoders import encoder
from mrsjax.nn.flax_net import FlaxNet
from mrsjax.nn.frozen import Frozen
from mrsjax.nn.inputs import Inputs
from mrsjax.nn.ranges import SEEDS, switch, whole
from mrsjax.physics import SignalModel, default_model
from mrsjax.physics.options import model_options

#: Plain options of `default_model` and their defaults.
MODEL_DEFAULTS = {
    p.name: p.default
    for p in inspect.signature(default_model).parameters.values()
    if p.kind is p.KEYWORD_ONLY and p.name != "factors"
}

#: How amplitudes are found: not at all, by the network, exactly by variable projection, or after refinement steps.
AMPLITUDES = ("none", "network", "projected", "refined")


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkSpec:
    """Everything that builds a network, as plain values: what a configuration file and a model card hold.

    - `encoder`: name and options of `encoders`; `inputs`: options of `Inputs`.
    - `model`: options of `physics.default_model`.
    - `predicted`: non-linear parameters of the coarse model that the network gives; the rest stays at its start.
    - `amplitudes`: one of `AMPLITUDES`; `steps`: of the refinement.
    - `variance`: a second output for each, the logarithm of its standard deviation.
    """

    encoder: Mapping[str, Any] = dataclasses.field(default_factory=lambda: {"name": "mlp"})
    inputs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    model: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    predicted: tuple[str, ...] = ("metabolites.shift", "metabolites.lorentz", "metabolites.gauss", "phase.phase_zero")
    amplitudes: Literal["none", "network", "projected", "refined"] = "projected"
    steps: int = 1
    variance: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("encoder", "inputs", "model"):
            if not isinstance(getattr(self, name), Mapping):
                example = ", e.g. {name: mlp}" if name == "encoder" else ""
                raise ValueError(f"network.{name}: wanted a mapping{example}, found {getattr(self, name)!r}")
        names = self.predicted if isinstance(self.predicted, list | tuple) else [None]
        if not all(isinstance(n, str) for n in names):
            raise ValueError(f"network.predicted: wanted a list of names, found {self.predicted!r}")
        object.__setattr__(self, "steps", whole("network.steps", self.steps))
        object.__setattr__(self, "seed", whole("network.seed", self.seed, most=SEEDS))
        switch("network.variance", self.variance)
        object.__setattr__(self, "predicted", tuple(self.predicted))
        object.__setattr__(self, "model", MODEL_DEFAULTS | dict(self.model))  # a later version may have other defaults
        if self.amplitudes not in AMPLITUDES:
            raise ValueError(f"network.amplitudes: wanted one of {', '.join(AMPLITUDES)}, found {self.amplitudes!r}")
        if not self.predicted and self.amplitudes != "network":
            raise ValueError("network.predicted: wanted at least one parameter, or amplitudes: network")

    @property
    def text(self) -> str:
        """The specification as JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    def __eq__(self, other):
        return isinstance(other, NetworkSpec) and self.text == other.text

    def __hash__(self):
        return hash(self.text)


class Prediction(NamedTuple):
    """What a network says of one FID.

    - `values`: the coarse model's tree of parameters; `vector`: the predicted ones.
    - `amplitudes` (m,), in units of the basis; NaN where the network gives none.
    - `outputs`: all outputs, unbounded (`Network.outputs_of` the truth is their target), of order 1 over the training data; `log_sd`: logarithm of the standard
      deviation of these, not of the values, or None.
    - `problem`: the fit's problem of this FID (`inference.varpro`), `noise`: its unit; `scale`: of the inputs.
    """

    values: dict[str, dict[str, Any]]
    vector: Float[Array, " p"]
    amplitudes: Float[Array, " m"]
    outputs: Float[Array, " r"]
    log_sd: Float[Array, " r"] | None
    problem: Any
    noise: Float[Array, ""]
    scale: Float[Array, ""]


class Calibration(NamedTuple):
    """Mean and standard deviation over the training data: predicted parameters, and amplitudes in units of the inputs' scale."""

    location: Float[np.ndarray, " p"]
    spread: Float[np.ndarray, " p"]
    amplitude: Float[np.ndarray, " m"]
    amplitude_spread: Float[np.ndarray, " m"]


class Network(eqx.Module):
    """FID -> `Prediction`. `encoder` is trained, all else is `Frozen` or static."""

    inputs: Inputs
    encoder: FlaxNet
    map: ParameterMap
    amplitude: Frozen[Float[Array, " m"]]
    amplitude_spread: Frozen[Float[Array, " m"]]
    fit_model: Frozen[SignalModel]
    blocks: Frozen[NoiseBlocks]
    spec: NetworkSpec = eqx.field(static=True)

    @property
    def model(self) -> SignalModel:
        """The coarse signal model: what the outputs are parameters of."""
        return self.fit_model.value.coarse()

    def encode(self, fid: Complex[Array, " n"], *, key: Key[Array, ""] | None = None) -> Prediction:
        """One FID, any scale, without solving for amplitudes. `key`: dropout at use (Monte Carlo) or in training; None: none."""
        features, scale = self.inputs(fid)
        outputs = self.encoder(features, key=key)
        log_sd = None
        if self.spec.variance:
            outputs, log_sd = jnp.split(outputs, 2)
            log_sd = 3.0 * jnp.tanh(log_sd / 3.0)
        p = len(self.map.names)
        vector = self.map.vector(outputs[:p])
        noise = noise_sd(fid, self.blocks.value).astype(scale.dtype)
        noise = jax.lax.stop_gradient(jnp.maximum(noise, 1e-6 * scale))
        given = layers.problem(self.model, fid, noise)
        amplitudes = jnp.full(len(self.model.names), jnp.nan, scale.dtype)
        if self.spec.amplitudes == "network":
            amplitudes = self.positive(outputs[p:], scale)
        return Prediction(self.map.tree(vector), vector, amplitudes, outputs, log_sd, given, noise, scale)

    def positive(self, outputs: Float[Array, " m"], scale: Float[Array, ""]) -> Float[Array, " m"]:
        """Outputs of a network that gives amplitudes -> amplitudes, c = scale spread softplus(u + a); u = 0 is their mean over the training data."""
        spread = self.amplitude_spread.value
        return scale * spread * jax.nn.softplus(outputs + _inverse_softplus(self.amplitude.value / spread))

    def outputs_of(
        self, vector: Float[Array, " p"], amplitudes: Float[Array, " m"], scale: Float[Array, ""]
    ) -> Float[Array, " r"]:
        """The outputs that say these parameters and, where the network gives them, amplitudes (below 1 % of their spread: taken there; NaN stays NaN)."""
        u = self.map.outputs(vector)
        if self.spec.amplitudes != "network":
            return u
        spread = self.amplitude_spread.value
        relative = jnp.maximum(amplitudes / (scale * spread), 0.01)
        return jnp.concatenate([u, _inverse_softplus(relative) - _inverse_softplus(self.amplitude.value / spread)])

    def estimate(self, fid: Complex[Array, " n"], *, key: Key[Array, ""] | None = None) -> Prediction:
        """What the network says of the parameters: `encode`, or the whole where refinement is a part of it; amplitudes are not solved for else."""
        return (self if self.spec.amplitudes == "refined" else self.encode)(fid, key=key)

    def __call__(self, fid: Complex[Array, " n"], *, key: Key[Array, ""] | None = None) -> Prediction:
        """`encode`, then amplitudes by the layers of `spec.amplitudes`."""
        found = self.encode(fid, key=key)
        if self.spec.amplitudes == "projected":
            amplitudes = layers.project(self.model, found.problem, found.values)
            return found._replace(amplitudes=found.noise * amplitudes)
        if self.spec.amplitudes == "refined":
            values, amplitudes = layers.refine(self.model, found.problem, found.values, self.spec.steps)
            return found._replace(values=values, vector=self.map.of(values), amplitudes=found.noise * amplitudes)
        return found


def _inverse_softplus(y):
    return y + jnp.log(-jnp.expm1(-y))


def sizes(spec: NetworkSpec, model: SignalModel) -> int:
    """Number of outputs of the encoder."""
    count = len(spec.predicted) + (len(model.names) if spec.amplitudes == "network" else 0)
    return 2 * count if spec.variance else count


def build(spec: NetworkSpec, basis: BasisSet, sampling: Sampling, calibration: Calibration | None = None) -> Network:
    """A network with new weights.

    **Arguments:** `sampling`: of the data; `calibration`: of `nn.calibrate`; None: unit spreads, as before weights are loaded.

    **Raises:** `ValueError` for unknown names and options.
    """
    from mrsjax.inference.varpro import single

    try:
        model = default_model(basis, sampling, **model_options(spec.model))
        inputs = Inputs(sampling, **spec.inputs)
    except TypeError as error:
        raise ValueError(
            f"network: {str(error).replace('default_model()', 'model').replace('Inputs.__init__()', 'inputs')}"
        ) from None
    model = single(model)
    coarse = model.coarse()
    m = len(model.names)
    if calibration is None:
        ones = np.ones(len(spec.predicted))
        calibration = Calibration(0 * ones, ones, np.ones(m), np.ones(m))
    options = dict(spec.encoder)
    name = options.pop("name", "mlp")
    module = encoder(name, inputs.shape(sampling.n_points), sizes(spec, model), seed=spec.seed, **options)
    positive = jnp.maximum(jnp.asarray(calibration.amplitude_spread, jnp.float32), 1e-6)
    centre = jnp.maximum(jnp.asarray(calibration.amplitude, jnp.float32), 1e-3 * positive)
    return Network(
        inputs,
        FlaxNet(module),
        single(ParameterMap(coarse.parameters(), spec.predicted, calibration.location, calibration.spread)),
        Frozen(centre),
        Frozen(positive),
        Frozen(model),
        Frozen(NoiseBlocks(*(jnp.asarray(x, jnp.float32) for x in noise_blocks(sampling)))),
        spec,
    )
