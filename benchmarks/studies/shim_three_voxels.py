"""Three voxels of a simulated head at 3 T: what an objective on the spectrum gains over least squares, and what it costs in volume.

`python -m benchmarks.studies.shim_three_voxels`. Voxels of 20 mm; second order and frequency, free currents, the head shimmed as a whole before. CRLB: mean
of GABA, GSH, Gln, Glu, PRESS TE 30, NAA at a signal-to-noise ratio of 40 before any dephasing; relative to least squares.
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
        "| voxel | objective | FWHM (Hz) | mean CRLB (%) | relative | volume kept | status | CPU s |\n|---|---|---|---|---|---|---|---|"
    )
    # all of one size: a program with a bound in it compiles for most of a minute
    batch = stack([region(head, Cuboid(centre, 20.0), coils, points=points) for centre in VOXELS.values()])
    for i, name in enumerate(VOXELS):
        r = jax.tree.map(lambda x, i=i: x[i], batch)
        base = shim(r, coils)
        reference = float(value(bound, r, base.currents))
        print(f"| {name} ({float(r.covered):.0%} known) | before | {float(base.line_before.fwhm):.1f} | {100 * float(value(bound, r, 0 * base.currents)):.1f} | "
              f"{float(value(bound, r, 0 * base.currents)) / reference:.2f} | {float(base.kept_before):.2f} | | |", flush=True)  # fmt: skip
        objectives = {
            "least squares": MeanSquare(),
            "Huber 5 Hz": Huber(5.0),
            "CRLB": bound,
            "CRLB + lost volume": bound + reference * LostVolume(),
        }
        for label, objective in objectives.items():
            began = time.process_time()
            result = base if isinstance(objective, MeanSquare) else shim(r, coils, objective, starts=4)
            found = float(value(bound, r, result.currents))
            print(f"| {name} | {label} | {float(result.line.fwhm):.1f} | {100 * found:.1f} | {found / reference:.2f} | {float(result.kept):.2f} | "
                  f"{int(result.status)} | {time.process_time() - began:.0f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
