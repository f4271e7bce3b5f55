import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mrsjax import io
from mrsjax.core import FIDs
from mrsjax.core.data import Acquisition
from mrsjax.processing import alignment, hermitian, lipids, low_rank, preprocess, spatial
from mrsjax.processing.record import Options

from .signals import SAMPLING, T, line, moved, noise

SHAPE = (6, 6, 1)


def maps(rng, sd=1.0, water=0.0):
    """Voxels of three signals of smooth weights, and the noiseless truth."""
    x, y = np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 6), indexing="ij")
    weights = np.stack([1 + 0.4 * x, 1 - 0.5 * y, 0.8 + 0.3 * x * y], axis=-1).reshape(36, 3)
    truth = weights @ np.stack([line(2.008, 12), line(3.027, 8), line(3.2, 6)])
    return truth + water * line(4.65, 1, 6), truth + water * line(4.65, 1, 6) + noise(rng, sd, 36)


@pytest.mark.parametrize("n", [2, 7, 16])
def test_eigenvectors_are_those_of_lapack_also_under_vmap(n):
    rng = np.random.default_rng(n)
    a = rng.normal(size=(3, n, n)) + 1j * rng.normal(size=(3, n, n))
    a = a @ a.conj().swapaxes(1, 2)
    run = jax.jit(jax.vmap(hermitian.eigh))
    values, vectors = run(a)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(a)[:, ::-1], atol=1e-11)
    np.testing.assert_allclose(a @ vectors, vectors * np.asarray(values)[:, None], atol=1e-10)
    text = run.lower(a).as_text()
    assert "lapack" not in text and "custom_call" not in text.replace("custom_call @Sharding", "")


@pytest.mark.parametrize("shape", [(36, 512), (80, 40)])
@pytest.mark.parametrize("rank", [0, 3])
def test_rank_and_noise_are_those_of_the_matrix(shape, rank):
    rng = np.random.default_rng(rank)
    u, v = rng.normal(size=(shape[0], rank)), rng.normal(size=(rank, shape[1]))
    given = 3 * u @ v + rng.normal(size=shape) + 1j * rng.normal(size=shape)
    found = jax.jit(low_rank.denoise)(jnp.asarray(given))
    assert int(found.rank) == rank and float(found.noise_sd) == pytest.approx(1.0, abs=0.03)


def test_the_variance_of_each_entry_and_along_a_signal_by_monte_carlo():
    rng = np.random.default_rng(1)
    truth, _ = maps(rng)
    runs = truth + noise(rng, 1.0, 150, 36)
    found = jax.jit(lambda x: jax.lax.map(low_rank.denoise, x))(jnp.asarray(runs))
    assert np.mean(np.asarray(found.rank) == 3) > 0.8 and np.max(found.rank) <= 4  # the rule's edge is where noise ends
    spread = np.std(np.real(np.asarray(found.fids)), axis=0)
    expected = np.sqrt(np.mean(np.asarray(jax.vmap(lambda d: d.sd)(found)) ** 2, axis=0))
    assert np.sqrt(np.mean(spread**2)) == pytest.approx(np.sqrt(np.mean(expected**2)), rel=0.05)
    early, late = slice(0, 20), slice(400, 512)  # where the signals are the variance is larger
    for part in (early, late):
        assert np.mean(spread[:, part] ** 2) == pytest.approx(np.mean(expected[:, part] ** 2), rel=0.1)
    # The amplitude of a known line: the noise of the fit is the noise before denoising, not what is left of it.
    b = np.stack([line(2.008, 12), line(3.027, 8), line(3.2, 6)])
    pseudo = np.linalg.pinv(np.concatenate([b.real, b.imag], 1).T)
    amplitudes = np.einsum("kn,rvn->rvk", pseudo, np.concatenate([np.real(found.fids), np.imag(found.fids)], -1))
    scatter = np.sqrt(np.mean(np.var(amplitudes, axis=0), axis=0))
    carried = np.sqrt(np.diag(pseudo @ pseudo.T)) * float(np.mean(found.noise_sd))
    apparent = carried * np.sqrt(np.mean(expected**2))
    # To first order they are equal; the weakest signal's own direction is noisy, which adds a tenth.
    assert np.all(scatter > 0.95 * carried) and np.all(scatter < 1.15 * carried)
    assert np.all(apparent < 0.5 * scatter)  # what a bound from the noise that is left would say


def test_hamming_in_k_space():
    rng = np.random.default_rng(2)
    point = np.zeros((8, 8, 1, 1), complex)
    point[3, 4] = 1.0
    seen = np.asarray(spatial.hamming(jnp.asarray(point)))[..., 0, 0]
    k = np.fft.fftfreq(8)
    w = 0.54 + 0.46 * np.cos(2 * np.pi * k)
    np.testing.assert_allclose(np.fft.fft2(seen), np.fft.fft2(point[..., 0, 0]) * np.outer(w, w), atol=1e-12)
    flat = np.ones((8, 8, 2, 3), complex)
    np.testing.assert_allclose(spatial.hamming(jnp.asarray(flat)), flat, atol=1e-12)
    white = rng.normal(size=(16, 16, 1, 400)) + 0j
    ratio = float(np.std(np.real(spatial.hamming(jnp.asarray(white)))) / np.std(white.real))
    assert spatial.hamming_noise((16, 16, 1)) == pytest.approx(ratio, rel=0.02)


def test_lipid_goes_and_metabolites_stay():
    rng = np.random.default_rng(3)
    truth, _ = maps(rng)
    sd, ring = 0.5, np.zeros((6, 6), bool)
    ring[0] = ring[-1] = True
    ring = ring.ravel()
    fat = lambda count: np.array(  # noqa: E731
        [sum(a * line(p, 1, w, q) for p, a, w, q in zip((0.9, 1.1, 1.28), s, (18, 20, 20), f, strict=True))
         for s, f in zip(rng.uniform(50, 300, (count, 3)), rng.uniform(-3, 3, (count, 3)), strict=True)]
    )  # fmt: skip
    scalp = fat(36) * ring[:, None]
    leak = rng.uniform(0, 1.0, (36, int(ring.sum()))) @ scalp[ring] * ~ring[:, None]
    metabolites = truth * ~ring[:, None]
    given = metabolites + scalp + leak + noise(rng, sd, 36)
    found, beta = jax.jit(lambda x: lipids.remove_lipids(x, jnp.asarray(ring), SAMPLING))(jnp.asarray(given))
    assert np.linalg.norm(leak) > 10 * np.linalg.norm(metabolites)
    # The direct solution of the equation (Bilgic 2014); it is linear, so that lipid and metabolites can be looked at apart.
    a = given[ring].T
    direct = np.linalg.inv(np.eye(T.size) + float(beta) * a @ a.conj().T)
    np.testing.assert_allclose(found, given @ direct.T, atol=1e-8 * np.abs(given).max())
    assert np.linalg.norm(leak @ direct.T) < 0.01 * np.linalg.norm(leak)
    # Metabolites lose what they share with the three lines of lipid, and little more.
    lost = np.linalg.norm(metabolites - metabolites @ direct.T) / np.linalg.norm(metabolites)
    q = np.linalg.qr(np.stack([line(p, 1, w) for p, w in ((0.9, 18), (1.1, 20), (1.28, 20))]).T)[0]
    shared = np.linalg.norm(metabolites @ q.conj()) / np.linalg.norm(metabolites)
    assert lost < shared + 0.1


def test_a_grid_goes_through_the_pipeline_and_carries_its_noise(tmp_path):
    rng = np.random.default_rng(4)
    truth, given = maps(rng, water=300.0)
    current = np.exp(1j * (0.3 + 1.0 * np.exp(-T / 0.03)))
    given = given * current
    given[7] = np.nan
    given[35] = 0.0
    ref = np.tile(line(4.65, 3000, 6) * current, (36, 1))
    grid = lambda x: FIDs(x.reshape(*SHAPE, -1), SAMPLING, ("x", "y", "z"), Acquisition(echo_time=0.03))  # noqa: E731
    done = preprocess(grid(given), water=grid(ref), options=Options(denoise=True, hamming=True))
    methods = [
        "Denoising",
        "Eddy current correction",
        "Nuisance peak removal",
        "Apodization",
        "Frequency and phase correction",
    ]
    assert [r.method for r in done.records] == methods
    assert "in 34 of 36 voxels" in done.records[-1].details
    found = np.asarray(done.fids.data).reshape(36, -1)
    good = np.delete(np.arange(36), [7, 35])
    assert np.isnan(found[7]).all() and not found[35].any()
    # in the middle of the grid the smooth maps pass the filter; water is gone
    middle = 2 * 6 + 3
    assert np.linalg.norm(found[middle] - truth[middle] + 300.0 * line(4.65, 1, 6)) < 0.25 * np.linalg.norm(
        truth[middle] - 300.0 * line(4.65, 1, 6)
    )
    assert np.isfinite(found[good]).all()
    assert done.fids.acquisition.noise_sd == pytest.approx(spatial.hamming_noise(SHAPE), rel=0.1)
    io.write(done.fids, tmp_path / "grid.nii.gz")
    assert io.read(tmp_path / "grid.nii.gz").acquisition.noise_sd == pytest.approx(done.fids.acquisition.noise_sd)
    assert done.water.data.shape == (*SHAPE, 512)
    with pytest.raises(ValueError, match="--lipid-mask: wanted shape"):
        preprocess(grid(given), lipid=np.ones((3, 3)), options=Options(remove_water=False))
    with pytest.raises(ValueError, match=r"wanted shape \(6, 6, 1\) with voxels inside, found \(1, 6, 6\)"):
        preprocess(grid(given), lipid=np.ones((1, 6, 6)), options=Options(remove_water=False))


def test_coils_and_transients_of_a_grid():
    rng = np.random.default_rng(5)
    b = np.array([1.0, 0.6j, -0.8])
    _, given = maps(rng, sd=0.0)
    hz, phase = rng.uniform(-4, 4, (36, 4)), rng.uniform(-0.5, 0.5, (36, 4))
    data = moved(given[:, None], hz, phase)[:, None] * b[:, None, None] + noise(rng, 0.2, 36, 3, 4)
    fids = FIDs(data.reshape(6, 6, 1, 3, 4, -1), SAMPLING, ("x", "y", "z", "DIM_COIL", "DIM_DYN"))
    few = Options(remove_water=False, reference=None)
    done = preprocess(fids, options=few)
    assert [r.method for r in done.records] == [
        "RF coil combination", "Frequency and phase correction", "Outlier removal", "Signal averaging",
    ]  # fmt: skip
    assert "of 144 transients" in done.records[-1].details
    found = jnp.asarray(np.asarray(done.fids.data).reshape(36, -1))

    def turned(s, goal):  # each voxel keeps the middle of its transients' offsets
        off = alignment.register(s, goal, SAMPLING)
        return alignment.correct(s, SAMPLING, off.frequency, off.phase)

    found = np.asarray(jax.jit(jax.vmap(turned))(found, jnp.asarray(given)))
    size = np.abs(np.sum(found * given.conj(), axis=1)) / np.linalg.norm(found, axis=1) / np.linalg.norm(given, axis=1)
    assert size.min() > 0.98
