"""What `mrsjax shim` leaves behind: tables, maps and one self-contained HTML page with pictures."""

from __future__ import annotations

import csv
import dataclasses
import io as text
import json
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from mrsjax.acquisition.shimming import Coils, Cuboid, Prediction, Region, ShimResult, in_words
from mrsjax.core.field_map import FieldMap
from mrsjax.physics import ShimDephasing, SignalModel
from mrsjax.report.packing import script_json
from mrsjax.report.page import page
from mrsjax.report.tables import finite

#: The histogram ends at most this far from the carrier, Hz; it has 100 bins.
_REACH = 100.0


@dataclasses.dataclass(frozen=True)
class Shimmed:
    """A finished shim: the map, the points that it is judged on (`region`; for a cuboid finer than those of the optimiser), least squares for comparison (`base`), the result
    (`found`), the bounds (3, metabolites; relative CRLB) of `chosen` metabolites without currents, with least squares and with the result, and the
    model that predicts the spectrum.
    """

    field_map: FieldMap
    voxel: Cuboid | None
    region: Region
    coils: Coils
    base: ShimResult
    found: ShimResult
    objective: str
    chosen: tuple[str, ...]
    bounds: np.ndarray
    model: SignalModel
    amplitudes: Any
    notes: tuple[str, ...]

    @property
    def shown(self) -> tuple[Prediction, Prediction, Prediction]:
        """Before, with least squares, after."""
        return self.found.before, self.base.after, self.found.after


def summary(done: Shimmed) -> str:
    """One line for the console."""
    return f"{done.objective}: {in_words(done.found)}"


def field_after(done: Shimmed) -> np.ndarray:
    """The field map with the currents, Hz; NaN where the channels' fields are unknown."""
    field_map, out = done.field_map, np.full(done.field_map.field.shape, np.nan)
    place = field_map.positions.reshape(-1, 3)
    inside = done.coils.covers(place)
    change = np.asarray(done.coils.maps(place[inside])) @ np.asarray(done.found.currents)
    out.reshape(-1)[inside] = field_map.field.reshape(-1)[inside] + change
    return np.where(field_map.known, out, np.nan)


def _table(header: list[str], rows: list[list]) -> str:
    out = text.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([header, *rows])
    return out.getvalue()


def field_before(done: Shimmed) -> np.ndarray:
    """The measured field, Hz; NaN where it is unknown."""
    return np.where(done.field_map.known, done.field_map.field, np.nan)


def _currents(done: Shimmed) -> list[dict[str, Any]]:
    found, base = done.found, done.base
    return [
        {"channel": n, "unit": u, "current": float(x), "least_squares": float(y), "at_limit": bool(a)}
        for n, u, x, y, a in zip(found.names, found.units, found.currents, base.currents, found.at_limit, strict=True)
    ]


def _histogram(done: Shimmed) -> tuple[np.ndarray, list[np.ndarray]]:
    """Centres (Hz) and fraction of the voxel for each bin before and after; what lies further off is in the outer bins."""
    fields = [np.asarray(x.field) for x in done.shown]
    weight = np.asarray(done.region.weight)
    reach = min(_REACH, max(5.0, *[np.ceil(np.abs(f).max()) for f in fields]))
    edges = np.linspace(-reach, reach, 101)
    counts = [np.histogram(np.clip(f, -reach, reach), edges, weights=weight)[0] for f in fields]
    return 0.5 * (edges[1:] + edges[:-1]), counts


def _spectra(done: Shimmed) -> tuple[np.ndarray, list[np.ndarray]]:
    """Chemical shifts (ppm) and the predicted real spectrum before, with least squares and after; the mean of each field is on resonance."""
    found = [_spectrum(done.model, done.amplitudes, x.field, x.weight) for x in done.shown]
    return np.asarray(done.model.ppm), [np.asarray(x) for x in found]


@eqx.filter_jit
def _spectrum(model: SignalModel, amplitudes, field, weight):
    shim = ShimDephasing(offset=field - weight @ field, weight=weight, maps=jnp.zeros((len(field), 0)), histogram=True)
    model = eqx.tree_at(lambda m: m.factors, model, (shim,))
    return model.spectrum(model.start(), amplitudes).real


def tables(done: Shimmed) -> dict[str, str]:
    """Name -> text of the tables."""
    found, states = done.found, ("before", "least_squares", "after")
    centres, counts = _histogram(done)
    ppm, spectra = _spectra(done)
    numbers = {
        "objective": done.objective,
        "value": float(found.value),
        "value_without_currents": float(found.value_before),
        "status": int(found.status),
        "iterations": int(found.iterations),
        "values_of_all_starts": np.asarray(found.spread).tolist(),
        "total_at_limit": bool(found.total_at_limit),
        "linewidth_hz": dict(zip(states, [float(x.line.fwhm) for x in done.shown], strict=True)),
        "field_sd_hz": dict(zip(states, [float(x.sd) for x in done.shown], strict=True)),
        "volume_kept": dict(zip(states, [float(x.kept) for x in done.shown], strict=True)),
        "crlb_percent": {
            n: dict(zip(states, [100 * float(b[i]) for b in done.bounds], strict=True))
            for i, n in enumerate(done.chosen)
        },
    }  # fmt: skip
    rows = _currents(done)
    return {
        "currents.csv": _table(list(rows[0]), [list(r.values()) for r in rows]),
        "currents.json": json.dumps(finite({"schema": "mrsjax-shim/1.0", "currents": rows, **numbers}), indent=1)
        + "\n",
        "histogram.csv": _table(["field_hz", *states], np.column_stack([centres, *counts]).round(6).tolist()),
        "spectrum.csv": _table(["ppm", *states], np.column_stack([ppm, *spectra]).tolist()),
    }


def _slices(done: Shimmed) -> list[dict[str, Any]]:
    """Three planes of the map through the voxel's centre, before and after, and the voxel's membership on them."""
    field_map = done.field_map
    centre = np.asarray(done.region.weight @ done.region.position)
    index = np.linalg.solve(field_map.affine[:3, :3], centre - field_map.affine[:3, 3])
    at = np.clip(np.rint(index).astype(int), 0, np.array(field_map.field.shape) - 1)
    after = field_after(done)
    before = field_before(done)
    if done.voxel is not None:
        inside = np.asarray(done.voxel.inside(field_map.positions, edge=2.0))
    else:
        inside = np.zeros(field_map.field.shape)
        near = np.linalg.solve(field_map.affine[:3, :3], (np.asarray(done.region.position) - field_map.affine[:3, 3]).T)
        inside[tuple(np.rint(near).astype(int))] = 1.0
    planes = []
    names = ("sagittal", "coronal", "axial")
    main = np.argmax(np.abs(field_map.affine[:3, :3]), axis=0)  # patient axis of each index
    for axis in (2, 1, 0):
        i, j = [a for a in range(3) if a != axis]
        plane = [_rounded(np.take(x, at[axis], axis).T) for x in (before, after, inside)]
        planes.append(
            {"name": names[main[axis]], "x": _axis(field_map, i, at), "y": _axis(field_map, j, at), "labels": ["RAS"[main[i]], "RAS"[main[j]]],
             "before": plane[0], "after": plane[1], "inside": plane[2]}
        )  # fmt: skip
    return planes


def _axis(field_map: FieldMap, index: int, at: np.ndarray) -> list[float]:
    """Lengths along an index of the map, mm: true ones also of an oblique map, and at the grid point `at` its position on the patient axis that the index
    runs along most.
    """
    along = int(np.argmax(np.abs(field_map.affine[:3, index])))
    step = np.copysign(field_map.voxel_size[index], field_map.affine[along, index])
    here = field_map.affine[along, :3] @ at + field_map.affine[along, 3]
    return (here + step * (np.arange(field_map.field.shape[index]) - at[index])).round(1).tolist()


def _rounded(x: np.ndarray) -> list:
    return np.where(np.isfinite(x), np.round(x, 2), np.nan).tolist()


def render(done: Shimmed, run: Mapping[str, Any]) -> str:
    """One HTML page that needs no network. `run`: title, started, versions, options."""
    centres, counts = _histogram(done)
    ppm, spectra = _spectra(done)
    lines = [
        {"x": np.asarray(x.frequency - x.peak).round(3).tolist(), "y": np.asarray(x.spectrum).round(6).tolist()}
        for x in (state.line for state in done.shown)
    ]
    payload = {
        "planes": _slices(done),
        "histogram": {"x": centres.round(2).tolist(), "y": [c.round(5).tolist() for c in counts]},
        "lines": lines,
        "spectrum": {"x": ppm.round(4).tolist(), "y": [s.astype(np.float32).tolist() for s in spectra]},
    }
    rows = [
        ("Linewidth (Hz)", *(f"{float(x.line.fwhm):.1f}" for x in done.shown)),
        ("Field SD (Hz)", *(f"{float(x.sd):.1f}" for x in done.shown)),
        ("Volume kept (%)", *(f"{100 * float(x.kept):.0f}" for x in done.shown)),
        *((f"CRLB of {n} (%)", *(f"{100 * float(b[i]):.1f}" for b in done.bounds)) for i, n in enumerate(done.chosen)),
    ]
    return page(
        "shimming.html",
        run=run,
        objective=done.objective,
        summary=summary(done),
        rows=rows,
        currents=_currents(done),
        notes=done.notes,
        total_at_limit=bool(done.found.total_at_limit),
        payload=script_json(finite(payload)),
    )
