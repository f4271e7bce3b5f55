"""What a population of spectra looks like: priors of amplitudes and of the parameters of a signal model."""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr
from jaxtyping import Array, ArrayLike, Float, Key
from numpyro.distributions import Distribution

from simulators.tissue.priors import draw, single, widened


class Population(eqx.Module):
    """Independent priors of non-linear parameters, correlated priors of amplitudes.

    **Arguments:**

    - `names`: of the amplitudes (m), in the order of the model they are for.
    - `amplitudes`: a distribution of batch shape `(m,)`.
    - `values`: group -> parameter -> distribution, of the parameter's shape.
    - `correlation`: `(m, m)` correlation of the amplitudes' normal scores (a Gaussian copula: the marginals stay as given); `None`: none.

    A PyTree: priors are leaves that can be replaced, stacked or differentiated.

    **Raises:** `ValueError` when shapes do not fit or the correlation is not positive definite.
    """

    amplitudes: Distribution
    values: dict[str, dict[str, Distribution]]
    cholesky: Float[Array, "m m"] | None
    names: tuple[str, ...] = eqx.field(static=True)

    def __init__(
        self,
        names: tuple[str, ...],
        amplitudes: Distribution,
        values: Mapping[str, Mapping[str, Distribution]],
        correlation: ArrayLike | None = None,
    ):
        self.names = tuple(names)
        self.amplitudes = amplitudes
        self.values = {group: dict(priors) for group, priors in values.items()}
        self.cholesky = None if correlation is None else _cholesky(np.asarray(correlation, float), len(self.names))

    def __check_init__(self):
        if self.amplitudes.batch_shape != (len(self.names),):
            raise ValueError(
                f"amplitudes: wanted batch shape ({len(self.names)},) for {len(self.names)} names, found {self.amplitudes.batch_shape}"
            )

    def sample(self, key: Key[Array, ""]) -> tuple[Float[Array, " m"], dict[str, dict[str, Array]]]:
        """Amplitudes and parameters of one member, in single precision."""
        priors, structure = jax.tree.flatten(self.values, is_leaf=lambda x: isinstance(x, Distribution))
        sizes = [len(self.names), *(int(np.prod(p.batch_shape)) for p in priors)]
        deviates = jax.random.uniform(key, (sum(sizes),), jnp.float32)
        of_amplitudes, *others = jnp.split(deviates, np.cumsum(sizes)[:-1])
        if self.cholesky is not None:
            scores = jax.scipy.special.ndtri(jnp.clip(of_amplitudes, 1e-7, 1 - 1e-7))
            of_amplitudes = ndtr(self.cholesky @ scores)
        drawn = [draw(p, u.reshape(p.batch_shape)) for p, u in zip(priors, others, strict=True)]
        return draw(self.amplitudes, of_amplitudes), jax.tree.unflatten(structure, drawn)


def widen(population: Population, factor: float) -> Population:
    """The same population with each prior `factor` times as wide about the same centre, for out-of-distribution work.

    Amplitudes and widths that cannot be negative stay so (`priors.widened`); correlations are kept.
    """
    if not factor > 0:
        raise ValueError(f"factor: wanted a positive number, found {factor}")
    is_prior = lambda x: isinstance(x, Distribution)  # noqa: E731
    return jax.tree.map(lambda x: widened(x, factor) if is_prior(x) else x, population, is_leaf=is_prior)


def _cholesky(correlation: np.ndarray, m: int) -> Float[Array, "m m"]:
    if correlation.shape != (m, m) or not np.allclose(np.diag(correlation), 1.0, atol=1e-6):
        raise ValueError(f"correlation: wanted ({m}, {m}) with ones on the diagonal, found shape {correlation.shape}")
    try:
        return single(np.linalg.cholesky(correlation))
    except np.linalg.LinAlgError:
        raise ValueError("correlation: wanted a positive definite matrix") from None
