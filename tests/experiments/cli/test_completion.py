"""Shell completion: runs, data sets and concepts, and the script that turns it on."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.shell_completion import get_completion_class

from experiments.cli.main import kgdx, main
from experiments.config.schema import DataSection, Experiment
from experiments.records.folder import RunFolder
from kg.options import Part


def completions(*words: str) -> list[str]:
    """What the last of some words is completed to."""
    known = get_completion_class("bash")
    assert known is not None
    *before, last = words
    found = known(kgdx, {}, "kgdx", "_KGDX_COMPLETE").get_completions(before, last)
    return [item.value for item in found if item.type == "plain"]


@pytest.mark.parametrize(
    "words",
    [("experiment", "show"), ("experiment", "compare"), ("experiment", "report"), ("predict",)],
)
def test_runs_are_completed_in_the_folder_of_runs(words: tuple[str, ...], tmp_path: Path) -> None:
    data = DataSection(name="openi", labels="nih14")
    for name in ("small", "large"):
        part = Part(name="logistic_image")
        RunFolder.create(tmp_path, Experiment(name=name, data=data, system=part))
    words = (*words, "--runs", str(tmp_path), *(["--run"] if words == ("predict",) else []))
    (found,) = completions(*words, "sm")
    assert found.startswith("small-")
    assert completions(*words, "other") == []


@pytest.mark.parametrize(
    "words", [("data", "check"), ("data", "audit"), ("data", "shift", "openi")]
)
def test_data_sets_are_completed(words: tuple[str, ...]) -> None:
    assert completions(*words, "op") == ["openi"]
    assert completions(*words, "zz") == []


@pytest.mark.parametrize(
    "words", [("graph", "show"), ("graph", "path", "atelectasis"), ("predict", "--findings")]
)
def test_concepts_are_completed_by_ids_that_the_graph_resolves(words: tuple[str, ...]) -> None:
    assert "pleural_effusion" in completions(*words, "Pleural e")
    assert completions(*words, "no such") == []


def test_a_graph_that_cannot_be_read_completes_to_nothing(tmp_path: Path) -> None:
    assert completions("graph", "show", "-g", str(tmp_path / "none.jsonl"), "pleu") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_asks_kgdx(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert f"_KGDX_COMPLETE={shell}_complete" in capsys.readouterr().out
