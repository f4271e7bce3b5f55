"""Fields of susceptibility by the dipole kernel against the analytic ones: `python -m benchmarks.accuracy.shim_dipole`.

Root mean square difference relative to the field outside, from 1.5 voxels off the surface: a sphere, and a cylinder across the main field.
"""

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.physics import dipole_field


def ball(n: int, radius: float, fine: int = 4) -> np.ndarray:
    """Volume fraction of each voxel inside a sphere about the middle of the grid."""
    axis = (np.arange(n * fine) - (n * fine - 1) / 2) / fine
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    inside = (x**2 + y**2 + z**2 < radius**2).astype(float)
    return inside.reshape(n, fine, n, fine, n, fine).mean(axis=(1, 3, 5))


def sphere(padding: tuple[int, int, int] = (2, 2, 2), n: int = 48, radius: float = 7.0):
    """Our field of unit susceptibility, radii of the voxels, relative error outside."""
    axis = np.arange(n) - (n - 1) / 2
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    r = np.sqrt(x**2 + y**2 + z**2)
    field = np.asarray(dipole_field(jnp.asarray(ball(n, radius)), jnp.ones(3), padding=padding))
    wanted = (radius / r) ** 3 / 3 * (3 * (z / r) ** 2 - 1)
    return field, r, _error(field, wanted, (r > radius + 1.5) & (r < 20))


def cylinder(n: int = 96, radius: float = 8.0, fine: int = 6):
    """Our field in the plane across a cylinder along y, radii of the pixels, relative error outside."""
    axis = (np.arange(n * fine) - (n * fine - 1) / 2) / fine
    inside = (axis[:, None] ** 2 + axis[None] ** 2 < radius**2).astype(float)
    chi = np.repeat(inside.reshape(n, fine, n, fine).mean(axis=(1, 3))[:, None, :], 2, axis=1)
    field = np.asarray(dipole_field(jnp.asarray(chi), jnp.ones(3), padding=(3, 1, 3)))[:, 0]
    x, z = np.meshgrid(np.arange(n) - (n - 1) / 2, np.arange(n) - (n - 1) / 2, indexing="ij")
    r2 = x**2 + z**2
    wanted = 0.5 * radius**2 / r2 * (z**2 - x**2) / r2
    return field, np.sqrt(r2), _error(field, wanted, (r2 > (radius + 1.5) ** 2) & (r2 < 30**2))


def _error(field, wanted, outside) -> float:
    return float(np.sqrt(np.mean((field - wanted)[outside] ** 2) / np.mean(wanted[outside] ** 2)))


def main():
    jax.config.update("jax_enable_x64", True)
    print(f"sphere of 7 voxels radius: {100 * sphere()[2]:.2f} %, not padded {100 * sphere((1, 1, 1))[2]:.1f} %")
    print(f"cylinder of 8 voxels radius across the field: {100 * cylinder()[2]:.2f} %")


if __name__ == "__main__":
    main()
