"""Three voxels of a simulated head at 3 T: what an objective on the spectrum gains over least squares, and what it costs in volume.

`python -m benchmarks.studies.shim_three_voxels [POINTS]`. Voxels of 20 mm; second order and frequency, free currents, the head shimmed as a whole before. CRLB: mean
of GABA, GSH, Gln, Glu, PRESS TE 30, NAA at a signal-to-noise ratio of 40 before any dephasing; relative to least squares. Optimised on POINTS (8) along
each edge, judged on 16, which no optimiser has seen; beside them the bound on the optimiser's own points.
"""

import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from mrsjax.acquisition.shimming import (
    Cuboid,
    Harmonics,
    Huber,
    LostVolume,
    MeanSquare,
    crlb,
    region,
    region_of_mask,
    shim,
    stack,
    typical_model,
)
from mrsjax.core import FieldMap
from mrsjax.data import default_basis
from simulators.phantoms.head_field import head_field

#: Points along each edge where currents are judged.
JUDGED = 16
VOXELS = {
    "frontal above the sinus": (0.0, 64.0, 8.0),
    "temporal": (46.0, -8.0, -22.0),
    "easy (parietal)": (0.0, -40.0, 35.0),
}


def shimmed_head(coils: Harmonics) -> FieldMap:
    """The head's field after a least-squares shim of all of it."""
    head = head_field()
    whole = region_of_mask(head, head.known, coils)
    currents = np.asarray(shim(whole, coils).currents)
    change = np.asarray(coils.maps(jnp.asarray(head.positions.reshape(-1, 3)))) @ currents
    return FieldMap(head.field + change.reshape(head.field.shape), head.known, head.affine, head.notes)


def main():
    jax.config.update("jax_enable_x64", True)
    coils = Harmonics(2)
    head = shimmed_head(coils)
    model, amplitudes = typical_model(default_basis())
    bound = crlb(model, amplitudes, ("GABA", "GSH", "Gln", "Glu"))
    value = eqx.filter_jit(lambda b, r, c: b(r, c))
    points = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    print(
        "| voxel | objective | FWHM (Hz) | mean CRLB (%) | relative | volume kept | CRLB on the seen points (%) | status | CPU s |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    # all of one size: a program with a bound in it compiles for most of a minute
    seen, fine = (
        stack([region(head, Cuboid(centre, 20.0), coils, points=n) for centre in VOXELS.values()])
        for n in (points, JUDGED)
    )
    for i, name in enumerate(VOXELS):
        r, judge = (jax.tree.map(lambda x, i=i: x[i], batch) for batch in (seen, fine))
        base = shim(r, coils)
        reference, scale = float(value(bound, judge, base.currents)), float(value(bound, r, base.currents))
        objectives = {
            "least squares": MeanSquare(),
            "Huber 5 Hz": Huber(5.0),
            "CRLB": bound + 0.0 * LostVolume(),  # one program for both
            "CRLB + lost volume": bound + scale * LostVolume(),
        }
        before = base.on(judge).before
        rows = [("before", 0 * base.currents, before, "", 0.0)]
        for label, objective in objectives.items():
            began = time.process_time()
            result = base if isinstance(objective, MeanSquare) else shim(r, coils, objective, starts=4)
            rows.append((label, result.currents, result.on(judge).after, str(int(result.status)), time.process_time() - began))  # fmt: skip
        for label, currents, shown, status, seconds in rows:
            found = float(value(bound, judge, currents))
            print(f"| {name} ({float(judge.covered):.0%} known) | {label} | {float(shown.line.fwhm):.1f} | {100 * found:.1f} | {found / reference:.2f} | "
                  f"{float(shown.kept):.2f} | {100 * float(value(bound, r, currents)):.1f} | {status} | {seconds:.0f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
