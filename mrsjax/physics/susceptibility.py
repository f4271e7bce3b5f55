"""Field of a distribution of magnetic susceptibility: convolution with the dipole kernel (Salomir et al. 2003, Marques and Bowtell 2005)."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def dipole_field(
    susceptibility: Float[Array, "x y z"],
    voxel_size: Float[Array, " 3"],
    *,
    direction: tuple[float, float, float] = (0.0, 0.0, 1.0),
    padding: tuple[int, int, int] = (2, 2, 2),
) -> Float[Array, "x y z"]:
    """Relative change dB/B0 of the main field, in the unit of the susceptibility (ppm in, ppm out).

        dB/B0 = F^-1 [ (1/3 - (k.b)^2 / k^2) F[chi] ],   0 at k = 0

    with the Lorentz sphere's correction (the kernel's 1/3), so the field inside a sphere is 0.

    **Arguments:**

    - `susceptibility`: volume susceptibility (SI) relative to the surroundings.
    - `voxel_size`: mm. `direction`: of the main field in the grid's axes.
    - `padding`: the grid is padded with zeros to this multiple; 1 makes an axis periodic (an infinite cylinder along it). The field
      outside a sphere is then right to a few per cent near its surface (staircase) and better further away: docs/shimming.md.

    **Raises:** `ValueError` when the direction is zero.
    """
    norm = sum(d * d for d in direction) ** 0.5
    if norm == 0:
        raise ValueError("direction: wanted the direction of the main field, found (0, 0, 0)")
    shape = tuple(p * n for p, n in zip(padding, susceptibility.shape, strict=True))
    kx, ky, kz = jnp.meshgrid(*[jnp.fft.fftfreq(n, d) for n, d in zip(shape, voxel_size, strict=True)], indexing="ij")
    along = (kx * direction[0] + ky * direction[1] + kz * direction[2]) / norm
    square = kx**2 + ky**2 + kz**2
    kernel = jnp.where(square > 0, 1.0 / 3.0 - along**2 / jnp.where(square > 0, square, 1.0), 0.0)
    field = jnp.fft.ifftn(kernel * jnp.fft.fftn(susceptibility, shape)).real
    return field[tuple(slice(n) for n in susceptibility.shape)]
