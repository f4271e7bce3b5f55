"""Shaped pulses: profiles, the fast path against the exact one, space, derivatives."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import Sampling
from simulators import spins
from simulators.spins import presets, profiles, shapes
from simulators.spins.isotopes import gamma_bar
from simulators.spins.simulation import prepare

SAMPLING = Sampling(5e-4, 123.25e6, 256)

#: Two coupled spins 1.7 ppm apart: small, quick to compile, and everything that a shaped pulse does to a coupling
# shows in it.
PAIR = spins.SpinSystem([spins.SpinGroup([3.6, 1.9], [(0, 1, 7.3)])], "pair")


def _relative(a, b):
    return float(np.linalg.norm(np.asarray(a) - np.asarray(b)) / np.linalg.norm(np.asarray(b)))


def _fixed(sequence, nodes):
    """The sequence with `nodes` in every shaped pulse: for use under a trace."""
    events = [dataclasses.replace(e, nodes=nodes) if isinstance(e, spins.ShapedPulse) else e for e in sequence.events]
    return dataclasses.replace(sequence, events=tuple(events))


@pytest.mark.parametrize(
    ("wave", "transition"),
    [
        (spins.slr(5e-3, time_bandwidth=6.0, purpose=spins.Purpose.REFOCUSING), 1.0),
        (spins.slr(5e-3, time_bandwidth=8.0, purpose=spins.Purpose.INVERSION), 1.0),
        (spins.slr(3e-3, time_bandwidth=7.0, purpose=spins.Purpose.EXCITATION), 0.5),
        (shapes.hyperbolic_secant(8e-3, bandwidth=2000, b1_max=1000), 1.0),
        (shapes.goia_wurst(3.5e-3, bandwidth=20e3, b1_max=817), 1.0),
    ],
    ids=["refocusing", "inversion", "excitation", "HS1", "GOIA"],
)
def test_selective_pulses_turn_their_slice_and_nothing_else(wave, transition):
    """|b|^2 is 1 (or 1/2) within 0.35 bandwidths of the centre and small beyond 0.8."""
    width = profiles.bandwidth(wave)
    _, b = profiles.response(wave, jnp.linspace(-0.35, 0.35, 41) * width)
    np.testing.assert_allclose(np.abs(b) ** 2, transition, atol=0.1)
    _, b = profiles.response(wave, jnp.linspace(0.8, 1.2, 21) * width)
    assert np.max(np.abs(b) ** 2) < 0.02


def test_a_resonant_block_pulse_is_the_rotation_it_says():
    wave = shapes.block(1e-3, np.pi / 3)
    np.testing.assert_allclose(profiles.inversion(wave, jnp.zeros(1)), 0.5, atol=1e-12)


def test_an_adiabatic_pulse_hardly_depends_on_its_amplitude():
    wave = shapes.hyperbolic_secant(8e-3, bandwidth=2000, b1_max=1000)
    for factor in (0.8, 1.2, 1.5):
        inside = profiles.inversion(wave.scaled(factor), jnp.linspace(-600, 600, 21))
        assert np.max(np.asarray(inside)) < -0.98


def test_the_fast_path_agrees_with_the_exact_one():
    sequence = presets.press(0.03, 0.012)
    systems = [spins.metabolite("Glu")]
    options = dict(positions=10, b1_scale=0.95, b0_offset=12.0, normalise=False)
    exact = spins.signals(systems, sequence, SAMPLING, accuracy=spins.EXACT, **options)
    for accuracy, bound in [(spins.FAST, 3e-3), (spins.STANDARD, 3e-4), (spins.FINE, 6e-5)]:
        assert _relative(spins.signals(systems, sequence, SAMPLING, accuracy=accuracy, **options), exact) < bound


@pytest.mark.parametrize(
    "make", [lambda: presets.slaser(0.035), lambda: presets.mega_press()["on"]], ids=["slaser", "mega"]
)
def test_adiabatic_and_editing_pulses_agree_with_the_exact_path(make):
    sequence = make()
    exact, fast = (
        spins.signals([PAIR], sequence, SAMPLING, positions=6, accuracy=a, normalise=False)
        for a in (spins.EXACT, spins.STANDARD)
    )
    assert _relative(fast, exact) < 1e-3


def test_many_nodes_converge_to_the_exact_path():
    sequence = _fixed(presets.press(0.03, 0.012), 120)
    exact, fast = (
        spins.signals([PAIR], sequence, SAMPLING, positions=6, accuracy=a, normalise=False)
        for a in (spins.EXACT, spins.STANDARD)
    )
    assert _relative(fast, exact) < 1e-6


def test_default_positions_are_centred_and_enough():
    sequence = presets.press(0.03, 0.012, thickness=0.02)
    grid = spins.default_positions(sequence, SAMPLING, 32)
    for axis in "yz":
        np.testing.assert_allclose(np.mean(grid[axis]), 0.0, atol=1e-12)
        assert 0.03 < np.ptp(grid[axis]) < 0.06  # a slice of 20 mm, its edges and the displacement
    some, more = (spins.signals([PAIR], sequence, SAMPLING, positions=n) for n in (32, 64))
    assert _relative(some, more) < 5e-3


def test_projections_equal_the_full_grid():
    sequence = presets.press(0.03, 0.012, selective_excitation=True)
    flat = spins.signals([PAIR], sequence, SAMPLING, positions=5, normalise=False)
    full = spins.signals([PAIR], sequence, SAMPLING, positions=5, full_grid=True, normalise=False)
    np.testing.assert_allclose(flat, full, atol=1e-10)


def test_the_slice_of_another_shift_is_displaced_by_its_frequency():
    """A slice-selective spin echo of a singlet d ppm away from the carrier: its centre of mass moves by -d f0 /
    (gamma G).
    """
    wave = spins.slr(5e-3, time_bandwidth=6.0)
    pulse = presets.selective(wave, 0.02, "z", centre=3.0)
    sequence = spins.spin_echo(0.02, refocusing=pulse, reference=3.0)
    z = np.linspace(-0.03, 0.03, 121)
    for shift in (3.0, 2.0, 4.5):
        system = [spins.singlet("s", shift)]
        profile = [
            abs(spins.signals(system, sequence, SAMPLING, positions={"z": jnp.array([x])}, normalise=False)[0, 0])
            for x in z[::8]
        ]
        centre = np.sum(z[::8] * profile) / np.sum(profile)
        wanted = -(shift - 3.0) * 123.25 / (gamma_bar("1H") * float(pulse.gradient))
        assert abs(centre - wanted) < 3e-4


def test_an_unselective_shaped_pulse_of_high_amplitude_is_an_ideal_one():
    short = spins.ShapedPulse(shapes.block(2e-6, np.pi), centre=3.0)
    ideal = spins.signals([PAIR], spins.press(0.03), SAMPLING)
    assert _relative(spins.signals([PAIR], spins.press(0.03, refocusing=short), SAMPLING), ideal) < 1e-2


def test_a_weak_b1_refocuses_less():
    sequence = presets.press(0.03, 0.012)
    system = [spins.singlet("s", 3.0)]
    full, weak = (abs(spins.signals(system, sequence, SAMPLING, b1_scale=b, normalise=False)[0, 0]) for b in (1.0, 0.6))
    assert weak < 0.85 * full


def test_derivatives_by_pulse_gradient_timing_position_and_field():
    """Reverse mode against central differences along a random direction in every array of the sequence and the
    scanner.
    """
    sequence = _fixed(presets.press(0.034, 0.014), 8)
    positions = {a: jnp.linspace(-0.012, 0.012, 3) for a in "yz"}
    rng = np.random.default_rng(3)
    target = jnp.asarray(rng.normal(size=(1, 256)) + 1j * rng.normal(size=(1, 256)))

    def loss(parameters):
        sequence, positions, b1, b0 = parameters
        x = spins.signals([PAIR], sequence, SAMPLING, positions=positions, b1_scale=b1, b0_offset=b0, normalise=False)
        return jnp.vdot(target, x).real

    start = (sequence, positions, jnp.asarray(0.97), jnp.asarray(3.0))
    arrays, static = eqx.partition(start, eqx.is_inexact_array)
    value = eqx.filter_jit(lambda a: loss(eqx.combine(a, static)))
    gradient = eqx.filter_jit(jax.grad(lambda a: loss(eqx.combine(a, static))))(arrays)
    leaves = jax.tree.leaves(gradient)
    assert all(np.all(np.isfinite(g)) for g in leaves)
    scale = jax.tree.map(lambda x: (jnp.abs(x).max() + 1e-3) * jnp.asarray(rng.normal(size=x.shape)), arrays)
    h = 1e-6
    plus, minus = (value(jax.tree.map(lambda x, d, s=s: x + s * h * d, arrays, scale)) for s in (1, -1))
    slope = sum(jnp.vdot(g, d) for g, d in zip(leaves, jax.tree.leaves(scale), strict=True))
    np.testing.assert_allclose(slope, (plus - minus) / (2 * h), rtol=1e-4)


def test_a_traced_waveform_asks_for_nodes():
    def loss(factor):
        pulse = spins.ShapedPulse(shapes.gauss(5e-3).scaled(factor), centre=3.0)
        return spins.signals([spins.singlet("s", 3.0)], spins.spin_echo(0.02, refocusing=pulse), SAMPLING)[0, 0].real

    with pytest.raises(ValueError, match="nodes"):
        jax.grad(loss)(1.0)


def test_positions_that_are_missing_are_named():
    with pytest.raises(ValueError, match="found none along z"):
        prepare(presets.press(), SAMPLING, positions={"y": jnp.zeros(3)})


def test_mega_press_edits_gaba_and_leaves_creatine():
    """Ideal editing: the outer lines of the GABA triplet at 3 ppm are inverted at TE 68; creatine cancels in the
    difference.
    """
    sampling = Sampling(5e-4, 123.25e6, 1024)
    conditions = spins.editing.mega_press(0.068, 0.012, on=spins.editing.editing_band(1.9))
    out = spins.simulate_conditions(spins.metabolites(["GABA", "Cr"]), conditions, sampling, combine=spins.editing.MEGA)
    gaba, creatine = np.asarray(out["difference"].fids)
    ppm = np.asarray(sampling.ppm)
    spectrum = np.fft.fftshift(np.fft.fft(gaba * np.exp(-np.pi * 6 * np.asarray(sampling.time))))
    around = (ppm > 2.8) & (ppm < 3.2)
    assert np.abs(creatine).max() < 1e-9
    assert spectrum.real[around].max() > 5 * abs(spectrum.real[around].min())


@pytest.mark.parametrize("build", ["press", "slaser"])
def test_editing_pulses_half_an_echo_time_apart_refocus_the_coupling(build):
    """With X inverted twice, TE/2 apart, the doublet of A is in phase at the echo whatever J and TE are; X itself is dephased."""
    on = spins.editing.editing_band(1.9)
    if build == "press":
        sequence = spins.editing.mega_press(0.060, 0.012, on=on)["on"]
    else:
        sequence = spins.editing.mega_slaser(0.060, on=on)["on"]
    sampling = Sampling(5e-4, 600e6, 16)  # a high field: the coupling is weak
    x = spins.signals([PAIR], dataclasses.replace(sequence, reference=jnp.asarray(3.6)), sampling)
    np.testing.assert_allclose(abs(x[0, 0]), 1.0, atol=2e-3)


def test_shaped_mega_press_leaves_most_of_a_singlet_at_3_ppm_out_of_the_difference():
    """8 % stay: at 139 Hz from its carrier a 14 ms editing pulse still turns a little (Bloch-Siegert)."""
    conditions = presets.mega_press()
    out = spins.simulate_conditions(
        [spins.singlet("CH3", 3.03)], conditions, SAMPLING, combine=spins.editing.MEGA, positions=12
    )
    assert np.abs(out["difference"].fids).max() < 0.1 * np.abs(out["off"].fids).max()


def test_hermes_separates_gaba_and_glutathione():
    """Hadamard combinations: the edited GABA signal at 3.0 ppm is in `first`, that of GSH at 2.95 ppm in `second`.

    GSH is its cysteine, which is what is edited; one number of nodes lets all conditions share their programs.
    """
    (cysteine,) = [g for g in spins.metabolite("GSH").groups if g.name == "GSH_cyst"]
    out = spins.simulate_conditions(
        [spins.metabolite("GABA"), spins.SpinSystem([cysteine], "GSH")],
        presets.hermes(),
        Sampling(5e-4, 123.25e6, 512),
        combine=spins.editing.HERMES,
        accuracy=spins.Accuracy(base=40.0, rate=0.0),
    )
    ppm = np.asarray(out["first"].sampling.ppm)
    near = (ppm > 2.85) & (ppm < 3.15)
    size = {
        k: [np.abs(np.fft.fftshift(np.fft.fft(f))[near]).max() for f in np.asarray(out[k].fids)]
        for k in ("first", "second")
    }
    assert size["first"][0] > 5 * size["first"][1]
    assert size["second"][1] > 5 * size["second"][0]


def test_special_keeps_what_the_inversion_turns_over():
    inversion = presets.selective(
        spins.slr(5e-3, time_bandwidth=8.0, purpose=spins.Purpose.INVERSION), 0.02, "x", centre=3.0
    )
    conditions = spins.editing.special(0.01, inversion=inversion, reference=3.0)
    out = spins.simulate_conditions(
        [spins.singlet("s", 3.0)], conditions, SAMPLING, combine=spins.editing.SPECIAL,
        positions={"x": jnp.array([0.0])},
    )  # fmt: skip
    np.testing.assert_allclose(abs(out["special"].fids[0, 0]), 1.0, atol=0.01)


def test_a_series_is_the_loop_over_its_values():
    times = jnp.array([0.03, 0.05, 0.08])
    systems = [spins.metabolite("Lac")]
    series = spins.simulate_series(systems, lambda te: spins.press(te, 0.012), times, SAMPLING, chunk=2)
    for te, one in zip(times, series, strict=True):
        np.testing.assert_allclose(one, spins.signals(systems, spins.press(float(te), 0.012), SAMPLING), atol=1e-10)


def test_cosy_transfers_coherence_between_coupled_spins_only():
    """An AX pair has cross peaks at (nu_A, nu_X); two uncoupled singlets have diagonal peaks only."""
    sampling = Sampling(1e-3, 123.25e6, 64)
    t1 = jnp.arange(64) * 1e-3
    for j, bound in ((10.0, (0.2, 10.0)), (0.0, (0.0, 0.06))):
        system = spins.SpinSystem([spins.SpinGroup([3.65, 5.65], [(0, 1, j)])], "AX")
        fids = spins.simulate_series([system], lambda t: spins.l_cosy(0.03, t), t1, sampling)[:, 0]
        window = np.hanning(129)[64:128]
        plane = np.abs(np.fft.fft2(np.asarray(fids) * window[:, None] * window))
        index = [round(s * 123.25 * 64e-3) % 64 for s in (-1.0, 1.0)]
        # In t1 the echo pathway precesses at the negative frequency.
        diagonal = plane[-index[0] % 64, index[0]]
        cross = plane[-index[0] % 64, index[1]]
        assert bound[0] <= cross / diagonal <= bound[1]
