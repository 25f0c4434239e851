"""Deletion of what counts: on toys where one concept or edge decides, and on a real small run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from encoders.batch import StudyBatch
from encoders.graph_arrays import graph_tensors
from encoders.study import Study
from experiments.cli.main import kgdx
from experiments.cli.run_view import print_faithfulness
from experiments.explanation.deletion_metric import DELETED, Curve, deletion_curves
from experiments.explanation.perturbation import EdgePerturbation, Probe
from experiments.loading.cohort import Cohort
from experiments.metrics.bootstrap import Plan
from experiments.metrics.calibration import Calibration
from experiments.metrics.decisions import Thresholds
from experiments.records.folder import RunFolder
from fusion.system import Output, Setting, System
from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

PLACES = 9
"""The finding itself and eight neighbours, of which the third decides."""
DECIDES = 3
YES, NO = 1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(2.0))
FINDINGS = ("c0", "c5")
BOOK = (Evidence("a textbook", "curated", "asserted"),)


class Toy(System):
    """Says yes (logit 2) to `c0` as long as it sees the place or statement that decides, else no.

    `c5` is always no. Attention lies on place `looks_at`. There are no edges.
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

    def neighbours(self, finding: str) -> tuple[str, ...]:
        return tuple(f"c{i}" for i in range(PLACES)) if self.memory and finding == "c0" else ("c0",)

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

    def predict_on_edges(
        self, batch: StudyBatch, findings: Sequence[tuple[str, ...]], scale: Tensor
    ) -> list[Tensor]:
        logits = self.predict(batch, FINDINGS).logits
        return [logits[:, [FINDINGS.index(one) for one in own]] + self.nothing for own in findings]

    def stated(self, batch: StudyBatch) -> tuple[Tensor, Tensor]:
        if self.memory:
            return torch.zeros(len(batch.ids), 0, dtype=torch.long), torch.zeros(
                len(batch.ids), 0, dtype=torch.bool
            )
        every = torch.arange(PLACES).expand(len(batch.ids), -1)
        return every, batch.evidence != 0


class Wired(Toy):
    """Answers by its edges alone, adding up what each carries: both findings yes for one half."""

    CARRIES = {"c1": 2.0, "c2": 0.5, "c3": -1.0, "c4": 0.5}

    def __init__(self) -> None:
        super().__init__(0, memory=False)
        edges = [Edge(name, "suggestive_of", "c0", BOOK) for name in self.CARRIES]
        # two steps from c0, and three
        edges += [Edge("c6", "is_a", "c1", BOOK), Edge("c7", "is_a", "c6", BOOK)]
        graph = KnowledgeGraph(self.setting.graph.concepts, tuple(edges))
        self.setting = Setting(graph, torch.zeros(PLACES, 1), FINDINGS)
        ends = graph_tensors(graph)[0].T.tolist()
        carries = {graph.index[name]: much for name, much in self.CARRIES.items()}
        into = graph.index["c0"]
        # half of what an edge carries goes each way
        self.carried = torch.tensor(
            [carries[a if b == into else b] / 2 if into in (a, b) else 0.0 for a, b in ends]
        )

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        every = torch.ones(1, len(self.carried))
        return Output(self.predict_on_edges(batch, [findings], every)[0])

    def predict_on_edges(
        self, batch: StudyBatch, findings: Sequence[tuple[str, ...]], scale: Tensor
    ) -> list[Tensor]:
        sign = batch.evidence[:, :1] * 2 - 1
        made = []
        for own, carried in zip(findings, scale @ self.carried, strict=True):
            wired = torch.tensor([finding == "c0" for finding in own]).float()
            made.append(sign * carried * wired - 2 * (1 - wired))
        return made


def probe_of(system: System, studies: int = 40, exclusive: bool = False) -> Probe:
    """Half the studies state every concept, the other half none."""
    evidence = torch.ones(studies, PLACES)
    evidence[studies // 2 :] = 0.0
    targets = torch.zeros(studies, 2)
    targets[: studies // 2, 0] = 1.0
    people = tuple(Study(f"s{i}", f"p{i // 2}") for i in range(studies))
    cohort = Cohort(people, targets, evidence=evidence)
    thresholds = Thresholds((0.5, np.nan), "fixed", frozenset())
    return Probe(system, cohort, FINDINGS, Calibration((1.0, 1.0), thresholds, exclusive))


def curves(system: System, *, exclusive: bool = False) -> dict[str, Curve]:
    probe = probe_of(system, exclusive=exclusive)
    return deletion_curves(
        system,
        probe.cohort,
        probe.calibration,
        rng=np.random.default_rng(0),
        plan=Plan(resamples=100),
    )


def test_what_decides_and_is_attended_to_is_lost_at_once() -> None:
    (curve,) = curves(Toy(DECIDES, memory=True)).values()
    assert (curve.studies, curve.findings) == (40, 1)  # c5 remembers nothing but itself
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
    (curve,) = curves(Toy(8, memory=True)).values()
    assert curve.points[0].attended.value == pytest.approx(0)
    assert curve.points[2].attended.value == pytest.approx(0)
    assert curve.area.value < -0.05


def test_statements_go_study_by_study() -> None:
    (curve,) = curves(Toy(DECIDES, memory=False)).values()
    assert (curve.studies, curve.findings) == (20, 2)  # half of the studies state nothing
    first, last = curve.points[0], curve.points[-1]
    # c0 is lost, c5 is not
    assert first.attended.value == pytest.approx((YES - NO) / 2)
    assert first.random.value < first.attended.value / 2
    assert first.auroc_attended == pytest.approx(0.5)  # from right for all to one answer for all
    assert first.attended.low == pytest.approx(first.attended.value)  # no patient differs
    assert last.deleted == 8
    assert last.random.value == pytest.approx((YES - NO) / 2, rel=0.3)


def test_edges_are_ranked_by_what_they_carry_towards_the_answer() -> None:
    source = EdgePerturbation(probe_of(Wired()))
    graph = source.probe.system.setting.graph
    joined = [{graph.concepts[int(a)].id, graph.concepts[int(b)].id} for a, b in source.joined.T]
    shares = {frozenset(pair): share for pair, share in zip(joined, source.weight[0], strict=True)}
    # 40 studies, half of them yes and half no: an edge carries as much towards either answer
    for name, much in Wired.CARRIES.items():
        assert shares[frozenset({name, "c0"})] == pytest.approx(40 * much)
    assert [pair for pair, free in zip(joined, source.free[0], strict=True) if not free] == [
        {"c6", "c7"}  # three steps away
    ]
    assert not source.free[1].any()  # c5 has no edges


def test_the_edge_that_carries_most_is_lost_first() -> None:
    curve = curves(Wired())["edges"]
    assert (curve.studies, curve.findings) == (40, 1)

    def chance(logit: float) -> float:
        return float(1 / (1 + np.exp(-logit)))

    # 2 + 0.5 - 1 + 0.5 = 2; what speaks against the answer goes last
    kept = [0.0, -0.5, -1.0, 0.0]
    assert [point.attended.value for point in curve.points] == pytest.approx(
        [chance(2) - chance(logit) for logit in kept], abs=1e-6
    )
    assert curve.points[0].difference.value > 0.1
    assert curve.points[-1].difference.value == pytest.approx(0)  # all five edges are gone


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(InputError, match="does not use concepts of the graph"):
        deletion_curves(
            torch.nn.Linear(1, 1),  # type: ignore[arg-type]
            probe_of(Toy(0, memory=True)).cohort,
            probe_of(Toy(0, memory=True)).calibration,
            rng=np.random.default_rng(0),
            plan=Plan(),
        )
    with pytest.raises(InputError, match="exclude each other"):
        curves(Toy(0, memory=True), exclusive=True)
    silent = Toy(0, memory=True)
    silent.neighbours = lambda finding: ("c0",)  # type: ignore[method-assign]
    with pytest.raises(InputError, match="has nothing to delete"):
        curves(silent)


@pytest.fixture(scope="module")
def run(finished_copy: Callable[[str], RunFolder]) -> RunFolder:
    return finished_copy("faithful")


def test_a_run_says_what_it_loses(
    run: RunFolder, small_runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
    # messages are closed in this run: its edges carry evidence only
    edges = made["sources"]["edges"]
    assert edges["points"][0]["difference"]["value"] > 0
    # synthetic marks what it draws
    assert {"places", "words", "randomised_weights", "pointing_trained"} <= set(made["evidence"])
    for name in ("places", "words"):
        found = made["evidence"][name]
        assert found["comprehensiveness_gain"]["value"] > 0
        assert found["sufficiency_gain"]["value"] > 0
    alike = made["evidence"]["randomised_weights"]["rank_correlation"]
    assert abs(alike["value"]) < 0.5
    pointing = made["evidence"]["pointing_trained"]
    assert 0 <= pointing["pointing_game"]["value"] <= 1
    print_faithfulness(made)
    shown = capsys.readouterr().out
    assert "area between" in shown
    assert "deleted edges" in shown
    assert "comprehensiveness gain" in shown
