"""Concentrations in units: ratios to total creatine and water scaling with tissue and relaxation corrections."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mrsjax.core import BasisSet, FitResult
from mrsjax.core.metabolites import SUMS, canonical
from mrsjax.core.results import TOTAL_CREATINE, amplitude_ratios, amplitude_sums, weights_of
from mrsjax.inference.water_constants import assumptions, constants_used
from mrsjax.inference.water_reference import proton_signal, water_amplitudes
from mrsjax.physics.relaxation import (
    TISSUES,
    WATER_CONTENT,
    WATER_MOLALITY,
    WATER_MOLARITY,
    Constant,
    RelaxationTable,
)


@dataclasses.dataclass(frozen=True)
class Timing:
    """Echo and repetition time (s) of the metabolite and of the water acquisition; None: not stated, so the metabolites' are taken."""

    echo_time: float
    repetition_time: float
    water_echo_time: float | None = None
    water_repetition_time: float | None = None

    @property
    def of_water(self) -> tuple[float, float]:
        """TE and TR of the water."""
        te, tr = self.water_echo_time, self.water_repetition_time
        return self.echo_time if te is None else te, self.repetition_time if tr is None else tr

    @property
    def taken_over(self) -> tuple[str, ...]:
        """Which of the water's times are the metabolites'."""
        return tuple(n for n, v in (("TE", self.water_echo_time), ("TR", self.water_repetition_time)) if v is None)


class Tissue(eqx.Module):
    """Volume fractions of grey matter, white matter and CSF in each voxel, last axis `(gm, wm, csf)`.

    A voxel of which nothing is known has NaN in all three, and gets no concentrations.

    **Raises:** `ValueError` for negative fractions or a sum further than 0.02 from 1 (rounding is rescaled away).
    """

    fractions: Float[Array | np.ndarray, "*s 3"]

    def __init__(self, gm, wm, csf):
        parts = np.stack(np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (gm, wm, csf))), axis=-1)
        total = parts.sum(axis=-1)
        wrong = ~(np.all(parts >= 0, axis=-1) & (np.abs(total - 1) <= 0.02) | np.isnan(parts).all(axis=-1))
        if wrong.any():
            gm, wm, csf = parts[wrong][0]
            count = f" in {wrong.sum()} of {wrong.size} voxels, first" if wrong.size > 1 else ""
            raise ValueError(
                f"tissue: wanted fractions >= 0 with gm + wm + csf = 1, found{count} gm={gm:g}, wm={wm:g}, csf={csf:g}"
            )
        self.fractions = parts / total[..., None]


def attenuation(echo_time, repetition_time, t1, t2):
    """Signal left by relaxation, exp(-TE/T2) (1 - exp(-TR/T1)): 90-degree excitation, TE << TR (Gasparovic 2006)."""
    return jnp.exp(-echo_time / t2) * (1.0 - jnp.exp(-repetition_time / t1))


def water_scale(
    water: Float[Array, ""],
    proton: Float[Array, ""],
    fractions: Float[Array, "3"],
    water_left: Float[Array, "3"],
    metabolite_left: Float[Array, "m 2"],
) -> tuple[Float[Array, " m"], Float[Array, " m"]]:
    """What an amplitude is multiplied with to give mmol per kg of tissue water, and mmol per litre of tissue.

    With v_i the volume fractions (gm, wm, csf), d_i the water contents, f_i = v_i d_i / sum_j v_j d_j, R_i the
    attenuation of water, R_M that of the metabolite (mean over grey and white matter by volume), u the signal of one
    proton at unit concentration and S the water signal (two protons):

        molal = (2 u / S) * 55.51e3 * sum_i f_i R_i / ((1 - f_csf) R_M)       (Gasparovic 2006)
        molar = (2 u / S) * 55.14e3 * sum_i v_i d_i R_i / ((1 - v_csf) R_M)

    Both take metabolites to be in grey and white matter only. A voxel of less than 1 % tissue gives NaN.

    **Arguments:** one spectrum; `metabolite_left` attenuation in grey and white matter. vmap for more.
    """
    content = jnp.array([WATER_CONTENT[t].value for t in TISSUES], dtype=fractions.dtype)
    tissue = fractions[0] + fractions[1]
    tissue = jnp.where(tissue > 0.01, tissue, jnp.nan)
    left = (metabolite_left @ fractions[:2]) / tissue
    visible = fractions * content
    mole_fraction = visible / jnp.sum(visible)
    per_proton = 2.0 * proton / water / left
    molal = per_proton * WATER_MOLALITY.value * (mole_fraction @ water_left) / (1.0 - mole_fraction[2])
    molar = per_proton * WATER_MOLARITY.value * (visible @ water_left) / tissue
    return molal, molar


#: Of many spectra, one program for each number of them.
_water_scales = jax.jit(jax.vmap(water_scale, in_axes=(0, None, 0, None, None)))


@dataclasses.dataclass(frozen=True)
class Quantities:
    """Amplitudes in units, for `s` spectra and `q` names (metabolites, then the sums); NaN where a quantity is not
    available.

    Each number has its standard deviation beside it, propagated from the full covariance of the fit and, for water
    scaling, from the water amplitude. `constants`: every constant that was used; `assumptions`: what was taken for
    granted, in sentences.
    """

    names: tuple[str, ...]
    raw_amplitude: Float[np.ndarray, "s q"]
    crlb: Float[np.ndarray, "s q"]
    ratio_tcr: Float[np.ndarray, "s q"]
    ratio_tcr_sd: Float[np.ndarray, "s q"]
    water_scaled_molal: Float[np.ndarray, "s q"]
    water_scaled_molal_sd: Float[np.ndarray, "s q"]
    water_scaled_molar: Float[np.ndarray, "s q"]
    water_scaled_molar_sd: Float[np.ndarray, "s q"]
    water_amplitude: Float[np.ndarray, " s"]
    constants: tuple[Constant, ...] = ()
    assumptions: tuple[str, ...] = ()

    @property
    def crlb_percent(self) -> Float[np.ndarray, "s q"]:
        """CRLB in percent of the amplitude; infinite for an amplitude of zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return 100.0 * self.crlb / np.abs(self.raw_amplitude)


@dataclasses.dataclass(frozen=True)
class WaterReference:
    """What water scaling needs: unsuppressed water FIDs `(s or 1, n)`, the basis, timing, tissue, relaxation times."""

    fids: np.ndarray
    basis: BasisSet
    timing: Timing
    table: RelaxationTable
    tissue: Tissue | None = None


def quantify(result: FitResult, water: WaterReference | None = None) -> Quantities:
    """Ratios to tCr, and water-scaled concentrations when a water reference is given.

    Sums are linear in the amplitudes: each part is scaled with its own relaxation times, and the covariance of the
    parts enters. Without tissue fractions the voxel counts as half grey, half white matter; that assumption is listed
    in the result.

    **Raises:** `ValueError` when the number of water FIDs is neither one nor that of the spectra.
    """
    have = {canonical(n) for n in result.names}
    # glutamate alone is no Glx; the other sums are often one metabolite's
    sums = {k: v for k, v in SUMS.items() if (have >= {*v} if k == "Glx" else have & {*v}) and k not in result.names}
    singles = [n for n in result.metabolites if n not in sums]
    names = (*singles, *sums)
    own = [np.array([float(n == q) for n in result.names]) for q in singles]
    parts = np.stack([*own, *(weights_of(result.names, v) for v in sums.values())])
    amplitudes, covariance = np.asarray(result.amplitudes, float), np.asarray(result.covariance, float)
    raw, crlb = amplitude_sums(parts, amplitudes, covariance)
    with np.errstate(invalid="ignore"):
        ratio, ratio_sd = amplitude_ratios(parts, weights_of(result.names, TOTAL_CREATINE), amplitudes, covariance)
    empty = np.full_like(raw, np.nan)
    out = Quantities(names, raw, crlb, ratio, ratio_sd, empty, empty, empty, empty, np.full(len(raw), np.nan))
    return out if water is None else _scale_by_water(out, parts, result, water)


def _scale_by_water(quantities: Quantities, parts, result: FitResult, water: WaterReference) -> Quantities:
    n_spectra = len(quantities.raw_amplitude)
    fids = np.atleast_2d(water.fids)
    if fids.shape[0] not in (1, n_spectra):
        raise ValueError(f"water: wanted 1 or {n_spectra} water FIDs, found {fids.shape[0]}")
    amplitude, amplitude_sd = (np.asarray(a, float) for a in water_amplitudes(jnp.asarray(fids)))
    amplitude, amplitude_sd = (np.broadcast_to(a, (n_spectra,)) for a in (amplitude, amplitude_sd))
    proton = proton_signal(water.basis)
    tissue = Tissue(0.5, 0.5, 0.0) if water.tissue is None else water.tissue
    fractions = np.broadcast_to(np.asarray(tissue.fractions, float).reshape(-1, 3), (n_spectra, 3))
    timing, table = water.timing, water.table
    left_water = np.array([attenuation(*timing.of_water, table.water[t].t1, table.water[t].t2) for t in TISSUES])
    times = [table.of(canonical(n)) for n in result.names]
    left = np.array(
        [[attenuation(timing.echo_time, timing.repetition_time, t.t1, t.t2) for t in pair] for pair in times]
    )
    molal, molar = (
        np.asarray(x)
        for x in _water_scales(
            jnp.asarray(amplitude),
            jnp.asarray(proton.value),
            jnp.asarray(fractions),
            jnp.asarray(left_water),
            jnp.asarray(left),
        )
    )
    relative = amplitude_sd / amplitude
    fields = {}
    for unit, scale in (("molal", molal), ("molar", molar)):
        value, sd = amplitude_sums(
            parts[None] * scale[:, None, :], np.asarray(result.amplitudes, float), np.asarray(result.covariance, float)
        )
        fields[f"water_scaled_{unit}"] = value
        fields[f"water_scaled_{unit}_sd"] = np.hypot(sd, value * relative[:, None])
    return dataclasses.replace(
        quantities,
        **fields,
        water_amplitude=np.array(amplitude),
        constants=constants_used(proton, timing, table, tissue, result),
        assumptions=assumptions(proton, water),
    )


#: T1 and T2 (s) outside of these have the wrong unit.
POSSIBLE_TIMES = ((0.05, 20.0), (0.005, 5.0))


def user_table(
    field_strength: float, water: Mapping[str, tuple[float, float]], metabolites: tuple[float, float]
) -> RelaxationTable:
    """A table of the user's own: `water` tissue -> (T1, T2) s; `metabolites` one (T1, T2) s for all of them.

    **Raises:** `ValueError` for a tissue without times, or times that no tissue has (outside `POSSIBLE_TIMES`).
    """
    from mrsjax.physics.relaxation import Times

    missing = [t for t in TISSUES if t not in water]
    if missing:
        raise ValueError(f"water: wanted (T1, T2) for {', '.join(TISSUES)}, {', '.join(missing)} missing")
    for name, pair in {**water, "metabolites": metabolites}.items():
        for time, value, (low, high) in zip(("T1", "T2"), pair, POSSIBLE_TIMES, strict=True):
            if not low <= value <= high:
                raise ValueError(
                    f"{name}: wanted {time} of {1e3 * low:g} to {1e3 * high:g} ms, found {1e3 * value:g} ms; another unit?"
                )
    other = Times(*metabolites, "given by the user")
    return RelaxationTable(
        field_strength, {t: Times(*water[t], "given by the user") for t in TISSUES}, {}, (other, other)
    )
