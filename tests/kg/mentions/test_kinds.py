"""What reports say in other hospitals' words, kind by kind, read as `kgdx data label` reads them.

`kinds_shared.tsv` holds sentences after public bug reports of other labelers, `kinds_own.tsv`
further ones of each kind written for this project. A line break in a text is written `\\n`.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from encoders.reading.report import read_report
from kg.files.store import load_shipped
from kg.mentions.evidence import study_evidence
from kg.mentions.linker import MentionLinker

TABLES = ("kinds_shared.tsv", "kinds_own.tsv")
STANDS_IN = " stands in section "


def cases(table: str) -> list[dict[str, str]]:
    text = Path(__file__).with_name(table).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


KINDS = [
    (table, kind) for table in TABLES for kind in dict.fromkeys(r["kind"] for r in cases(table))
]


@pytest.fixture(scope="module")
def shipped() -> MentionLinker:
    return MentionLinker(load_shipped())


@pytest.mark.parametrize(("table", "kind"), KINDS)
def test_kind(shipped: MentionLinker, table: str, kind: str) -> None:
    graph = load_shipped()
    wrong = []
    for row in (row for row in cases(table) if row["kind"] == kind):
        statements = shipped.link(read_report(row["text"].replace("\\n", "\n")))
        if STANDS_IN in row["expected"]:
            concept, _, section = row["expected"].partition(STANDS_IN)
            got = {s.part for s in statements if s.concept == f"ckg:{concept}"}
            right = got == {section}
        else:
            said = study_evidence(statements, graph)
            wanted = dict(one.split("=") for one in row["expected"].split("; "))
            got = {concept: said.get(f"ckg:{concept}", "not stated") for concept in wanted}
            right = got == wanted
        if not right:
            wrong.append((row["text"], row["expected"], got))
    assert wrong == []


def test_there_are_enough_of_every_kind() -> None:
    own = Counter(row["kind"] for row in cases("kinds_own.tsv"))
    assert set(own) >= {kind for _, kind in KINDS}
    assert min(own.values()) >= 5
