"""From raw coils and transients to clean FIDs: which steps a data set needs by its dims, their order, and a record of each."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.core import FIDs
from mrsjax.processing import eddy, edited, grids, stages
from mrsjax.processing.alignment import Drift
from mrsjax.processing.checks import COIL, DYNAMIC, EDIT, SPACE, check, check_reference, squeezed
from mrsjax.processing.coils import METHODS
from mrsjax.processing.hlsvd import BandHLSVD, remove_peaks
from mrsjax.processing.noise import DROPPED, carried
from mrsjax.processing.programs import program, with_same
from mrsjax.processing.record import Options, Preprocessed, Record

#: Relative difference of NAA between two conditions below which it does not tell which is edited.
ALIKE = 0.2


def preprocess(
    fids: FIDs,
    *,
    water: FIDs | None = None,
    ecc: FIDs | None = None,
    split_edited: bool = False,
    lipid: np.ndarray | None = None,
    options: Options | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Preprocessed:
    """Coil combination, alignment, rejection, averaging, eddy-current correction, water removal and referencing, by the dims of the data.

    **Arguments:**

    - `water`: unsuppressed reference (coil weights, eddy currents, later scaling); `ecc`: a reference for eddy currents alone.
    - `split_edited`: transients without DIM_EDIT are edited data whose two conditions take turns.
    - `lipid`: of grids: boolean, which voxels hold scalp lipid, to be removed from the others.

    Edited data (DIM_EDIT of 2): each condition on its own up to water removal, then their alignment on each other, difference (edited minus unedited) and sum.

    **Raises:** `ValueError` for dims it does not know, references that do not fit, or data without signal.
    """
    opt = Options() if options is None else options
    fids = squeezed(fids)
    check(fids, "data")
    _check_options(opt, fids)
    references = {k: squeezed(v) for k, v in (("water", water), ("ecc", ecc)) if v is not None}
    for role, ref in references.items():
        check_reference(fids, ref, f"--{role}")
    records: list[Record] = []
    notes: list[str] = []
    if opt.truncate:
        fids, references = stages.truncate(fids, references, opt.truncate, records)
    if any(d in fids.dims for d in SPACE):
        return grids.preprocess_grid(fids, references, lipid, opt, records, notes, say)
    if lipid is not None:
        raise ValueError("--lipid-mask: wanted a grid of voxels, found a single voxel")
    if unfit := [k for k in ("denoise", "hamming") if getattr(opt, k)]:
        notes.append(f"{' and '.join(unfit)}: of grids, not done in a single voxel.")
    if split_edited and EDIT not in fids.dims:
        fids = _split(fids)
    if EDIT in fids.dims and (found := fids.data.shape[fids.dims.index(EDIT)]) != 2:
        raise ValueError(f"data: wanted 2 conditions in DIM_EDIT, found {found}; `mrsjax process` does single steps")
    weights = None
    if COIL in fids.dims:
        say("combining coils")
        fids, references, weights = stages.combine(fids, references, opt, records, notes)
    sampling, is_edited = fids.sampling, EDIT in fids.dims
    about = fids.acquisition
    conditions = np.asarray(fids.data)[None] if not is_edited else stages.front(fids, EDIT)
    drift = selection = reasons = None
    if DYNAMIC in fids.dims:
        say("aligning transients")
        at = [d for d in fids.dims if d != EDIT].index(DYNAMIC) + 1
        each = [
            stages.average(x, sampling, opt, records, notes, f", condition {i + 1}" if is_edited else "")
            for i, x in enumerate(np.moveaxis(conditions, at, 1))
        ]
        conditions = np.stack([e[0] for e in each])
        drift, selection, reasons = _joined(each)
        counts = {sum(not r for r in e[3]) for e in each}
        about = carried(about, None if opt.weighted or len(counts) > 1 else counts.pop() ** -0.5)
    if not np.all(np.isfinite(conditions)):
        raise ValueError("data: a signal holds NaN; nothing is left")
    means = {
        k: stages.reference_means(np.asarray(v.data).reshape(1, -1, sampling.n_points), sampling)[0]
        for k, v in references.items()
    }
    conditions = _eddy(conditions, sampling, means, opt, records, notes)
    if opt.remove_water:
        say("removing water")
        band = BandHLSVD(sampling, opt.water_window, components=opt.components)
        cleaned, _, found = program(remove_peaks, band, over=jax.vmap)(jnp.asarray(conditions))
        lines = " and ".join(str(int(n)) for n in np.sum(np.asarray(found.used), axis=-1))
        where = f"{opt.water_window[0]:g} to {opt.water_window[1]:g} ppm"
        cleaned = np.asarray(cleaned)
        records.append(Record("Nuisance peak removal", f"HLSVD in {where}, {lines} lines", conditions[0], cleaned[0]))
        conditions = cleaned
    combined = {}
    which = 1
    if is_edited:
        conditions, which = _together(conditions, sampling, opt, records, notes)
    if opt.reference is not None:  # of edited data by the unedited condition, which has all of its NAA
        of = 1 - which if is_edited else 0
        conditions = stages.referenced(conditions, sampling, opt.reference, of, records, notes)
    if opt.apodise_hz:
        conditions, about = stages.apodise(conditions, sampling, opt.apodise_hz, about, records)
    if fids.acquisition.noise_sd is not None and about.noise_sd is None:
        notes.append(f"Average or apodisation: {DROPPED}.")
    out = FIDs(conditions if is_edited else conditions[0], sampling, (EDIT,) if is_edited else (), about)
    if is_edited:
        combined = _combined(out, which, records)
    water_out = None
    if water is not None:
        signal = jnp.asarray(means["water"])
        straight = program(eddy.klose, sampling)(signal, signal)
        water_out = FIDs(np.asarray(straight), sampling, (), water.acquisition)
    return Preprocessed(
        out, water_out, tuple(records), tuple(notes), drift, selection, reasons, weights, combined=combined
    )


def _check_options(opt: Options, fids: FIDs) -> None:
    if opt.edited_condition not in (None, 1, 2):
        raise ValueError(f"edited_condition: wanted 1 or 2, found {opt.edited_condition}")
    if opt.coil_method not in METHODS:
        raise ValueError(f"coil_method: wanted {' or '.join(METHODS)}, found {opt.coil_method}")
    if fids.sampling.nucleus != "1H":
        plain = Options()
        made_for_1h = opt.align and opt.align_window == plain.align_window and DYNAMIC in fids.dims
        if opt.remove_water or opt.reference is not None or made_for_1h:
            raise ValueError(
                f"data: the defaults are those of 1H, found {fids.sampling.nucleus}; give --config with remove_water: false, reference: null and an align_window of your own"
            )


def _split(fids: FIDs) -> FIDs:
    """Transients in turn (0, 1, 0, 1, ...) as two conditions."""
    if DYNAMIC not in fids.dims:
        raise ValueError(
            "--edited: wanted DIM_EDIT, or transients (DIM_DYN) whose conditions take turns, found neither"
        )
    data = stages.front(fids, DYNAMIC)
    if len(data) % 2:
        raise ValueError(
            f"--edited: wanted an even number of transients whose conditions take turns, found {len(data)}"
        )
    data = np.stack([data[0::2], data[1::2]])
    rest = tuple(d for d in fids.dims if d != DYNAMIC)
    return FIDs(data, fids.sampling, (EDIT, DYNAMIC, *rest), fids.acquisition)


def _joined(each):
    """Drifts, selections and reasons of the conditions, one behind the other."""
    selection = jax.tree.map(lambda *x: jnp.concatenate(x), *(e[2] for e in each))
    reasons = tuple(r for e in each for r in e[3])
    drifts = [e[1] for e in each if e[1] is not None]
    if len(drifts) < len(each):
        return None, selection, reasons
    return (
        Drift(*(jnp.concatenate([getattr(d, k) for d in drifts]) for k in ("frequency", "phase"))),
        selection,
        reasons,
    )


def _eddy(conditions, sampling, means, opt: Options, records, notes):
    source = "ecc" if "ecc" in means else "water" if "water" in means else None
    if not opt.eddy:
        return conditions
    if source is None:
        notes.append("No reference for eddy currents: not corrected (give --water or --ecc).")
        return conditions
    reference = jnp.asarray(means[source])
    new = np.asarray(program(eddy.klose, sampling, over=with_same)(jnp.asarray(conditions), reference))
    records.append(Record("Eddy current correction", f"klose, --{source}", conditions[0], new[0]))
    return new


def _together(conditions, sampling, opt: Options, records, notes):
    """The conditions aligned on each other, and the index of the edited one."""
    low, high = opt.edit_window
    aligned = program(edited.align_subspectra, sampling, window=opt.edit_window)
    new, drift = aligned(jnp.asarray(conditions))
    df, dp = float(drift.frequency[1]), float(np.rad2deg(np.asarray(drift.phase)[1]))
    details = f"least difference in {low:g} to {high:g} ppm: {df:+.2f} Hz, {dp:+.1f} degrees removed from condition 2"
    pair = [x[1] - x[0] for x in (conditions, np.asarray(new))]
    records.append(Record("Alignment of subtraction sub-spectra", details, *pair))
    naa = np.asarray(program(edited.naa_energies, sampling)(new))
    which = int(np.argmin(naa)) if opt.edited_condition is None else opt.edited_condition - 1
    why = "the one with less NAA" if opt.edited_condition is None else "as given"
    notes.append(f"Edited condition: {which + 1} ({why}); difference: edited minus unedited.")
    apart = 1.0 - float(naa.min() / max(naa.max(), 1e-300))
    if opt.edited_condition is None and apart < ALIKE:
        notes.append(
            f"NAA differs by {100 * apart:.0f} % between the conditions: no editing at 1.9 ppm, and the sign of the difference is a guess; say edited_condition: 1 or 2 in --config."
        )
    return np.asarray(new), which


def _combined(fids: FIDs, which: int, records) -> dict[str, FIDs]:
    conditions = np.asarray(fids.data)
    both = jnp.asarray(conditions)
    parts = {"difference": edited.difference(both, which), "sum": edited.total(both)}
    words = {"difference": "Subtraction of sub-spectra", "sum": "Addition of sub-spectra"}
    about = carried(fids.acquisition, 2.0**0.5)
    for name, data in parts.items():
        details = f"{name} of DIM_EDIT, in {name}.nii.gz"
        records.append(Record(words[name], details, conditions[which], np.asarray(data)))
    return {k: FIDs(np.asarray(v), fids.sampling, (), about) for k, v in parts.items()}
