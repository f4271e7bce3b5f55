"""The signal model: groups of components, common factors, phase and baseline; simulator, fitter and decoder at once.

    s(t) = D(t) sum_g L_g(t) sum_{m in g} c_m b_m(t) o_m(t),      S(f) = exp(i phase(f)) F[s](f) + baseline(f)

with o_m what a component has of its own, L_g the shared shift and lineshape of a group, D the product of the common factors (shim field, eddy
phase), F the transform of core.fourier. The amplitudes c and the baseline are linear; all else is in a tree of named parameters.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from mrsjax.core.fourier import to_fid, to_spectrum
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
    """

    groups: tuple[Group, ...]
    phase: Phase
    baseline: Baseline
    factors: tuple[Factor, ...]
    ratios: tuple[RatioPrior, ...]
    sampling: Sampling
    window: tuple[int, int] = eqx.field(static=True)

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
        return SignalModel(groups, self.phase, self.baseline, self.factors, (), self.sampling, self.window)

    def signal(self, values: Values, amplitudes: Float[Array, " m"]) -> Complex[Array, " n"]:
        """The whole FID without baseline: what the simulator and a decoder return."""
        total = self._common(values) * sum(
            group.shared(values[group.name], self.sampling) * (c @ group.components(values[group.name], self.sampling))
            for group, c in zip(self.groups, self._split(amplitudes), strict=True)
        )
        phase = self.phase(values["phase"], self.sampling.frequency, self.pivot)
        return to_fid(phase * to_spectrum(total))

    def spectrum(self, values: Values, amplitudes: Float[Array, " m"]) -> Complex[Array, " k"]:
        """The spectrum in the fit window without baseline."""
        return amplitudes @ self.design(values)[0]

    def crop(self, fid: Complex[Array, "*s n"]) -> Complex[Array, "*s k"]:
        """Spectrum of a FID in the fit window."""
        return to_spectrum(fid)[..., self.window[0] : self.window[1]]

    def design(self, values: Values) -> tuple[Complex[Array, "m k"], dict[str, Complex[Array, "g n"]]]:
        """Spectra of the components at unit amplitude, and their FIDs before the common factors, by group."""
        common = self._common(values)
        phase = self.phase(values["phase"], self.frequency, self.pivot)
        fids, spectra = {}, []
        for group in self.groups:
            own = values[group.name]
            fids[group.name] = group.components(own, self.sampling)
            spectra.append(self._transform(fids[group.name] * (group.shared(own, self.sampling) * common), phase))
        return jnp.concatenate(spectra), fids

    def jacobian(self, values: Values, amplitudes: Float[Array, " m"], fids: dict[str, Array]) -> Values:
        """Derivatives of `spectrum` with respect to each parameter at fixed amplitudes, a tree like `values` with a last axis k.

        What a component has of its own costs one transform for its shift and width together (their derivatives differ by a constant factor), a shared
        parameter costs one transform in all: `d (sum_m c_m x_m)`, never one for each component (Kaufman 1975).
        """
        time = self.sampling.time
        common = self._common(values)
        phase = self.phase(values["phase"], self.frequency, self.pivot)
        out: Values = {name: {} for name in values}
        total = jnp.zeros_like(common)
        for group, c in zip(self.groups, self._split(amplitudes), strict=True):
            own, place, x = values[group.name], out[group.name], fids[group.name]
            summed, shared = c @ x, group.shared(own, self.sampling)
            total = total + shared * summed
            for key, d in group.shared_jacobian(own, self.sampling).items():
                place[key] = self._transform(d * (summed * common), phase)
            weight = shared * common * time
            if "own_shift" in own or "own_lorentz" in own:
                rate = c[:, None] * self._transform(x * weight, phase)
                if "own_shift" in own:
                    place["own_shift"] = 2j * jnp.pi * rate
                if "own_lorentz" in own:
                    place["own_lorentz"] = -jnp.pi * rate
            if "own_gauss" in own:
                place["own_gauss"] = c[:, None] * self._transform(x * (-GAUSS_RATE * weight * time), phase)
        for factor in self.factors:
            if factor.name in values:
                others = total * self._common(values, without=factor.name)
                for key, d in factor.jacobian(values[factor.name], self.sampling).items():
                    out[factor.name][key] = self._transform(d * others, phase)
        out["phase"] = self.phase.jacobian(self._transform(common * total, phase), self.frequency, self.pivot)
        return out

    def _common(self, values: Values, without: str | None = None) -> Complex[Array, " n"]:
        product = jnp.ones(self.sampling.n_points, self.groups[0].fids.dtype)
        for factor in self.factors:
            if factor.name != without:
                product = product * factor(values.get(factor.name, {}), self.sampling)
        return product

    def _split(self, amplitudes):
        ends = np.cumsum([len(group.names) for group in self.groups])
        return jnp.split(amplitudes, ends[:-1])

    def _transform(self, fids: Complex[Array, "*r n"], phase: Complex[Array, " k"]) -> Complex[Array, "*r k"]:
        """`crop` times a phase, without the shift of the whole spectrum: a modulation moves the window to bin 0."""
        n = self.sampling.n_points
        first = self.window[0] - n // 2
        wave = np.exp(-2j * np.pi * first / n * np.arange(n)) / np.sqrt(n)
        wave[0] *= 0.5
        spectra = jnp.fft.fft(fids * jnp.asarray(wave, fids.dtype))
        return spectra[..., : self.window[1] - self.window[0]] * phase


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
