import numpy as np
import pytest

from mrsjax.analysis.model_choice import model_of_file
from tests.physics.examples import PLAIN, basis, brain, sampling

MODEL = {k: v for k, v in PLAIN.items() if k != "baseline"} | {"lineshape": "voigt"}


@pytest.mark.parametrize(("early", "flexible"), [(0.0, False), (0.018, True)])
def test_stiffness_follows_the_data(early, flexible):
    """A flat baseline gets the stiffest spline, one made by the first `early` seconds of a FID a flexible one; the choice is reported."""
    model = brain(512, **(MODEL | {"baseline": None}))
    rng = np.random.default_rng(4)
    clean = np.asarray(model.signal(model.start(), np.array([10.0, 8, 2, 6, 9, 1.5])))
    t = np.asarray(model.sampling.time)
    start = (t > 0) & (t <= early)
    fids = clean + 30.0 * start + 0.3 * (rng.normal(size=(4, 512)) + 1j * rng.normal(size=(4, 512)))
    chosen, (said,) = model_of_file(basis(512), sampling(512), fids, MODEL | {"baseline": "auto"})
    dimension = float(chosen.baseline.effective_dimension(chosen.baseline.log_stiffness))
    assert (dimension > 2.0) == flexible
    assert f"baseline {round(2 * dimension) / 2}" in said.split("Tried")[0]


def test_nothing_to_choose_says_nothing():
    _, said = model_of_file(basis(512), sampling(512), np.zeros((1, 512), complex), MODEL)
    assert said == ()


@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_own_lines_follow_the_data(spread):
    """Metabolites whose shifts scatter (Hz) get shifts of their own; those of one line do not."""
    model = brain(512, **(MODEL | {"baseline": None, "own_shift": 0.5}))
    rng = np.random.default_rng(1)
    values = {g: dict(v) for g, v in model.start().items()}
    values["metabolites"]["own_shift"] = spread * np.array([1.0, -1, 1, -1, 1, -1])
    clean = np.asarray(model.signal(values, np.array([10.0, 8, 2, 6, 9, 1.5])))
    fids = clean + 0.3 * (rng.normal(size=(4, 512)) + 1j * rng.normal(size=(4, 512)))
    options = {k: v for k, v in MODEL.items() if not k.startswith("own_")} | {"baseline": None}
    chosen, (said,) = model_of_file(basis(512), sampling(512), fids, options)
    assert (float(chosen.groups[0].own.shift_sd[0]) > 0.1) == (spread > 0)
    assert said.split("better): ")[1].startswith("own shifts" if spread else "one line")


def test_a_file_that_carries_its_noise_is_judged_by_it(monkeypatch):
    from mrsjax.inference import selection

    asked = []

    def fit(model, fids, *, noise_sd=None):
        asked.append(noise_sd)
        raise ValueError("asked")

    monkeypatch.setattr(selection, "fit", fit)
    with pytest.raises(ValueError, match="asked"):
        model_of_file(basis(512), sampling(512), np.ones((1, 512), complex), {}, noise_sd=0.5)
    assert asked == [0.5]
