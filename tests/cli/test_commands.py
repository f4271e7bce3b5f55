"""The shell's side: speed of the help, laziness, demo and info."""

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from mrsjax.cli import console
from mrsjax.cli.entry import VERBS, commands

ROOT = Path(__file__).parents[2]


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def test_help_is_fast_and_imports_nothing_heavy():
    code = (
        "import sys, time\nfrom mrsjax.cli import main\nfrom mrsjax.cli.entry import VERBS\n"
        "for words in ([], *([v] for v in VERBS), ['basis', 'simulate'], ['process', 'align']):\n"
        "    try:\n        main([*words, '--help'])\n    except SystemExit as done:\n        assert done.code == 0, words\n"
        "    if words in ([], ['fit']):\n        print('seconds', time.process_time())\n"
        "print(sorted({'jax', 'numpy', 'scipy', 'equinox', 'plotly', 'jinja2', 'yaml'} & set(sys.modules)))"
    )
    done = python(code)
    assert done.stdout.rstrip().endswith("[]"), done
    seconds = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("seconds")]
    assert max(seconds) < 0.5  # of the processor, imports and several helps together


def test_the_shell_completes_verbs_options_and_words():
    def completed(*words):
        environment = os.environ | {"_MRSJAX_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(["mrsjax", *words])}
        environment |= {"COMP_CWORD": str(len(words))}
        code = "import sys; sys.argv[0] = 'mrsjax'; from mrsjax.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
        )
        return [line.split(",", 1)[1] for line in done.stdout.splitlines()]

    assert completed("pre") == ["preprocess", "predict"]
    assert completed("fit", "--ba") == ["--basis"]
    assert completed("process", "align", "--target", "me") == ["mean", "median"]


def leaves(command, words=()):
    """Every command below a group, with its words."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), (*words, name))
    else:
        yield words, command


def test_every_command_has_help_and_at_most_eight_visible_options():
    found = dict(leaves(commands))
    assert {words[0] for words in found} == set(VERBS) and {("basis", "simulate"), ("process", "align")} <= set(found)
    for words, command in found.items():
        options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
        assert command.help and len(options) <= 8, words
        assert all(p.help for p in options), words
    assert commands.get_command(click.Context(commands), "nonsense") is None


def test_unknown_verb_and_no_verb(command):
    code, _, stderr = command("fitt")
    assert code == 2 and "No such command" in stderr and stderr.count("\n") == 1
    code, stdout, _ = command()
    assert code == 2 and "Commands:" in stdout
    assert command("--help")[0] == 0


def test_info_names_versions_and_formats(command):
    code, stdout, _ = command("info")
    assert code == 0 and all(word in stdout for word in ("jax", "device", "NIfTI-MRS", "LCModel BASIS"))


def test_faults_of_our_own_are_told_from_bad_input(command, monkeypatch):
    from mrsjax.cli import job

    def broken(*_, **__):
        raise KeyError("oops")

    monkeypatch.setattr(job, "start_jax", broken)
    code, _, stderr = command("demo", "-o", "never")
    assert code == 1 and "KeyError" in stderr and "a fault of mrsjax" in stderr and "Traceback" not in stderr


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals")
def test_a_terminal_has_a_bar_with_the_time_that_remains(monkeypatch):
    """The bar of a batch goes on while the next file is named; a finished one makes room for the next phase."""
    import pty

    master, slave = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")

    def shown():
        """The last state of the line, after two of its refreshes."""
        time.sleep(0.25)
        text = b""
        while select.select([master], [], [], 0)[0]:
            text += os.read(master, 4096)
        return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text.decode(errors="ignore")).replace("\r", "\n").split("\n")[-1]

    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with console.phases("cpu, 2 cores") as (say, progress):
            say("reading")
            assert re.search(r"reading .* 0/\? 0:00:0\d", shown())
            for done in (1, 2, 3):
                progress(done, 10)
                time.sleep(0.2)
            assert re.search(r"fitting on cpu, 2 cores .* 3/10 0:00:0\d 0:00:0\d", shown())
            say("4 of 10: sub-04")
            assert re.search(r"4 of 10: sub-04 .* 3/10 0:00:0\d 0:00:0\d", shown())
            progress(10, 10)
            say("writing")
            assert re.search(r"writing .* 0/\?", shown())
    os.close(master)


@pytest.mark.slow
def test_demo_recovers_what_it_simulated(command, tmp_path):
    code, stdout, _ = command("demo", "-o", tmp_path / "demo")
    assert code == 0 and (tmp_path / "demo" / "report.html").is_file()
    lines = [line.split() for line in stdout.splitlines() if "simulated" in line]
    assert {line[0] for line in lines} == {"tNAA", "tCr", "tCho", "Glx", "Ins"}
    for line in lines:
        value, sd, truth = float(line[1]), float(line[3]), float(line[-1].rstrip(")"))
        assert abs(value - truth) < 3 * sd + 0.1 * truth, line
