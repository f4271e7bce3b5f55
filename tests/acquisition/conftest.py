"""The voxel that the shim tests share."""

import pytest

from mrsjax.acquisition.shimming import Cuboid, Harmonics, Region, region
from tests.acquisition.fields import sinus


@pytest.fixture(scope="session")
def voxel() -> Region:
    return region(sinus(), Cuboid([5, 30, 0], [20, 20, 20]), Harmonics(2, "siemens"), points=6)
