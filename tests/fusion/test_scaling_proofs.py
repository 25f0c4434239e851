"""Proxies, on a CPU, for what matters on a GPU: one graph to compile, and processes that agree."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from encoders.batch import StudyBatch
from experiments.training.cohort import StudyOrder
from fusion.classifier import ClassifierOptions, KnowledgeClassifier
from fusion.objectives import OBJECTIVES
from fusion.system import Setting
from kg.options import parse_options

Rows = Callable[[StudyBatch, list[int]], StudyBatch]


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


def model_for(setting: Setting) -> KnowledgeClassifier:
    torch.manual_seed(6)
    options = ClassifierOptions(width=16, dropout=0.0, token_dropout=0.0, modality_dropout=0.0)
    model = KnowledgeClassifier(options, setting).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


class Step(nn.Module):
    """The loss of a batch: what a process wraps, so that it sees which parameters it touches."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.model = model_for(setting)
        part = OBJECTIVES.load("classification")
        self.objective = part(part.Options(), setting=setting, width=16)

    def forward(self, batch: StudyBatch) -> Tensor:
        loss: Tensor = self.objective(self.model(batch), batch)
        return loss


def one_step(step: nn.Module, batch: StudyBatch) -> None:
    optimizer = torch.optim.SGD(step.parameters(), lr=0.1)
    step(batch).backward()
    optimizer.step()


def half_a_step(rank: int, port: int, step: Step, share: StudyBatch, path: Path) -> None:
    """One of two processes: takes its share of the batch, and agrees on the gradient."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    try:
        one_step(nn.parallel.DistributedDataParallel(step, find_unused_parameters=True), share)
        save_file(step.state_dict(), path)
    finally:
        torch.distributed.destroy_process_group()


def test_two_processes_are_one(
    setting: Setting, batch: StudyBatch, rows: Rows, tmp_path: Path
) -> None:
    (places,) = StudyOrder(range(6), 6, seed=1)
    alone = Step(setting)
    one_step(alone, rows(batch, places))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    paths = [tmp_path / f"{rank}.safetensors" for rank in range(2)]
    context = torch.multiprocessing.get_context("fork")
    workers = []
    for rank, path in enumerate(paths):
        (part,) = StudyOrder(range(6), 6, seed=1, rank=rank, processes=2)
        given = (rank, port, Step(setting), rows(batch, part), path)
        workers.append(context.Process(target=half_a_step, args=given))
        workers[-1].start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    halves = [load_file(path) for path in paths]
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(halves[0][name], halves[1][name], rtol=0, atol=0)
        torch.testing.assert_close(halves[0][name], value, rtol=1e-5, atol=1e-6)


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
