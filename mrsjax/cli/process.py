"""`mrsjax process STEP`: single steps of the processing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

_PAIR = {"type": float, "nargs": 2, "metavar": "LOW HIGH", "show_default": True}
_NUMBER = {"type": float, "show_default": True}
_WHOLE = {"type": int, "show_default": True}
_FLAG = {"is_flag": True}
_FILE = {"type": click.Path()}


@dataclasses.dataclass(frozen=True)
class Step:
    """`method`: its consensus term (Near 2021) in ProcessingApplied; `options`: name -> (help, settings of click)."""

    method: str
    help: str
    options: dict[str, tuple[str, dict[str, Any]]] = dataclasses.field(default_factory=dict)


_REFERENCE = ("Unsuppressed water.", _FILE)
_DIM = {"dim": ("Along which dim.", {"default": "DIM_EDIT", "show_default": True})}
_CORRECTION = "Frequency and phase correction"

#: Every step: the commands, their options and what ProcessingApplied says come from here.
STEPS = {
    "coil-combine": Step("RF coil combination", "Coils by whitened SVD.", {"reference": _REFERENCE}),
    "align": Step(
        _CORRECTION,
        "Transients on each other by spectral registration.",
        {
            "window-ppm": ("What is looked at.", _PAIR | {"default": (1.8, 4.2)}),
            "target": (
                "What to align to, or the peak to fit.",
                {"type": click.Choice(["mean", "median", "first", "NAA", "Cr", "Cho", "water"]), "default": "mean"},
            ),
            "robust": ("Re-weighted: for signals that change in the window.", _FLAG),
        },
    ),
    "remove-outliers": Step(
        "Outlier removal",
        "Transients unlike the others become NaN.",
        {"z-limit": ("Robust z-score of the distance.", _NUMBER | {"default": 4.0})},
    ),
    "average": Step(
        "Signal averaging", "Mean of the transients.", {"weighted": ("By inverse variance.", _FLAG)}
    ),
    "ecc": Step("Eddy current correction", "Klose 1990; own water without a reference.", {"reference": _REFERENCE}),
    "remove-water": Step(
        "Nuisance peak removal",
        "Lines in a window, by HLSVD.",
        {
            "window-ppm": ("Where.", _PAIR | {"default": (4.35, 4.95)}),
            "components": ("Exponentials at most.", _WHOLE | {"default": 12}),
        },
    ),
    "remove-lipid": Step(
        "Nuisance peak removal",
        "Scalp lipid of a grid, by L2 projection.",
        {"mask": ("NIfTI image of the voxels with scalp lipid.", _FILE | {"required": True})},
    ),
    "phase": Step(
        "Phasing",
        "Zero- and first-order phase.",
        {
            "zero-deg": ("Zero order.", _NUMBER | {"default": 0.0}),
            "delay-ms": ("First order.", _NUMBER | {"default": 0.0}),
        },
    ),
    "reference": Step(
        _CORRECTION,
        "A peak to its chemical shift and phase zero.",
        {"peak": ("Which.", {"type": click.Choice(["NAA", "Cr", "Cho", "water"]), "default": "NAA", "show_default": True})},
    ),
    "apodise": Step(
        "Apodization",
        "Broader lines.",
        {
            "lorentz-hz": ("FWHM.", _NUMBER | {"default": 0.0}),
            "gauss-hz": ("FWHM.", _NUMBER | {"default": 0.0}),
        },
    ),
    "zero-fill": Step("Zero-filling", "Zeros behind the FIDs.", {"points": ("In total.", _WHOLE | {"required": True})}),
    "truncate": Step(
        "Truncation",
        "Points off the start or end.",
        {"first": ("Leading.", _WHOLE | {"default": 0}), "last": ("Trailing.", _WHOLE | {"default": 0})},
    ),
    "interpolate": Step(
        "Fourier interpolation", "A finer time grid.", {"factor": ("Whole number.", _WHOLE | {"required": True})}
    ),
    "align-edit": Step(
        "Alignment of subtraction sub-spectra",
        "Edited conditions on the first.",
        {"window-ppm": ("Without edited signals.", _PAIR | {"default": (3.1, 3.35)})},
    ),
    "subtract": Step("Subtraction of sub-spectra", "Second minus first of two conditions.", _DIM),
    "add": Step("Addition of sub-spectra", "Sum of two conditions.", _DIM),
    "denoise": Step("Denoising", "Low rank over all FIDs; CRLBs keep the noise before."),
    "hamming": Step("Apodization", "A grid filtered in k-space."),
}  # fmt: skip


@click.group()
def process():
    """One step on FILE, logged in the ProcessingApplied of OUT.

    `mrsjax preprocess` does them all in order; `mrsjax process STEP --help` says what a step takes.
    """


def _command(name: str, step: Step) -> click.Command:
    def work(file: str, out: str, **options):
        _run(name, step, file, Path(out), options)

    command = click.Command(name, callback=work, help=f"{step.help} ({step.method})")
    command.params = [click.Argument(["file"], type=click.Path())]
    for option, (text, kind) in step.options.items():
        command.params.append(click.Option([f"--{option}"], help=text, **kind))
    command.params.append(click.Option(["-o", "--out"], required=True, type=click.Path(), help="NIfTI-MRS to write."))
    return command


for _name, _step in STEPS.items():
    process.add_command(_command(_name, _step))


def _run(name: str, step: Step, file: str, out: Path, options: dict[str, Any]) -> None:
    if not out.name.lower().endswith((".nii", ".nii.gz")):
        raise ValueError(f"{out}: wanted a name that ends in .nii.gz (NIfTI-MRS keeps dims and history)")
    if out.exists() and Path(file).exists() and out.samefile(file):
        raise ValueError(f"{out}: wanted another file than the data")
    from mrsjax.cli.console import start_jax

    start_jax()
    from mrsjax import io
    from mrsjax.processing import steps

    if options.get("reference") is not None:
        options["reference"] = io.read(options["reference"])
    fids = io.read(file)
    if "mask" in options:
        from mrsjax.cli.inputs import volume

        options["mask"] = volume(options["mask"], fids.acquisition.affine) != 0
    done, details = steps.run(name, fids, **options)
    io.write(done, out, steps=[(step.method, details)])
    click.echo(f"{step.method}: {details}")
    click.echo(f"Written: {out}")
