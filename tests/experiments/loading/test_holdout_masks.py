"""Zero-shot in earnest: a held-out finding leaves no target, concept, clause or mined evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from encoders.study import Passage, Study
from experiments.config.schema import Experiment, HoldOut
from experiments.evaluation.evaluate import evaluate_run
from experiments.loading.graphs import choose_graph
from experiments.loading.holdout import deal, hold_out
from experiments.loading.text import TextLoader
from experiments.records.folder import find_run
from experiments.runner.run import run_experiment
from experiments.runs.build import RunContext, build_context
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.model.graph import LabelSet

HELD = "ckg:pleural_effusion"


def held(small: dict[str, Any], level: str, **more: Any) -> Experiment:
    section = {"findings": (HELD,), "level": level, **more}
    return Experiment.model_validate({**small, "name": f"held-{level}", "hold_out": section})


@pytest.fixture(scope="module")
def masked(small: dict[str, Any], small_runs: Path) -> RunContext:
    return build_context(held(small, "concept"), Path(), cache=small_runs / "cache")


def test_the_rule_deals_every_finding_once_and_always_alike() -> None:
    graph = load_shipped()
    findings = [one for one in graph.label_set("nih14").findings if one != "ckg:no_finding"]
    groups = deal(findings, 4)
    assert groups == deal(findings[::-1], 4)
    assert sorted(one for group in groups for one in group) == sorted(findings)
    assert groups[2] == ("ckg:infiltrate", "ckg:pneumothorax", "ckg:pneumonia")


def test_what_is_narrower_or_means_the_same_is_held_too() -> None:
    graph = load_shipped()
    label_set = graph.label_set("chexpert14")
    section = HoldOut(findings=("ckg:lung_opacity",))
    found = hold_out(section, label_set.findings, label_set, graph)
    assert "ckg:lung_opacity" in found.findings
    assert set(found.findings) == found.masked & set(label_set.findings)
    assert set(graph.descendants("ckg:lung_opacity")) < found.masked
    alone = hold_out(
        HoldOut(findings=(HELD,), level="labels"), label_set.findings, label_set, graph
    )
    assert (alone.findings, alone.masked) == ((HELD,), frozenset())


def test_a_rotation_is_the_same_whatever_can_be_trained() -> None:
    graph = load_shipped()
    label_set = graph.label_set("nih14")
    few = tuple(one for one in label_set.findings if one != "ckg:pneumonia")
    section = HoldOut(rotation=2, level="labels")
    assert hold_out(section, few, label_set, graph).findings == (
        "ckg:infiltrate",
        "ckg:pneumothorax",
    )


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (HoldOut(findings=("ckg:pleural_efusion",)), "not a finding that is trained"),
        (HoldOut(), "nothing is not a finding"),
        (HoldOut(rotation=4), "rotation 4 of 4"),
        (HoldOut(rotation=0, findings=(HELD,)), "rotation 0 of 4"),
    ],
)
def test_a_wrong_request_is_refused(section: HoldOut, says: str) -> None:
    graph = load_shipped()
    label_set = graph.label_set("nih14")
    with pytest.raises(InputError, match=says):
        hold_out(section, label_set.findings, label_set, graph)


def test_exclusive_sets_and_empty_training_are_refused() -> None:
    graph = load_shipped()
    four = graph.label_set("pocus4")
    with pytest.raises(InputError, match="exclude each other"):
        hold_out(HoldOut(rotation=0), four.findings, four, graph)
    one = LabelSet("one", "", (HELD,), ("Effusion",))
    with pytest.raises(InputError, match="no finding is left"):
        hold_out(HoldOut(findings=(HELD,)), one.findings, one, graph)


def test_no_target_and_no_supervised_concept_is_left(masked: RunContext) -> None:
    preprocessor = masked.preprocessor
    assert HELD in preprocessor.held.findings
    assert HELD not in preprocessor.findings
    assert masked.cohorts["train"].targets.shape[1] == len(preprocessor.findings)
    assert preprocessor.held.masked.isdisjoint(preprocessor.findings)
    assert preprocessor.held.masked.isdisjoint(preprocessor.supervised)
    places = [preprocessor.graph.index[one] for one in sorted(preprocessor.held.masked)]
    given = masked.cohorts["train"].concept_targets
    assert given is not None
    assert given[:, places].isnan().all()
    assert not given.isnan().all()


def test_no_clause_and_no_statement_is_left(masked: RunContext) -> None:
    preprocessor, train = masked.preprocessor, masked.cohorts["train"]
    spoken = 0
    for study in train.studies:
        spoken += bool(
            mentions(preprocessor.text, study, training=False) & preprocessor.held.masked
        )
        assert mentions(preprocessor.text, study, training=True).isdisjoint(
            preprocessor.held.masked
        )
    assert spoken > 5
    places = [preprocessor.graph.index[one] for one in sorted(preprocessor.held.masked)]
    assert train.evidence is not None
    assert (train.evidence[:, places] == 0).all()
    assert (train.evidence != 0).any()
    assert train.text is not None
    assert train.paired_text is not None
    torch.testing.assert_close(
        train.paired_text.words, preprocessor.text.text(train.studies, "full", training=True).words
    )
    seen = {part.text for one in train.studies for part in preprocessor.text.passages(one, "full")}
    kept = {
        part.text
        for one in train.studies
        for part in preprocessor.text.passages(one, "full", training=True)
    }
    assert kept != seen


def mentions(words: TextLoader, study: Study, *, training: bool) -> set[str]:
    passages = words.passages(study, "full", training=training)
    return {statement.concept for statement in words.linker.link(passages)}


def test_no_mined_evidence_is_left_and_the_record_says_so(masked: RunContext) -> None:
    graph, before = masked.preprocessor.graph, choose_graph(masked.experiment.graph, ())[0]

    def mined(some: Any) -> int:
        return sum(
            item.dataset is not None or item.status == "mined"
            for edge in some.edges
            if {edge.subject, edge.object} & masked.preprocessor.held.masked
            for item in edge.evidence
        )

    assert mined(before) > 0
    assert mined(graph) == 0
    asserted = [e for e in graph.edges_of(HELD) if e.evidence[0].status == "asserted"]
    assert asserted
    assert masked.graph_use.fingerprint == graph.fingerprint != before.fingerprint
    assert any("held-out concepts" in said for said in masked.graph_use.left_out)


def test_what_only_follows_from_a_held_finding_is_left_open(tmp_path: Path) -> None:
    graph = load_shipped()
    experiment = Experiment.model_validate(
        {
            "name": "x",
            "data": {"name": "synthetic", "labels": "nih14"},
            "system": {"name": "graph_fusion"},
        }
    )
    mass = "ckg:lung_mass"
    words = TextLoader(experiment.text, graph, (mass,), tmp_path, masked=frozenset({mass}))
    wider = graph.index["ckg:lung_lesion"]
    assert "ckg:lung_lesion" in graph.ancestors(mass)

    def row(text: str) -> Any:
        study = Study("s", "p", report=(Passage("findings", text),))
        return words.concept_targets([study], ("stated",))[0].numpy()

    only = row("There is a lung mass. The heart is enlarged.")
    assert np.isnan(only[graph.index[mass]])
    assert np.isnan(only[wider])
    assert only[graph.index["ckg:cardiomegaly"]] == 1
    both = row("There is a lung mass. There is a lung nodule.")
    assert both[wider] == 1
    assert row("The heart is enlarged.")[wider] == 0


def test_at_the_level_of_labels_the_concept_still_teaches(
    small: dict[str, Any], small_runs: Path
) -> None:
    made = build_context(held(small, "labels"), Path(), cache=small_runs / "cache")
    assert made.preprocessor.held.findings == (HELD,)
    assert HELD not in made.preprocessor.findings
    assert HELD in made.preprocessor.supervised
    assert (
        made.preprocessor.graph.fingerprint
        == choose_graph(made.experiment.graph, ())[0].fingerprint
    )


def test_held_out_findings_are_tested_beside_the_trained_and_restored(
    small: dict[str, Any], small_runs: Path
) -> None:
    run = find_run(run_experiment(held(small, "concept"), root=Path(), runs=small_runs), small_runs)
    record = run.load_record()
    (row,) = [one for one in record.findings if one.finding == HELD]
    assert (row.basis, row.part, row.threshold, row.temperature) == (
        "zero_shot",
        "test",
        None,
        None,
    )
    assert row.metrics["auroc"].value is not None
    assert record.metrics["test_zero_shot"]["auroc_macro"].findings is not None
    far = {one.finding: one.metrics.get("graph_distance") for one in record.findings}
    assert far[HELD].value >= 1  # type: ignore[union-attr]
    assert [finding for finding, value in far.items() if value is not None] == [HELD]
    assert {one.basis for one in record.findings} == {"trained", "zero_shot"}
    made = evaluate_run(run, "synthetic", Path())
    (again,) = [one for one in made["findings"] if one["finding"] == HELD]
    assert again["basis"] == "zero_shot"
    assert again["metrics"]["auroc"]["value"] == pytest.approx(row.metrics["auroc"].value)
