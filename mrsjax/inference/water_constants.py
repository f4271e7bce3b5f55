"""The constants that water scaling used, each with its source, and what it took for granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mrsjax.core import FitResult
from mrsjax.core.metabolites import canonical
from mrsjax.inference.water_reference import ProtonSignal
from mrsjax.physics.relaxation import TISSUES, WATER_CONTENT, WATER_MOLALITY, WATER_MOLARITY, Constant, RelaxationTable

if TYPE_CHECKING:
    from mrsjax.inference.quantification import Timing, Tissue, WaterReference

#: Source of a time of the water that no file states.
TAKEN_OVER = "taken from the metabolite scan"


def constants_used(
    proton: ProtonSignal, timing: Timing, table: RelaxationTable, tissue: Tissue, result: FitResult
) -> tuple[Constant, ...]:
    """Every constant that entered, with its source."""
    out = [
        Constant("echo time, metabolites", timing.echo_time * 1e3, "ms", "acquisition"),
        Constant("repetition time, metabolites", timing.repetition_time * 1e3, "ms", "acquisition"),
        *(
            Constant(f"{name} time, water", t * 1e3, "ms", TAKEN_OVER if short in timing.taken_over else "acquisition")
            for name, short, t in zip(("echo", "repetition"), ("TE", "TR"), timing.of_water, strict=True)
        ),
        Constant(
            f"signal of one proton at unit concentration, from {proton.singlet}",
            proton.value,
            "basis",
            "measured in the basis",
        ),
        Constant("protons of water", 2.0, "1", "H2O"),
        WATER_MOLALITY,
        WATER_MOLARITY,
        *WATER_CONTENT.values(),
    ]
    for index, name in enumerate(TISSUES):
        values = np.asarray(tissue.fractions)[..., index]
        label = f"volume fraction {name}" + (" (mean over voxels)" if values.size > 1 else "")
        known = values[np.isfinite(values)]
        out.append(Constant(label, float(known.mean()) if known.size else np.nan, "1", "given"))
    for name, times in table.water.items():
        out.append(Constant(f"T1 of water, {name}", times.t1 * 1e3, "ms", times.source))
        out.append(Constant(f"T2 of water, {name}", times.t2 * 1e3, "ms", times.source))
    for name in result.metabolites:
        for matter, times in zip(("grey", "white"), table.of(canonical(name)), strict=True):
            out.append(Constant(f"T1 of {name}, {matter} matter", times.t1 * 1e3, "ms", times.source))
            out.append(Constant(f"T2 of {name}, {matter} matter", times.t2 * 1e3, "ms", times.source))
    return tuple(out)


def assumptions(proton: ProtonSignal, water: WaterReference) -> tuple[str, ...]:
    """What was taken for granted, in sentences."""
    out = [
        "Water and metabolite data have the same receiver gain, coil combination and number of averages in the sum "
        "(or both are means).",
        "Relaxation: exp(-TE/T2) (1 - exp(-TR/T1)) for water in each tissue and for each metabolite (Gasparovic 2006); "
        "no magnetisation transfer, ideal pulses.",
        "Metabolites are in grey and white matter only; CSF contributes water but no metabolites.",
        f"Relaxation times are those tabulated for {water.table.field_strength:g} T in healthy adults.",
    ]
    if water.tissue is None:
        out.insert(
            0,
            "No tissue fractions were given: the voxel counts as 50 % grey, 50 % white matter, 0 % CSF.",
        )
    if water.timing.taken_over:
        out.insert(0, f"{' and '.join(water.timing.taken_over)} of the water are {TAKEN_OVER}.")
    if proton.spread > 0.1:
        listed = ", ".join(f"{k}: {v / proton.value:.2f}" for k, v in proton.all.items())
        out.append(
            f"The singlets of the basis disagree by up to {100 * proton.spread:.0f} % on a proton's signal ({listed}); "
            f"{proton.singlet} is used. Water scaling of the other metabolites inherits that disagreement."
        )
    return tuple(out)
