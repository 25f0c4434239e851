"""The command line from outside: exit codes, streams, pipes, and what is never imported."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from experiments.cli import main as entry
from experiments.cli import show
from experiments.cli.main import kgdx, main
from experiments.cli.parts import CATALOGS
from experiments.config.schema import DataSection, Experiment
from experiments.datasets import DATASETS
from experiments.records.folder import RunFolder
from kg.errors import CheckFailed, InputError, RunStopped
from kg.options import Part

HEAVY = ("torch", "pandas", "pyshacl", "networkx", "rdflib", "lightning", "transformers", "sklearn")


@pytest.fixture
def command(monkeypatch):
    """Put a command called `try` into kgdx that does what the test says."""

    def put(action: Callable[[], object]) -> None:
        monkeypatch.setitem(kgdx.commands, "try", click.Command("try", callback=action))

    return put


def fail(error: BaseException) -> Callable[[], object]:
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CheckFailed("no", "mend it"), 1),
        (InputError("bad file", "mend it"), 3),
        (RunStopped("stopped", "resume it"), 4),
        (PermissionError(13, "Permission denied", "x"), 3),
        (ValueError("bug"), 70),
        (MemoryError(), 70),
        (KeyboardInterrupt(), 130),
        (SystemExit(0), 0),
    ],
)
def test_exit_codes(command, capsys, error: BaseException, code: int) -> None:
    command(fail(error))
    assert main(["try"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    if code in (1, 3, 4):
        assert err.startswith("error: ")
        assert "\n    " in err


def test_a_traceback_only_on_demand(command, capsys) -> None:
    command(fail(InputError("bad file", "mend it")))
    assert main(["-v", "try"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_asks_to_be_reported(command, capsys) -> None:
    command(fail(ValueError("what")))
    assert main(["try"]) == 70
    assert "please report it" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_with_their_code_and_how_to_resume(command, capsys, number: int) -> None:
    def action() -> None:
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt as error:
            error.add_note("kgdx experiment resume runs/a")
            raise

    before = signal.getsignal(number)
    command(action)
    assert main(["try"]) == 128 + number
    assert "resume with: kgdx experiment resume runs/a" in capsys.readouterr().err
    assert signal.getsignal(number) is before


def test_an_end_that_carries_its_signal(command) -> None:
    class Asked(BaseException):
        number = 15

    command(fail(Asked()))
    assert main(["try"]) == 143


def test_a_termination_that_a_library_made_an_exit(command) -> None:
    class Terminated(SystemExit):
        pass

    command(fail(Terminated()))
    assert main(["try"]) == 143


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([], "Usage"),
        (["expriment"], "did you mean 'experiment'"),
        (["experiment", "rum"], "'run'"),
        (["list", "encodres"], "Did you mean 'encoders'"),
        (["experiment", "run"], "Missing argument"),
        (["list", "joins", "--jsn"], "--json"),
    ],
)
def test_a_wrong_command_line_is_2(capsys, words: list[str], hint: str) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert hint in err


def test_every_line_of_a_commands_list_fits_80_columns(capsys) -> None:
    context = click.Context(kgdx)

    def walk(group: click.Group, words: list[str]) -> list[str]:
        assert main([*words, "--help"]) == 0
        listed = capsys.readouterr().out.partition("\nCommands:\n")[2].splitlines()
        for name in group.list_commands(context):
            inner = group.get_command(context, name)
            if isinstance(inner, click.Group):
                listed += walk(inner, [*words, name])
        return listed

    lines = walk(kgdx, [])
    assert len(lines) > 40
    assert [line for line in lines if line.endswith("...") or len(line) > 80] == []
    # a help text of more lines continues under its own column
    assert [line for line in lines if line.startswith("   ")] == []


def test_every_command_has_help_and_json(capsys) -> None:
    context = click.Context(kgdx)

    def walk(command: click.Command, words: list[str]) -> None:
        assert main([*words, "--help"]) == 0
        text = capsys.readouterr().out
        assert "\\b" not in text, words  # examples stand one a line
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                walk(inner, [*words, name])
        else:
            assert "--json" in text or words == ["serve"], words  # its JSON is that of its API
            assert "--verbose" in text, words

    walk(kgdx, [])


@pytest.mark.parametrize("kind", sorted(CATALOGS))
def test_lists_are_the_folders(capsys, kind: str) -> None:
    assert main(["list", kind, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows
    assert all(row["name"] and row["about"] for row in rows)


def test_metrics_are_listed(capsys) -> None:
    assert main(["list", "metrics", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert names[:2] == ["auroc", "auprc"]
    assert "calibration_slope" in names
    assert "positives" not in names


def test_help_and_lists_import_nothing_heavy(processes: Any) -> None:
    lists = ["systems", "encoders", "joins", "heads", "objectives", "metrics", "datasets"]
    lines = [["--help"], ["experiment", "--help"], ["data", "list"], ["experiment", "list"]]
    lines += [["list", kind] for kind in lists]
    code = f"""
import sys
from experiments.cli.main import main
for words in {lines!r}:
    assert main(words) == 0, words
    loaded = sorted(set({HEAVY!r}) & set(sys.modules))
    assert not loaded, (words, loaded)
"""
    done = processes.python(code)
    assert done.returncode == 0, done.stderr


def test_completion_imports_nothing_heavy(processes: Any) -> None:
    code = f"""
import sys
sys.argv = ["kgdx"]
from experiments.cli.main import main
try:
    main([])
finally:
    assert not set({HEAVY!r}) & set(sys.modules)
"""
    asked = {"_KGDX_COMPLETE": "bash_complete", "COMP_WORDS": "kgdx exp", "COMP_CWORD": "1"}
    done = processes.python(code, env=os.environ | asked)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "plain,experiment\nplain,explain\n"


LIST = "import sys; from experiments.cli.main import main; sys.exit(main(['list', 'metrics']))"


@pytest.mark.parametrize("words", ["'list', 'metrics'", "'--help'"])
def test_a_closed_pipe_is_no_error(words: str, processes: Any) -> None:
    code = f"""
import os, sys
from experiments.cli.main import main
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
sys.exit(main([{words}]))
"""
    done = processes.python(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_home_colour_or_terminal(processes: Any) -> None:
    bare = {"HOME": "/nonexistent", "NO_COLOR": "1", "TERM": "dumb", "LANG": "C"}
    plain = processes.python(LIST, env=os.environ | bare)
    assert plain.returncode == 0
    assert plain.stderr == ""
    assert "\x1b" not in plain.stdout
    assert plain.stdout.startswith("name\tabout\n")


@pytest.mark.parametrize(
    "words",
    [
        "list encoders",
        "doctor --runs {folder}",
        "data list",
        "experiment check demo",
        "graph show atelectasis",
        "graph validate --no-shapes",
        "graph query sources_of --bind concept=pneumonia",
        "graph export -o {folder}/page.html",
    ],
)
def test_nothing_is_asked_of_a_network(words: str, capsys, monkeypatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert main(words.format(folder=tmp_path).split()) == 0


def test_doctor(capsys, tmp_path: Path) -> None:
    assert main(["doctor", "--json", "--runs", str(tmp_path)]) == 0
    found = {row["what"]: row["found"] for row in json.loads(capsys.readouterr().out)}
    assert {"python", "kgdx", "torch", "cores", "memory", "GPU", "data", "runs"} <= set(found)


SMALL = "name: small\ndata: {name: openi, labels: nih14}\nsystem: {name: logistic_image}\n"


def test_check_says_yes_or_what_is_wrong(capsys, tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    output = tmp_path / "resolved.yaml"
    words = ["experiment", "check", str(path), "--set", "seed=3", "--json", "-o", str(output)]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["experiment"]["seed"] == 3
    assert main(["experiment", "check", str(output)]) == 0
    path.write_text(SMALL + "sede: 3\n")
    assert main(["experiment", "check", str(path)]) == 3
    assert (
        f"{path}:4: sede: there is no such key\n    did you mean 'seed'?" in capsys.readouterr().err
    )


def test_run_needs_a_root_for_data_that_reads_files(capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("KGDX_DATA", raising=False)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    assert main(["experiment", "run", str(path), "--runs", str(tmp_path)]) == 3
    assert "--root DIR (or KGDX_DATA)" in capsys.readouterr().err
    assert main(["experiment", "run", str(path), "--root", str(tmp_path / "none")]) == 2


@pytest.fixture
def pocus(tmp_path: Path) -> Path:
    DATASETS.load("pocus")().tiny(tmp_path / "data" / "pocus")
    return tmp_path / "data"


def test_data_are_listed_checked_counted_and_prepared(capsys, tmp_path: Path, pocus: Path) -> None:
    root = ["--root", str(pocus), "--json"]
    assert main(["data", "list", *root]) == 0
    here = {row["name"] for row in json.loads(capsys.readouterr().out) if row["here"]}
    assert here == {"pocus"}
    assert main(["data", "check", "pocus", *root]) == 0
    assert all(row["passes"] for row in json.loads(capsys.readouterr().out))
    assert main(["data", "show", "pocus", *root]) == 0
    held = json.loads(capsys.readouterr().out)["holds"]
    words = ["data", "prepare", "pocus", *root, "-o", str(tmp_path / "prepared")]
    assert main(words) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["studies"], made["changed"]) == (held["studies"], True)
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["changed"] is False
    for plain in (["show"], ["check"], ["prepare", "-o", str(tmp_path / "prepared")]):
        assert main(["data", *plain, "pocus", "--root", str(pocus)]) == 0


def test_data_that_are_not_there_are_a_no_with_their_giver(capsys, tmp_path: Path) -> None:
    assert main(["data", "check", "openi", "--root", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "missing" in out
    assert "Open-i" in out
    assert err.startswith("error: ")
    assert main(["data", "show", "openi", "--root", str(tmp_path)]) == 3
    assert main(["data", "show", "opneni"]) == 3
    assert "did you mean 'openi'" in capsys.readouterr().err


def test_a_data_set_is_described_without_a_copy(capsys, monkeypatch) -> None:
    monkeypatch.delenv("KGDX_DATA", raising=False)
    assert main(["data", "show", "openi", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert known["holds"] is None
    assert known["licence"]
    assert "nih14" in known["labels"]


def test_runs_without_a_record_are_listed_as_such(capsys, tmp_path: Path) -> None:
    data = DataSection(name="openi", labels="nih14")
    experiment = Experiment(name="small", data=data, system=Part(name="logistic_image"))
    folder = RunFolder.create(tmp_path, experiment)
    assert main(["experiment", "runs", "--runs", str(tmp_path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["run"], row["status"]) == (folder.run, "no record")
    assert main(["experiment", "show", folder.run, "--runs", str(tmp_path)]) == 3
    assert main(["experiment", "show", "smal1", "--runs", str(tmp_path)]) == 3
    assert folder.run in capsys.readouterr().err


def test_json_has_no_numbers_that_are_none(capsys) -> None:
    show.json_result({"a": float("nan"), "b": [float("inf"), 1.0], "path": Path("x")})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.0], "path": "x"}


def test_the_console_script_is_this_one(tmp_path: Path, processes: Any) -> None:
    assert entry.main is main
    script = Path(sys.executable).parent / "kgdx"
    if not script.exists():
        pytest.skip("kgdx is not installed")
    # The user's own folder may hold folders called like ours.
    for name in ("kg", "experiments"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('not ours')")
    for words in (["--version"], ["list", "heads"]):
        done = processes.run(script, *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
