"""Twenty deliberately broken files, and what `mrsjax check` says of each: `python -m benchmarks.accuracy.broken_files`.

Prints docs/doctor.md's listing. Everything is made from one simulated spectrum, in a temporary folder.
"""

import contextlib
import io as streams
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import jax
import numpy as np

from mrsjax import io
from mrsjax.core import Acquisition, BasisSet, FIDs, Sampling
from mrsjax.core.basis import BasisOrigin

N, DWELL, F0 = 1024, 5e-4, 127.7e6
LINES = {"NAA": 2.008, "Cr": 3.027, "PCr": 3.04, "GPC": 3.21, "PCh": 3.225, "Ins": 3.52, "Glu": 2.35, "Gln": 2.45}
LINES |= {"NAAG": 2.045, "GSH": 2.55, "Lac": 1.31, "GABA": 2.28}
SIZES = dict.fromkeys(LINES, 1.0) | {"NAA": 10.0, "Cr": 6.0, "PCr": 4.0, "GPC": 4.0}


def line(ppm, frequency=F0, dwell=DWELL, n=N):
    t = np.arange(n) * dwell
    return np.exp((2j * np.pi * (ppm - 4.65) * 1e-6 * frequency - 12.0) * t)


def brain(shape=(), dims=(), *, change=lambda d: d, about=None, **sampling):
    """The sound spectrum, changed."""
    rng = np.random.default_rng(1)
    one = sum(SIZES[k] * line(p) for k, p in LINES.items()) + 20 * line(4.65)
    data = one + 0.05 * (rng.normal(size=(*shape, N)) + 1j * rng.normal(size=(*shape, N)))
    grid = {"dwell_time": DWELL, "central_frequency": F0, "nucleus": "1H"} | sampling
    data = change(data)
    about = Acquisition(echo_time=0.03, repetition_time=2.0) if about is None else about
    return FIDs(data, Sampling(n_points=data.shape[-1], **grid), dims, about)


def basis(*, change=lambda f: f, lines=LINES, n=N, frequency=F0, echo=0.03):
    """The matching basis, changed."""
    fids = change(np.array([line(p, frequency, n=n) for p in lines.values()]))
    grid = Sampling(DWELL, frequency, fids.shape[1])
    return BasisSet(fids, tuple(lines), grid, BasisOrigin(echo_time=echo))


def put(data, where, value):
    data = np.array(data)
    data[where] = value
    return data


def truncated(path):
    io.write(brain(), path)
    path.write_bytes(path.read_bytes()[:-4000])


def te_in_microseconds(path):
    io.write(brain(), path)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b'"EchoTime": 0.03', b'"EchoTime": 30.0', 1))


def encrypted(path):
    io.write_basis(basis(), path)
    path.write_text(re.sub(r"BADELT\s*=\s*", "BADELT = -", path.read_text()))


def folder(path):
    io.write_basis(basis(), path)
    one = path / "Glu.json"
    content = json.loads(one.read_text())
    content["basis"]["basis_dwell"] *= 2
    one.write_text(json.dumps(content))


#: (file, what is wrong, how it is made, the basis it is checked against)
BROKEN = (
    ("mirrored.nii", "conjugated", lambda p: io.write(brain(change=np.conj), p), None),
    ("zero.nii", "a transient of zeros", lambda p: io.write(brain((8,), ("DIM_DYN",), change=lambda d: put(d, 2, 0)), p), None),
    ("nan.nii", "NaN in two transients", lambda p: io.write(brain((8,), ("DIM_DYN",), change=lambda d: put(d, ([1, 5], 7), np.nan)), p), None),
    ("motion.nii", "one transient 10 times too large", lambda p: io.write(brain((8,), ("DIM_DYN",), change=lambda d: put(d, 3, 10 * d[3])), p), None),
    ("coils.nii", "coils not combined", lambda p: io.write(brain((4,), ("DIM_COIL",)), p), None),
    ("phosphorus.nii", "31P data", lambda p: io.write(brain(nucleus="31P", central_frequency=51.7e6), p), None),
    ("shifted.nii", "0.3 ppm off", lambda p: io.write(brain(change=lambda d: d * np.exp(2j * np.pi * 38.3 * np.arange(N) * DWELL)), p), None),
    ("water.nii", "a water reference", lambda p: io.write(brain(change=lambda d: 1e4 * line(4.65) + 0 * d), p), None),
    ("echo.nii", "60 points before the echo", lambda p: io.write(brain(change=lambda d: np.concatenate([0.01 * d[59::-1], d])), p), None),
    ("dwell.nii", "dwell time in the wrong unit", lambda p: io.write(brain(dwell_time=5e-5), p), None),
    ("tiled.nii", "four FIDs in one", lambda p: io.write(brain(change=lambda d: np.tile(d, 4)), p), None),
    ("truncated.nii", "cut short", truncated, None),
    ("te_us.nii", "TE 1000 times too large", te_in_microseconds, None),
    ("empty.raw", "0 bytes", lambda p: p.write_bytes(b""), None),
    ("no_dwell.raw", "no dwell time anywhere", lambda p: p.write_text(" $NMID ID='x' FMTDAT='(2E15.6)' $END\n" + " 1.0 2.0\n" * 64), None),
    ("notes.xyz", "no format at all", lambda p: p.write_text("hello"), None),
    ("encrypted.basis", "an encrypted basis", encrypted, None),
    ("folder", "one metabolite with another dwell time", folder, None),
    ("sound.nii", "a basis of another field", lambda p: io.write(brain(), p), lambda: basis(frequency=297.2e6)),
    ("sound2.nii", "a mirrored basis without NAA", lambda p: io.write(brain(), p),
     lambda: basis(change=np.conj, lines={k: v for k, v in LINES.items() if k != "NAA"})),
)  # fmt: skip


def said(name: str, basis_name: str | None) -> str:
    """What the command prints."""
    from mrsjax.cli.entry import commands

    out = streams.StringIO()
    arguments = ["check", name] + ([] if basis_name is None else ["--basis", basis_name])
    with contextlib.redirect_stdout(out):
        commands.main(arguments, prog_name="mrsjax", standalone_mode=False)
    return out.getvalue()


def run() -> list[tuple[str, str, str]]:
    """(command, what is wrong, what is said) of every file."""
    home, out = Path.cwd(), []
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        try:
            for name, wrong, make, other in BROKEN:
                make(Path(name))
                against = None
                if other is not None:
                    against = f"basis_of_{name.split('.')[0]}.basis"
                    io.write_basis(other(), against)
                command = f"mrsjax check {name}" + ("" if against is None else f" --basis {against}")
                out.append((command, wrong, said(name, against)))
        finally:
            os.chdir(home)
            shutil.rmtree(place, ignore_errors=True)
    return out


def document(found: list[tuple[str, str, str]]) -> str:
    """docs/doctor.md."""
    text = "# The doctor on twenty broken files\n\n"
    text += "`python -m benchmarks.accuracy.broken_files` makes the files and prints this page;"
    text += " `tests/test_documents.py` compares it with docs/doctor.md.\n"
    for command, wrong, answer in found:
        body = "\n".join(x for x in answer.splitlines()[1:] if not x.startswith("  ok "))
        text += f"\n## {wrong}\n\n```text\n$ {command}\n{body}\n```\n"
    return text


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    print(document(run()), end="")
