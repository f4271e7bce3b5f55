"""Recipes that cannot be meant are refused in one line that names the place, what was wanted and what is there."""

import pytest

from mrsjax.data import default_basis
from simulators.datasets.recipe import parse

SMALL = """
name: small
summary: two metabolites on a short grid
sampling: {points: 64, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: default
amplitudes: {table: shamaei2023, macromolecules: {uniform: [3, 9]}}
parameters:
  metabolites: {shift_hz: 1, lorentz_hz: {uniform: [1, 5]}, gauss_hz: 2}
artefacts:
  - water: {strength: 0.02}
snr: {log_uniform: [10, 200]}
"""
BRAIN = SMALL.replace("table: shamaei2023", "brain: {}").replace("{uniform: [3, 9]}", "{log_normal: [4, 0.2]}")
WORLD = """
name: world
kind: mrsi
summary: a coarse head
sampling: {points: 64, spectral_width_hz: 1200, central_frequency_mhz: 123.25}
basis: default
anatomy: {head: {}}
grid: {points: [8, 8, 8], field_of_view_mm: [220, 220, 200], slab_points: 2}
amplitudes: {brain: {between: 0.1}, lesion_radius: [0.3, 0.4], variation: 0.1}
parameters: {metabolites: {lorentz_hz: 3}}
water: {strength: 2}
encoding: {matrix: [4, 4, 2]}
"""
SHIM = """
name: shim
kind: shim
summary: a box
sampling: {points: 64, spectral_width_hz: 1000, central_frequency_mhz: 123.25}
object: {box_mm: [20, 10, 30]}
channels: [X, Z]
field: {distortion_hz: {normal: [0, 5]}, others_hz: 0, probe_hz: 6}
lorentz_hz: {uniform: [1, 2]}
drift_hz: 0
phase_deg: 0
snr: 50
"""
WATER = "water: {strength: 0.02}"
AT = "small: artefacts[0]: "
LORENTZ = "lorentz_hz: {uniform: [1, 5]}"
WIDTH = "small: parameters: metabolites: lorentz_hz: wanted a prior of numbers of 0 or more, found "


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (SMALL, LORENTZ, "lorentz_hz: {normal: [0, 30]}", WIDTH + "{'normal': [0, 30]}"),
        (SMALL, LORENTZ, "lorentz_hz: {uniform: [-20, 0]}", WIDTH + "{'uniform': [-20, 0]}"),
        (SMALL, LORENTZ, "lorentz_hz: -1", WIDTH + "-1"),
        (SMALL, LORENTZ, LORENTZ + ", own_lorentz_hz: {normal: [0, 1]}", "metabolites: own_lorentz_hz: wanted a prior of -1 or more"),
        (SMALL, "{uniform: [3, 9]}", "{uniform: [-3, 9]}", "small: amplitudes: macromolecules: wanted no negative number, found {'uniform': [-3, 9]}"),
        (SMALL, "table: shamaei2023", "table: none, ranges: {NAA: [-5, -3]}", "small: amplitudes: ranges: NAA: wanted [low, high] of 0 or more, found [-5, -3]"),
        (SMALL, "table: shamaei2023", "table: none, ranges: {3: [5, 6]}", "small: amplitudes: ranges: 3: wanted a metabolite"),
        (SMALL, "metabolites: {shift_hz: 1, lorentz_hz: {uniform: [1, 5]}, gauss_hz: 2}", "metabolites: 3", "small: parameters: metabolites: wanted keys with values, found 3"),
        (SMALL, "name: small", "kind: [a]\nname: small", "small: kind: wanted one of voxel, mrsi, shim, found ['a']"),
        (SMALL, WATER, "water: {lines: 2}", AT + "water: no key 'strength'"),
        (SMALL, WATER, "water: {strength: -0.1}", AT + "water: strength: wanted a prior of numbers of 0 or more, found -0.1"),
        (SMALL, WATER, "water: {strength: 1, spread_ppm: -1}", AT + "water: spread_ppm: wanted a number of 0 or more, found -1"),
        (SMALL, WATER, "baseline: {strength: {normal: [0, 1]}}", AT + "baseline: strength: wanted a prior of numbers of 0 or more"),
        (SMALL, WATER, "baseline: {strength: 1, spacing_ppm: 0}", AT + "baseline: spacing_ppm: wanted a number above 0, found 0"),
        (SMALL, WATER, "baseline: {strength: 1, range_ppm: [2, 2]}", AT + "baseline: range_ppm, spacing_ppm: wanted low < high"),
        (SMALL, WATER, "echo: {strength: 1, width_ms: [0, 0], centre_ms: [0, 0]}", AT + "echo: width_ms: wanted [low, high] above 0, found [0, 0]"),
        (SMALL, WATER, "echo: {strength: 1, chirp_hz_per_s: -1}", AT + "echo: chirp_hz_per_s: wanted a number of 0 or more"),
        (SMALL, WATER, "eddy: {decay_ms: [0, 10]}", AT + "eddy: decay_ms: wanted [low, high] above 0, found [0, 10]"),
        (SMALL, WATER, "digitiser: {headroom: 0}", AT + "digitiser: headroom: wanted a prior of numbers above 0, found 0"),
        (SMALL, WATER, "digitiser: {headroom: -1}", AT + "digitiser: headroom: wanted a prior of numbers above 0, found -1"),
        (SMALL, WATER, "truncation: {fraction: -1}", AT + "truncation: fraction: wanted a prior of numbers above 0 up to 1, found -1"),
        (SMALL, WATER, "truncation: {fraction: {uniform: [0.5, 1.5]}}", AT + "truncation: fraction: wanted a prior of numbers above 0 up to 1"),
        (SMALL, WATER, "scatter: {count: 2, frequency_hz: -7, phase_deg: 5}", AT + "scatter: frequency_hz: wanted a number of 0 or more, found -7"),
        (SMALL, WATER, "scatter: {count: 2, phase_deg: 5}", AT + "scatter: no key 'frequency_hz'"),
        (BRAIN, "brain: {}", "brain: {grey_white_csf: [0, 0, 1]}", "small: amplitudes: brain: grey_white_csf: wanted some grey or white matter, found [0, 0, 1]"),
        (BRAIN, "brain: {}", "brain: {between: -1}", "small: amplitudes: brain: between: wanted a number of 0 or more, found -1"),
        (WORLD, "[220, 220, 200]", "[220, 220, -200]", "world: grid: field_of_view_mm: wanted 3 numbers above 0, found [220, 220, -200]"),
        (WORLD, "[0.3, 0.4]", "[0, 0.4]", "world: amplitudes: lesion_radius: wanted [low, high] above 0, found [0, 0.4]"),
        (WORLD, "variation: 0.1", "variation: -0.1", "world: amplitudes: variation: wanted a prior of numbers of 0 or more"),
        (WORLD, "water: {strength: 2}", "water: {lines: 2}", "world: water: no key 'strength'"),
        (SHIM, "[20, 10, 30]", "[20, 0, 30]", "shim: object: box_mm: wanted 3 numbers above 0, found [20, 0, 30]"),
        (SHIM, "{normal: [0, 5]}", "{normal: [0, 0]}", "shim: field: distortion_hz: wanted normal: [mean, standard deviation above 0], found {'normal': [0, 0]}"),
        (SHIM, "[X, Z]", "[[X], Z]", "shim: channels: wanted a list of some of X"),
        (SHIM, "lorentz_hz: {uniform: [1, 2]}", "lorentz_hz: {uniform: [-1, 2]}", "shim: lorentz_hz: wanted a prior of numbers of 0 or more"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(text, old, new, message):
    assert old in text
    name = text.split()[1]
    basis = None if text is SHIM else default_basis().select(("NAA", "Cr"))
    with pytest.raises(ValueError) as error:
        parse(text.replace(old, new, 1), name, basis=basis)
    assert str(error.value).startswith(f"{name}: ") and message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", [SMALL, BRAIN, WORLD, SHIM])
def test_the_recipes_of_these_tests_are_good(text):
    made = parse(text, "good")
    assert made.name == text.split()[1] and made.simulator.sampling.n_points == 64


@pytest.mark.parametrize(
    "new",
    [
        "truncation: {fraction: {uniform: [0.5, 1]}}",
        "echo: {strength: 0, centre_ms: [0, 0]}",
        "transients: {count: 2, drift_hz: 0}",
        "digitiser: {headroom: {uniform: [0.5, 1]}}",
    ],
)
def test_the_ends_of_what_can_be_meant_are_taken(new):
    text = SMALL.replace(WATER, new).replace(LORENTZ, LORENTZ + ", own_lorentz_hz: {uniform: [-1, 1]}")
    assert parse(text, "small").spectra.artefacts[0].name == new.split(":")[0]
