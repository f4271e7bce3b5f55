"""Spin systems: what a bad one says, and that the reductions change no signal."""

import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax.core import Sampling
from simulators import spins
from simulators.spins import operators as op
from simulators.spins.simulation import _responses, prepare
from simulators.spins.sites import reduce_group

SAMPLING = Sampling(5e-4, 123.25e6, 256)


def _signal(group, *, composite, nucleus="1H"):
    sequence = spins.press(0.03, 0.012)
    sites = reduce_group(group, nucleus, composite=composite)
    scanner = prepare(sequence, SAMPLING)
    return _responses(
        sites, [0] * len(sites), 1, sequence, scanner, SAMPLING, exact=False, single=False, progress=None
    )[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0, 2.0], [[0, 5.0], [4.0, 0]]), "symmetric"),
        (([1.0, 2.0], [(0, 2, 5.0)]), "indices"),
        (([1.0, 2.0], [(1, 1, 5.0)]), "itself"),
        (([1.0, 2.0], [(0, 1, 5.0), (1, 0, 6.0)]), "is given as"),
        (([1.0, float("nan")], []), "finite"),
        (([1.0], [], ("1X",)), "1X"),
        (([1.0, 2.0], [], ("1H",)), "one for each"),
    ],
)
def test_a_bad_group_is_refused_with_its_reason(arguments, words):
    with pytest.raises(ValueError, match=words):
        spins.SpinGroup(*arguments)


def test_a_missing_shift_is_refused_only_when_the_spin_is_observed():
    group = spins.SpinGroup([1.0, None], [(0, 1, 10.0)], ("1H", "31P"))
    assert len(reduce_group(group, "1H")) == 2
    with pytest.raises(ValueError, match="no chemical shift"):
        reduce_group(group, "31P")


def test_three_entries_for_three_spins_are_not_taken_for_a_matrix():
    group = spins.SpinGroup([1.0, 2.0, 3.0], [(0, 1, 7.0), (0, 2, 8.0), (1, 2, -14.0)])
    assert group.couplings[1, 2] == -14.0 and group.couplings[0, 0] == 0.0


def test_packaged_systems_hold_what_the_shared_table_holds(shared_data):
    import json

    table = json.loads((shared_data.parent / "spin_systems.json").read_text())["metabolites"]
    assert len(spins.available()) >= 36
    for name, entry in table.items():
        system = spins.metabolite(name)
        assert system.source
        assert len(system.groups) == len(entry["groups"])


def test_every_packaged_system_gives_one_unit_a_proton():
    """After an ideal 90 the signal is sum weight Tr(F_x F_+), over all reduced systems: the number of protons."""
    for system in spins.metabolites():
        total = 0.0
        for group in system.groups:
            for site in reduce_group(group, "1H"):
                x, plus = op.total(site.twice_spins, "x"), op.total(site.twice_spins, "+")
                total += float(site.weight) * np.trace(x @ plus).real
        protons = sum(float(g.scale) * g.isotopes.count("1H") for g in system.groups)
        assert abs(total - protons) < 1e-9, system.name


@pytest.mark.parametrize("name", ["EtOH", "Thr"])
def test_composite_spins_give_the_signal_of_all_spins(name):
    for group in spins.metabolite(name).groups:
        assert max(len(s) for s in group.sets) >= 3
        one, all_spins = (_signal(group, composite=c) for c in (True, False))
        np.testing.assert_allclose(one, all_spins, atol=1e-9)


def test_composite_dimensions_of_valine():
    (group,) = spins.metabolite("Val").groups
    sites = reduce_group(group, "1H")
    assert max(op.dimension(s.twice_spins) for s in sites) == 64  # instead of 256
    weight = sum(float(s.weight) * op.dimension(s.twice_spins) for s in sites)
    # Spin-0 composites drop none here: two CH3 hold spins 3/2 and 1/2 only.
    np.testing.assert_allclose(weight, 4.0)


def test_conserved_phosphorus_is_a_doublet_and_nitrogen_a_triplet():
    group = spins.SpinGroup([2.0, None, None], [(0, 1, 6.0), (0, 2, 2.0)], ("1H", "31P", "14N"))
    sites = reduce_group(group, "1H")
    offsets = sorted(float(s.offsets[0]) for s in sites)
    np.testing.assert_allclose(offsets, [-5, -3, -1, 1, 3, 5])
    np.testing.assert_allclose(sum(float(s.weight) for s in sites), 2.0)  # 4/2 for one proton


def test_other_nuclei_are_observed_by_the_same_format():
    """13C of a CH group: a doublet of 140 Hz; a pulse on 13C alone refocuses the coupling to the proton."""
    group = spins.SpinGroup([50.0, 3.0], [(0, 1, 140.0)], ("13C", "1H"))
    sampling = Sampling(1e-3, 32.2e6, 64, ppm_ref=50.0, nucleus="13C")
    fid = spins.simulate([spins.SpinSystem([group], "CH")], spins.spin_echo(0.0123, reference=50.0), sampling).fids[0]
    np.testing.assert_allclose(fid, jnp.cos(np.pi * 140 * sampling.time), atol=1e-9)
