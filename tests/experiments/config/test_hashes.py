"""Hashes of the shipped configurations: those by which finished runs are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.config.aliases import RENAMED, VALUES
from experiments.config.hashing import config_hash
from experiments.config.load import resolve
from kg.errors import InputError

PINNED = {
    "borders_only_covid": "51ec61289f35db3a",
    "demo": "7d569ab9654db320",
    "graph_fusion_covid": "e201c2d86e0629d2",
    "graph_fusion_covid_by_source": "d897dc9226ad2049",
    "graph_fusion_covid_redacted": "cba00086669bb442",
    "graph_fusion_openi": "6269663d0da8e599",
    "graph_fusion_openi_findings": "7db5ea9ce90fbbf0",
    "graph_fusion_openi_finetuned": "8fefad9c94611b73",
    "graph_fusion_openi_indication": "00223af13e5f49a3",
    "graph_fusion_openi_redacted": "d1be7425ffa20482",
    "graph_fusion_pocus4": "3a6fe759d9527af8",
    "graph_prior_openi_redacted": "94bfad2e9b2f2f70",
    "image_only_covid": "736cf9a070d58180",
    "image_only_openi": "f61eb581de16f546",
    "image_text_covid_redacted": "cd7311c00d23285e",
    "image_text_openi_redacted": "7bc47b2c3a7ec4c9",
    "logistic_image_covid": "81c8f9df466ea288",
    "logistic_image_covid_by_source": "8290d64dd18481d4",
    "logistic_image_openi": "7235e5a33339cca8",
    "logistic_text_covid_redacted": "e077ce7055df2418",
    "logistic_text_openi_findings": "bdae4879c4f56203",
    "logistic_text_openi_indication": "6bb49cc77d1c2716",
    "logistic_text_openi_redacted": "49da41082cf2e7e1",
    "metadata_only_covid": "8800b438117dd08a",
    "source_only_covid": "fc2c20e3258c683b",
    "text_baseline_openi_findings": "f80bcd87055a4095",
    "text_baseline_openi_redacted": "caf279cb5d781084",
    "text_only_covid_redacted": "0f2a813da916eb48",
    "text_only_openi_redacted": "fad0fe60437ed54d",
}
"""First sixteen digits, taken before keys were renamed or added."""


@pytest.mark.parametrize("name", sorted(PINNED))
def test_a_shipped_configuration_keeps_its_hash(name: str) -> None:
    assert config_hash(resolve(name))[:16] == PINNED[name]


def test_a_key_that_was_added_counts_where_it_has_another_value() -> None:
    known = config_hash(resolve("demo"))
    assert config_hash(resolve("demo", ["stages.0.sampler=shuffled"])) == known
    assert config_hash(resolve("demo", ["stages.0.sampler=balanced"])) != known
    assert config_hash(resolve("demo", ["stages.0.epochs=3"])) != known


@pytest.mark.parametrize(
    ("former", "today"),
    [
        ("stages.0.keep=last", "stages.0.checkpoint=last"),
        ("stages.0.look_every=3", "stages.0.validate_every_n_epochs=3"),
        ("system.options.memory=5", "system.options.neighbourhood=5"),
        ("system.options.spread=1", "system.options.propagation_steps=1"),
        ("system.options.spread_as=prior", "system.options.propagation=prior"),
        ("facts=[view]", "metadata=[view]"),
        ("system={name: logistic_facts}", "system={name: logistic_metadata}"),
    ],
)
def test_a_former_key_is_read_as_todays(former: str, today: str) -> None:
    assert resolve("demo", [former]) == resolve("demo", [today])


def test_every_renamed_key_is_tried_above() -> None:
    names: list[Any] = [*RENAMED, *(value for pairs in VALUES.values() for value in pairs)]
    marks: Any = test_a_former_key_is_read_as_todays
    tried = " ".join(row[0] for row in marks.pytestmark[0].args[1])
    assert all(name.replace("*", "0") in tried for name in names)


def test_a_key_under_both_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("name: a\nfacts: [view]\nmetadata: [view]\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"own.yaml:2: facts is the former name"):
        resolve(str(path))
