"""A basis on another grid, against the formula of a Lorentz line."""

import numpy as np
import pytest

from mrsjax.core import BasisSet, Sampling

WIDTH, F0 = 4.0, 123.0e6


def lines(sampling: Sampling, width: float) -> np.ndarray:
    """Lines at 2.01 and 3.91 ppm, FWHM in Hz."""
    t = np.arange(sampling.n_points) * float(sampling.dwell_time)
    hz = (np.array([2.01, 3.91]) - float(sampling.ppm_ref)) * 1e-6 * float(sampling.central_frequency)
    return np.exp((2j * np.pi * hz[:, None] - np.pi * width) * t)


def test_a_resampled_line_is_the_formula_on_the_new_grid():
    """Another dwell time, a field 1 % higher (shifts in ppm stay, widths go with it) and another reference; zeros after the end of the basis."""
    old = Sampling(2.5e-4, F0, 2048, ppm_ref=3.0)
    basis = BasisSet(lines(old, WIDTH), ("a", "b"), old)
    for new in (Sampling(4e-4, 1.01 * F0, 1024), Sampling(2.5e-4, F0, 1024), Sampling(2.5e-4, F0, 3000, ppm_ref=3.0)):
        found = np.asarray(basis.resample(new).fids)
        scale = float(new.central_frequency) / F0
        wanted = lines(new, WIDTH * scale)
        lasts = np.arange(new.n_points) * float(new.dwell_time) * scale <= 2.5e-4 * 2047
        np.testing.assert_allclose(found[:, lasts], wanted[:, lasts], atol=2e-5)
        assert not found[:, ~lasts].any()


def test_a_basis_that_cannot_be_put_on_a_grid_is_refused():
    old = Sampling(2.5e-4, F0, 512)
    basis = BasisSet(lines(old, WIDTH), ("a", "b"), old)
    for new, said in (
        (Sampling(2.5e-4, F0, 512, nucleus="31P"), "the basis is for 1H, the data are 31P"),
        (Sampling(2.5e-4, 1.03 * F0, 512), "made at 123.000 MHz, the data are at 126.690 MHz"),
        (Sampling(2.5e-4, F0, 1024), r"lasts 0\.128 s and has not decayed .* the data last 0\.256 s"),
    ):
        with pytest.raises(ValueError, match=said):
            basis.resample(new)


@pytest.mark.parametrize(("dwell", "frequency", "words"), [(-1, 123e6, "dwell_time: wanted a positive"), (5e-4, np.nan, "central_frequency: wanted a positive")])  # fmt: skip
def test_grids_that_cannot_be_are_refused(dwell, frequency, words):
    with pytest.raises(ValueError, match=words):
        Sampling(dwell, frequency, 64)
