import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from mrsjax.core import BasisSet, Sampling, to_spectrum
from mrsjax.core.parameters import field
from mrsjax.physics import Gauss, Group, Lorentz, SignalModel, default_model, window_of
from tests.physics.examples import basis, brain, full_model, sampling


@pytest.fixture(scope="module")
def case():
    """The model with all terms, at a point away from its start, with amplitudes."""
    model = full_model()
    start, unravel = ravel_pytree(model.start())
    sd = ravel_pytree(field(model.parameters(), "sd"))[0]
    step = 0.3 * jnp.where(jnp.isfinite(sd), sd, 0.5) * jnp.asarray(np.random.default_rng(1).normal(size=start.shape))
    return model, start + step, unravel, jnp.asarray([10.0, 8.0, 2.0, 6.0, 9.0, 1.0, 5.0])


def test_singlet_has_the_analytic_spectrum():
    # one Lorentz line: S(f) = N^-1/2 (1 / (1 - z) - 1/2), z = exp((2 pi i (f0 - f) - pi w) dt), the infinite sum with half weight at t = 0
    s = Sampling(5e-4, 123.25e6, 8192)
    model = default_model(
        basis(8192),
        s,
        lineshape=Lorentz(start=6.0),
        macromolecules="off",
        baseline=None,
        own_shift=0,
        own_width=0,
        water_tails=0,
        creatine_ch2=0,
    )
    values = model.start()
    spectrum = model.spectrum(values, jnp.asarray([1.0, 0, 0, 0, 0, 0]))
    z = np.exp((2j * np.pi * (float(s.to_hz(2.01)) - np.asarray(model.frequency)) - np.pi * 6.5) * 5e-4)
    np.testing.assert_allclose(spectrum, 3.0 / np.sqrt(8192) * (1 / (1 - z) - 0.5), rtol=0, atol=1e-10)


def test_jacobian_agrees_with_forward_mode_and_finite_differences(case):
    model, theta, unravel, c = case
    f = jax.jit(lambda t: model.spectrum(unravel(t), c))
    tree = jax.jit(lambda v: model.jacobian(v, c, model.design(v)[1]))(unravel(theta))
    rows = jnp.concatenate([x.reshape(-1, x.shape[-1]) for x in jax.tree.leaves(tree)])
    forward = jax.jit(jax.jacfwd(f))(theta).T
    np.testing.assert_allclose(rows, forward, atol=1e-10 * float(jnp.abs(forward).max()))
    for p in range(len(theta)):
        h = 1e-5 * max(1e-3, abs(float(theta[p]))) if abs(float(theta[p])) < 1e-3 else 1e-5
        e = jnp.zeros_like(theta).at[p].set(h)
        numeric = (f(theta + e) - f(theta - e)) / (2 * h)
        np.testing.assert_allclose(rows[p], numeric, atol=2e-5 * float(jnp.abs(rows[p]).max() + 1e-9))


def test_signal_and_spectrum_are_the_same_signal(case):
    model, theta, unravel, c = case
    whole = to_spectrum(model.signal(unravel(theta), c))
    np.testing.assert_allclose(whole[model.window[0] : model.window[1]], model.spectrum(unravel(theta), c), atol=1e-9)


def test_jit_vmap_and_trace(case):
    model, theta, unravel, c = case
    traces = 0

    @eqx.filter_jit
    def f(model, theta, c):
        nonlocal traces
        traces += 1
        return model.spectrum(unravel(theta), c)

    eager = model.spectrum(unravel(theta), c)
    np.testing.assert_allclose(f(model, theta, c), eager, atol=1e-10)
    other = eqx.tree_at(lambda m: m.sampling.dwell_time, model, model.sampling.dwell_time * 1.01)
    f(other, theta * 1.1, c * 2.0)
    assert traces == 1  # another dwell time, other values: the same program
    batch = jnp.stack([theta, theta * 1.05])
    many = jax.vmap(lambda t: model.spectrum(unravel(t), c))(batch)
    np.testing.assert_allclose(many[0], eager, atol=1e-10)


def test_single_precision_is_near_double(case):
    model, theta, unravel, c = case
    to32 = lambda t: jax.tree.map(  # noqa: E731
        lambda x: (
            x.astype({"float64": jnp.float32, "complex128": jnp.complex64}.get(str(x.dtype), x.dtype))
            if eqx.is_array(x)
            else x
        ),
        t,
    )
    spectrum = eqx.filter_jit(lambda model, values, c: model.spectrum(values, c))
    low = spectrum(to32(model), to32(unravel(theta)), to32(c))
    assert low.dtype == jnp.complex64
    high = spectrum(model, unravel(theta), c)
    assert float(jnp.abs(low - high).max() / jnp.abs(high).max()) < 2e-5


def test_gradient_with_respect_to_model_constants():
    model = full_model()
    c = jnp.ones(7)

    def f(offset):
        shifted = eqx.tree_at(lambda m: m.factors[0].offset, model, offset)
        return jnp.sum(jnp.abs(shifted.spectrum(shifted.start(), c)) ** 2)

    x = model.factors[0].offset
    g = jax.grad(f)(x)
    e = jnp.zeros_like(x).at[3].set(1e-4)
    np.testing.assert_allclose(g[3], (f(x + e) - f(x - e)) / 2e-4, rtol=1e-5)


def test_coarse_model_has_no_own_parameters_and_the_same_names():
    model = brain()
    coarse = model.coarse()
    assert coarse.names == model.names
    assert not any(k.startswith("own_") for group in coarse.parameters().values() for k in group)
    assert set(coarse.parameters()["metabolites"]) == {"shift", "lorentz", "gauss"}


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"lineshape": "voight"}, "lineshape"),
        ({"baseline": "loose"}, "baseline"),
        ({"macromolecules": "basis"}, "macromolecules"),
        ({"window_ppm": (4.0, 4.01)}, "window"),
        ({"baseline": 60.0}, "ed_per_ppm"),
        ({"ratios": {"Tau": 0.1}}, "ratios: Tau not among"),
        ({"ratios": "literature"}, "ratios: wanted name: ratio, or published"),
    ],
)
def test_bad_choices_are_named(options, word):
    with pytest.raises(ValueError, match=word):
        brain(**options)


def test_ratios_are_relative_to_the_creatine_that_is_there_whatever_its_name():
    """With inositol at 0.8 of all creatine the prior pulls at nothing, with one creatine in the basis or with two."""
    alone = brain(ratios={"mI": 0.8})
    names = ("NAA", "Creatine", "PCr", "Ins", "Glu", "Lac")
    both = BasisSet(basis().fids, names, sampling())
    pair = default_model(both, sampling(), creatine_ch2=0, ratios={"mIns": 0.8})
    for model, amounts in ((alone, {"Cr": 8.0}), (pair, {"Creatine": 4.0, "PCr": 4.0})):
        c = jnp.asarray([({"Ins": 6.4} | amounts).get(n, 1.0) for n in model.names])
        rows = model.ratios[-1].rows
        assert rows.shape[0] == 1  # nothing is said of Cr against PCr
        np.testing.assert_allclose(rows @ c, 0.0, atol=1e-12)
        c = np.asarray(c.at[model.names.index("Ins")].set(3.2))  # 50 % off: one standard deviation
        np.testing.assert_allclose(c @ model.ratios[-1].precision(c, np.array(1e-3)) @ c, 1.0)
    with pytest.raises(ValueError, match="wanted Cr or PCr"):
        default_model(both.select(("NAA", "Ins")), sampling(), ratios={"Ins": 0.8})


def test_published_ratios_are_those_of_the_simulators_table_for_what_the_basis_has():
    from mrsjax.physics.ratios import PUBLISHED
    from simulators.tissue.concentrations import table

    medians = {r["metabolite"]: float(r["median"]) for r in table("concentrations")}
    assert {n: medians[n] for n in PUBLISHED} == PUBLISHED
    names = ("NAA", "Cr", "PCr", "GABA", "sIns", "Lac")
    basis_with_gaba = BasisSet(basis().fids, names, sampling())
    model = default_model(basis_with_gaba, sampling(), creatine_ch2=0, ratios="published")
    c = np.array(
        [dict(zip(names, (12, 5, 3, 8 * 0.1086, 8 * 0.04658, 1), strict=True)).get(n, 1.0) for n in model.names]
    )
    assert model.ratios[-1].rows.shape[0] == 2
    np.testing.assert_allclose(model.ratios[-1].rows @ c, 0.0, atol=1e-12)


def test_lineshapes_of_the_same_name_do_not_multiply():
    with pytest.raises(ValueError, match="gauss"):
        _ = Gauss() * Gauss()


def test_window_of_is_inside_the_limits():
    s = sampling()
    low, high = window_of(s, 0.2, 4.2)
    ppm = np.asarray(s.ppm)
    assert ppm[low] >= 0.2 > ppm[low - 1]
    assert ppm[high - 1] <= 4.2 < ppm[high]


def test_names_of_groups_and_components_are_distinct():
    model = brain(128, macromolecules="off", baseline=None)
    (group,) = model.groups
    again = eqx.tree_at(lambda g: g.fids, group, group.fids)
    with pytest.raises(ValueError, match="groups, factors: wanted distinct names, found metabolites twice"):
        SignalModel((group, again), model.phase, model.baseline, (), (), model.sampling, model.window)
    with pytest.raises(ValueError, match="components: wanted distinct names"):
        other = Group(group.fids, group.lineshape, group.own, "others", group.names)
        SignalModel((group, other), model.phase, model.baseline, (), (), model.sampling, model.window)


def test_water_and_references_of_a_basis_are_no_macromolecules():
    given = basis(128)
    more = BasisSet(np.concatenate([given.fids, given.fids[:3]]), (*given.names, "H2O", "Ref0ppm", "MM09"), given.sampling)  # fmt: skip
    model = default_model(more, more.sampling, macromolecules="basis", baseline=None, water_tails=0)
    assert model.groups[1].names == ("MM09",) and not {"H2O", "Ref0ppm"} & set(model.names)
    only = BasisSet(more.fids[:-1], more.names[:-1], more.sampling)
    with pytest.raises(ValueError, match="no MM or lipid entry"):
        default_model(only, only.sampling, macromolecules="basis")
