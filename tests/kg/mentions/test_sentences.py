"""Sentences written for this project, read with the shipped graph: `+` there, `-` not, `?` open."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from encoders.study import Passage
from kg.files.store import load_shipped
from kg.mentions.linker import MentionLinker

SIGNS = {"present": "+", "absent": "-", "uncertain": "?"}
TABLE = Path(__file__).with_name("english_sentences.tsv")
ROWS = list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines(), delimiter="\t"))


@pytest.fixture(scope="module")
def shipped() -> MentionLinker:
    return MentionLinker(load_shipped())


@pytest.mark.parametrize("row", ROWS, ids=[row["sentence"] for row in ROWS])
def test_sentence(shipped: MentionLinker, row: dict[str, str]) -> None:
    statements = shipped.link([Passage("findings", row["sentence"])])
    stated = {f"{s.concept.removeprefix('ckg:')}{SIGNS[s.assertion]}" for s in statements}
    assert stated == set(row["stated"].split())


def test_there_are_enough_sentences_of_every_rule() -> None:
    assert len({row["sentence"] for row in ROWS}) >= 200
    assert min(Counter(row["rule"] for row in ROWS).values()) >= 2
