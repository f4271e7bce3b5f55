"""Monte Carlo dropout: passes of a network with its dropout on (Gal and Ghahramani 2016)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

PASSES = 24


@eqx.filter_jit
def _passes(network, fids, keys):
    def one(fid, key):
        found = network.encode(fid, key=key)
        if found.log_sd is None:
            return found.amplitudes, jnp.zeros(())
        p = len(network.map.names)
        _, slope = jax.jvp(
            lambda u: network.positive(u, found.scale), (found.outputs[p:],), (jnp.ones(len(found.amplitudes)),)
        )
        return found.amplitudes, slope * jnp.exp(found.log_sd[p:])

    return jax.vmap(lambda k: jax.vmap(one)(fids, jax.random.split(k, len(fids))))(keys)


def passes(network, fids, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Amplitudes `(spectra, m)`, their aleatoric (0 without a variance head) and epistemic standard deviations."""
    keys = jax.random.split(jax.random.key(seed), PASSES)
    found, own = (np.asarray(x) for x in _passes(network, np.asarray(fids), keys))
    return found.mean(axis=0), np.sqrt(np.mean(own**2, axis=0)), found.std(axis=0)
