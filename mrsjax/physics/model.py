"""The signal model: groups of components, common factors, phase and baseline; simulator, fitter and decoder at once.

    s(t) = D(t) sum_g L_g(t) sum_{m in g} c_m b_m(t) o_m(t),      S(f) = exp(i phase(f)) F[s](f) + baseline(f)

with o_m what a component has of its own, L_g the shared shift and lineshape of a group, D the product of the common factors (shim field, eddy
phase), F the transform of core.fourier. The amplitudes c and the baseline are linear; all else is in a tree of named parameters.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import exponentials, to_fid, to_spectrum
from mrsjax.core.parameters import field
from mrsjax.core.sampling import Sampling
from mrsjax.physics.baseline import Baseline
from mrsjax.physics.factors import Factor
from mrsjax.physics.group import Group, OwnLine
from mrsjax.physics.lineshape import GAUSS_RATE
from mrsjax.physics.phase import Phase
from mrsjax.physics.ratios import RatioPrior

Values = dict[str, dict[str, Any]]


class SignalModel(eqx.Module):
    """One spectrum as a function of named non-linear parameters and linear amplitudes.

    **Arguments:**

    - `groups`: the amplitudes are their components in this order.
    - `phase`, `baseline`: the terms of the frequency domain.
    - `factors`: multiplied into all groups (none: identity).
    - `ratios`: soft priors on ratios of amplitudes (none: ()).
    - `sampling`: grid of the data.
    - `window`: first and one-past-last index of the fit window on `sampling.frequency`.
    - `outside`: what is added to the components' spectra in the window before the phase (physics.decimation); None: nothing.

    **Raises:** `ValueError` when two groups or factors, or two components, have one name.
    """

    groups: tuple[Group, ...]
    phase: Phase
    baseline: Baseline
    factors: tuple[Factor, ...]
    ratios: tuple[RatioPrior, ...]
    sampling: Sampling
    window: tuple[int, int] = eqx.field(static=True)
    outside: Complex[Array, "m k"] | None = None

    def __check_init__(self):
        branches = ["phase", *(g.name for g in self.groups), *(f.name for f in self.factors if f.parameters())]
        for what, names in (("groups, factors", branches), ("components", self.names)):
            if twice := sorted({n for n in names if names.count(n) > 1}):
                raise ValueError(f"{what}: wanted distinct names, found {', '.join(twice)} twice")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the amplitudes."""
        return tuple(name for group in self.groups for name in group.names)

    @property
    def frequency(self) -> Float[Array, " k"]:
        """Frequencies of the fit window, Hz."""
        return self.sampling.frequency[self.window[0] : self.window[1]]

    @property
    def ppm(self) -> Float[Array, " k"]:
        """Chemical shifts of the fit window, ppm."""
        return self.sampling.to_ppm(self.frequency)

    @property
    def pivot(self) -> Float[Array, ""]:
        """Frequency at which the first-order phase vanishes: the middle of the window, Hz."""
        frequency = self.frequency
        return 0.5 * (frequency[0] + frequency[-1])

    def parameters(self) -> dict[str, dict[str, Any]]:
        """Tree of `Parameter`: "phase", each group and each factor that has any."""
        tree = {"phase": self.phase.parameters()}
        tree |= {group.name: group.parameters() for group in self.groups}
        tree |= {factor.name: factor.parameters() for factor in self.factors if factor.parameters()}
        return tree

    def start(self) -> Values:
        """The parameters' start values."""
        return field(self.parameters(), "start")

    def coarse(self) -> SignalModel:
        """The same model with what all components of a group share and nothing of their own: the first stage of a fit."""
        groups = tuple(
            Group(g.fids, g.lineshape.coarse(), OwnLine(), g.name, g.names, g.shift_sd, g.shift_limit)
            for g in self.groups
        )
        return SignalModel(
            groups, self.phase, self.baseline, self.factors, (), self.sampling, self.window, self.outside
        )

    def signal(self, values: Values, amplitudes: Float[Array, " m"]) -> Complex[Array, " n"]:
        """The whole FID without baseline: what the simulator and a decoder return. One program, also where it is called alone."""
        return _signal(self, jax.tree.map(jnp.asarray, values), jnp.asarray(amplitudes))

    def spectrum(self, values: Values, amplitudes: Float[Array, " m"]) -> Complex[Array, " k"]:
        """The spectrum in the fit window without baseline: components are summed before the transform."""
        spectrum = self._transform(self._sum(values, amplitudes))
        spectrum = spectrum if self.outside is None else spectrum + amplitudes @ self.outside
        return spectrum * self.phase(values["phase"], self.frequency, self.pivot)

    def crop(self, fid: Complex[Array, "*s n"]) -> Complex[Array, "*s k"]:
        """Spectrum of a FID in the fit window."""
        return to_spectrum(fid)[..., self.window[0] : self.window[1]]

    def design(self, values: Values) -> tuple[Complex[Array, "m k"], dict[str, Complex[Array, "g n"]]]:
        """Spectra of the components at unit amplitude, and their FIDs before envelope and common factors, by group."""
        s, common = self.sampling, self._common(values)
        rates = jnp.concatenate([group.rates(values[group.name]) for group in self.groups])
        waves = self._split(exponentials(rates, s.dwell_time, s.n_points))
        fids = {g.name: g.components(values[g.name], w, s) for g, w in zip(self.groups, waves, strict=True)}
        rows = [fids[g.name] * (g.lineshape.envelope(values[g.name], s) * common) for g in self.groups]
        spectra = self._transform(jnp.concatenate(rows))
        spectra = spectra if self.outside is None else spectra + self.outside
        return spectra * self.phase(values["phase"], self.frequency, self.pivot), fids

    def jacobian(self, values: Values, amplitudes: Float[Array, " m"], fids: dict[str, Array]) -> Values:
        """Derivatives of `spectrum` with respect to each parameter at fixed amplitudes, a tree like `values` with a last axis k.

        What a component has of its own costs one transform for its shift and width together (their derivatives differ by a constant factor), a shared
        parameter costs one transform in all: `d (sum_m c_m x_m)`, never one for each component (Kaufman 1975). All rows go through one transform.
        """
        s, common = self.sampling, self._common(values)
        time, rows = s.time, {}
        total = jnp.zeros_like(common)
        for group, c in zip(self.groups, self._split(amplitudes), strict=True):
            own, x, name = values[group.name], fids[group.name], group.name
            envelope, summed = group.lineshape.envelope(own, s), c @ x
            shared, total = envelope * common, total + envelope * summed
            each = "own_shift" in own or "own_lorentz" in own
            rows[name, "rate"] = (x if each else summed[None]) * (shared * time)
            if "own_gauss" in own:
                rows[name, "own_gauss"] = x * (-GAUSS_RATE * shared * time**2)
            for key, d in group.lineshape.envelope_jacobian(own, s).items():
                rows[name, key] = d * (summed * common)
        for factor in self.factors:
            if factor.name in values:
                others = total * self._common(values, without=factor.name)
                rows |= {(factor.name, k): d * others for k, d in factor.jacobian(values[factor.name], s).items()}
        rows["phase", "fit"] = total * common
        spectra = self._transform(jnp.concatenate([x.reshape(-1, s.n_points) for x in rows.values()]))
        if self.outside is not None:  # of the last row, `fit`
            spectra = spectra.at[-1].add(amplitudes @ self.outside)
        spectra = spectra * self.phase(values["phase"], self.frequency, self.pivot)
        out: Values = {name: {} for name in values}
        first = 0
        for (name, key), x in rows.items():
            last = first + x.size // s.n_points
            out[name][key] = spectra[first:last].reshape(*x.shape[:-1], -1)
            first = last
        for group, c in zip(self.groups, self._split(amplitudes), strict=True):
            place, own = out[group.name], values[group.name]
            rate = place.pop("rate")
            if "own_shift" in own or "own_lorentz" in own:
                rate = c[:, None] * rate
            if "own_shift" in own:
                place["own_shift"] = 2j * jnp.pi * rate
            if "own_lorentz" in own:
                place["own_lorentz"] = -jnp.pi * rate
            if "own_gauss" in own:
                place["own_gauss"] = c[:, None] * place["own_gauss"]
            place |= {key: constant * rate.sum(axis=0) for key, constant in group.rate_jacobian().items()}
        out["phase"] = self.phase.jacobian(out["phase"].pop("fit"), self.frequency, self.pivot)
        return out

    def _sum(self, values: Values, amplitudes: Float[Array, " m"]) -> Complex[Array, " n"]:
        """The FID before the phase."""
        return self._common(values) * sum(
            group.signal(values[group.name], c, self.sampling)
            for group, c in zip(self.groups, self._split(amplitudes), strict=True)
        )

    def _common(self, values: Values, without: str | None = None) -> Complex[Array, " n"]:
        product = jnp.ones(self.sampling.n_points, self.groups[0].fids.dtype)
        for factor in self.factors:
            if factor.name != without:
                product = product * factor(values.get(factor.name, {}), self.sampling)
        return product

    def _split(self, amplitudes):
        ends = np.cumsum([len(group.names) for group in self.groups])
        return jnp.split(amplitudes, ends[:-1])

    def _transform(self, fids: Complex[Array, "*r n"]) -> Complex[Array, "*r k"]:
        """`crop`, without the shift of the whole spectrum: a modulation moves the window to bin 0."""
        n = self.sampling.n_points
        first = self.window[0] - n // 2
        wave = np.exp(-2j * np.pi * first / n * np.arange(n)) / np.sqrt(n)
        wave[0] *= 0.5
        spectra = jnp.fft.fft(fids * jnp.asarray(wave, fids.dtype))
        return spectra[..., : self.window[1] - self.window[0]]


def window_of(sampling: Sampling, low: float, high: float) -> tuple[int, int]:
    """Index range of the points with chemical shift in [low, high] ppm.

    **Raises:** `ValueError` when fewer than 16 points are inside.
    """
    ppm = np.asarray(sampling.ppm)
    inside = np.flatnonzero((ppm >= low) & (ppm <= high))
    if len(inside) < 16:
        raise ValueError(
            f"window: {low} to {high} ppm holds {len(inside)} points of a spectrum from {ppm[0]:.2f} to {ppm[-1]:.2f} ppm"
        )
    return int(inside[0]), int(inside[-1]) + 1


@eqx.filter_jit
def _signal(model: SignalModel, values: Values, amplitudes: Float[Array, " m"]) -> Complex[Array, " n"]:
    phase = model.phase(values["phase"], model.sampling.frequency, model.pivot)
    return to_fid(phase * to_spectrum(model._sum(values, amplitudes)))
