"""The packaged basis is what the simulator makes, small, and says how it was made."""

import numpy as np

from mrsjax.data import default_basis
from simulators.spins import default_basis as recipe


def test_the_packaged_basis_is_what_its_recipe_makes():
    packaged, fresh = default_basis(), recipe.make()
    assert packaged.names == fresh.names
    np.testing.assert_allclose(packaged.fids, fresh.fids, atol=2e-6 * float(np.abs(fresh.fids).max()))
    assert recipe.PATH.stat().st_size < 400_000


def test_it_has_decayed_and_says_where_it_comes_from():
    basis = default_basis()
    assert np.abs(basis.fids[:, -32:]).max() < 0.02 * np.abs(basis.fids).max()
    header = basis.origin.header
    assert header["events"] and header["gamma_bar_hz_per_t"] == 42.577478518e6
    assert all(header["systems"][name] for name in basis.names)
    assert set(header["open_systems"]) == {"Asc", "GSH"}
    assert basis.origin.echo_time == 0.03


def test_creatine_is_five_methyl_and_methylene_protons_and_one_amide():
    basis = default_basis().select(["Cr"])
    assert abs(basis.fids[0, 0] - 6.0) < 1e-4
