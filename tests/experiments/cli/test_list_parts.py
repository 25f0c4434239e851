"""Parts described on the command line: what each is, and what its options mean."""

from __future__ import annotations

import json

import pytest

from experiments.cli.main import main
from experiments.cli.parts import CATALOGS

ONE_OF_EACH = [(kind, catalogs[-1].names()[-1]) for kind, catalogs in CATALOGS.items()]


@pytest.mark.parametrize(("kind", "name"), [*ONE_OF_EACH, ("losses", "triplet_by_similarity")])
def test_a_part_of_every_catalog_is_described(kind: str, name: str, capsys) -> None:
    assert main(["list", kind, name]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{name} (")
    assert len(said.split()) > 10


@pytest.mark.parametrize(
    ("name", "option", "kind", "default", "meaning"),
    [
        ("timm_backbone", "size", "whole number, 8 to 4096", 224, "Side of the input in pixels."),
        ("efficientnet_lite0", "stages", "list of text", ["last"], "Feature maps that make"),
        # of the class its options are derived from
        ("bilstm", "at_least", "whole number, at least 1", 2, "Least number of occurrences"),
    ],
)
def test_options_have_type_default_and_meaning(
    name: str, option: str, kind: str, default: object, meaning: str, capsys
) -> None:
    assert main(["list", "encoders", name, "--json"]) == 0
    (part,) = json.loads(capsys.readouterr().out)
    known = {one["name"]: one for one in part["options"]}
    assert known[option]["kind"] == kind
    assert known[option]["default"] == default
    assert meaning in known[option]["meaning"]


def test_an_option_without_default_is_required(capsys) -> None:
    assert main(["list", "encoders", "huggingface"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("folder\ttext\trequired\t") for line in lines)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("encoders timm_bakbone", "timm_backbone"),
        ("systems graph_fusoin", "graph_fusion"),
        ("metrics aurok", "auroc"),
    ],
)
def test_an_unknown_part_is_refused_with_the_closest(words: str, hint: str, capsys) -> None:
    assert main(["list", *words.split()]) == 3
    assert hint in capsys.readouterr().err
