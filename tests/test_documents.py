"""README's code and the notebooks run as they stand."""

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_readme_python_runs_and_prints_what_it_says(tmp_path):
    (code,) = _blocks("python")
    assert len(code.strip().splitlines()) == 10
    (said,) = re.findall(r"It prints `(.*)`", (ROOT / "README.md").read_text())
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code],
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        check=True,
        timeout=600,
    )
    form = r"NAA ([\d.]+) ± ([\d.]+) (\(truth 1\), status 0, gradient \(36,\))"
    wanted, found = (re.fullmatch(form, text) for text in (said, done.stdout.strip()))
    assert wanted and found and wanted[3] == found[3], done.stdout
    (_, spread), (naa, crlb) = ([float(m[1]), float(m[2])] for m in (wanted, found))
    assert abs(naa - 1) < 3 * crlb and naa == pytest.approx(float(wanted[1]), abs=0.1 * crlb)
    assert crlb == pytest.approx(spread, rel=0.05)


def test_readme_commands_are_the_gate():
    shell = _blocks("sh")[0]
    gate = (ROOT / ".ci" / "run").read_text()
    for line in shell.strip().splitlines():
        install, then = line.split(" && ")
        assert install.removeprefix("pip install ") in gate
        assert then in gate


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.stem)
def test_python_of_the_docs_runs(page, tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    done = [exec(compile(code, str(page), "exec"), {}) for code in blocks]  # an exception fails the test
    assert len(done) == page.read_text().count("```python")


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.stem)
def test_commands_of_the_docs_exist(page):
    """Every `mrsjax` line of a shell block: the verb, and each option that it names."""
    import click

    from mrsjax.cli.entry import VERBS, commands

    text = page.read_text()
    assert not re.search(r"^    mrsjax ", text, flags=re.MULTILINE), "fence it"
    assert {words.split()[0] for words in re.findall(r"`mrsjax ([a-z][^`]*)`", text)} <= set(VERBS)
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
        for line in re.split(r"[\n;]", block):
            words = line.split("#")[0].split()
            if words[:1] != ["mrsjax"] or words[1].startswith("-"):
                continue
            command = commands.get_command(click.Context(commands), words[1])
            assert command is not None, line
            rest = words[2:]
            if isinstance(command, click.Group) and not rest[0].startswith("-"):
                command, rest = command.commands[rest[0]], rest[1:]
            known = {o for p in command.params for o in p.opts} | {"--help", "-h"}
            assert {w for w in rest if w.startswith("-")} <= known, line


def test_doctor_page_is_what_the_doctor_says():
    from benchmarks.accuracy import broken_files

    assert broken_files.document(broken_files.run()) == (ROOT / "docs" / "doctor.md").read_text()


def test_site_builds_strictly(tmp_path):
    pytest.importorskip("material", reason="needs the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", str(ROOT / ".ci" / "mkdocs.yml")]
    done = subprocess.run([*command, "-d", str(tmp_path / "site")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "coming-from" / "index.html").is_file()


@pytest.mark.parametrize(
    "path",
    [p if p.stem == "first_fit" else pytest.param(p, marks=pytest.mark.slow) for p in NOTEBOOKS],
    ids=lambda p: p.stem,
)
def test_notebook_executes(path):
    import jupytext
    from nbclient import NotebookClient

    notebook = jupytext.read(path)
    NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert outputs
    assert not [o for o in outputs if o.output_type == "error"]
