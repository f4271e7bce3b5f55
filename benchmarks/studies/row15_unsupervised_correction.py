"""Shamaei 2022 (row 15): frequency and phase without labels, by an encoder in front of a decoder: one creatine line, or a reference signal.

`python -m benchmarks.studies.row15_unsupervised_correction`.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from benchmarks.studies.study import Learner, Study, World, classical, cpu, draw, main, world
from mrsjax.core import cis, to_spectrum
from mrsjax.nn import FlaxNet, Frozen, Training
from mrsjax.nn.encoders import encoder
from mrsjax.nn.inputs import Inputs
from mrsjax.physics import window_of
from simulators.tissue import ranges

MODEL = {"macromolecules": "off", "baseline": None}
#: Both sides of the loss get this line (Hz), so that a decoder that is off by 20 Hz still feels the data.
BROADENING, WINDOW = 10.0, (2.5, 3.5)
TABLE = {
    n: [0.9 * (a + b) / 2, 1.1 * (a + b) / 2] for n, (a, b) in (dict(ranges.SHAMAEI_2023) | dict(ranges.OTHERS)).items()
}
PARAMETERS = {
    "phase": {"phase_zero_deg": {"uniform": [-90, 90]}},
    "metabolites": {"shift_hz": {"uniform": [-20, 20]}, "lorentz_hz": {"uniform": [2, 4]}, "gauss_hz": {"uniform": [0, 1]}},
}  # fmt: skip
SHAPE = {"amplitudes": {"table": "none", "ranges": TABLE}, "artefacts": []}


def simulate(parameters=PARAMETERS) -> World:
    """+-20 Hz, +-90 degrees, concentrations within 10 %, no macromolecules, no baseline."""
    return world(parameters=parameters, snr={"log_uniform": [5, 100]}, **SHAPE)


class Corrector(eqx.Module):
    """FID -> shift (Hz) and phase (rad), the latents of the decoder a r(t) exp(i phase + (2 pi i shift - pi width) t).

    `free`: a and width are latents too (the creatine line); else 1 and 0 (the reference signal r).
    """

    inputs: Inputs
    encoder: FlaxNet
    reference: Frozen[Complex[Array, " n"]]
    time: Frozen[Float[Array, " n"]]
    window: tuple[int, int] = eqx.field(static=True)
    free: bool = eqx.field(static=True)

    def __call__(self, fid):
        return self.latents(fid)[:2]

    def latents(self, fid):
        out = self.encoder(self.inputs(fid)[0])
        other = (jax.nn.softplus(out[2] + 0.5), 3.0 * jax.nn.softplus(out[3])) if self.free else (1.0, 0.0)
        return 10.0 * out[0], out[1], *other

    def loss(self, fid):
        """Squared difference in the window, over the power of the data there."""
        shift, phase, amplitude, width = self.latents(fid)
        time = self.time.value
        decoded = (
            amplitude * self.reference.value * cis(2 * jnp.pi * shift * time + phase) * jnp.exp(-jnp.pi * width * time)
        )
        data = filtered(fid, time, self.window)
        return jnp.sum(jnp.abs(data / jnp.linalg.norm(data) - filtered(decoded, time, self.window)) ** 2)


def filtered(fid, time, window):
    """The window's spectrum with the line of the loss."""
    return to_spectrum(fid * jnp.exp(-jnp.pi * BROADENING * time))[window[0] : window[1]]


def corrector(free: bool):
    def build(world: World, seed: int) -> Corrector:
        s = world.sampling
        inputs, window, time = Inputs(s), window_of(s, *WINDOW), jnp.asarray(s.time, jnp.float32)
        if free:
            reference = cis(2 * jnp.pi * jnp.float32(s.to_hz(3.028)) * time)
        else:  # the mean of spectra without shift, phase and noise
            still = {k: {p: {"uniform": [-1e-6, 1e-6]} if "phase" in p or "shift" in p else v for p, v in t.items()} for k, t in PARAMETERS.items()}  # fmt: skip
            made = draw(simulate(still).simulator, 256, seed=seed)
            reference = jnp.asarray(made.truth["fid"].mean(axis=0))
        reference = reference / jnp.linalg.norm(filtered(reference, time, window))
        net = encoder(
            "cnn", inputs.shape(s.n_points), 4 if free else 2, seed=seed, channels=(16, 24, 32), widths=(128,)
        )
        return Corrector(inputs, FlaxNet(net), Frozen(reference.astype(jnp.complex64)), Frozen(time), window, free)

    return build


def score(networks, world, samples):
    fids, snr = samples.data, samples.labels["snr"]
    values = samples.truth["values"]
    truth = np.stack([values["metabolites"]["shift"], np.degrees(values["phase"]["phase_zero"])])
    bins = ((5, 13.6), (13.6, 36.8), (36.8, 100))
    rows: list[tuple] = [("method", *(f"SNR {a:g} to {b:g}: error in Hz, in degrees" for a, b in bins), "CPU ms a spectrum")]  # fmt: skip

    def line(name, found, ms):
        error = found - truth
        cells = [error[:, (snr >= a) & (snr < b)] for a, b in bins]
        return (name, *(f"{c[0].mean():.2f} +- {c[0].std():.2f}, {c[1].mean():.1f} +- {c[1].std():.1f}" for c in cells), ms)  # fmt: skip

    apply = eqx.filter_jit(lambda n, x: jnp.stack(jax.vmap(n)(x)))
    for name, network in networks.items():
        found, ms = cpu(lambda n=network: apply(n, jnp.asarray(fids)), len(fids))
        rows.append(line(name, np.asarray(found) * np.array([[1.0], [180 / np.pi]]), ms))
    result, ms = classical(world, fids, **MODEL)
    shift, phase = (np.asarray(result.parameters[n]) for n in ("metabolites.shift", "phase.phase_zero"))
    rows.append(line("fit", np.stack([shift, np.degrees(phase)]), ms))
    bound = [np.median(np.asarray(result.parameters_sd[n])[(snr >= a) & (snr < b)]) for n in ("metabolites.shift", "phase.phase_zero") for a, b in bins]  # fmt: skip
    rows.append(("Cramer-Rao bound of the fit's model", *(f"{bound[i]:.2f}, {np.degrees(bound[i + 3]):.1f}" for i in range(3)), "-"))  # fmt: skip
    return rows


def _loss(network, sample, key):
    return network.loss(sample.data)


STUDY = Study(
    row="15",
    title="Shamaei 2022, unsupervised frequency and phase correction with both decoders",
    published="standard deviations of the errors and similarity matrices (no number in text)",
    reduced="spectrum of 0.2 to 4.2 ppm as input (FID 512), 3 T (9.4 T), spectra drawn once (24 000 stored), loss broadened by 10 Hz",
    simulate=simulate,
    learners={
        "decoder: creatine line": Learner(corrector(True), _loss),
        "decoder: reference signal": Learner(corrector(False), _loss),
    },
    settings=Training(steps=1000, batch=64, every=200, validation=256, learning_rate=2e-3),
    score=score,
)

if __name__ == "__main__":
    main(STUDY)
