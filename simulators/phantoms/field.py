"""The field that susceptibility makes."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def dipole_kernel(shape: tuple[int, int, int], spacing: Float[np.ndarray, "3"]) -> Float[Array, "x y z"]:
    """1/3 - kz^2 / |k|^2 on the FFT's grid, 0 at k = 0: field along z of a unit dipole, sphere of Lorentz taken out.

    Source: Salomir 2003, Marques and Bowtell 2005. `spacing` in m.
    """
    k = np.meshgrid(*(np.fft.fftfreq(n, d) for n, d in zip(shape, spacing, strict=True)), indexing="ij")
    square = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    return jnp.asarray(np.where(square > 0, 1 / 3 - k[2] ** 2 / np.where(square > 0, square, 1.0), 0.0))


def susceptibility_field(
    chi: Float[Array, "x y z"], spacing: Float[np.ndarray, "3"], *, padding: float = 2.0
) -> Float[Array, "x y z"]:
    """Relative field offset dB / B0 of a susceptibility map (SI, relative to the surroundings), B0 along the third axis.

        dB / B0 = F^-1[(1/3 - kz^2 / k^2) F[chi]]

    The grid is padded to `padding` times its size with zeros, so that the periodic images are far. Times the central frequency: Hz. Differentiable in `chi`.

    **Raises:** `ValueError` for a padding below 1.
    """
    if padding < 1:
        raise ValueError(f"padding: wanted 1 or more, found {padding}")
    x, y, z = (int(np.ceil(padding * n)) for n in chi.shape)
    grown = (x, y, z)
    kernel = dipole_kernel(grown, spacing).astype(chi.dtype)
    around = jnp.fft.ifftn(kernel * jnp.fft.fftn(chi, grown)).real
    return around[tuple(slice(0, n) for n in chi.shape)].astype(chi.dtype)
