"""The processing on measured data: `python -m benchmarks.accuracy.measured_processing [7t|single|klose]... [--data FOLDER]`; FOLDER is that of the real test data.

- `7t`: `svs_7t_steam_raw` (4 coils x 16 transients) through the default pipeline, beside the shipped spectrum after a common frequency and phase (registered in 0.5-4.2 ppm) and without the first point, which that lacks: r in 0.5-4.2 ppm with the
  water removed of ours alone, of both, of neither; SNR and FWHM of tNAA and tCr (`report.preprocessing.measure`, before water removal as the shipped). Then the largest SNR of NAA that any complex weights of the
  64 aligned FIDs reach, sqrt(2 p^H C^-1 p) with p their spectra at NAA's largest point and C their noise covariance in the window of `noise_window`: chosen in sample, so that it is an upper bound; and the shipped one by the same measure.
- `single`: `svs_7t_single_transients` (64 transients of a spin echo, water not suppressed): SD of the drifts found by the default, which takes the steady water, and by registration of the metabolites, alone
  and less the default's, beside the Cramer-Rao bound of white noise (unknown size, the aligned mean in the window as signal); SNR of NAA (above the median of its neighbourhood) of single transients (median) and of the average, with the noise
  from what changes between neighbours (differences; an average with alternating signs), since water's foot stands in the window of noise. 8 is wanted for 64.
- `klose`: the 12 water references of `svs_3t_philips_press35_12subjects`: FWHM, and asymmetry (difference of the half widths at half height over their sum) of water and tCr before and after the correction, phased so that the
  largest point is real.
"""

import argparse
import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax import io
from mrsjax.analysis.quality import RESONANCES, noise_window
from mrsjax.core import Sampling, to_spectrum
from mrsjax.processing import BandHLSVD, Options, align, alignment, eddy, preprocess, remove_peaks, stages
from mrsjax.report.preprocessing import measure


def spectra(fids) -> np.ndarray:
    return np.asarray(to_spectrum(jnp.asarray(fids)))


def of_window(fids, sampling: Sampling) -> np.ndarray:
    """Spectra in the window of noise, less a parabola: rows of signals."""
    window, ppm = noise_window(sampling), np.asarray(sampling.ppm)
    quiet = spectra(fids)[..., (ppm >= window.low) & (ppm <= window.high)]
    q = np.linalg.qr(np.vander(np.linspace(-1, 1, quiet.shape[-1]), 3))[0]
    return quiet - (quiet @ q) @ q.T


def naa(sampling: Sampling) -> np.ndarray:
    low, high = RESONANCES["tNAA"]
    return np.flatnonzero((np.asarray(sampling.ppm) >= low) & (np.asarray(sampling.ppm) <= high))


def steam(folder: Path) -> None:
    raw, water, ecc, shipped = (io.read(folder / f"{n}.nii.gz") for n in ("metab_raw", "wref_raw", "ecc", "metab"))
    s = shipped.sampling
    theirs, ppm = np.asarray(shipped.data), np.asarray(s.ppm)
    inside = (ppm > 0.5) & (ppm < 4.2)

    def ours(goal, **options):
        done = preprocess(raw, water=water, ecc=ecc, options=dataclasses.replace(Options(), **options))
        mine = jnp.asarray(np.asarray(done.fids.data)[1:])
        mine_, goal_ = (alignment.band(jnp.asarray(x), s, (0.5, 4.2)) for x in (mine, goal))
        drift = alignment.register(mine_, goal_, s)
        return done, np.asarray(alignment.correct(mine, s, drift.frequency, drift.phase))

    r = lambda a, b: np.corrcoef(np.real(spectra(np.stack([a, b]))[:, inside]))[0, 1]  # noqa: E731
    dry = np.asarray(remove_peaks(jnp.asarray(theirs), BandHLSVD(s))[0])
    done, with_water = ours(theirs, remove_water=False)
    _, without = ours(dry)
    print(
        f"7 T: r default {r(without, theirs):.4f}, water removed of both {r(without, dry):.4f}, of neither {r(with_water, theirs):.4f}"
    )
    for name, fid in (("ours", with_water), ("shipped", theirs)):
        pair = {p: measure(fid, s, p) for p in ("tNAA", "tCr")}
        print(f"  {name:8s}" + ", ".join(f"{p}: SNR {a:.0f}, FWHM {b:.1f} Hz" for p, (a, b) in pair.items()))
    drift = done.drift
    assert drift is not None
    turned = jax.vmap(lambda x, f, p: alignment.correct(x, raw.sampling, f, p), in_axes=(1, 0, 0), out_axes=1)(
        jnp.asarray(raw.data), drift.frequency, drift.phase
    )
    w = jnp.asarray(done.weights)
    mean = stages.reference_means(np.asarray(jnp.tensordot(w, jnp.asarray(ecc.data), axes=1)).reshape(1, -1, raw.sampling.n_points), raw.sampling)[0]  # fmt: skip
    straight = jax.vmap(lambda x: eddy.klose(x, jnp.asarray(mean), raw.sampling))(turned.reshape(64, -1))
    each = np.asarray(straight)[:, 1:]
    quiet = of_window(each, s)
    covariance = quiet @ quiet.conj().T / (quiet.shape[1] - 3)
    points = spectra(each)[:, naa(s)]
    best = np.sqrt(2 * np.real(np.einsum("ik,ij,jk->k", points.conj(), np.linalg.inv(covariance), points)).max())
    same = np.abs(spectra(theirs)[naa(s)]).max() / np.std(np.real(of_window(theirs, s)))
    mine = np.abs(spectra(with_water)[naa(s)]).max() / np.std(np.real(of_window(with_water, s)))
    print(
        f"  NAA's largest magnitude over the SD: ours {mine:.0f}, any weights of the 64 FIDs at most {best:.0f} ({quiet.shape[1]} points of noise), shipped {same:.0f}"
    )


def single(folder: Path) -> None:
    fids = io.read(folder / "svs_se_30.nii")
    s, data = fids.sampling, jnp.asarray(fids.data)
    t, place, (low, high) = np.asarray(s.time), naa(s), Options().align_window
    default, words = stages.registration(data, s, Options())
    aligned, water = jax.jit(default)(data)
    print(f"64 transients at 7 T, water not suppressed; the default is: {words}")
    print(f"  drift by default: SD {np.std(water.frequency):.3f} Hz, {np.rad2deg(np.std(water.phase)):.2f} degrees")
    turned, drift = jax.jit(lambda d: align(d, s, window=(low, high)))(data)
    turns = {"as measured": data, "default": aligned, f"registered in {low:g} to {high:g} ppm": turned}
    signal = np.asarray(alignment.band(jnp.mean(turned, axis=0), s, (low, high)))
    noise = np.mean(np.abs(np.diff(of_window(data, s), axis=0)) ** 2) / 2
    j = np.array([2j * np.pi * t * signal, 1j * signal, signal])
    bound = np.sqrt(np.diag(np.linalg.inv(np.real(j.conj() @ j.T))) * noise / 2)[:2]
    off = np.std(drift.frequency - water.frequency), np.rad2deg(np.std(drift.phase - water.phase))
    print(
        f"  in {low:g} to {high:g} ppm: SD {np.std(drift.frequency):.3f} Hz, {np.rad2deg(np.std(drift.phase)):.2f} degrees; less the default's {off[0]:.3f}, {off[1]:.2f}; bound of white noise {bound[0]:.3f}, {np.rad2deg(bound[1]):.2f}"
    )
    sign = np.where(np.arange(64) % 2, -1.0, 1.0)
    for name, x in turns.items():
        x = np.asarray(x)
        flat = np.real(spectra(x) * np.exp(-1j * np.angle(spectra(x.mean(axis=0))[place].mean())))
        foot = lambda y: np.median(y[..., place[0] - 20 : place[-1] + 20], axis=-1)  # noqa: E731
        top = place[np.argmax(flat.mean(axis=0)[place])]
        one = np.median(flat[:, top] - foot(flat)) / (np.std(np.diff(np.real(of_window(x, s)), axis=0)) / 2**0.5)
        mean = flat.mean(axis=0)
        averaged = (mean[top] - foot(mean)) / np.std(np.real(of_window((sign[:, None] * x).mean(axis=0), s)))
        print(f"  {name}: SNR of NAA {one:.2f} -> {averaged:.2f}, gain {averaged / one:.2f}")


def shape(fid, sampling: Sampling, window) -> tuple[float, float]:
    """FWHM (Hz) and asymmetry of the tallest line in a window, on a grid 16 times finer."""
    n = 16 * sampling.n_points
    fid = np.where(np.arange(fid.size) == 0, 0.5, 1.0) * fid
    spectrum = np.fft.fftshift(np.fft.fft(fid, n))
    hz = np.fft.fftshift(np.fft.fftfreq(n)) / float(sampling.dwell_time)
    ppm = np.asarray(sampling.to_ppm(jnp.asarray(hz)))
    inside = np.flatnonzero((ppm > window[0]) & (ppm < window[1]))
    top = inside[np.argmax(np.abs(spectrum[inside]))]
    real = np.real(spectrum * np.conj(spectrum[top])) / abs(spectrum[top])
    foot = 0.0 if window[0] > 4 else np.median(real[(ppm > 2.75) & (ppm < 3.35)])
    half = 0.5 * (real[top] + foot)
    high, low = (np.argmax(real[top:] < half), np.argmax(real[top::-1] < half))
    return (high + low) * (hz[1] - hz[0]), (high - low) / (high + low)


def klose(folder: Path) -> None:
    rows = []
    for file in sorted(folder.glob("S*/*_ref.SDAT")):
        water, act = io.read(file), io.read(str(file).replace("_ref", "_act"))
        s, w = water.sampling, jnp.asarray(np.asarray(water.data))
        row = []
        for fid, window in ((np.asarray(w), (4.0, 5.3)), (np.asarray(act.data), (2.9, 3.12))):
            row += [shape(fid, s, window), shape(np.asarray(eddy.klose(jnp.asarray(fid), w, s)), s, window)]
        rows.append(row)
    table = np.array(rows)  # (subject, water before, after, tCr before, after; width, asymmetry)
    print(f"Klose on {len(rows)} water references at 3 T, mean +- SD over the subjects, before -> after")
    for i, name in enumerate(("water", "tCr")):
        before, after = table[:, 2 * i], table[:, 2 * i + 1]
        print(
            f"  {name:5s} FWHM {before[:, 0].mean():.2f} +- {before[:, 0].std():.2f} -> {after[:, 0].mean():.2f} +- {after[:, 0].std():.2f} Hz (narrower in"
            f" {np.sum(after[:, 0] < before[:, 0])}); |asymmetry| {np.abs(before[:, 1]).mean():.3f} -> {np.abs(after[:, 1]).mean():.3f} (smaller in {np.sum(np.abs(after[:, 1]) < np.abs(before[:, 1]))})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["7t", "single", "klose"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    work = {
        "7t": (steam, "svs_7t_steam_raw"),
        "single": (single, "svs_7t_single_transients"),
        "klose": (klose, "svs_3t_philips_press35_12subjects"),
    }
    for part in given.parts:
        run, folder = work[part]
        run(given.data / folder)


if __name__ == "__main__":
    main()
