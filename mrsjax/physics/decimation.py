"""Models on fewer time points, for iterations that look at the fit window only.

The components' spectra are cut to the window and a margin on both sides, and transformed back: with N' of N bins the FIDs have N' points at the
dwell time N / N' times longer. Shifts, lines and phases act on them as before, on the same frequencies in the window. What the cut takes away inside the window,
the far tails of lines beyond the margin, hardly depends on the line: it is kept as a constant (`SignalModel.outside`).
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex

from mrsjax.core.sampling import Sampling
from mrsjax.physics.baseline import thinned
from mrsjax.physics.group import Group
from mrsjax.physics.model import SignalModel

#: Margin on each side of the window, and the outer part of it over which the spectra fall to zero, ppm.
MARGIN_PPM, TAPER_PPM = 1.0, 0.5
#: Width of the line for which `outside` is computed, Hz.
TYPICAL_FWHM = 5.0
#: Part of its largest value below which a FID is taken to be over, in groups whose lines can be narrowed.
DECAYED = 1e-5


def decimated(model: SignalModel) -> SignalModel:
    """The model with as few points as its window needs: `design` and `jacobian` are nearly the same, several times cheaper.

    `signal` and `crop` of the result are on the coarser grid. The model itself where nothing would be saved.
    """
    s, (low, high) = model.sampling, model.window
    bins = lambda ppm: int(np.ceil(ppm * 1e-6 * float(s.central_frequency) * float(s.dwell_time) * s.n_points))  # noqa: E731
    n = _good_size(high - low + 2 * bins(MARGIN_PPM))
    first = (low + high) // 2 - n // 2  # first bin that is kept
    if first < 0 or first + n > s.n_points:
        return model
    distance = np.maximum(low - np.arange(first, first + n), np.arange(first, first + n) - (high - 1))
    inner, outer = bins(MARGIN_PPM - TAPER_PPM), bins(MARGIN_PPM)
    taper = np.cos(0.5 * np.pi * np.clip((distance - inner) / (outer - inner), 0.0, 1.0)) ** 2
    centre = first + n // 2 - s.n_points // 2  # bin of the old spectrum's frequency axis that becomes 0 Hz
    frequency = centre / (s.n_points * float(s.dwell_time))
    ppm_ref = float(s.ppm_ref) + 1e6 * frequency / float(s.central_frequency)
    sampling = Sampling(
        float(s.dwell_time) * s.n_points / n, s.central_frequency, n, ppm_ref=ppm_ref, nucleus=s.nucleus
    )

    def shorter(fids: Complex[Array, "m n"]) -> Complex[np.ndarray, "m k"]:
        x = np.array(fids)
        x[:, 0] *= 0.5
        spectra = np.fft.fftshift(np.fft.fft(x, norm="ortho"), axes=1)[:, first : first + n] * taper
        x = np.fft.ifft(np.fft.ifftshift(spectra, axes=1), norm="ortho")
        x[:, 0] *= 2.0
        return x.astype(fids.dtype)

    def ended(fids: Complex[Array, "m n"]) -> Bool[np.ndarray, "m k"]:
        """Where components have decayed: what the cut leaves there would grow without bound when a line is narrowed."""
        size = np.abs(np.asarray(fids))
        last = size.shape[1] - np.argmax(size[:, ::-1] > DECAYED * size.max(axis=1, keepdims=True), axis=1)
        return np.arange(n) * s.n_points > last[:, None] * n

    def cut(group: Group) -> Group:
        fids = shorter(group.fids)
        if group.own.gauss_sd is not None:
            fids = np.where(ended(group.fids), 0.0, fids)
        return eqx.tree_at(lambda g: g.fids, group, jnp.asarray(fids))

    groups = tuple(map(cut, model.groups))
    factors = tuple(f.resampled(s, sampling) for f in model.factors)
    window = (low - first, high - first)
    before = np.concatenate([_spectra(np.asarray(g.fids), s, model.window) for g in model.groups])
    after = np.concatenate([_spectra(np.asarray(g.fids), sampling, window) for g in groups])
    outside = jnp.asarray(before - after, model.groups[0].fids.dtype)
    return SignalModel(groups, model.phase, model.baseline, factors, model.ratios, sampling, window, outside)


def _spectra(
    fids: Complex[np.ndarray, "m n"], sampling: Sampling, window: tuple[int, int]
) -> Complex[np.ndarray, "m k"]:
    """Spectra in the window with a line of typical width."""
    t = np.arange(fids.shape[1]) * float(sampling.dwell_time)
    x = fids * np.exp(-np.pi * TYPICAL_FWHM * t)
    x[:, 0] *= 0.5
    return np.fft.fftshift(np.fft.fft(x, norm="ortho"), axes=1)[:, window[0] : window[1]]


def halved(model: SignalModel) -> SignalModel:
    """The model of the first half of the FIDs: every second frequency of the window."""
    s, n = model.sampling, model.sampling.n_points // 2
    sampling = Sampling(s.dwell_time, s.central_frequency, n, ppm_ref=float(s.ppm_ref), nucleus=s.nucleus)
    bins = np.arange(*model.window) - s.n_points // 2
    rows = np.flatnonzero(bins % 2 == 0)
    window = (int(bins[rows[0]]) // 2 + n // 2, int(bins[rows[-1]]) // 2 + n // 2 + 1)
    groups = tuple(eqx.tree_at(lambda g: g.fids, g, jnp.asarray(np.asarray(g.fids)[:, :n])) for g in model.groups)
    factors = tuple(f.resampled(s, sampling) for f in model.factors)
    baseline = thinned(model.baseline, rows)
    return SignalModel(groups, model.phase, baseline, factors, model.ratios, sampling, window)


def _good_size(n: int) -> int:
    """The next even number without prime factors above 5."""
    while True:
        rest = n
        for p in (2, 3, 5):
            while rest % p == 0:
                rest //= p
        if rest == 1 and n % 2 == 0:
            return n
        n += 1
