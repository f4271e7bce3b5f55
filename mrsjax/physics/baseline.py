"""Smooth complex baselines as a linear term that the fit eliminates exactly.

A baseline is sum_j d_j q_j(f) with complex d and orthonormal real columns q, and a penalty `stiffness` * roughness_j |d_j|^2. In this
(Demmler-Reinsch) form the smoother of a residual r is Q diag(h) Q' r with h_j = 1 / (1 + stiffness * roughness_j), so that another
stiffness costs nothing, and sum_j h_j is the effective dimension.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.interpolate import BSpline
from scipy.linalg import eigh
from scipy.optimize import brentq


class Baseline(eqx.Module):
    """Columns of a baseline over the fit window.

    - `columns` (k, j): orthonormal; `roughness` (j,): 0 for columns that carry no penalty; `log_stiffness`: natural logarithm.
    - `span_ppm`: width of the window, for the effective dimension per ppm.
    """

    columns: Float[Array, "k j"]
    roughness: Float[Array, " j"]
    log_stiffness: Float[Array, ""]
    span_ppm: Float[Array, ""]  # no static field: another central frequency must not compile anew

    def shrinkage(self, log_stiffness: Float[Array | np.ndarray, "*s"]) -> Float[Array | np.ndarray, "*s j"]:
        """h_j = 1 / (1 + stiffness * roughness_j); of NumPy arrays in NumPy."""
        numbers: Any = np if isinstance(log_stiffness, np.ndarray) else jnp
        return 1.0 / (1.0 + numbers.exp(log_stiffness)[..., None] * numbers.asarray(self.roughness))

    def effective_dimension(self, log_stiffness: Float[Array, "*s"]) -> Float[Array, "*s"]:
        """Effective number of (complex) parameters for each ppm of the window (Wilson 2021)."""
        return jnp.sum(self.shrinkage(log_stiffness), axis=-1) / self.span_ppm


def _baseline(columns, roughness, log_stiffness, ppm) -> Baseline:
    dtype = jnp.result_type(float)
    real = lambda x: jnp.asarray(x, dtype)  # noqa: E731
    return Baseline(real(columns), real(roughness), real(log_stiffness), real(ppm[-1] - ppm[0]))


def no_baseline(ppm: Float[np.ndarray, " k"]) -> Baseline:
    """No baseline at all."""
    return _baseline(np.zeros((len(ppm), 0)), np.zeros(0), 0.0, ppm)


def polynomial(ppm: Float[np.ndarray, " k"], order: int) -> Baseline:
    """Complex polynomial of the given order over the window, without penalty."""
    if order < 0:
        raise ValueError(f"order: wanted 0 or more, found {order}")
    x = np.linspace(-1, 1, len(ppm))
    columns, _ = np.linalg.qr(np.polynomial.legendre.legvander(x, order))
    return _baseline(columns, np.zeros(order + 1), 0.0, ppm)


def spline(ppm: Float[np.ndarray, " k"], *, ed_per_ppm: float, knots_per_ppm: float = 12.0) -> Baseline:
    """Penalised cubic B-spline (Eilers and Marx 1996) with a second-difference penalty on the coefficients.

    `ed_per_ppm`: effective dimension for each ppm that the stiffness is set to (Wilson 2021: 1 is stiff, 7 is flexible).

    **Raises:** `ValueError` when the dimension is below that of a straight line or above the number of knots.
    """
    span = float(ppm[-1] - ppm[0])
    pieces = max(4, round(knots_per_ppm * span))
    knots = ppm[0] + span * np.arange(-3, pieces + 4) / pieces
    design = BSpline.design_matrix(np.clip(ppm, ppm[0], ppm[-1]), knots, 3, extrapolate=True).toarray()
    difference = np.diff(np.eye(design.shape[1]), 2, axis=0)
    wanted = ed_per_ppm * span
    if not 2.0 < wanted < design.shape[1]:
        raise ValueError(
            f"ed_per_ppm: wanted between {2.0 / span:.2f} and {design.shape[1] / span:.1f}, found {ed_per_ppm}"
        )
    roughness, vectors = eigh(difference.T @ difference, design.T @ design)
    roughness = np.where(np.arange(len(roughness)) < 2, 0.0, roughness)  # constant and slope: exactly free
    columns = design @ vectors
    dimension = lambda log_s: np.sum(1 / (1 + np.exp(log_s) * roughness)) - wanted  # noqa: E731
    log_stiffness = brentq(dimension, -30.0, 60.0)
    return _baseline(columns, roughness, log_stiffness, ppm)


def with_columns(baseline: Baseline, extra: Float[np.ndarray, "k e"]) -> Baseline:
    """The baseline with further unpenalised columns (e.g. the tails of the water line), orthogonalised against it.

    The penalty of the old columns is kept in the new ones' complement: the space is the same sum of spaces.
    """
    free = np.asarray(baseline.roughness) == 0.0
    columns = np.asarray(baseline.columns)
    fixed, _ = np.linalg.qr(np.concatenate([columns[:, free], extra], axis=1))
    rough = columns[:, ~free] - fixed @ (fixed.T @ columns[:, ~free])
    # the penalised part again in Demmler-Reinsch form, in the metric left after projecting out the fixed part
    penalty = np.diag(np.asarray(baseline.roughness)[~free])
    gram = rough.T @ rough
    values, vectors = eigh(gram)
    keep = values > 1e-8
    half = vectors[:, keep] / np.sqrt(values[keep])
    roughness, rotation = eigh(half.T @ penalty @ half)
    columns = np.concatenate([fixed, rough @ half @ rotation], axis=1)
    roughness = np.concatenate([np.zeros(fixed.shape[1]), roughness])
    return Baseline(
        jnp.asarray(columns, baseline.columns.dtype),
        jnp.asarray(roughness, baseline.columns.dtype),
        baseline.log_stiffness,
        baseline.span_ppm,
    )


def thinned(baseline: Baseline, rows: Int[np.ndarray, " r"]) -> Baseline:
    """The same curves on some of the frequencies, for spectra in which each point weighs `k / r` times as much: penalties keep their meaning."""
    columns = np.asarray(baseline.columns)[rows] * np.sqrt(len(baseline.columns) / len(rows))
    roughness, vectors = eigh(np.diag(np.asarray(baseline.roughness, float)), columns.T @ columns)
    roughness = np.where(np.arange(len(roughness)) < np.sum(np.asarray(baseline.roughness) == 0.0), 0.0, roughness)
    return Baseline(
        jnp.asarray(columns @ vectors, baseline.columns.dtype),
        jnp.asarray(roughness, baseline.columns.dtype),
        baseline.log_stiffness,
        baseline.span_ppm,
    )
