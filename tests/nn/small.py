"""A small world for networks: six singlet-like metabolites, 256 points, a simulator of 20 lines."""

import equinox as eqx
import jax
import jax.numpy as jnp

from mrsjax.core import Sample
from mrsjax.inference.varpro import single
from mrsjax.nn import NetworkSpec
from mrsjax.physics import SignalModel, default_model
from tests.physics.examples import PLAIN, basis, sampling

N = 256
PREDICTED = ("metabolites.shift", "metabolites.lorentz", "phase.phase_zero")


class Singlets(eqx.Module):
    """Uniform amplitudes 1 to 10, shift +-4 Hz, Lorentz 1 to 6 Hz, phase +-0.4 rad, noise 0.05."""

    model: SignalModel
    noise: float = 0.05

    def sample(self, key):
        a, b, c = jax.random.split(key, 3)
        amplitudes = jax.random.uniform(a, (6,), jnp.float32, 1.0, 10.0)
        low, high = jnp.array([-4, 1, -0.4], jnp.float32), jnp.array([4, 6, 0.4], jnp.float32)
        shift, width, phase = jax.random.uniform(b, (3,), jnp.float32, low, high)
        values = {
            "metabolites": {"shift": shift, "lorentz": width},
            "phase": {"phase_zero": phase, "delay": jnp.zeros((), jnp.float32)},
        }
        clean = self.model.signal(values, amplitudes)
        real, imag = self.noise * jax.random.normal(c, (2, N), jnp.float32)
        return Sample(clean + jax.lax.complex(real, imag), {"amplitudes": amplitudes, "values": values}, {})


def model() -> SignalModel:
    return default_model(basis(N), sampling(N), **PLAIN)


def simulator(noise: float = 0.05) -> Singlets:
    return Singlets(single(model()), noise)


def spec(**changes) -> NetworkSpec:
    given = {"encoder": {"name": "mlp", "widths": [32]}, "model": PLAIN, "predicted": PREDICTED, **changes}
    return NetworkSpec(**given)
