"""What a network sees of a FID: a crop, as real numbers, on one scale. Stored with the model, so that training and use agree."""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core import Sampling, to_spectrum
from mrsjax.nn.ranges import number, whole
from mrsjax.nn.scattering import scattering, spectrogram
from mrsjax.physics.model import window_of

PARTS = {
    "complex": lambda x: jnp.stack([x.real, x.imag], axis=-1),
    "real": lambda x: x.real[..., None],
    "magnitude": lambda x: jnp.abs(x)[..., None],
    "all": lambda x: jnp.stack([x.real, x.imag, jnp.abs(x)], axis=-1),
}
DOMAINS = ("spectrum", "fid", "spectrogram", "scattering")


class Inputs(eqx.Module):
    """FID `(n,)` -> features `(k, channels)`, `(k, frames, channels)` for a spectrogram, and their scale.

    **Arguments:** `domain`: "spectrum" (cropped to `window_ppm`), "fid" (first `points`), "spectrogram" (short-time transforms of the cropped band),
    "scattering" (wavelet scattering of the cropped band, order 0 to 2). `parts`: of complex values; scattering coefficients are moduli already.

    The scale is the root mean square of the crop: features are scale-free, and amplitudes are recovered by it.

    **Raises:** `ValueError` for an unknown choice, or a crop that does not fit the sampling.
    """

    domain: str = eqx.field(static=True)
    parts: str = eqx.field(static=True)
    window: tuple[int, int] = eqx.field(static=True)

    def __init__(
        self,
        sampling: Sampling,
        *,
        domain: str = "spectrum",
        parts: str = "complex",
        window_ppm: tuple[float, float] = (0.2, 4.2),
        points: int | None = None,
    ):
        if domain not in DOMAINS:
            raise ValueError(f"domain: wanted {', '.join(DOMAINS)}, found {domain!r}")
        if parts not in tuple(PARTS):
            raise ValueError(f"parts: wanted {', '.join(PARTS)}, found {parts!r}")
        if points is not None and domain != "fid":
            raise ValueError(f"points: {points} has no use in domain {domain}, which takes a window; use domain fid")
        n = sampling.n_points
        points = whole("network.inputs.points", n if points is None else points, least=16, most=n)
        if not isinstance(window_ppm, list | tuple) or len(window_ppm) != 2:
            raise ValueError(f"network.inputs.window_ppm: wanted two numbers, found {window_ppm!r}")
        low, high = (number("network.inputs.window_ppm", x, least=-math.inf) for x in window_ppm)
        self.domain, self.parts = domain, parts
        self.window = (0, points) if domain == "fid" else window_of(sampling, low, high)

    def __call__(self, fid: Complex[Array, " n"]) -> tuple[Float[Array, "k *f c"], Float[Array, ""]]:
        full = fid if self.domain == "fid" else to_spectrum(fid)
        crop = full[self.window[0] : self.window[1]]
        power = jnp.mean(crop.real**2 + crop.imag**2)
        scale = jnp.sqrt(jnp.maximum(power, jnp.finfo(power.dtype).tiny))
        crop = crop / scale
        if self.domain == "scattering":
            return scattering(crop), scale
        if self.domain == "spectrogram":
            crop = spectrogram(crop)
        return PARTS[self.parts](crop), scale

    def shape(self, n_points: int) -> tuple[int, ...]:
        """Shape of the features of a FID of `n_points`."""
        one = eqx.filter_eval_shape(lambda x: self(x)[0], jnp.asarray(np.ones(n_points), jnp.complex64))
        return one.shape
