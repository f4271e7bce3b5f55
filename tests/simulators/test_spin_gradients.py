"""Derivatives with respect to the spin system, and the padding of small systems."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import Sampling
from simulators import spins
from simulators.spins.detection import free_induction
from simulators.spins.profiles import bandwidth
from simulators.spins.propagation import propagate
from simulators.spins.simulation import prepare
from simulators.spins.sites import padded, reduce_group

SAMPLING = Sampling(5e-4, 123.25e6, 64)
SEQUENCE = spins.press(0.068, 0.020)


@pytest.mark.parametrize(
    ("shifts", "couplings"),
    [
        ([2.3, 2.3, 1.9, 1.9], [(0, 2, 7.4), (0, 3, 7.4), (1, 2, 7.4), (1, 3, 7.4), (0, 1, -15.0), (2, 3, -14.0)]),
        ([2.3, 2.3, 2.3, 1.2], []),
    ],
    ids=["equivalent pairs", "no coupling at all"],
)
def test_derivatives_by_shifts_and_couplings_at_degenerate_levels(shifts, couplings):
    """Every shift and every coupling against central differences; levels are equal, where eigh's derivative is NaN."""
    system = spins.SpinSystem([spins.SpinGroup(shifts, couplings)], "degenerate")
    group = system.groups[0]
    scanner = prepare(SEQUENCE, SAMPLING)
    (site,) = reduce_group(group, "1H", composite=False)
    rng = np.random.default_rng(1)
    n = 2 ** len(shifts)
    target = jnp.asarray(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))
    upper = np.triu_indices(len(shifts), 1)

    def loss(p):
        j = jnp.zeros((len(shifts),) * 2).at[upper].set(p[len(shifts) :])
        s = dataclasses.replace(site, shifts=p[: len(shifts)], couplings=j + j.T)
        return jnp.vdot(target, propagate(s, SEQUENCE, scanner)).real

    p = jnp.concatenate([jnp.asarray(shifts), jnp.asarray(site.couplings)[upper]])
    value = eqx.filter_jit(jax.vmap(loss))
    gradient = jax.jit(jax.grad(loss))(p)
    assert np.all(np.isfinite(gradient))
    h = 1e-5
    steps = h * jnp.eye(len(p))
    differences = (value(p + steps) - value(p - steps)) / (2 * h)
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-6 * float(jnp.abs(gradient).max()))


def test_padding_changes_no_signal():
    """Asp as a system of four sites, the fourth without polarisation."""
    group = spins.metabolite("Asp").groups[0]
    (site,) = reduce_group(group, "1H")
    scanner = prepare(SEQUENCE, SAMPLING)

    @eqx.filter_jit
    def points(s):
        return s.weight * free_induction(propagate(s, SEQUENCE, scanner), s, scanner, SAMPLING.dwell_time, 64)

    np.testing.assert_allclose(points(padded(site, 4)), points(site), atol=1e-12)


def test_lactate_in_shaped_press_loses_what_the_displaced_slices_miss():
    """Lactate's doublet at TE = 1/J and 1/(2J). Where a refocusing pulse turns CH3 but misses CH, the coupling runs
    backwards: with f the missed part of each slice, the mean over the voxel is

        (1-f)^2 cos(pi J TE) + f^2 + f (1-f) (cos(pi J TE1) + cos(pi J TE2))      (Kelley et al. 1999)
    """
    j, te1 = 6.933, 0.02
    pair = spins.SpinSystem([spins.SpinGroup([4.0974, 1.3142], [(0, 1, j)])], "CH-CH3")
    sampling = Sampling(5e-4, 123.25e6, 512)
    wave = spins.slr(5e-3, time_bandwidth=6.0)
    selective = spins.presets.selective(wave, 0.02, "y", centre=1.3142)
    inside = np.abs(np.asarray(sampling.ppm) - 1.3142) < 0.35

    def doublet(sequence):
        fid = np.array(spins.simulate([pair], sequence, sampling, linewidth=6.0, positions=20).fids[0])
        fid[0] /= 2
        return np.fft.fftshift(np.fft.fft(fid)).real[inside].sum() / 512 * 2

    f = (4.0974 - 1.3142) * 123.25 / float(bandwidth(wave))
    for te in (1 / j, 0.5 / j):
        evolution = [np.cos(np.pi * j * t) for t in (te, te1, te - te1)]
        wanted = (1 - f) ** 2 * evolution[0] + f**2 + f * (1 - f) * (evolution[1] + evolution[2])
        ideal = doublet(spins.press(te, te1))
        shaped = doublet(spins.press(te, te1, refocusing=selective, reference=1.3142))
        print(f"TE {te * 1e3:.1f} ms: ideal {ideal:.3f}, shaped {shaped:.3f}, expected {wanted:.3f}, f {f:.3f}")
        np.testing.assert_allclose(ideal, evolution[0], atol=0.08)
        np.testing.assert_allclose(shaped, wanted, atol=0.08)
        assert abs(shaped - ideal) > 0.2
