"""Deletion of what is attended to: on toys where one concept decides, and on a real small run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from encoders.batch import StudyBatch
from encoders.study import Study
from experiments.cli.main import kgdx
from experiments.config.schema import Experiment
from experiments.metrics.bootstrap import Plan
from experiments.metrics.decisions import Thresholds
from experiments.records.folder import RunFolder, find_run
from experiments.training.cohort import Cohort
from experiments.training.deletion import DELETED, Curve, deletion
from experiments.training.run import run_experiment
from experiments.training.score import Calibration
from fusion.system import Output, Setting, System
from kg.concepts import Concept
from kg.errors import InputError
from kg.graph import KnowledgeGraph

PLACES = 9
"""The finding itself and eight neighbours, of which the third decides."""
DECIDES = 3
YES, NO = 1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(2.0))
FINDINGS = ("f", "g")


class Toy(System):
    """Says yes (logit 2) to `f` as long as it sees the place or statement that decides, else no.

    `g` is always no. Attention lies on place `looks_at`.
    """

    def __init__(self, looks_at: int, memory: bool) -> None:
        super().__init__()
        graph = KnowledgeGraph(
            tuple(Concept(f"c{i}", f"c{i}", "finding") for i in range(PLACES)), ()
        )
        self.setting = Setting(graph, torch.zeros(PLACES, 1), FINDINGS)
        self.looks_at, self.memory = looks_at, memory
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def losses(self, batch: StudyBatch, stage: Any) -> dict[str, Tensor]:
        return {}

    def basis(self, finding: str) -> Any:
        return "trained"

    def remembered(self, finding: str) -> tuple[str, ...]:
        return tuple(f"c{i}" for i in range(PLACES)) if self.memory and finding == "f" else ("c0",)

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        return self.predict_without(batch, findings, torch.zeros(2, PLACES, dtype=torch.bool))

    def predict_without(
        self, batch: StudyBatch, findings: tuple[str, ...], hidden: Tensor
    ) -> Output:
        count = len(batch.ids)
        logits = torch.full((count, 2), -2.0)
        if self.memory:
            logits[:, 0] = -2.0 if hidden[0, DECIDES] else 2.0
        else:
            logits[:, 0] = torch.where(batch.evidence[:, DECIDES] == 1, 2.0, -2.0)
        look = torch.full((count, 2, PLACES), 0.1)
        look[..., DECIDES] = 0.0
        look[..., self.looks_at] = 1.0
        return Output(logits, {"memory": look, "evidence": look})

    def stated(self, batch: StudyBatch) -> tuple[Tensor, Tensor]:
        if self.memory:
            return torch.zeros(len(batch.ids), 0, dtype=torch.long), torch.zeros(
                len(batch.ids), 0, dtype=torch.bool
            )
        every = torch.arange(PLACES).expand(len(batch.ids), -1)
        return every, batch.evidence != 0


def curves(looks_at: int, *, memory: bool, studies: int = 40, **changed: Any) -> dict[str, Curve]:
    """Half the studies state every concept, the other half none."""
    evidence = torch.ones(studies, PLACES)
    evidence[studies // 2 :] = 0.0
    targets = torch.zeros(studies, 2)
    targets[: studies // 2, 0] = 1.0
    people = tuple(Study(f"s{i}", f"p{i // 2}") for i in range(studies))
    cohort = Cohort(people, targets, evidence=evidence)
    calibration = Calibration(
        (1.0, 1.0), Thresholds((0.5, np.nan), "fixed", frozenset()), changed.get("exclusive", False)
    )
    return deletion(
        changed.get("system", Toy(looks_at, memory)),
        cohort,
        calibration,
        rng=np.random.default_rng(0),
        plan=Plan(resamples=100),
    )


def test_what_decides_and_is_attended_to_is_lost_at_once() -> None:
    (curve,) = curves(DECIDES, memory=True).values()
    assert (curve.studies, curve.findings) == (40, 1)  # g remembers nothing but itself
    for point in curve.points:
        assert point.attended.value == pytest.approx(YES - NO)
        assert point.auroc_attended == 0  # the memory is the same for every study
    # eight neighbours: at random the one that decides goes with 1, 2, 4 and 8 of 8
    shares = [point.random.value / (YES - NO) for point in curve.points]
    assert shares[-1] == pytest.approx(1)
    assert shares == sorted(shares)
    assert curve.points[-1].difference.value == pytest.approx(0)
    expected = np.trapezoid([1 - share for share in shares], DELETED) / 7 * (YES - NO)
    assert curve.area.value == pytest.approx(expected)
    assert curve.area.value > 0.2


def test_attention_elsewhere_is_found_out() -> None:
    (curve,) = curves(8, memory=True).values()
    assert curve.points[0].attended.value == pytest.approx(0)
    assert curve.points[2].attended.value == pytest.approx(0)
    assert curve.area.value < -0.05


def test_statements_go_study_by_study() -> None:
    (curve,) = curves(DECIDES, memory=False).values()
    assert (curve.studies, curve.findings) == (20, 2)  # half of the studies state nothing
    first, last = curve.points[0], curve.points[-1]
    # f is lost, g is not
    assert first.attended.value == pytest.approx((YES - NO) / 2)
    assert first.random.value < first.attended.value / 2
    assert first.auroc_attended == pytest.approx(0.5)  # from right for all to one answer for all
    assert first.attended.low == pytest.approx(first.attended.value)  # no patient differs
    assert last.deleted == 8
    assert last.random.value == pytest.approx((YES - NO) / 2, rel=0.3)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(InputError, match="does not attend"):
        curves(0, memory=True, system=torch.nn.Linear(1, 1))
    with pytest.raises(InputError, match="exclude each other"):
        curves(0, memory=True, exclusive=True)
    silent = Toy(0, memory=True)
    silent.remembered = lambda finding: ("c0",)  # type: ignore[method-assign]
    with pytest.raises(InputError, match="no neighbours"):
        curves(0, memory=True, system=silent)


@pytest.fixture(scope="module")
def run(small: dict[str, Any], small_runs: Path) -> RunFolder:
    experiment = Experiment.model_validate({**small, "name": "faithful"})
    return find_run(run_experiment(experiment, root=Path(), runs=small_runs), small_runs)


def test_a_run_says_what_it_loses(run: RunFolder, small_runs: Path, tmp_path: Path) -> None:
    command = ["experiment", "faithfulness", run.run, "--runs", str(small_runs)]
    command += ["--root", str(tmp_path)]
    told = CliRunner().invoke(kgdx, [*command, "-o", str(tmp_path / "f.json"), "--json"])
    assert told.exit_code == 0, told.output
    made = json.loads((tmp_path / "f.json").read_text())
    record = run.load_record()
    assert json.loads(told.stdout) == made
    assert made["studies"] == record.split_counts["test"]
    memory = made["sources"]["memory"]
    # memory of four: three neighbours, so the last two numbers delete the same
    assert [point["deleted"] for point in memory["points"]] == list(DELETED)
    assert memory["points"][2]["attended"] == memory["points"][3]["attended"]
    assert memory["points"][3]["difference"]["value"] == pytest.approx(0)
    assert memory["area"]["low"] <= memory["area"]["value"] <= memory["area"]["high"]
    shown = CliRunner().invoke(kgdx, command)
    assert shown.exit_code == 0, shown.output
    assert "area between" in shown.stdout
