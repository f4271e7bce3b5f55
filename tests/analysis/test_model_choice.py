import numpy as np
import pytest

from mrsjax.analysis.model_choice import model_of_file
from tests.physics.examples import basis, brain, sampling

PLAIN = {
    "lineshape": "voigt",
    "macromolecules": "off",
    "own_shift": 0,
    "own_width": 0,
    "water_tails": 0,
    "creatine_ch2": 0,
}


@pytest.mark.parametrize(("waves", "flexible"), [(0, False), (9, True)])
def test_stiffness_follows_the_data(waves, flexible):
    """A flat baseline gets the stiffest spline, one with four waves a ppm a flexible one; the choice is reported."""
    model = brain(512, **(PLAIN | {"baseline": None}))
    rng = np.random.default_rng(4)
    clean = np.asarray(model.signal(model.start(), np.array([10.0, 8, 2, 6, 9, 1.5])))
    t = np.asarray(model.sampling.time)
    start = (t < waves / 123.25 * 0.25 + 1e-9) * (t > 0)  # a few first points: waves over the spectrum
    fids = clean + 30.0 * start + 0.3 * (rng.normal(size=(4, 512)) + 1j * rng.normal(size=(4, 512)))
    chosen, (said,) = model_of_file(basis(512), sampling(512), fids, PLAIN | {"baseline": "auto"})
    dimension = float(chosen.baseline.effective_dimension(chosen.baseline.log_stiffness))
    assert (dimension > 2.0) == flexible
    assert f"baseline {round(2 * dimension) / 2}" in said.split("Tried")[0]


def test_nothing_to_choose_says_nothing():
    _, said = model_of_file(basis(512), sampling(512), np.zeros((1, 512), complex), PLAIN)
    assert said == ()
