"""`SpectroscopicImages`: worlds of labels, concentrations and field, encoded into grids of spectra."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import optimization_barrier as once
from jaxtyping import Array, Complex, Float, Key
from numpyro.distributions import Distribution

from mrsjax.core import Sample, Sampling, cis, exponentials
from mrsjax.physics import SignalModel
from simulators.artefacts.artefact import Scene
from simulators.artefacts.lines import Lines
from simulators.artefacts.noise import complex_normal
from simulators.artefacts.random import draws, happens
from simulators.artefacts.receiver import correlated, exponential_covariance
from simulators.phantoms import b0
from simulators.phantoms.anatomy import Anatomy
from simulators.phantoms.encoding import Encoding
from simulators.phantoms.head import FLAIR, T1W, Tissue, lesioned, random_lesion, rendered
from simulators.phantoms.smooth import smooth_fields
from simulators.tissue import Population
from simulators.tissue.priors import single
from simulators.tissue.relaxation import Relaxation

#: Water of a tissue relative to grey matter's, for what water suppression leaves (Ernst 1993 for the brain's; the others are modelling choices).
WATER = (0.0, 1.0, 0.83, 1.24, 0.1, 0.4, 1.1)


class SpectroscopicImages(eqx.Module):
    """Anatomy -> lesions -> concentrations, field, nuisances on a fine grid -> receive coils -> k-space -> noise -> image; a `mrsjax.core.Simulator`.

    **Arguments:** (lengths in mm, as in protocols)

    - `model`: of `generating_model`; `probe`: `height_probe` of its sampling; `terms`: `b0.shim_terms` of the fine grid. `population`: its `names`' amplitudes in grey matter and the world's parameters (one line, shift and phase for all voxels).
    - `contrast` (tissue, m): amplitudes in each tissue over those in grey matter.
    - `relaxation`: weights of the tissues; `None`: amplitudes as they are. A lesion has grey matter's times (a modelling choice).
    - `variation`: prior of the standard deviation of the logarithm of each component's smooth variation over the head.
    - `anatomy`: draws the tissues on the fine grid over `field_of_view`; `slab`: fine voxels along z that the sequence excites, `slab_centre` their middle.
    - `lesion`: probability of one; `lesion_radius`: range of its semi-axes, in half fields of view.
    - `residual`: prior of the root mean square (Hz) of each of the nine terms (constant to second order) that the shim leaves.
    - `water`, `lipids`: `artefacts.Lines`, their strength relative to the metabolites of the brain's mean; water varies smoothly, lipids lie in the scalp.
    - `sensitivity` (c, x, y, z) of coils on the slab's grid, `None`: one uniform channel; `correlation`: prior of the noise's between neighbouring coils.
    - `encoding`. `snr`: prior of the height of the resonance at 2.008 ppm of the brain's mean amplitudes with the world's line, without any field, over the standard deviation of the real
      noise in a spectrum of an image whose matrix is fully sampled (coil of sensitivity 1). The noise is added to the samples: masks and trajectories change it in the image.

    A sample, with the image's voxels (a, b, c) and the slab's fine voxels (x, y, z):

    - `data` `(a, b, c, n)`, or `(a, b, c, coils, n)`.
    - `truth`: "amplitudes" (a, b, c, m), mean over each voxel, and "maps" (x, y, z, m), both as seen in the signal, in the order of `model.names`; "field" (x, y, z) Hz, the
      world's shift in it; "values": the model's parameters; "fid" (a, b, c, n): the metabolites through the encoding, one uniform channel, no noise.
    - `labels`: "tissue" (x, y, z) `Tissue`, "fractions" (a, b, c, tissue), "t1w", "flair" (x, y, z), "plan" (the encoding's), "snr", "noise" (standard deviation of the real part of each
      point of the image), "water", "lipids" (as `Lines` has them, with "maps" (x, y, z, k): size of each line in each fine voxel; `nuisances` rebuilds their signal from them), "lesion" (1 where some of it lies in the slab), "slab_centre" (mm along z from the middle of the field of view), "variation", "relaxation" (tissue, metabolite), "sensitivity" (a, b, c, coils), "noise_covariance".

    **Raises:** `ValueError` when grids do not fit.
    """

    model: SignalModel
    population: Population
    contrast: Float[Array, "k m"]
    anatomy: Anatomy
    encoding: Encoding
    relaxation: Relaxation | None
    water: Lines | None
    lipids: Lines | None
    sensitivity: Complex[Array, "c x y s"] | None
    variation: Distribution
    residual: Distribution
    slab_centre: Distribution
    correlation: Distribution
    snr: Distribution | None
    lesion: Float[Array, ""] = eqx.field(converter=single)
    probe: Complex[Array, " n"]
    terms: Float[Array, "9 x y z"]
    field_of_view: tuple[float, float, float] = eqx.field(static=True)
    slab: int = eqx.field(static=True)
    lesion_radius: tuple[float, float] = eqx.field(static=True, default=(0.06, 0.3))

    #: Worlds in a compiled block: each is as large as thousands of spectra.
    block = 1
    together = 1

    def __check_init__(self):
        grid = (*self.anatomy.shape[:2], self.slab)
        if any(n % m for n, m in zip(grid, self.encoding.matrix, strict=True)):
            raise ValueError(f"matrix: wanted divisors of the slab's grid {grid}, found {self.encoding.matrix}")
        if self.slab > self.anatomy.shape[2]:
            raise ValueError(f"slab: wanted at most {self.anatomy.shape[2]} fine voxels, found {self.slab}")
        if self.contrast.shape != (len(Tissue), len(self.model.names)):
            raise ValueError(f"contrast: wanted {(len(Tissue), len(self.model.names))}, found {self.contrast.shape}")

    @property
    def sampling(self) -> Sampling:
        return self.model.sampling

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the data's leading axes."""
        return ("x", "y", "z") if self.sensitivity is None else ("x", "y", "z", "DIM_COIL")

    @property
    def voxel_size(self) -> tuple[float, ...]:
        """Of the image, mm."""
        edges = (*self.field_of_view[:2], self.field_of_view[2] * self.slab / self.anatomy.shape[2])
        return tuple(e / m for e, m in zip(edges, self.encoding.matrix, strict=True))

    def affine(self, slab_centre: float) -> Float[np.ndarray, "4 4"]:
        """From the image's voxel numbers to mm (RAS+) in the space of the anatomy; `slab_centre`: the label."""
        edges = np.array(self.voxel_size)
        out = np.diag([*edges, 1.0])
        first = -0.5 * edges * (np.array(self.encoding.matrix) - 1)
        out[:3, 3] = np.asarray(self.anatomy.middle, float) + first + [0, 0, slab_centre]
        return out

    def sample(self, key: Key[Array, ""]) -> Sample:
        """One world and its grid of spectra; pure."""
        names = "population anatomy lesion weight field nuisance encoding noise coils smooth".split()
        keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
        amplitudes, drawn = self.population.sample(keys["population"])
        start = jax.tree.map(lambda x: x.astype(jnp.float32), self.model.start())
        values = {g: tree | drawn.get(g, {}) for g, tree in start.items()}
        for group in self.model.groups[1:]:  # all lines are at the world's frequency
            values[group.name] |= {"shift": values["metabolites"]["shift"]}
        labels: dict = {}
        fractions, field, labels["lesion"], labels["slab_centre"] = once(self._scenery(values, keys))
        levels, labels["relaxation"] = self._levels(amplitudes, keys["weight"])
        maps, labels["variation"] = once(self._maps(fractions, levels, keys["smooth"]))
        waves = once(self._waves(values))
        metabolites = len(self.model.groups[0].names)
        brain = jnp.sum(fractions[..., Tissue.GREY] + fractions[..., Tissue.WHITE])
        mean = jnp.sum(maps, axis=(0, 1, 2)) / jnp.maximum(brain, 1e-6)
        reference = mean[:metabolites] @ waves[:metabolites]
        amounts, tails = [maps], [waves]
        for coefficients, lines in self._nuisances(fractions, jnp.abs(reference[0]), keys["nuisance"], labels):
            amounts.append(once(coefficients))
            tails.append(once(lines))
        turn = cis(values["phase"]["phase_zero"])
        whole = once(self._signal(jnp.concatenate(amounts, -1), turn * jnp.concatenate(tails), field))
        plan = self.encoding.plan(key=keys["encoding"])
        data, factor = once(self._received(whole, plan, keys["coils"], labels))
        labels["plan"] = plan
        if self.snr is not None:
            of_noise, (snr,) = draws(keys["noise"], self.snr)
            level = jnp.abs(jnp.sum(reference * self.probe)) / snr / math.sqrt(math.prod(self.encoding.matrix))
            white = complex_normal(of_noise, data.size).reshape(data.shape)
            data = data + level * (white if factor is None else correlated(white, factor))
            labels |= {"snr": snr, "noise": level * self.encoding.gain(plan)}
        image = self._imaged(data, plan)
        clean = once(self._signal(maps[..., :metabolites], turn * waves[:metabolites], field))
        clean = self.encoding.image(self.encoding.read(clean, plan), plan)
        labels |= {
            "tissue": jnp.argmax(fractions, axis=-1).astype(jnp.int32),
            "fractions": self._boxes(fractions),
            "t1w": rendered(fractions, T1W),
            "flair": rendered(fractions, FLAIR),
        }
        truth = {"amplitudes": self._boxes(maps), "maps": maps, "field": field, "values": values, "fid": clean}
        return Sample(image, truth, labels)

    def nuisances(self, sample: Sample) -> Complex[Array, "a b c *coils n"]:
        """Water and lipids as they lie in a sample's data, from its truth and labels: data - nuisances are metabolites, macromolecules and noise."""
        truth, labels = sample.truth, sample.labels
        amounts, waves = [], []
        for name, lines in (("water", self.water), ("lipids", self.lipids)):
            if lines is not None:
                amounts.append(labels[name]["maps"])
                waves.append(cis(labels[name]["phase"])[:, None] * lines.shapes(labels[name], self.sampling))
        if not amounts:
            return jnp.zeros_like(sample.data)
        turn = cis(truth["values"]["phase"]["phase_zero"])
        signal = self._signal(jnp.concatenate(amounts, -1), turn * jnp.concatenate(waves), truth["field"])
        return self._imaged(self._read(signal, labels["plan"]), labels["plan"])

    def _scenery(self, values, keys):
        """Fractions and field of the slab, whether a lesion lies in it, and its middle."""
        fractions = self.anatomy(key=keys["anatomy"])
        of_lesion, of_pose = jax.random.split(keys["lesion"])
        present = happens(of_lesion, self.lesion)
        hit = lesioned(fractions, random_lesion(of_pose, radius=self.lesion_radius))
        fractions = jnp.where(present > 0, hit, fractions)
        inside = fractions[..., Tissue.GREY] + fractions[..., Tissue.WHITE] + fractions[..., Tissue.LESION]
        _, (residual, centre) = draws(keys["field"], self.residual, self.slab_centre)
        field = b0.shimmed_field(
            fractions, inside, residual, terms=self.terms, field_of_view=self.field_of_view, frequency=self.sampling.central_frequency.astype(jnp.float32)
        )  # fmt: skip
        n = self.anatomy.shape[2]
        first = jnp.round(n * (0.5 + centre / self.field_of_view[2]) - self.slab / 2).astype(jnp.int32)
        first = jnp.clip(first, 0, n - self.slab)
        cut = lambda x: jax.lax.dynamic_slice_in_dim(x, first, self.slab, axis=2)  # noqa: E731
        slab = cut(fractions)
        seen = jnp.any(slab[..., Tissue.LESION] > 0).astype(jnp.float32)
        middle = self.field_of_view[2] * ((first + self.slab / 2) / n - 0.5)
        return slab, cut(field) + values["metabolites"]["shift"], seen, middle.astype(jnp.float32)

    def _levels(self, amplitudes, key):
        """Amplitudes (tissue, m) as the sequence sees them, and the weights."""
        levels = self.contrast * amplitudes
        weights = jnp.ones_like(levels)
        if self.relaxation is not None:
            grey, white = self.relaxation.tissues(key=key)
            m = len(grey)
            weights = weights.at[:, :m].set(grey).at[Tissue.WHITE, :m].set(white)
        return levels * weights, weights

    def _maps(self, fractions, levels, key):
        key, (variation,) = draws(key, self.variation)
        shape = fractions.shape[:3]
        place = b0.position(shape, (*self.field_of_view[:2], self.field_of_view[2] * shape[2] / self.anatomy.shape[2]))
        smooth = smooth_fields(key, place, levels.shape[1])
        return (fractions @ levels) * jnp.exp(variation * jnp.moveaxis(smooth, 0, -1)), variation

    def _waves(self, values) -> Complex[Array, "m n"]:
        """Each component with its group's line."""
        s = self.sampling
        parts = []
        for group in self.model.groups:
            parts.append(group.fids * group.lineshape(values[group.name], s))
        return jnp.concatenate(parts)

    def _nuisances(self, fractions, area, key, labels):
        of_water, of_lipids, of_place = jax.random.split(key, 3)
        scene = Scene(self.sampling, area, jnp.zeros((), jnp.float32))
        shape = fractions.shape[:3]
        place = b0.position(shape, (*self.field_of_view[:2], self.field_of_view[2] * shape[2] / self.anatomy.shape[2]))
        where = {
            "water": rendered(fractions, WATER),
            "lipids": fractions[..., Tissue.SCALP],
        }
        for number, name, lines, k in ((4, "water", self.water, of_water), (5, "lipids", self.lipids, of_lipids)):
            if lines is None:
                continue
            waves, label = lines.waves(scene, key=k)
            smooth = smooth_fields(jax.random.fold_in(of_place, number), place, len(waves))
            coefficients = where[name][..., None] * jnp.exp(0.5 * jnp.moveaxis(smooth, 0, -1))
            labels[name] = label | {"maps": coefficients * jnp.abs(waves[:, 0])}
            yield coefficients, waves

    def _signal(self, amounts, waves, field) -> Complex[Array, "x y z n"]:
        """The FID of each fine voxel."""
        n = waves.shape[1]
        rows = jnp.concatenate([waves.real, waves.imag], axis=1)
        both = jnp.matmul(amounts, rows, precision=jax.lax.Precision.HIGHEST)
        turn = exponentials(jax.lax.complex(jnp.zeros_like(field), 2 * math.pi * field), self.sampling.dwell_time, n)
        return jax.lax.complex(both[..., :n], both[..., n:]) * turn

    def _received(self, signal, plan, key, labels):
        """Samples (coils, ..., n) or (..., n), and the factor of the noise between coils."""
        factor = None
        if self.sensitivity is not None:
            _, (rho,) = draws(key, self.correlation)
            labels["noise_covariance"], factor = exponential_covariance(rho, len(self.sensitivity))
            labels["sensitivity"] = self._boxes(jnp.moveaxis(self.sensitivity, 0, -1))
        return self._read(signal, plan), factor

    def _read(self, signal, plan):
        if self.sensitivity is None:
            return self.encoding.read(signal, plan)
        return jax.lax.map(lambda s: self.encoding.read(signal * s[..., None], plan), self.sensitivity)

    def _imaged(self, samples, plan):
        if self.sensitivity is None:
            return self.encoding.image(samples, plan)
        return jnp.moveaxis(jax.lax.map(lambda s: self.encoding.image(s, plan), samples), 0, -2)

    def _boxes(self, x: Array) -> Array:
        """Mean over each voxel of the image."""
        shape = [(m, n // m) for n, m in zip(x.shape[:3], self.encoding.matrix, strict=True)]
        return x.reshape(*(s for pair in shape for s in pair), *x.shape[3:]).mean(axis=(1, 3, 5))
