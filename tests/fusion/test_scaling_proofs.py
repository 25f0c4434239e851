"""Proxies, on a CPU, for what matters on a GPU: one graph to compile, batches shared equally.

That two processes train what one does is held by
`tests/experiments/runner/test_several_devices.py`.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from encoders.batch import StudyBatch
from experiments.loading.cohort import StudyOrder
from fusion.classifier import ClassifierOptions, KnowledgeClassifier
from fusion.objectives import OBJECTIVES
from fusion.system import Setting
from kg.options import parse_options


def objectives(setting: Setting) -> nn.ModuleDict:
    parts = {name: OBJECTIVES.load(name) for name in OBJECTIVES.names()}
    return nn.ModuleDict(
        {
            name: part(parse_options(part.Options, {}, where=name), setting=setting, width=16)
            for name, part in parts.items()
        }
    )


@pytest.mark.parametrize("join", ["knowledge_attention", "concat"])
def test_a_training_step_compiles_to_one_graph(
    setting: Setting, batch: StudyBatch, join: str
) -> None:
    torch.manual_seed(3)
    options = ClassifierOptions(
        width=16,
        dropout=0.0,
        token_dropout=0.0,
        modality_dropout=0.0,
        join={"name": join, "options": {"dropout": 0.0}},  # type: ignore[arg-type]
        head={"name": "concept_dot", "options": {"dropout": 0.0}},  # type: ignore[arg-type]
    )
    model, losses = KnowledgeClassifier(options, setting), objectives(setting)
    model.train()

    def step() -> Tensor:
        made = model(batch)
        return torch.stack([each(made, batch) for each in losses.values()]).sum()

    torch.manual_seed(4)
    plain = step()
    plain.backward()
    wanted = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    compiled = torch.compile(step, fullgraph=True, backend="eager")
    torch.manual_seed(4)
    loss = compiled()
    loss.backward()
    torch.testing.assert_close(loss, plain)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, wanted[name], rtol=1e-4, atol=1e-6)


def test_a_step_with_every_dropout_compiles_too(setting: Setting, batch: StudyBatch) -> None:
    model, losses = KnowledgeClassifier(ClassifierOptions(width=16), setting), objectives(setting)
    model.train()

    def step() -> Tensor:
        made = model(batch)
        return torch.stack([each(made, batch) for each in losses.values()]).sum()

    loss = torch.compile(step, fullgraph=True, backend="eager")()
    loss.backward()
    assert loss.isfinite()


def test_processes_share_every_batch_without_overlap() -> None:
    whole = StudyOrder(range(23), 6, seed=2)
    shares = [StudyOrder(range(23), 6, seed=2, rank=rank, processes=3) for rank in range(3)]
    drawn = [list(share) for share in shares]
    assert {len(share) for share in drawn} == {len(shares[0])}
    for number, batch in enumerate(whole):
        parts = [share[number] for share in drawn]
        assert len({len(part) for part in parts}) == 1  # so that their mean is the batch's mean
        together = {place for part in parts for place in part}
        assert together <= set(batch)
        assert len(batch) - len(together) < 3
    with pytest.raises(ValueError, match="equally"):
        StudyOrder(range(4), 5, seed=0, processes=2)
