"""Losses of one sample, by name; a training run takes a weighted sum of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from mrsjax.core import Sample
from mrsjax.inference import varpro
from mrsjax.nn import layers
from mrsjax.nn.network import Network, NetworkSpec, Prediction
from mrsjax.nn.ranges import number


def parameters(network: Network, prediction: Prediction, sample: Sample) -> Float[Array, ""]:
    """Mean squared error of the predicted parameters in units of their spread over the training data."""
    error = (prediction.vector - sample.truth["vector"]) / network.map.scale.value
    return jnp.mean(error**2)


def amplitudes(network: Network, prediction: Prediction, sample: Sample) -> Float[Array, ""]:
    """Mean squared error of the amplitudes in units of their spread; components without truth are left out."""
    truth = sample.truth["amplitudes"]
    known = jnp.isfinite(truth)
    spread = prediction.scale * network.amplitude_spread.value
    error = jnp.where(known, (prediction.amplitudes - jnp.where(known, truth, 0.0)) / spread, 0.0)
    return jnp.sum(error**2) / jnp.sum(known)


def likelihood(network: Network, prediction: Prediction, sample: Sample) -> Float[Array, ""]:
    """Gaussian negative log-likelihood of the outputs u, with the network's own standard deviations of them:

    mean over r of (u_r - t_r)^2 / (2 s_r^2) + log s_r,    t: the outputs that say the truth (`Network.outputs_of`)
    """
    assert prediction.log_sd is not None  # `check`
    truth = network.outputs_of(sample.truth["vector"], sample.truth.get("amplitudes", jnp.nan), prediction.scale)
    error = prediction.outputs - truth
    known = jnp.isfinite(error)
    error = jnp.where(known, error, 0.0)
    terms = jnp.where(known, 0.5 * (error * jnp.exp(-prediction.log_sd)) ** 2 + prediction.log_sd, 0.0)
    return jnp.sum(terms) / jnp.maximum(jnp.sum(known), 1)


def residual(network: Network, prediction: Prediction, sample: Sample) -> Float[Array, ""]:
    """chi^2 for each point of the window that is left by the prediction, the baseline at its best; needs no truth.

    Amplitudes of the network, or at their best ("projected", "refined", "none").
    """
    model, given = network.model, prediction.problem
    points = 2 * (model.window[1] - model.window[0])
    if network.spec.amplitudes != "network":
        return 2.0 * layers.reduced_cost(model, given, prediction.values) / points
    design, _ = model.design(prediction.values)
    rest = varpro.stacked((given.data - (prediction.amplitudes / prediction.noise) @ design)[None])
    return (jnp.sum(rest**2) - jnp.sum(varpro.smooth(model, given, rest) ** 2)) / points


def signal(network: Network, prediction: Prediction, sample: Sample) -> Float[Array, ""]:
    """Mean squared difference between the decoded spectrum and the data in the window, in units of the data's mean power there; needs no truth."""
    model = network.model
    decoded = model.signal(prediction.values, prediction.amplitudes)  # one transform in all, not one for each component
    rest, data = model.crop(sample.data - decoded), model.crop(sample.data)
    power = jnp.mean(data.real**2 + data.imag**2)
    return jnp.mean(rest.real**2 + rest.imag**2) / jnp.maximum(power, jnp.finfo(power.dtype).tiny)


LOSSES: dict[str, Callable[[Network, Prediction, Sample], Float[Array, ""]]] = {
    "parameters": parameters, "amplitudes": amplitudes, "likelihood": likelihood, "residual": residual, "signal": signal,
}  # fmt: skip

#: Losses that look at amplitudes, which cost a linear solution each.
OF_AMPLITUDES = {"amplitudes", "signal"}


def check(spec: NetworkSpec, weights: Mapping[str, float]) -> None:
    """Whether a network can be trained with these losses.

    **Raises:** `ValueError` naming the loss or the setting that has no use.
    """
    if "likelihood" in weights and not spec.variance:
        raise ValueError("loss.likelihood: wanted a network with variance: true, found variance: false")
    if spec.variance and "likelihood" not in weights:
        raise ValueError("network.variance: true has no use without loss.likelihood, which trains it")
    if (blind := sorted(OF_AMPLITUDES & weights.keys())) and spec.amplitudes == "none":
        raise ValueError(f"loss.{blind[0]}: wanted a network with amplitudes, found amplitudes: none")
    if not spec.predicted and "parameters" in weights:
        raise ValueError("loss.parameters: wanted predicted parameters, found none; use loss.amplitudes")


def weighted(weights: Mapping[str, float]) -> Callable[[Network, Sample, Key[Array, ""] | None], Float[Array, ""]]:
    """The sum of named losses as what `train` takes.

    **Raises:** `ValueError` for an unknown name, no name at all, or a weight that is not positive.
    """
    unknown = [n for n in weights if n not in LOSSES]
    if unknown or not weights:
        raise ValueError(f"loss: wanted weights of {', '.join(LOSSES)}, found {', '.join(unknown) or 'none'}")
    chosen = tuple((LOSSES[name], number(f"loss.{name}", weight, above=0.0)) for name, weight in weights.items())

    def total(network, sample, key):
        whole = not OF_AMPLITUDES.isdisjoint(weights)
        prediction = (network if whole else network.estimate)(sample.data, key=key)
        return sum((w * f(network, prediction, sample) for f, w in chosen), start=jnp.float32(0.0))

    return total
