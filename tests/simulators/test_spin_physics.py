"""Simulated signals against what is known in closed form."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import Sampling
from simulators import spins
from simulators.spins import operators as op
from simulators.spins.exponential import propagator
from simulators.spins.propagation import apply_unitary, equilibrium, hard_unitary, keep_orders, propagate
from simulators.spins.simulation import prepare
from simulators.spins.sites import reduce_group


def _ab(shift_a, shift_b, j):
    return spins.SpinSystem([spins.SpinGroup([shift_a, shift_b], [(0, 1, j)])], "AB")


def _ab_lines(nu_a, nu_b, j):
    """Frequencies and amplitudes of an AB system (Abragam 1961): positions (sum +- J +- C)/2, weights 1 -+ J/C, two
    protons.
    """
    c = np.hypot(nu_a - nu_b, j)
    mean = (nu_a + nu_b) / 2
    out = []
    for s_outer in (1, -1):
        for s_j in (1, -1):
            out.append((mean + s_outer * c / 2 + s_j * j / 2, 0.5 * (1 - s_outer * s_j * j / c)))
    return out


@pytest.mark.parametrize("field", [20e6, 63.9e6, 123.25e6, 300e6])
@pytest.mark.parametrize(("delta", "j"), [(0.05, 16.0), (0.5, -15.0), (3.0, 7.0)])
def test_ab_spectrum_at_several_fields(field, delta, j):
    sampling = Sampling(2.5e-4, field, 512)
    fid = spins.simulate([_ab(2.0, 2.0 + delta, j)], spins.pulse_acquire(), sampling).fids[0]
    nu = [float(sampling.to_hz(s)) for s in (2.0, 2.0 + delta)]
    t = np.asarray(sampling.time)
    wanted = sum(a * np.exp(2j * np.pi * f * t) for f, a in _ab_lines(nu[1], nu[0], j))
    np.testing.assert_allclose(fid, wanted, atol=1e-9)


def test_positive_frequency_is_higher_ppm():
    sampling = Sampling(5e-4, 123.25e6, 64)
    fid = spins.simulate([spins.singlet("a", 5.65)], spins.press(0.03), sampling).fids[0]
    np.testing.assert_allclose(fid, np.exp(2j * np.pi * 123.25 * np.asarray(sampling.time)), atol=1e-10)


@pytest.mark.parametrize(
    "sequence",
    [
        spins.pulse_acquire(), spins.spin_echo(0.05), spins.press(0.03), spins.press(0.144, 0.02),
        spins.steam(0.02, 0.01), spins.semi_laser(0.035), spins.laser(0.05),
    ],
    ids=lambda s: s.name,
)  # fmt: skip
def test_a_singlet_comes_back_as_one_unit_a_proton(sequence):
    sampling = Sampling(5e-4, 123.25e6, 32)
    fid = spins.simulate([spins.singlet("s", 2.0, 3.0)], sequence, sampling, b0_offset=7.0).fids[0]
    frequency = float(sampling.to_hz(2.0)) + 7.0
    np.testing.assert_allclose(fid, 3 * np.exp(2j * np.pi * frequency * np.asarray(sampling.time)), atol=1e-9)


def test_steam_refocuses_half():
    sampling = Sampling(5e-4, 123.25e6, 4)
    fid = spins.simulate([spins.singlet("s", 2.0)], spins.steam(0.02, 0.01), sampling, normalise=False).fids[0]
    np.testing.assert_allclose(abs(fid[0]), 0.5, atol=1e-10)


def test_lactate_is_inverted_at_one_over_j_and_upright_at_two_over_j():
    """The doublet of a weakly coupled CH3 evolves as cos(pi J TE) in an ideal double echo."""
    sampling = Sampling(5e-4, 123.25e6, 2048)
    j = 6.933
    system = spins.SpinSystem(
        [spins.SpinGroup([4.0974, 1.3142, 1.3142, 1.3142], [(0, k, j) for k in (1, 2, 3)])], "Lac"
    )
    for te, wanted in [(1 / j, -1.0), (2 / j, 1.0), (0.5 / j, 0.0)]:
        basis = spins.simulate([system], spins.press(te), sampling, linewidth=3.0)
        spectrum = np.fft.fft(np.asarray(basis.fids[0]) * np.where(np.arange(2048) == 0, 0.5, 1.0)) * 5e-4
        ppm = 4.65 + np.fft.fftfreq(2048, 5e-4) / 123.25
        area = (
            2 * spectrum[(ppm > 1.1) & (ppm < 1.5)].real.sum() / (2048 * 5e-4)
        )  # s(0)/2 is the area of a one-sided FID
        assert abs(area / 3 - wanted) < 0.08, (te, area)  # 8 %: tails of the line, and the coupling is not quite weak


def test_trace_and_norm_are_conserved_by_pulses_and_delays():
    sampling = Sampling(5e-4, 123.25e6, 32)
    (group,) = spins.metabolite("Glu").groups
    (site,) = reduce_group(group, "1H")
    events = [
        spins.HardPulse(1.1, 0.3),
        spins.Delay(0.02),
        spins.HardPulse(2.0, 1.0),
        spins.Delay(0.3),
        spins.Readout(),
    ]
    sequence = spins.Sequence(events)
    scanner = prepare(sequence, sampling)
    rho = propagate(site, sequence, scanner)
    start = equilibrium(site, scanner)[0, 0, 0]
    np.testing.assert_allclose(jnp.trace(rho), 0.0, atol=1e-11)
    np.testing.assert_allclose(jnp.linalg.norm(rho), jnp.linalg.norm(start), rtol=1e-11)
    np.testing.assert_allclose(rho, rho.conj().T, atol=1e-11)


def test_propagator_matches_scipy_for_long_times_and_degenerate_levels():
    from scipy.linalg import expm

    rng = np.random.default_rng(0)
    h = rng.normal(size=(12, 12)) * 200
    h = h + h.T
    h[:4] = h[:, :4] = 0.0  # four equal levels
    np.testing.assert_allclose(propagator(jnp.asarray(h), jnp.asarray(0.05)), expm(-2j * np.pi * h * 0.05), atol=1e-10)


def test_order_filter_equals_explicit_phase_cycling():
    """Keeping p = +1 -> -1 through a pulse is a phase cycle of that pulse with receiver phase 2 x its phase
    (Bodenhausen 1984).
    """
    sampling = Sampling(5e-4, 123.25e6, 64)
    system = spins.metabolite("Asp")
    flip = 2.5  # a poor refocusing pulse, so that the filter has something to remove

    def echo(phase, filters):
        events = [spins.HardPulse(np.pi / 2, np.pi / 2)]
        events += [spins.OrderFilter(1)] if filters else []
        events += [spins.Delay(0.01), spins.HardPulse(flip, phase)]
        events += [spins.OrderFilter(-1)] if filters else []
        return spins.Sequence([*events, spins.Delay(0.01), spins.Readout(2 * phase)])

    filtered = spins.simulate([system], echo(0.0, True), sampling, normalise=False).fids
    steps = [spins.simulate([system], echo(p, False), sampling, normalise=False).fids for p in np.arange(4) * np.pi / 2]
    np.testing.assert_allclose(filtered, sum(steps) / 4, atol=1e-10)
    assert np.abs(steps[0] - filtered).max() > 0.1


def test_relaxation_weights_a_group_by_its_t1_and_t2():
    sampling = Sampling(5e-4, 123.25e6, 8)
    system = spins.SpinSystem([spins.SpinGroup([2.0], t1=1.4, t2=0.2)], "x")
    sequence = spins.steam(0.03, 0.01)
    plain = spins.simulate([system], sequence, sampling).fids
    weighted = spins.simulate([system], sequence, sampling, relaxation=spins.Relaxation(2.0)).fids
    wanted = (1 - np.exp(-2 / 1.4)) * np.exp(-0.03 / 0.2) * np.exp(-0.01 / 1.4)
    np.testing.assert_allclose(weighted, plain * wanted, rtol=1e-10)


def test_ideal_pulse_of_90_degrees_about_y_turns_z_to_x():
    sampling = Sampling(5e-4, 123.25e6, 8)
    sequence = spins.pulse_acquire()
    scanner = prepare(sequence, sampling)
    (site,) = reduce_group(spins.metabolite("Lac").groups[0], "1H")[:1]
    u = hard_unitary(spins.HardPulse(np.pi / 2, np.pi / 2), site, scanner)
    rho = apply_unitary(equilibrium(site, scanner), u, None, average=False)[0, 0, 0]
    np.testing.assert_allclose(rho, op.total(site.twice_spins, "x"), atol=1e-12)
    kept = keep_orders(rho, (-1,), site.twice_spins)
    np.testing.assert_allclose(kept + kept.conj().T, rho, atol=1e-12)


def test_the_gradient_is_finite_and_right_where_levels_are_degenerate():
    """GABA and myo-inositol: derivative with respect to shifts and couplings against central differences (four spins like
    taurine's: test_spin_gradients.py).
    """
    sampling = Sampling(5e-4, 123.25e6, 64)
    for name in ("GABA", "Ins"):
        system = spins.metabolite(name)
        rng = np.random.default_rng(1)
        n = len(system.groups[0].isotopes)
        target = jnp.asarray(rng.normal(size=(64,)) + 1j * rng.normal(size=(64,)))
        ds = jnp.asarray(rng.normal(size=n))
        dj = jnp.asarray(rng.normal(size=(n, n)))

        def value(x, system=system, target=target, ds=ds, dj=dj):
            moved = eqx.tree_at(
                lambda s: (s.groups[0].shifts, s.groups[0].couplings), system,
                (system.groups[0].shifts + 0.01 * x * ds, system.groups[0].couplings + x * dj),
            )  # fmt: skip
            return jnp.vdot(target, spins.signals([moved], spins.press(0.068, 0.02), sampling, normalise=False)[0]).real

        h = 1e-4
        slope = jax.grad(value)(0.0)
        np.testing.assert_allclose(slope, (value(h) - value(-h)) / (2 * h), rtol=1e-5, err_msg=name)


def test_timings_are_differentiable():
    sampling = Sampling(5e-4, 123.25e6, 32)
    systems = [spins.SpinSystem([spins.SpinGroup([4.1, 3.9], [(0, 1, 12.0)])], "AB")]

    def value(te1):
        return jnp.sum(jnp.abs(spins.signals(systems, spins.press(0.08, te1), sampling, normalise=False)) ** 2)

    slope = jax.grad(value)(0.02)
    np.testing.assert_allclose(slope, (value(0.02 + 1e-6) - value(0.02 - 1e-6)) / 2e-6, rtol=1e-5)


def test_complex64_is_close_to_complex128():
    sampling = Sampling(5e-4, 123.25e6, 1024)
    systems = [spins.metabolite(n) for n in ("Asp", "Tau")]
    double = spins.simulate(systems, spins.press(0.03), sampling).fids
    single = spins.simulate(systems, spins.press(0.03), sampling, single=True).fids
    assert single.dtype == jnp.complex64
    assert np.abs(single - double).max() < 2e-4 * np.abs(double).max()


def test_a_negative_delay_says_that_the_pulses_do_not_fit():
    with pytest.raises(ValueError, match="do not fit"):
        spins.press(0.03, 0.04)
