"""Lee and Kim 2020 (row 26): a network isolates each metabolite's spectrum; its error is looked up in a data base of simulated spectra.

`python -m benchmarks.studies.row26_isolated_metabolites`.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from benchmarks.studies.scores import correlation, mape, mean_sd, totals
from benchmarks.studies.study import Learner, Study, World, classical, cpu, draw, main, world
from mrsjax.core import to_spectrum
from mrsjax.nn import FlaxNet, Frozen, Training
from mrsjax.nn.encoders import encoder
from mrsjax.nn.inputs import Inputs

NAMES = ("NAA", "NAAG", "Cr", "PCr", "GPC", "PCh", "Glu", "Gln", "Ins", "GSH", "GABA", "Tau", "Lac", "Asp", "Glc")
NEIGHBOURS, DATABASE_SEED = 64, 4711


class Isolator(eqx.Module):
    """Real spectrum -> for each metabolite its own: without noise, on resonance, at zero phase, with a line of 3 Hz."""

    inputs: Inputs
    encoder: FlaxNet
    templates: Frozen[Float[Array, "m k"]]  # of unit norm
    size: Frozen[Float[Array, " m"]]  # norm of a spectrum at the mean concentration, relative to the input's scale
    norms: Frozen[Float[Array, " m"]]  # at unit concentration
    rows: tuple[int, ...] = eqx.field(static=True)  # of the metabolites among the world's

    def spectra(self, fid):
        """In units of `size`; and the input's scale."""
        features, scale = self.inputs(fid)
        out = self.encoder(features).reshape(self.templates.value.shape)
        return self.templates.value + out / out.shape[1] ** 0.5, scale

    def __call__(self, fid):
        """Concentrations: the isolated spectra projected on their templates; and the input's scale."""
        spectra, scale = self.spectra(fid)
        return scale * self.size.value / self.norms.value * jnp.sum(spectra * self.templates.value, axis=1), scale


def build(world: World, seed: int) -> Isolator:
    inputs, rows = Inputs(world.sampling, parts="real"), tuple(world.metabolites.index(n) for n in NAMES)
    fids = np.asarray(world.basis.resample(world.sampling).select(NAMES).fids)
    narrow = jnp.asarray(fids * np.exp(-np.pi * 3.0 * np.asarray(world.sampling.time)))
    spectra = np.asarray(to_spectrum(narrow).real)[:, slice(*inputs.window)]
    norms = np.linalg.norm(spectra, axis=1)
    sample = draw(world.simulator, 256, seed=seed)
    scale = np.asarray(jax.vmap(lambda x: inputs(x)[1])(sample.data))
    size = norms * np.mean(sample.truth["amplitudes"][:, rows] / scale[:, None], axis=0)
    net = encoder(
        "cnn", inputs.shape(world.sampling.n_points), spectra.size, seed=seed, channels=(16, 32, 64), widths=(256,)
    )
    single = lambda x: Frozen(jnp.asarray(x, jnp.float32))  # noqa: E731
    return Isolator(inputs, FlaxNet(net), single(spectra / norms[:, None]), single(size), single(norms), rows)


def loss(network, sample, key):
    """Squared difference of the isolated spectra in units of the mean one's norm."""
    spectra, scale = network.spectra(sample.data)
    share = sample.truth["amplitudes"][jnp.array(network.rows)] * network.norms.value / (scale * network.size.value)
    return jnp.mean(jnp.sum((spectra - share[:, None] * network.templates.value) ** 2, axis=1))


def looked_up(network, world, samples, features):
    """Mean |relative error| of the spectra of the data base that look like each test spectrum: `(spectra, metabolites)`."""
    known = draw(world.simulator, 8 * len(samples.data), seed=DATABASE_SEED)
    found, here = features(known)
    error = np.abs(found / known.truth["amplitudes"][:, network.rows] - 1)
    out = []
    for j, there in enumerate(np.moveaxis(features(samples)[1], 1, 0)):
        distance = np.sum((there[:, None] - here[None, :, j]) ** 2 / here[:, j].var(axis=0), axis=-1)
        out.append(error[np.argsort(distance, axis=1)[:, :NEIGHBOURS], j].mean(axis=1))
    return np.stack(out, axis=1)


def score(networks, world, samples):
    network, fids = networks["cnn"], samples.data
    isolate = eqx.filter_jit(lambda n, x: jax.vmap(n)(x))

    def features(of):
        """Concentrations, and what the data base is sorted by: signal to noise and signal to background of each metabolite."""
        found, scale = (np.asarray(x) for x in isolate(network, jnp.asarray(of.data)))
        noise = np.std(np.real(of.data[:, -128:]), axis=1)
        ratios = [np.log(np.maximum(found, 1e-3) / unit[:, None]) for unit in (noise, scale)]
        return found, np.stack(ratios, axis=-1)

    (found, _), ms = cpu(lambda: isolate(network, jnp.asarray(fids)), len(fids))
    found, truth = np.asarray(found), samples.truth["amplitudes"][:, network.rows]
    result, slow = classical(world, fids)
    fitted, bound = (np.asarray(x)[:, network.rows] for x in (result.amplitudes, result.crlb))
    rows: list[tuple] = [("method", "MAPE of tNAA, tCr, tCho, Glx, Ins / %", "MAPE of tCr / %", "MAPE of 15 metabolites / %",
                          "r of predicted and true error", "the same, means of ten bins", "CPU ms a spectrum")]  # fmt: skip

    def line(name, x, predicted, ms):
        error = np.abs(x / truth - 1)
        order = np.argsort(predicted, axis=0)
        bins = [[y[part].mean() for part in np.array_split(o, 10)] for y, o in ((error[:, j], order[:, j]) for j in range(len(NAMES)))]  # fmt: skip
        guess = [[y[part].mean() for part in np.array_split(o, 10)] for y, o in ((predicted[:, j], order[:, j]) for j in range(len(NAMES)))]  # fmt: skip
        sums, true = totals(NAMES, x), totals(NAMES, truth)
        return (name, mape(sums, true), mape(sums[:, 1], true[:, 1]), mape(x, truth), mean_sd(correlation(predicted, error)),
                mean_sd(correlation(np.array(guess).T, np.array(bins).T)), ms)  # fmt: skip

    rows.append(
        line("isolating CNN, error from the data base", found, looked_up(network, world, samples, features), ms)
    )
    rows.append(line("fit, error from its Cramer-Rao bound", fitted, bound / np.maximum(fitted, bound), slow))
    return rows


STUDY = Study(
    row="26",
    title="Lee and Kim 2020, isolated metabolite spectra and errors from a data base",
    published="MAPE of tCr 1.92 and 2.56 % fully synthetic, 14.8 to 23.1 % with a measured baseline; r of predicted and true error 0.81 +- 0.13 to 0.88 +- 0.09",
    reduced="one network of three strided layers for 15 metabolites (theirs: nine layers, one network each), 252 points (1406); data base sorted by SNR and signal to background",
    simulate=world,
    learners={"cnn": Learner(build, loss)},
    settings=Training(steps=800, batch=128, every=200, validation=256, learning_rate=2e-3),
    score=score,
    count=256,
)

if __name__ == "__main__":
    main(STUDY)
