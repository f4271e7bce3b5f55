"""The basis sets of the edited recipe."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from mrsjax.core import BasisSet
from simulators.spins import cache, commands

#: What is simulated: `mrsjax basis simulate --sequence mega-press --ideal` at 3 T.
MEGA: dict[str, Any] = dict(sequence="mega-press", te_ms=68.0, central_frequency_mhz=123.25, ideal=True, positions=1)


def edited_basis() -> dict[str, BasisSet]:
    """GABA-edited MEGA-PRESS, TE 68 ms, ideal pulses (Mescher 1998): "off" and "on", twenty metabolites.

    Simulated at first use (about a minute; one line says so) and kept in the user's cache folder (`XDG_CACHE_HOME`, else ~/.cache) until the simulator's source changes.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mrsjax" / "basis"
    key = cache.name_of(MEGA)
    made = cache.from_cache(folder, key)
    if made is None:
        logging.getLogger(__name__).warning("simulating the MEGA-PRESS basis set, about a minute; kept in %s", folder)
        made = commands.make(progress=lambda line: None, **MEGA)
        cache.to_cache(folder, key, made)
    return {name: b for name, b in made.items() if name in ("off", "on") and isinstance(b, BasisSet)}
