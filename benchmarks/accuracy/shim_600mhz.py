"""A badly shimmed spectrum of 600 MHz explained by the well shimmed one and the shim factor of the signal model.

`python -m benchmarks.accuracy.shim_600mhz DATA` (DATA holds `nmr_600mhz_bad_shim`, center4ml/shimnet: the same sample with the best shims, with X
detuned, with Z1 and Z2 detuned). The good spectrum is the only component of a `SignalModel`; amplitude, phase, shift and Lorentz width are free, and

- none: nothing else;
- line: the model's own free, smooth line (`FreeLine`);
- currents: `ShimDephasing` over a cylinder (tube of 4.2 mm inner diameter, coil of 18 mm; only products of size and current matter) with the currents
  of the detuned channels as parameters of the fit;
- distribution: a free non-negative distribution of offsets (the weights of `ShimDephasing`, by non-negative least squares with the weights as the
  unknowns): outside the `SignalModel`, whose parameters the weights are not; a bound on what the term could explain.
"""

import pathlib
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import nnls

from mrsjax.core import Sampling
from mrsjax.core.results import Status
from mrsjax.inference import evaluate, fit
from mrsjax.physics import (
    FreeLine,
    Group,
    Lineshape,
    Lorentz,
    OwnLine,
    Phase,
    ShimDephasing,
    SignalModel,
    no_baseline,
    solid_harmonics,
    window_of,
)

FILES = {
    "best": "Azarone_besteshims_supressed_600MHz.csv",
    "X": "Azarone_X_supressed_600MHz.csv",
    "Z1Z2": "Azarone_Z1Z2_supressed_600MHz.csv",
}
#: Which columns of the harmonics (Z2 order: X Y Z Z2 ZX ZY X2-Y2 XY) are free, and starting currents in Hz over the sample.
FREE = {"X": ((0,), [(1.0,), (2.0,)]), "Z1Z2": ((2, 3), [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)])}
WINDOW = (1.0, 4.45)  # ppm, between the suppressed water and the edge
CENTRAL = 600.13e6


class Row(NamedTuple):
    """Residual relative to the badly shimmed spectrum (root of sums of squares of the real part in the window)."""

    case: str
    model: str
    residual: float
    lorentz: float
    currents: tuple[float, ...]
    status: str


def load(data: pathlib.Path, name: str, n: int = 16384) -> tuple[np.ndarray, Sampling]:
    """The causal FID of a real spectrum, and its sampling; the first n points (half of them hold the whole of a real spectrum)."""
    ppm, real = np.loadtxt(data / "nmr_600mhz_bad_shim" / FILES[name], usecols=(0, 1)).T
    count = len(ppm)
    width = (ppm[-1] - ppm[0]) * 1e-6 * CENTRAL * count / (count - 1)
    fid = np.fft.ifft(np.fft.ifftshift(real))[:n] * np.sqrt(count)
    fid[0] *= 0.5  # the one-sided signal: half of the point at 0
    middle = np.fft.fftshift(ppm)[0]
    return 2.0 * fid, Sampling(1.0 / width, CENTRAL, n, ppm_ref=middle)


def cylinder(n: int = 9, m: int = 31) -> tuple[np.ndarray, np.ndarray]:
    """Points (mm) and weights over a tube, by a product rule: radius^2 and length uniform."""
    radius = 2.1 * np.sqrt((np.arange(n) + 0.5) / n)
    angle = 2 * np.pi * (np.arange(16) + 0.5) / 16
    z = 9.0 * np.linspace(-1, 1, m)
    r, a, z = np.meshgrid(radius, angle, z, indexing="ij")
    place = np.stack([r * np.cos(a), r * np.sin(a), z], axis=-1).reshape(-1, 3)
    return place, np.full(len(place), 1.0 / len(place))


def _model(good, sampling, factors, lineshape: Lineshape | None = None) -> SignalModel:
    lineshape = Lorentz(start=0.3, upper=20.0) if lineshape is None else lineshape
    group = Group(jnp.asarray(good)[None], lineshape, OwnLine(), "sample", ("good",), shift_limit=5.0)
    window = window_of(sampling, *WINDOW)
    return SignalModel(
        (group,), Phase(), no_baseline(np.asarray(sampling.ppm)[slice(*window)]), factors, (), sampling, window
    )


def _residual(model, result, bad) -> float:
    curves = evaluate(model, result, bad[None], 0)
    return float(np.linalg.norm(np.real(curves.residual)) / np.linalg.norm(np.real(curves.data)))


def rows(data: pathlib.Path) -> list[Row]:
    """All explanations of both cases."""
    good, sampling = load(data, "best")
    place, weight = cylinder()
    out = []
    for case, (columns, starts) in FREE.items():
        bad, _ = load(data, case)
        plain = _model(good, sampling, ())
        result = fit(plain, bad[None])
        out.append(
            Row(
                case,
                "none",
                _residual(plain, result, bad),
                float(result.parameters["sample.lorentz"][0]),
                (),
                Status(int(result.status[0])).name,
            )
        )
        free = _model(good, sampling, (), Lorentz(start=0.3, upper=20.0) * FreeLine(start=4.0))
        result = fit(free, bad[None], max_iterations=300)
        width = float(jnp.sqrt(result.parameters["sample.gauss"][0])) / 2.3548
        out.append(
            Row(case, "line", _residual(free, result, bad), float(result.parameters["sample.lorentz"][0]), (width,), Status(int(result.status[0])).name)
        )  # fmt: skip
        maps = np.asarray(solid_harmonics(place, 2))[:, columns]
        scale = np.sqrt(weight @ maps**2)
        best = None
        for start in starts:
            shim = ShimDephasing(
                offset=jnp.zeros(len(weight)),
                weight=jnp.asarray(weight),
                maps=jnp.asarray(maps / scale),
                start=jnp.asarray(start),
                current_limit=50.0,
                histogram=True,
            )
            model = _model(good, sampling, (shim,))
            result = fit(model, bad[None])
            found = Row(case, "currents", _residual(model, result, bad), float(result.parameters["sample.lorentz"][0]),
                        tuple(float(x) for x in result.parameters["shim.current"][0]), Status(int(result.status[0])).name)  # fmt: skip
            best = found if best is None or found.residual < best.residual else best
        assert best is not None
        out.append(best)
        out.append(free_distribution(case, plain, good, bad, sampling))
    return out


def free_distribution(case, plain, good, bad, sampling, reach=6.0, step=0.15) -> Row:
    """Non-negative weights of offsets on a grid, real parts of the spectra."""
    offset = np.arange(-reach, reach + step / 2, step)
    time = np.asarray(sampling.time)
    columns = [np.real(plain.crop(jnp.asarray(good * np.exp(2j * np.pi * f * time)))) for f in offset]
    wanted = np.real(plain.crop(jnp.asarray(bad)))
    weight, rest = nnls(np.stack(columns, axis=1), wanted)
    mean = weight @ offset / weight.sum()
    return Row(case, "distribution", rest / np.linalg.norm(wanted), float("nan"),
               (float(np.sqrt(weight @ (offset - mean) ** 2 / weight.sum())),), f"{int((weight > 0).sum())} of {len(offset)} offsets")  # fmt: skip


def main():
    jax.config.update("jax_enable_x64", True)
    print(
        "| detuned | explained by | residual | Lorentz (Hz) | currents (Hz rms over the sample) or SD of the distribution (Hz) | status |\n|---|---|---|---|---|---|"
    )
    for r in rows(pathlib.Path(sys.argv[1])):
        print(
            f"| {r.case} | {r.model} | {100 * r.residual:.1f}% | {r.lorentz:.2f} | {', '.join(f'{x:.2f}' for x in r.currents)} | {r.status} |"
        )


if __name__ == "__main__":
    main()
