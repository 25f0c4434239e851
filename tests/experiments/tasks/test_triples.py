"""Knowledge of the graph: true edges against the same with other ends, by hand and in a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder
from experiments.records.scores import read_scores
from experiments.runs.build import RunContext, build_context
from experiments.tasks.triples import Triples, edge_sums
from kg.errors import InputError

SMALL_KAD = {"width": 16, "space": 16, "hidden": [16], "layers": 1}


def test_the_share_of_other_ends_below_the_true_one_by_hand() -> None:
    """Ends of relation 0 are 1, 2 and 3; the other true end of a subject is no rival."""
    triples = torch.tensor([[0, 0, 1], [0, 0, 2], [4, 0, 3], [0, 1, 4]])
    scores = torch.tensor(
        [
            [9.0, 0.5, 9.0, 0.1, 9.0],  # 1 against 3: above
            [9.0, 0.5, 0.2, 0.2, 9.0],  # 2 against 3: a tie
            [9.0, 0.5, 0.1, 0.2, 9.0],  # 3 against 1 and 2: above one of two
            [0.0, 0.0, 0.0, 0.0, 1.0],  # nothing else ends a relation 1
        ]
    )
    sums = edge_sums(scores, triples, triples)
    assert sums.names == ("edges", "above")
    assert sums.values.tolist() == [[1.0, 1.0], [1.0, 0.5], [1.0, 0.5], [0.0, 0.0]]


@pytest.fixture(scope="module")
def untrained(small: dict[str, Any], small_runs: Path) -> RunContext:
    stages = [{"objectives": {"triples": 1.0}, "monitor": "none"}]
    values = {**small, "system": {"name": "kad", "options": SMALL_KAD}, "stages": stages}
    return build_context(Experiment.model_validate(values), small_runs, cache=small_runs / "cache")


def test_who_knows_the_edges_tells_all_and_who_knows_nothing_half(
    untrained: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = untrained.preprocessor.structure
    true = {tuple(row) for part in untrained.preprocessor.triples for row in part.tolist()}

    def all_known(triples: Tensor) -> Tensor:
        ends = range(len(graph.concepts))
        return torch.tensor(
            [[float((s, r, o) in true) for o in ends] for s, r, _ in triples.tolist()]
        )

    def nothing(triples: Tensor) -> Tensor:
        return torch.zeros(len(triples), len(graph.concepts))

    for relate, expected in ((all_known, 1.0), (nothing, 0.5)):
        monkeypatch.setattr(untrained.system, "relate", relate)
        folder = RunFolder.create(tmp_path, untrained.experiment)
        measured = Triples().measure(folder, untrained).metrics["test"]
        assert set(measured) == set(Triples.metrics)
        assert all(one.value == pytest.approx(expected) for one in measured.values())
        rows = {one.task: one for one in read_scores(folder.scores)}
        held = untrained.preprocessor.triples[1]
        assert len(rows["held_out_triples"].studies) == len(held)


def test_a_graph_without_edges_is_refused(untrained: RunContext, tmp_path: Path) -> None:
    none = torch.zeros(0, 3, dtype=torch.long)
    untrained.preprocessor.__dict__["triples"] = none, none
    with pytest.raises(InputError, match="no edges"):
        Triples().measure(RunFolder.create(tmp_path, untrained.experiment), untrained)
    del untrained.preprocessor.__dict__["triples"]
