"""The console entry: which verbs exist, and what the shell sees of errors and interruptions."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

#: verb -> (module, one line of help). The module is imported when the verb is used: `mrsjax --help` stays fast.
VERBS = {
    "check": "Say what is in a file, what is wrong with it, and what to run next.",
    "fit": "Fit measured spectra and write numbers and a report.",
    "batch": "Fit many files or a BIDS folder; resumes after an interruption.",
    "convert": "Convert data or a basis set to another format.",
    "preprocess": "Raw coils and transients to one clean spectrum, with a report of each step.",
    "process": "One step of the processing on a file: align, average, ecc, remove-water, ...",
    "run": "Preprocess, fit and report in one go.",
    "shim": "Shim currents for a voxel of a field map, judged by the spectrum.",
    "train": "Train a network on artificial data; resumes after an interruption.",
    "predict": "Measured spectra through a trained network: the outputs of fit.",
    "evaluate": "A trained network beside the fit on spectra that its recipe did not foresee.",
    "demo": "Simulate a brain spectrum, fit it, write the report. Needs no files and no network.",
    "basis": "Simulate, look at, convert and draw basis sets.",
    "simulate": "Labelled artificial spectra of a named recipe, in files, as many as you like.",
    "info": "Versions, devices and formats: what to put into a bug report.",
}

INTERRUPTED = 130


class Verbs(click.Group):
    """Commands that are imported on first use."""

    def list_commands(self, ctx):
        return list(VERBS)

    def get_command(self, ctx, cmd_name):
        if cmd_name not in VERBS:
            return None
        return getattr(importlib.import_module(f"mrsjax.cli.{cmd_name}"), cmd_name)

    def format_commands(self, ctx, formatter):
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _version(ctx, param, value):
    if value and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"mrsjax {version('mrsjax')}")
        except PackageNotFoundError:
            click.echo("mrsjax, run from its source folder without installation")
        ctx.exit()


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def commands():
    """MR spectroscopy: fit, quantify, report.

    Start with `mrsjax demo`, then `mrsjax check DATA --basis BASIS`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Runs a command and exits: 0 done, 2 bad input or usage (one line on stderr), 130 interrupted, 1 our own fault."""
    code = _run(arguments)
    if code == INTERRUPTED:
        # A thread may still be inside a compiled call: the interpreter would wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    # XLA's loader of cached programs logs two kilobytes for each of them, about features that are none of the
    # processor.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        code = commands.main(arguments, prog_name="mrsjax", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        return _say(error.format_message())
    except (KeyboardInterrupt, click.exceptions.Abort) as error:
        # click wraps what it catches in Abort
        return _say(str(error.__cause__ or error) or "interrupted; nothing was written", INTERRUPTED)
    except (ValueError, OSError) as error:
        if os.environ.get("MRSJAX_DEBUG"):
            traceback.print_exc()
        return _say(str(error))
    except Exception as error:
        if os.environ.get("MRSJAX_DEBUG"):
            traceback.print_exc()
        return _say(f"{type(error).__name__}: {error} (a fault of mrsjax; MRSJAX_DEBUG=1 shows where)", 1)


def _say(message: str, code: int = 2) -> int:
    from mrsjax.cli.words import in_options

    click.echo("mrsjax: " + in_options(" ".join(str(message).split())), err=True)
    return code
