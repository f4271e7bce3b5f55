"""The 12 Philips subjects in one batch, the sixth file cut short: `python -m benchmarks.accuracy.broken_batch [--data DIR] [--out DIR]`.

DATA is the folder of real test data (tests/conftest.py says which). Prints what the command prints and the processor time, compilation included: an empty compile cache is used.
"""

import argparse
import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

SUBJECTS, BASIS = "svs_3t_philips_press35_12subjects", "basis_3t_philips_press35/3T_PRESS_Philips_35ms_noMM.BASIS"
LEFT = 9000  # bytes of the sixth SDAT


def study(data: Path, folder: Path) -> Path:
    """A copy of the subjects' metabolite and water files, one of them damaged."""
    folder.mkdir()
    for file in sorted((data / SUBJECTS).glob("S*/*_PRESS_35_*.S*")):
        shutil.copy(file, folder)
    damaged = folder / "S06_PRESS_35_act.SDAT"
    damaged.write_bytes(damaged.read_bytes()[:LEFT])
    return folder


def run(data: Path, out: Path | None = None) -> None:
    from mrsjax.cli import main

    with tempfile.TemporaryDirectory() as place:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(place) / "xla")
        source = study(data, Path(place) / "STUDY")
        target = Path(place) / "out" if out is None else out
        with contextlib.suppress(SystemExit):  # 2: a file failed
            main(["batch", str(source), "--water", "act=ref", "--basis", str(data / BASIS), "-o", str(target)])
    print(f"{time.process_time():.0f} s of CPU")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MRSJAX_TEST_DATA", "../shared/data"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    run(given.data, given.out)
