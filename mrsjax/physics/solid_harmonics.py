"""Solid harmonics to third order: the fields of shim coils, as plain polynomials of the position in mm.

The polynomials solve Laplace's equation; they are written in x, y, z of the magnet's frame and are not normalised:

    X, Y, Z | Z2 = z^2 - (x^2 + y^2)/2, ZX = zx, ZY = zy, X2-Y2 = x^2 - y^2, XY = xy
    Z3 = z^3 - 3z(x^2 + y^2)/2, Z2X = x(4z^2 - x^2 - y^2), Z2Y = y(4z^2 - x^2 - y^2), Z(X2-Y2) = z(x^2 - y^2), XYZ = xyz,
    X3 = x^3 - 3xy^2, Y3 = 3x^2y - y^3
"""

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mrsjax.core.constants import GYROMAGNETIC_RATIO

#: Names by order, in the order of the columns.
ORDERS: tuple[tuple[str, ...], ...] = (
    ("X", "Y", "Z"),
    ("Z2", "ZX", "ZY", "X2-Y2", "XY"),
    ("Z3", "Z2X", "Z2Y", "Z(X2-Y2)", "XYZ", "X3", "Y3"),
)

#: Signs that turn RAS+ coordinates (NIfTI) into a frame named by the ends of its positive axes.
FRAMES = {"RAS": (1, 1, 1), "LAI": (-1, 1, -1), "LPI": (-1, -1, -1), "RPI": (1, -1, -1)}

#: Field of 1 uT in Hz.
MICROTESLA = GYROMAGNETIC_RATIO["1H"] * 1e-6


@dataclasses.dataclass(frozen=True)
class Convention:
    """A vendor's frame and units: field of one unit of a shim = `unit` x `factor` x polynomial. The frame is that of a patient who lies head first, supine.

    `unit[n - 1]`: Hz / mm^n for order n; `factor`: of the terms whose reference polynomial is not ours; `units`: names by order.
    """

    frame: str
    unit: tuple[float, float, float]
    units: tuple[str, str, str]
    factor: Mapping[str, float] = dataclasses.field(default_factory=dict)


_NOMINAL = (MICROTESLA * 1e-3, MICROTESLA * 1e-6, MICROTESLA * 1e-9)
_MICRO = ("uT/m", "uT/m^2", "uT/m^3")
_MILLI = ("mT/m", "mT/m^2", "mT/m^3")
#: "plain" is Hz/mm^n in RAS+. Siemens: the unit of a second-order shim is 1 uT at 1 m where the term is largest, so ZX, ZY and XY
#: are twice the polynomial (measured: docs/shimming.md). The others are the nominal units in the vendor's frame, not measured here.
CONVENTIONS = {
    "plain": Convention("RAS", (1.0, 1.0, 1.0), ("Hz/mm", "Hz/mm^2", "Hz/mm^3")),
    "siemens": Convention("LAI", _NOMINAL, _MICRO, {"ZX": 2.0, "ZY": 2.0, "XY": 2.0}),
    "ge": Convention("LPI", _NOMINAL, _MICRO),
    "philips": Convention("RPI", (1e3 * _NOMINAL[0], 1e3 * _NOMINAL[1], 1e3 * _NOMINAL[2]), _MILLI),
}


def harmonic_names(order: int) -> tuple[str, ...]:
    """Names of all harmonics of orders 1 to `order`.

    **Raises:** `ValueError` for an order outside 1..3.
    """
    if order not in (1, 2, 3):
        raise ValueError(f"order: wanted 1, 2 or 3, found {order}")
    return tuple(name for group in ORDERS[:order] for name in group)


def solid_harmonics(position: Float[Array | np.ndarray, "*s 3"], order: int = 2) -> Float[Array, "*s k"]:
    """The harmonics of orders 1 to `order` at positions in mm: (..., 3), (..., 8) or (..., 15) columns, mm^n.

    **Raises:** `ValueError` for an order outside 1..3.
    """
    x, y, z = jnp.moveaxis(jnp.asarray(position), -1, 0)
    rho = x * x + y * y
    columns = [x, y, z]
    if len(harmonic_names(order)) > 3:
        columns += [z * z - rho / 2, z * x, z * y, x * x - y * y, x * y]
    if order == 3:
        columns += [z**3 - 1.5 * z * rho, x * (4 * z * z - rho), y * (4 * z * z - rho)]
        columns += [z * (x * x - y * y), x * y * z, x**3 - 3 * x * y * y, 3 * x * x * y - y**3]
    return jnp.stack(columns, axis=-1)


def shim_fields(
    position: Float[Array | np.ndarray, "*s 3"], order: int = 2, convention: Convention = CONVENTIONS["plain"]
) -> Float[Array, "*s k"]:
    """Field of one unit of each ideal shim channel, Hz, at positions in patient space (mm, RAS+, origin at the isocentre).

    The channels point along the axes of the convention's frame.
    """
    names = harmonic_names(order)
    turned = jnp.asarray(position) * jnp.asarray(FRAMES[convention.frame], jnp.result_type(float))
    scale = [convention.unit[n] * convention.factor.get(name, 1.0) for n in range(order) for name in ORDERS[n]]
    assert len(scale) == len(names)
    return solid_harmonics(turned, order) * jnp.asarray(scale)
