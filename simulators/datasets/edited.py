"""The basis sets of the edited recipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mrsjax.core import BasisSet
from simulators.spins import commands

#: What is simulated: `mrsjax basis simulate --sequence mega-press --ideal` at 3 T.
MEGA: dict[str, Any] = dict(
    sequence="mega-press", te_ms=68.0, te1_ms=None, te2_ms=None, tm_ms=10.0, field_t=None, central_frequency_mhz=123.25, points=2048,
    dwell_s=5e-4, linewidth_hz=1.0, ideal=True, positions=1, metabolites=None, macromolecules=False, reference=False, fine=False,
)  # fmt: skip


def edited_basis() -> dict[str, BasisSet]:
    """GABA-edited MEGA-PRESS, TE 68 ms, ideal pulses (Mescher 1998): "off" and "on", twenty metabolites.

    Simulated at first use (about a minute) and kept in the user's cache folder (`XDG_CACHE_HOME`, else ~/.cache).
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mrsjax" / "basis"
    made = commands.from_cache(folder, "recipe-mega-press-68-1")
    if made is None:
        made = commands.make(progress=lambda line: None, **MEGA)
        commands.to_cache(folder, "recipe-mega-press-68-1", made)
    return {name: made[name] for name in ("off", "on")}
