"""Every parallel item of a fact becomes its own evidence, with the figure its source gives."""

from __future__ import annotations

import pytest

from kg.build.provenance import Registered, Registry, figure
from kg.errors import InputError
from kg.files.tables import Row

REGISTRY = Registry(
    (
        Registered(match="reports.tgz", name="Reports", licence="ND", dataset="OpenI",
                   mined_as=("OpenI", "OpenI-MeSH")),
        Registered(match="padchest.csv", name="PadChest", mined_as=("PadChest",)),
        Registered(match="book", name="A book", licence="MIT"),
    )
)  # fmt: skip


def row(source: str, evidence: str, weight: str = "", count: str = "") -> Row:
    cells = {"source": source, "evidence": evidence, "weight": weight, "count": count}
    return Row(cells, "facts.tsv, line 2")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", None),
        ("Frequent", None),
        ("0.135", 0.135),
        ("lift=8.24;npmi=0.459", 0.459),
        ("freq=71.64%", 0.7164),
        ("freq=0.385", 0.385),
        ("freq_LUS=27.9-89%", 0.5845),
        ("share=0.311", 0.311),
        ("3/8", 0.375),
        ("OR=11.64", 11.64),
    ],
)
def test_figures(text, number):
    assert figure(text) == number


def test_parallel_items_are_paired_and_keep_their_own_figures():
    items = REGISTRY.evidence(
        row(
            "the book || a reports.tgz || a padchest.csv",
            "curated || data:OpenI-MeSH n/report || data:PadChest n/sentences",
            " || 1.021 || 0.788",
            " || 48 || 82",
        )
    )
    by_source = {item.source: item for item in items}
    assert len(items) == 3
    assert by_source["the book"].status == "asserted"
    assert by_source["the book"].weight is None
    assert by_source["the book"].licence == "MIT"
    mesh = by_source["a reports.tgz"]
    assert (mesh.dataset, mesh.status, mesh.weight, mesh.count) == (
        "OpenI-MeSH",
        "mined",
        1.021,
        48,
    )
    assert mesh.licence == "ND"
    assert by_source["a padchest.csv"].dataset == "PadChest"


def test_a_data_tag_finds_its_source_wherever_it_stands():
    sources = "book one || x reports.tgz || book two"
    items = REGISTRY.evidence(
        row(sources, "curated || data:OpenI N=9", " || lift=2;npmi=0.1", " || 5")
    )
    assert [(item.source, item.dataset) for item in items] == [
        ("book one", None),
        ("book two", None),
        ("x reports.tgz", "OpenI"),
    ]
    assert items[2].detail == "lift=2;npmi=0.1"
    assert items[2].weight == 0.1


def test_a_source_without_a_tag_is_no_evidence_of_its_own():
    (item,) = REGISTRY.evidence(row("x reports.tgz || from memory", "data:OpenI N=9", "0.5", "3"))
    assert item.dataset == "OpenI"
    assert item.source == "x reports.tgz || from memory"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row("book || book b || c", "curated || paper"), "3 sources for 2 evidence tags"),
        (row("book", "curated", "1 || 2"), "2 values of weight for 1 items"),
        (row("book || b", "data:Other N=1 || data:PadChest N=1"), "registered as 'Other'"),
        (row("book", "curated", "", "many"), "facts.tsv, line 2"),
    ],
)
def test_what_cannot_be_paired_is_refused_with_file_and_line(bad, message):
    with pytest.raises(InputError, match=message):
        REGISTRY.evidence(bad)


def test_a_fact_is_mined_only_if_all_its_sources_are_one_data_set():
    assert REGISTRY.dataset(["x reports.tgz"]) == "OpenI"
    assert REGISTRY.dataset(["x reports.tgz", "the book"]) is None
