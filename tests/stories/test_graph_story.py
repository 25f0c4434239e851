"""Every command on the graph by itself explains itself."""

from __future__ import annotations

from experiments.cli.graph import COMMANDS
from experiments.cli.main import main


def test_every_command_explains_itself(capsys):
    assert main(["graph", "--help"]) == 0
    listed = capsys.readouterr().out
    for name in COMMANDS:
        assert name in listed
        assert main(["graph", name, "--help"]) == 0
        assert f"Usage: kgdx graph {name}" in capsys.readouterr().out
