import subprocess
import sys
import textwrap
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.accuracy.cases import generating_model, load
from mrsjax.core import BasisSet, Sampling, Status, compilation, to_spectrum
from mrsjax.data import default_basis
from mrsjax.inference import batch, evaluate, fit, stages, summary, varpro
from mrsjax.physics import default_model
from tests.physics.examples import PLAIN, basis, brain, sampling

TRUTH = np.array([10.0, 8.0, 2.0, 6.0, 9.0, 1.5])


def synthetic(count, *, snr=50.0, seed=0, shift=(-2, 2), phase=(-0.3, 0.3), lorentz=3.0, gauss=16.0, n=1024):
    """Spectra of the voigt model without macromolecules; truth TRUTH; SNR: NAA height over the noise's standard deviation."""
    rng = np.random.default_rng(seed)
    model = brain(n, lineshape="voigt", macromolecules="off", baseline=None, own_shift=0, own_width=0, water_tails=0)
    values = model.start()

    def one(shift, phase):
        v = {
            "metabolites": dict(
                values["metabolites"], shift=shift, lorentz=jnp.asarray(lorentz), gauss=jnp.asarray(gauss)
            )
        }
        v["phase"] = dict(values["phase"], phase_zero=phase)
        return model.signal(v, jnp.asarray(TRUTH))

    clean = np.asarray(jax.vmap(one)(jnp.asarray(rng.uniform(*shift, count)), jnp.asarray(rng.uniform(*phase, count))))
    height = np.abs(np.asarray(to_spectrum(jnp.asarray(clean[0])))).max()
    noise = rng.normal(size=clean.shape) + 1j * rng.normal(size=clean.shape)
    return model, clean + noise * height / snr


def test_noiseless_data_are_recovered():
    model, fids = synthetic(3, snr=1e6)
    result = fit(model, fids, tolerance=1e-6)
    assert np.all(np.asarray(result.status) == Status.CONVERGED)
    np.testing.assert_allclose(result.amplitudes, np.tile(TRUTH, (3, 1)), rtol=2e-4)
    np.testing.assert_allclose(result.parameters["metabolites.lorentz"], 3.0, rtol=1e-2)


def test_a_given_noise_is_that_of_the_bounds():
    model, fids = synthetic(3, snr=50)
    measured = fit(model, fids)
    sd = 3.0 * float(np.mean(measured.noise_sd))
    given = fit(model, fids, noise_sd=sd)
    np.testing.assert_allclose(given.noise_sd, sd)
    ratio = np.asarray(given.crlb / measured.crlb)
    np.testing.assert_allclose(ratio, np.broadcast_to((sd / measured.noise_sd)[:, None], ratio.shape), rtol=0.15)


@pytest.mark.parametrize(
    ("shift", "phase"), [((-20, 20), (-0.1, 0.1)), ((-1, 1), (-3.14, 3.14)), ((-20, 20), (-3.14, 3.14))]
)
def test_start_is_found_over_twenty_hertz_and_any_phase(shift, phase):
    model, fids = synthetic(24, snr=20, shift=shift, phase=phase, seed=3)
    result = fit(model, fids)
    assert np.all(np.asarray(result.status) == Status.CONVERGED)
    assert np.abs(np.asarray(result.amplitudes)[:, :2] / TRUTH[:2] - 1).max() < 0.25


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lineshape": "voigt", "baseline": None, "own_shift": 0, "own_width": 0},
        {"baseline": "poly2", "lipids": True},
    ],
)
def test_every_kind_of_model_fits(options):
    _, fids = synthetic(6, snr=60)
    result = fit(brain(**options), fids)
    assert np.mean(np.asarray(result.status) == Status.CONVERGED) == 1
    assert np.abs(np.asarray(result.amplitudes)[:, :2] / TRUTH[:2] - 1).mean() < 0.1


@pytest.mark.slow
def test_creatine_whose_ch2_the_water_suppression_weakened_is_recovered():
    _, fids = synthetic(2, snr=200, n=512)
    b = basis(512)
    t = np.asarray(b.sampling.time)
    ch2 = np.exp((2j * np.pi * float(b.sampling.to_hz(3.913)) - np.pi * 0.5) * t)  # the data have none of it
    full = BasisSet(np.asarray(b.fids) + (np.arange(6) == 1)[:, None] * ch2, b.names, b.sampling)
    plain = {"macromolecules": "off", "lineshape": "voigt", "own_shift": 0, "own_width": 0, "water_tails": 0}
    error = []
    for sd in (0.3, 0.0):
        result = fit(default_model(full, b.sampling, creatine_ch2=sd, **plain), fids)
        error.append(np.abs(np.asarray(result.ratio(("Cr",), ("NAA",))[0]) / 0.8 - 1).max())
    assert error[0] < 0.03
    assert error[1] > 3 * error[0]


def test_bad_spectra_end_as_a_status_and_leave_the_others_alone():
    model, fids = synthetic(9)
    alone = fit(model, fids[:2])
    fids[2, 5] = np.nan
    fids[3] = 0.0
    fids[4] = 3.0 + 1.0j
    fids[5, 0] = np.inf
    fids[6] = np.eye(1, fids.shape[1])  # a flat spectrum
    fids[7] = 2 + 1e-12 * np.arange(fids.shape[1])  # flat but for rounding
    fids[8] = np.exp(0.3j * np.arange(fids.shape[1]))
    result = fit(model, fids)
    status = np.asarray(result.status)
    assert list(status) == [0, 0, *[Status.INVALID_DATA] * 7]
    np.testing.assert_allclose(result.amplitudes[:2], alone.amplitudes, rtol=1e-6)
    assert np.all(np.isnan(np.asarray(result.amplitudes)[2:]))
    assert np.all(np.isnan(np.asarray(result.crlb)[2:]))


def test_pure_noise_is_called_no_signal():
    rng = np.random.default_rng(0)
    model, fids = synthetic(8, snr=8)
    noise = rng.normal(size=(24, 1024)) + 1j * rng.normal(size=(24, 1024))
    status = np.asarray(fit(model, np.concatenate([fids, noise])).status)
    assert np.all(status[:8] == Status.CONVERGED)
    assert np.isin(status[8:], (Status.NO_SIGNAL, Status.AT_BOUND)).all() and Status.NO_SIGNAL in status[8:]


def test_a_component_that_the_window_hardly_sees_hides_no_signal():
    options = PLAIN | {"lineshape": "voigt", "baseline": 6.0}
    model = brain(1024, **options, window_ppm=(1.8, 4.2))  # without the lactate at 1.33 ppm, whose tail is a baseline
    result = fit(model, synthetic(4)[1])
    lactate = model.names.index("Lac")
    assert np.all(np.asarray(result.crlb)[:, lactate] > 50) and np.all(np.asarray(result.status) == Status.CONVERGED)


def test_how_a_fit_ended_is_told():
    model, fids = synthetic(4, snr=50, shift=(6, 9))
    assert np.all(np.asarray(fit(model, fids, tolerance=1e-9, max_iterations=2).status) == Status.MAX_ITERATIONS)
    shifted = fids * np.exp(2j * np.pi * 30 * np.asarray(model.sampling.time))  # beyond the bound of 25 Hz
    far = model.coarse().start() | {"metabolites": {"shift": 24.0, "lorentz": 3.0, "gauss": 16.0}}
    far = jax.tree.map(lambda x: np.full(4, x), far)
    assert np.all(np.asarray(fit(model, shifted, start=far).status) == Status.AT_BOUND)


@pytest.mark.parametrize("shift", [-80.0, -40.0, 40.0, 60.0, 100.0])
def test_a_spectrum_that_lies_elsewhere_is_no_convergence(shift):
    model, fids = synthetic(4, snr=50, shift=(-3, 3))
    away = fids * np.exp(2j * np.pi * shift * np.asarray(model.sampling.time))
    assert np.all(np.asarray(fit(model, away).status) == Status.AT_BOUND)
    near = fids * np.exp(2j * np.pi * np.sign(shift) * 16 * np.asarray(model.sampling.time))
    assert np.all(np.asarray(fit(model, near).status) == Status.CONVERGED)


@pytest.mark.parametrize("name", ["Cr", "NAA"])  # choline alone is taken for creatine, 22 Hz away: docs/limits.md
def test_a_spectrum_of_one_metabolite_is_where_it_is(name):
    model = synthetic(1)[0]
    clean = np.asarray(model.groups[0].fids)[model.names.index(name)] * np.exp(-10 * np.asarray(model.sampling.time))
    noise = np.random.default_rng(2).normal(size=(2, clean.size, 2)) @ [1, 1j]
    result = fit(model, clean + 0.02 * np.abs(clean[0]) * noise)
    assert np.all(np.asarray(result.status) == Status.CONVERGED)
    assert np.all(np.abs(np.asarray(result.parameters["metabolites.shift"])) < 1)


@pytest.mark.parametrize("wrong", [np.zeros(1024, complex), np.zeros((2, 1000), complex), np.zeros((2, 1024))])
def test_wrong_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match="fids: wanted complex"):
        fit(brain(), wrong)


def test_wrong_options_are_refused():
    model, fids = synthetic(2)
    start = jax.tree.map(lambda x: np.full(2, x), model.coarse().start())
    for changed, words in (
        ({"noise_sd": 0.0}, "noise_sd: wanted a positive"),
        ({"noise_sd": np.nan}, "noise_sd: wanted a positive"),
        ({"tolerance": np.nan}, "tolerance: wanted a positive"),
        ({"max_iterations": 0}, "max_iterations: wanted 1 or more"),
        (
            {"start": start | {"phase": start["phase"] | {"phase_zero": np.zeros(3)}}},
            r"start: phase.phase_zero: wanted \(2,\), found \(3,\)",
        ),
        ({"start": start | {"lipids": {"shift": np.zeros(2)}}}, "start: lipids.shift: wanted nothing"),
    ):
        with pytest.raises(ValueError, match=words):
            fit(model, fids, **changed)
    with pytest.raises(ValueError, match="at least one spectrum"):
        fit(model, fids[:0])


def test_scale_of_the_data_does_not_matter():
    model, fids = synthetic(2)
    a, b = fit(model, fids), fit(model, fids * 1e-9)
    np.testing.assert_allclose(np.asarray(b.amplitudes) * 1e9, a.amplitudes, rtol=1e-4)
    np.testing.assert_allclose(np.asarray(b.crlb) * 1e9, a.crlb, rtol=1e-3)


def test_one_compilation_serves_every_call_of_a_shape():
    model, fids = synthetic(8)
    compilation.forget()
    fit(model, fids)
    # those that were compiled ahead are those that the fit then asked for
    programs = (stages.correlated, stages.prepare, summary.summary, batch.advance)
    assert [len(cast(Any, p).ready) for p in programs] == [1] * 4  # here both stages are one model
    texts = [text.as_text() for p in programs for text, _ in cast(Any, p).ready.values()]
    assert not [t for t in texts if "lapack" in t]  # such calls can deadlock under vmap (platform.md)
    events = []
    listen = lambda name, *a, **k: events.append(name)  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        fit(model, fids * 2.0)
        assert not [e for e in events if "backend_compile" in e]
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def test_components_that_are_all_but_baseline_do_no_harm_in_single_precision():
    """A narrow window leaves of some macromolecules nothing that the baseline does not explain."""
    basis = default_basis()
    grid = Sampling(n_points=512, dwell_time=8e-4, central_frequency=float(basis.sampling.central_frequency))
    model = varpro.single(default_model(basis, grid, window_ppm=(1.9, 4.0)).coarse())
    m, tree = len(model.names), varpro.single(varpro.Tree(model))
    design = model.design(tree.unravel(tree.start))[0]
    rng = np.random.default_rng(0)
    clean = np.abs(rng.normal(1, 0.5, (8, m))) @ np.asarray(design)
    clean *= 300 / np.abs(clean).max(axis=1, keepdims=True)
    data = clean + rng.normal(size=clean.shape) + 1j * rng.normal(size=clean.shape)

    def cost(z):
        problem = varpro.Problem(z, model.baseline.log_stiffness, jnp.zeros((m, m), z.real.dtype), 0 * tree.sd)
        return varpro.linear_solution(model, problem, design, jnp.ones(m, bool))[0].cost

    found = np.asarray(jax.jit(jax.vmap(cost))(jnp.asarray(data, jnp.complex64)))
    np.testing.assert_allclose(found / data.shape[1], 1.0, atol=0.35)


def test_chunks_give_what_one_gives_and_progress_counts_over_all(monkeypatch):
    """Seven spectra, one of them NaN, in chunks of three; both stages count."""
    model, fids = synthetic(7)
    fids[4, 3] = np.nan
    whole = fit(model, fids)
    assert batch.chunk(model) > 3 * batch.chunk(brain())  # by the size of the model's states
    monkeypatch.setattr(batch, "MEMORY", 3.5 * batch.MEMORY / batch.chunk(model))
    assert batch.chunk(model) == 3
    sizes, seen, inner = [], [], batch.minimise

    def minimise(model, problems, *rest, **options):
        sizes.append(len(problems.data))
        assert options["progress"] is not None
        return inner(model, problems, *rest, **options)

    monkeypatch.setattr(batch, "minimise", minimise)
    parts = fit(model, fids, progress=lambda done, total: seen.append((done, total)))
    assert sizes == [3, 3, 3, 3, 1, 1]
    for name in ("amplitudes", "crlb", "status", "cost"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-5)
    assert np.asarray(parts.status).tolist() == [0, 0, 0, 0, Status.INVALID_DATA, 0, 0]
    assert seen[-1] == (7, 7) and seen == sorted(seen)
    assert (1, 7) in seen and (4, 7) in seen  # half of a chunk's three have left the first stage


def test_slow_and_stuck_spectra_hold_back_nobody(monkeypatch):
    """One of 16 is made slow (30 rounds), one is told after a round that it costs nothing, so that no step betters it: the others, more than the executor
    has slots for, are done beside them."""
    model, fids = synthetic(16, snr=50)
    alone, inner, rounds = fit(model, fids), batch.bound, []

    def bound(function, model):
        step, known = inner(function, model), []
        rounds.append(0)

        def counted(problem, state, *limits):
            rounds[-1] += 1
            mark = np.asarray(problem.data)[:, 0]
            known.extend(mark[:2] if not known else ())
            state, stop = step(problem, state, *limits)
            stop = np.asarray(stop) & ((mark != known[0]) | (rounds[-1] >= 30))
            if len(rounds) == 2 and rounds[-1] == 1:
                row = mark == known[1]
                told = jnp.where(row, 0.0, state.at.linear.cost), jnp.where(row, 1.0, state.damping)
                state, stop = eqx.tree_at(lambda s: (s.at.linear.cost, s.damping), state, told), stop & ~row
            return state, stop

        return counted

    monkeypatch.setattr(batch, "bound", bound)
    result = fit(model, fids)
    assert batch.slots() < 16 and rounds == [30, 30]
    assert np.asarray(result.status).tolist() == [0, Status.NO_PROGRESS, *[0] * 14]
    np.testing.assert_allclose(result.amplitudes[2:], alone.amplitudes[2:], rtol=1e-5)
    assert np.asarray(result.iterations)[1] < 15 and np.max(np.asarray(result.iterations)[2:]) < 10


def test_curves_add_up_and_leave_noise():
    model, fids = synthetic(2, snr=40)
    result = fit(model, fids)
    curves = evaluate(model, result, fids, 1)
    np.testing.assert_allclose(curves.data, curves.fit + curves.residual, atol=1e-9)
    np.testing.assert_allclose(curves.fit, curves.baseline + curves.components.sum(0), atol=1e-9)
    assert 0.9 < np.std(curves.residual.real) / curves.noise_sd < 1.1
    top = curves.ppm[np.argmax(curves.components[0].real)]
    assert abs(top - 2.01) < 0.03
    assert curves.components[0].real.min() > -0.05 * curves.components[0].real.max()  # phased
    with pytest.raises(IndexError):
        evaluate(model, result, fids, 2)


def test_float32_agrees_within_the_noise():
    code = """
        import numpy as np
        from tests.inference.test_fit import synthetic, TRUTH
        from mrsjax.inference import fit
        model, fids = synthetic(8, snr=30)
        r = fit(model, fids)
        assert r.amplitudes.dtype == np.float32
        print(np.abs((np.asarray(r.amplitudes) - TRUTH) / np.asarray(r.crlb)).mean(), np.asarray(r.status).tolist())
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300, check=True
    ).stdout.split(" ", 1)
    assert float(out[0]) < 1.2
    assert eval(out[1]) == [0] * 8


def test_a_large_batch_does_not_deadlock():
    code = """
        import jax
        jax.config.update("jax_enable_x64", True)
        import numpy as np
        from tests.inference.test_fit import synthetic
        from mrsjax.inference import fit
        model, fids = synthetic(256, snr=30)
        r = fit(model, fids)
        print(int((np.asarray(r.status) == 0).sum()))
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=400, check=True
    )
    assert int(out.stdout) == 256


def test_default_model_on_a_longer_basis():
    model = default_model(basis(2048), sampling(1024))
    assert model.sampling.n_points == 1024


def test_a_given_start_leads_to_the_same_optimum_in_fewer_steps():
    model, fids = synthetic(4, snr=50, shift=(6, 9))
    cold = fit(model, fids, tolerance=1e-4)
    start = {g: {n: cold.parameters[f"{g}.{n}"] for n in v} for g, v in model.coarse().start().items()}
    warm = fit(model, fids, start=start, tolerance=1e-4)
    np.testing.assert_allclose(warm.amplitudes, cold.amplitudes, rtol=1e-3)
    assert np.asarray(warm.iterations).max() <= 2 <= np.asarray(cold.iterations).min()
    there = fit(model, fids, start=start, max_iterations=1)  # the exact amplitudes at the start
    np.testing.assert_allclose(there.amplitudes, cold.amplitudes, rtol=1e-3)
    np.testing.assert_allclose(there.parameters["metabolites.shift"], start["metabolites"]["shift"], rtol=1e-5)


def test_widths_at_their_bounds_do_not_hold_a_fit_up(shared_cases):
    """Five macromolecules with a Lorentz and a Gauss width each, one of the two mostly at zero: steps that were cut at the bounds went up and down for 60 iterations."""
    fids, basis = load(shared_cases / "press35_synthetic")
    result = fit(generating_model(basis), fids[48:])
    assert np.all(np.asarray(result.status) == Status.CONVERGED)
    assert np.mean(np.asarray(result.iterations)) < 5
