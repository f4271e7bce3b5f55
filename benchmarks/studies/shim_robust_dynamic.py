"""Robust and dynamic shimming of the simulated head: `python -m benchmarks.studies.shim_robust_dynamic`.

Robust: the frontal voxel shimmed for the average over 12 motions (1.5 mm, 1.5 degrees) and 3 Hz of field noise, against the shim of the undisturbed map; both
judged on 40 other motions and finer points (12 along each edge in place of 6). Dynamic: second-order least squares of each axial slice (4 mm) against one shim of
the head; shims of each voxel (15 mm) of an MRSI plane against one of the plane, optimised on 5 points along each edge and judged on 10.
"""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.studies.shim_three_voxels import VOXELS, shimmed_head
from mrsjax.acquisition.shimming import (
    Average,
    Cuboid,
    Harmonics,
    InversePeak,
    LostVolume,
    Region,
    perturbed,
    region,
    region_of_mask,
    shim,
    stack,
)


def robust(coils, head) -> None:
    """Prints the objective on unseen motions."""
    plain = InversePeak() + 10.0 * LostVolume()
    print(
        "| voxel | shimmed for | objective, undisturbed | mean over 40 unseen motions | worst |\n|---|---|---|---|---|"
    )
    for name in ("frontal above the sinus", "temporal"):
        r, fine = (region(head, Cuboid(VOXELS[name], 20.0), coils, points=n) for n in (6, 12))
        draw = {"motion": 1.5, "turn": 1.5, "noise": 3.0}
        seen = perturbed(r, head, coils, **draw, n=12, key=jax.random.key(0))
        unseen = perturbed(fine, head, coils, **draw, n=40, key=jax.random.key(1))

        @eqx.filter_jit
        def judged(currents, fine=fine, unseen=unseen):
            one = lambda x: plain(eqx.tree_at(lambda v: (v.field, v.maps), fine, x), currents)  # noqa: E731
            return plain(fine, currents), jax.lax.map(one, unseen)

        for label, objective in (("the map", plain), ("the average of motions", Average(plain, *seen))):
            result = shim(r, coils, objective, starts=2)
            here, there = judged(result.currents)
            print(
                f"| {name} | {label} | {float(here):.2f} | {float(there.mean()):.2f} | {float(there.max()):.2f} |",
                flush=True,
            )


def dynamic(coils, head) -> None:
    """Prints the field's SD over the slices."""
    n = head.field.shape[2]
    slices = [k for k in range(n) if head.known[:, :, k].sum() > 200]
    regions = []
    for k in slices:
        mask = np.zeros(head.field.shape, dtype=bool)
        mask[:, :, k] = True
        regions.append(region_of_mask(head, mask, coils))
    found = shim(stack(regions), coils)
    before, after = np.asarray(found.before.sd), np.asarray(found.after.sd)
    print(
        "| slices | field SD with one shim of the head (median, worst; Hz) | with one shim a slice | status all converged |\n|---|---|---|---|"
    )
    print(
        f"| {len(slices)} | {np.median(before):.1f}, {max(before):.1f} | {np.median(after):.1f}, {max(after):.1f} | {bool((found.status == 0).all())} |"
    )


def mrsi(coils, head) -> None:
    """Prints lines and volume of the voxels of a plane, 20 mm above the middle of the head."""
    centres = [(x, y, 20.0) for x in 15.0 * np.arange(-4, 5) for y in 15.0 * np.arange(-5, 6)]
    boxes = [Cuboid(c, 15.0) for c in centres if head.known[tuple(_index(head, c))]]
    pairs = [[region(head, b, coils, points=n) for n in (5, 10)] for b in boxes]
    pairs = [p for p in pairs if float(p[1].covered) > 0.5]
    seen, fine = (stack([p[i] for p in pairs]) for i in (0, 1))
    whole = Region(
        seen.field.ravel(), seen.weight.ravel() / len(pairs), seen.maps.reshape(-1, seen.maps.shape[2]),
        seen.position.reshape(-1, 3), jnp.mean(seen.covered),
    )  # fmt: skip
    one = shim(whole, coils).currents
    print(
        "| voxels | shim | FWHM (median, worst; Hz) | volume kept (median, worst) | converged | CPU s |\n|---|---|---|---|---|---|"
    )
    rows = {
        "one of the plane": lambda: eqx.tree_at(
            lambda r: r.currents, shim(seen, coils), jnp.broadcast_to(one, (len(pairs), len(one)))
        ),
        "least squares, each voxel": lambda: shim(seen, coils),
        "inverse peak + 10 lost volume, each voxel": lambda: shim(
            seen, coils, InversePeak() + 10.0 * LostVolume(), starts=3
        ),
    }
    for label, make in rows.items():
        began = time.process_time()
        found = make().on(fine)
        fwhm, kept = np.asarray(found.after.line.fwhm), np.asarray(found.after.kept)
        print(f"| {len(pairs)} | {label} | {np.median(fwhm):.1f}, {fwhm.max():.1f} | {np.median(kept):.2f}, {kept.min():.2f} | "
              f"{int((found.status == 0).sum())} | {time.process_time() - began:.0f} |", flush=True)  # fmt: skip


def _index(head, centre) -> np.ndarray:
    return np.rint(np.linalg.solve(head.affine[:3, :3], np.asarray(centre) - head.affine[:3, 3])).astype(int)


def main():
    jax.config.update("jax_enable_x64", True)
    coils = Harmonics(2)
    head = shimmed_head(coils)
    dynamic(coils, head)
    mrsi(coils, head)
    robust(coils, head)


if __name__ == "__main__":
    main()
