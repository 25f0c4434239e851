"""`kgdx experiment compare` from outside: which runs, which pairs, which file, which exit code."""

from __future__ import annotations

import json

import pytest

from experiments.cli.main import main
from experiments.compare.records import Comparison


@pytest.fixture
def told(tmp_path, capsys, crossed):
    """Runs of two configurations, and a command line that compares; returns code and streams."""
    crossed("full")
    crossed("names", lift=0.1, changes={"graph": {"vectors": "random"}})

    def run(*words: str):
        code = main(["experiment", "compare", *words, "--runs", str(tmp_path / "runs")])
        return code, *capsys.readouterr()

    return run


def experiments(*names):
    return [word for name in names for word in ("--experiment", name)]


def test_a_story(told, tmp_path) -> None:
    code, out, err = told(*experiments("full", "names"))
    assert code == 0
    entries, differences, settings = out.split("\n\n")
    assert [line.split("\t")[0] for line in entries.splitlines()] == ["entry", "full", "names"]
    row = differences.splitlines()[1].split("\t")
    assert row[0] == "full - names"
    assert row[-1] == "higher"
    assert settings.splitlines()[1].split("\t") == ["graph.vectors", "names", "random"]
    assert "120 studies of 80 patients" in err
    assert "note: too few positives, not averaged: hernia" in err
    assert "not a medical device" in err

    page = tmp_path / "table.md"
    assert told(*experiments("full", "names"), "-o", str(page))[:2] == (0, "")
    assert "full is better than names" in page.read_text(encoding="utf-8")

    code, out, _ = told(*experiments("full", "names"), "--json", "--pair", "names:full")
    made = Comparison.from_json(json.loads(out))
    assert made.differences[0].first == "names"
    assert made.differences[0].verdict == "lower"


def test_runs_are_named_by_their_clear_beginning(told, tmp_path) -> None:
    runs = sorted(path.name for path in (tmp_path / "runs").iterdir())
    full = [name[: len("full-") + 8] for name in runs if name.startswith("full")]
    code, out, _ = told(*full, "--json", "--metric", "auprc_macro")
    assert code == 0
    made = json.loads(out)
    assert (made["metric"], len(made["entries"]), len(made["entries"][0]["runs"])) == (
        *("auprc_macro", 1),
        6,
    )
    code, _, err = told("full")
    assert code == 3
    assert "begins several runs" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 3, "nothing to compare"),
        (("no-such-run",), 3, "there is no run no-such-run"),
        (("--experiment", "fulll"), 3, "did you mean 'full'"),
        (("--experiment", "full", "-o", "x.xlsx"), 3, "cannot be written as .xlsx"),
        ((*experiments("full", "names"), "--pair", "full"), 3, "are not two entries"),
        ((*experiments("full", "names"), "--pair", "full:other"), 3, "write A:B of: full, names"),
        ((*experiments("full"), "--metric", "auroc"), 3, "did you mean 'auroc_macro'"),
        ((*experiments("full"), "--metric", "x"), 3, "there are: auprc_macro, auroc_macro"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(told, words, code, said) -> None:
    found, out, err = told(*words)
    assert (found, out) == (code, "")
    assert said in err


def test_an_unfinished_run_is_named_and_nothing_is_written(told, write, tmp_path) -> None:
    stopped = write("open", status="stopped")
    code, out, err = told(stopped.run, "-o", str(tmp_path / "table.md"))
    assert (code, out) == (3, "")
    assert f"not finished: {stopped.run} (stopped)" in err
    assert not (tmp_path / "table.md").exists()


def test_names_with_a_colon_still_make_a_pair(told, crossed) -> None:
    crossed("a:b", lift=0.5)
    words = (*experiments("full", "a:b"), "--json", "--pair", "a:b:full")
    code, out, _ = told(*words)
    assert code == 0
    assert json.loads(out)["differences"][0]["first"] == "a:b"


def test_comparing_loads_no_torch(tmp_path, processes) -> None:
    code = (
        "import sys; from experiments.cli.main import main; "
        f"main(['experiment', 'compare', 'x', '--runs', {str(tmp_path)!r}]); "
        "assert not {'torch', 'pandas', 'lightning'} & set(sys.modules)"
    )
    done = processes.python(code)
    assert done.returncode == 0, done.stderr


def test_other_answers_are_asked_for_by_name(told) -> None:
    assert told("--experiment", "full", "--on", "test", "--json")[0] == 0
    code, out, err = told("--experiment", "full", "--on", "figure1")
    assert (code, out) == (3, "")
    assert "'figure1' was not predicted" in err
    assert "kgdx experiment evaluate" in err
