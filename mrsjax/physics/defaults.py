"""The default model: one set of choices for simulated and real spectra. docs/model.md says what each is worth."""

from collections.abc import Mapping
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex

from mrsjax.core.basis import BasisSet
from mrsjax.core.constants import PPM_REF_WATER
from mrsjax.core.metabolites import SUMS, canonical, is_macromolecule, is_nuisance
from mrsjax.core.sampling import Sampling
from mrsjax.physics import baseline as baselines
from mrsjax.physics.factors import Factor
from mrsjax.physics.group import Group, OwnLine
from mrsjax.physics.lineshape import FreeLine, Gauss, Lineshape, Lorentz
from mrsjax.physics.macromolecules import LIPIDS, MACROMOLECULES, Peak, basis_offset, peak_fids, squared_widths
from mrsjax.physics.model import SignalModel, window_of
from mrsjax.physics.phase import Phase
from mrsjax.physics.ratios import PUBLISHED, RatioPrior, ratio_prior, zero_prior

#: Effective baseline dimension for each ppm behind the names of a stiffness.
STIFFNESS = {"stiff": 1.5, "default": 4.0, "flexible": 6.0}

#: Relative spread of the macromolecules' areas about their ratios.
MM_SPREAD = 0.3

#: Shift of the CH2 singlet of creatine, ppm (Govindaraju et al. 2000).
CREATINE_CH2 = 3.913

LineshapeName = Literal["lorentz", "gauss", "voigt", "free"]


def default_model(
    basis: BasisSet,
    sampling: Sampling,
    *,
    window_ppm: tuple[float, float] = (0.2, 4.2),
    lineshape: LineshapeName | Lineshape = "free",
    macromolecules: Literal["parametric", "basis", "off"] = "parametric",
    lipids: bool = False,
    baseline: str | float | None = "default",
    own_shift: float = 0.5,
    own_width: float = 0.15,
    water_tails: int = 2,
    creatine_ch2: float = 0.3,
    ratios: Mapping[str, float] | Literal["published"] | None = None,
    factors: tuple[Factor, ...] = (),
) -> SignalModel:
    """Model of a short-TE brain spectrum for a basis.

    **Arguments:**

    - `basis`: resampled to `sampling` here; entries named MM*, Mac*, Lip*, -Cr* are macromolecules, lipids and corrections; water and references (H2O, TMS, DSS, Ref*) are left out.
    - `window_ppm`: fit window.
    - `lineshape`: of the metabolites: "lorentz", "gauss", "voigt", "free" (Lorentz times a free distribution), or a `Lineshape`.
    - `macromolecules`: "parametric" (our Gaussians in place of the basis' entries), "basis" (the basis' entries), "off".
    - `lipids`: add three lipid lines.
    - `baseline`: a name of `STIFFNESS`, an effective dimension for each ppm, "polyN" (polynomial of order N), or "off" or None.
    - `own_shift`, `own_width`: standard deviations (Hz) of the priors on each metabolite's own shift and Lorentz width; 0: none.
    - `water_tails`: order of the expansion of the residual water's tail inside the window; 0: none, nor where the window comes within 0.1 ppm of the water.
    - `creatine_ch2`: standard deviation of the CH2 singlet of creatine at 3.9 ppm that a water suppression has taken away, relative to tCr: a component
      "-CrCH2", as LCModel has it; 0: none.
    - `ratios`: soft priors on concentration ratios, name (or an alias) -> amplitude relative to tCr (Cr + PCr), relative spread 1/2; "published": those
      of `physics.ratios.PUBLISHED` that the basis has; None: none.

    **Raises:** `ValueError` when a choice is unknown or the basis does not fit the sampling.
    """
    basis = basis.resample(sampling)
    metabolites = tuple(n for n in basis.names if not is_nuisance(n))
    nuisance = tuple(n for n in basis.names if is_macromolecule(n))
    if not metabolites:
        raise ValueError(f"basis: wanted at least one metabolite, found {', '.join(basis.names)}")
    responses = dict(zip(basis.names, np.asarray(basis.fids), strict=True))
    fids = np.stack([responses[n] for n in metabolites])
    offset = basis_offset(basis)
    given = macromolecules == "basis" and any(n.lower().startswith("-cr") for n in nuisance)
    correction = None if given or creatine_ch2 <= 0 else _creatine_ch2(metabolites, fids, sampling, offset)
    if correction is not None:
        metabolites, fids = (*metabolites, "-CrCH2"), np.concatenate([fids, correction[None]])
    m = len(metabolites)
    own = OwnLine(
        shift_sd=np.full(m, own_shift) if own_shift > 0 else None,
        lorentz_sd=np.full(m, own_width) if own_width > 0 else None,
    )
    groups = [Group(jnp.asarray(fids), _lineshape(lineshape), own, "metabolites", metabolites)]
    norm = float(np.median(np.abs(fids[:, 0])))
    if macromolecules == "parametric":
        groups.append(_peaks("macromolecules", MACROMOLECULES, sampling, offset, norm))
    elif macromolecules == "basis":
        if not nuisance:
            raise ValueError(f"macromolecules: the basis has no MM or lipid entry, only {', '.join(basis.names)}")
        own = OwnLine(shift_sd=np.full(len(nuisance), 2.0))
        line = Lorentz() * Gauss(start=4.0)
        groups.append(
            Group(
                jnp.asarray(np.stack([responses[n] for n in nuisance])),
                line,
                own,
                "macromolecules",
                nuisance,
                2.0,
                12.0,
            )
        )
    elif macromolecules != "off":
        raise ValueError(f"macromolecules: wanted parametric, basis or off, found {macromolecules!r}")
    if lipids:
        groups.append(_peaks("lipids", LIPIDS, sampling, offset, norm))
    window = window_of(sampling, *window_ppm)
    ppm = np.asarray(sampling.ppm)[window[0] : window[1]]
    base = _baseline(baseline, ppm)
    if water_tails > 0:
        water = PPM_REF_WATER + offset
        distance = np.stack([ppm - water] * water_tails, axis=1)
        if np.abs(distance).min() > 0.1:
            base = baselines.with_columns(base, distance ** -np.arange(1.0, water_tails + 1))
    return SignalModel(tuple(groups), Phase(), base, factors, _ratios(groups, ratios, creatine_ch2), sampling, window)


def _lineshape(choice: LineshapeName | Lineshape) -> Lineshape:
    if isinstance(choice, Lineshape):
        return choice
    lines = {
        "lorentz": Lorentz(),
        "gauss": Gauss(),
        "voigt": Lorentz() * Gauss(),
        "free": Lorentz() * FreeLine(modes=3),
    }
    if choice not in lines:
        raise ValueError(f"lineshape: wanted one of {', '.join(lines)}, found {choice!r}")
    return lines[choice]


def _baseline(choice: str | float | None, ppm: np.ndarray) -> baselines.Baseline:
    if choice is None or choice == "off":
        return baselines.no_baseline(ppm)
    if isinstance(choice, str) and choice.startswith("poly") and choice[4:].isdigit():
        return baselines.polynomial(ppm, int(choice[4:]))
    if isinstance(choice, str):
        if choice not in STIFFNESS:
            raise ValueError(f"baseline: wanted {', '.join(STIFFNESS)}, polyN, a number or off, found {choice!r}")
        choice = STIFFNESS[choice]
    return baselines.spline(ppm, ed_per_ppm=float(choice))


def _peaks(name: str, peaks: tuple[Peak, ...], sampling: Sampling, offset: float, norm: float) -> Group:
    """A group of Gaussian lines, each with a little of its own shift and width, and a shared Lorentz width (T2)."""
    own = OwnLine(
        shift_sd=np.full(len(peaks), 0.02e-6 * float(sampling.central_frequency)),
        gauss_sd=0.2 * squared_widths(peaks, sampling),
    )
    line = Lorentz(start=2.0, mean=2.0, sd=2.0, upper=15.0)
    fids = norm * peak_fids(peaks, sampling, offset)
    return Group(fids, line, own, name, tuple(p.name for p in peaks), 2.0, 30.0)


def _creatine_ch2(names, fids, sampling: Sampling, offset: float) -> Complex[np.ndarray, " n"] | None:
    """Minus the CH2 singlet of creatine: two of its five visible protons, which a water suppression can weaken. None without creatine."""
    creatine = [i for i, n in enumerate(names) if canonical(n) in SUMS["tCr"]]
    if not creatine:
        return None
    shift = float(sampling.to_hz(CREATINE_CH2 + offset))
    time = np.arange(sampling.n_points) * float(sampling.dwell_time)
    return -0.4 * fids[creatine[0], 0] * np.exp(2j * np.pi * shift * time)


def _ratios(
    groups: list[Group], ratios: Mapping[str, float] | str | None, creatine_ch2: float
) -> tuple[RatioPrior, ...]:
    """Ratios of the parametric macromolecules among themselves (their areas are in the FIDs), and those asked for."""
    names = tuple(n for g in groups for n in g.names)
    parametric = tuple(p.name for p in MACROMOLECULES if p.name in names)
    priors = []
    if parametric:
        equal = dict.fromkeys(parametric, 1.0)
        priors.append(ratio_prior(names, equal, sd=MM_SPREAD, reference=dict.fromkeys(parametric, 1 / len(parametric))))
    if "-CrCH2" in names and creatine_ch2 > 0:
        priors.append(zero_prior(names, "-CrCH2", creatine_ch2, tuple(n for n in names if canonical(n) in SUMS["tCr"])))
    if ratios:
        own = {canonical(n): n for n in names}
        if isinstance(ratios, str):
            if ratios != "published":
                raise ValueError(f"ratios: wanted name: ratio, or published, found {ratios!r}")
            ratios = {n: r for n, r in PUBLISHED.items() if n in own}
        creatine = {own[n]: 1.0 for n in (*SUMS["tCr"], "tCr") if n in own}
        if not creatine:
            raise ValueError(
                f"ratios: wanted Cr or PCr, which they are relative to, in the basis; found {', '.join(names)}"
            )
        asked = {own.get(canonical(n), n): r for n, r in ratios.items()}
        priors.append(ratio_prior(names, asked, sd=0.5, reference=creatine))
    return tuple(priors)
