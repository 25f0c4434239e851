"""The README's commands on the graph by itself, word for word, in an empty folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from experiments.cli.graph import COMMANDS
from experiments.cli.main import main

README = Path(__file__).resolve().parents[2] / "README.md"
ENDS = {"validate": 1}
"""The shipped graph has warnings, and the README asks for them to count."""


def commands() -> list[list[str]]:
    section = README.read_text(encoding="utf-8").split("## The graph by itself")[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block
    lines = block[1].splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("kgdx ")]


def test_the_commands_of_the_readme_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for words in commands():
        assert main(words) == ENDS.get(words[1], 0), words
        out, err = capsys.readouterr()
        assert out or err
    made = {path.name for path in tmp_path.iterdir()}
    assert made >= {"without.jsonl", "faults.html", "covid.mmd"}


def test_every_command_explains_itself(capsys):
    assert main(["graph", "--help"]) == 0
    listed = capsys.readouterr().out
    for name in COMMANDS:
        assert name in listed
        assert main(["graph", name, "--help"]) == 0
        assert f"Usage: kgdx graph {name}" in capsys.readouterr().out
