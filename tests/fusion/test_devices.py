"""A batch shared by two processes: its losses and gradients are those of one with all of it."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from fusion.devices import gathered, mean_of

TWO = 2

LOSSES = """
import torch
from fusion.devices import gathered
from fusion.losses import LOSSES

NAN = float("nan")
B = 8

def draw(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))

EXCLUSIVE = torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, 0]]).bool()

def losses(start, stop):
    '''Every loss of some rows of one batch, each with the weights it trains.'''
    part = slice(start, stop)
    weights = {name: draw(9, 3, 3).requires_grad_() for name in LOSSES.names()}
    x, y = draw(1, B, 3)[part], draw(2, B, 3)[part]
    labels = (draw(3, B, 3) > 0).float()
    labels[5:7, 1] = NAN
    mask = torch.tensor([1, 1, 1, 0, 1, 1, 1, 1]).bool()[part]
    same = torch.tensor([0, 1, 2, 3, 0, 5, 2, 7])[part]
    words = torch.tensor([[1, 2, 0]] * 5 + [[2, 0, 0]] * 3)[part]
    kind = labels.nan_to_num(0.0)[part]
    shared = gathered(kind) @ gathered(kind).T
    sides = lambda name: (x @ weights[name], y @ weights[name])
    # the first half of the texts is cut to two words
    longest = int((torch.arange(B) < 4)[part].logical_not().any()) + 2
    texts = draw(5, B, 3, 3)[part][:, :longest]
    there = (torch.tensor([[1, 1, 0]] * 4 + [[1, 1, 1]] * 4) > 0)[part][:, :longest]
    regions = draw(6, B, 2, 3)[part]
    local = (there, torch.ones(len(x), 2).bool())
    options = {
        "info_nce": dict(scale=2.0, weight=0.75, same=same, mask=mask),
    }
    given = {
        "info_nce": sides("info_nce"),
        "soft_info_nce": (*sides("soft_info_nce"), shared),
        "pair_cross_entropy": (gathered(x @ weights["pair_cross_entropy"]) @ gathered(y).T,),
        "pair_ranking": (gathered(x @ weights["pair_ranking"]) @ gathered(y).T, 0.5),
        "donsker_varadhan": (gathered(x @ weights["donsker_varadhan"]) @ gathered(y).T,),
        "word_region_contrast": (texts @ weights["word_region_contrast"], regions, local),
        "token_alignment": (texts @ weights["token_alignment"], regions, local),
        "swapped_prediction": sides("swapped_prediction"),
        "balanced_bce": (sides("balanced_bce")[0], labels[part]),
        "reliable_hard_bce": (sides("reliable_hard_bce")[0], labels[part], EXCLUSIVE),
        "triplet_by_similarity": (sides("triplet_by_similarity")[0], labels[part]),
        "sequence_cross_entropy": (
            (y[:, None] * draw(4, 3, 3)) @ weights["sequence_cross_entropy"], words, words > 0
        ),
    }
    found = {}
    for name, values in given.items():
        loss = LOSSES.load(name)(*values, **options.get(name, {}))
        loss.backward()
        found[name] = loss.detach()
        found[f"{name} gradient"] = weights[name].grad
    return found
"""

ONE_OF_TWO = f"""
import sys
import torch
from safetensors.torch import save_file
from torch import distributed

{LOSSES}
rank, store, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
distributed.init_process_group("gloo", init_method=f"file://{{store}}", rank=rank, world_size=2)
found = losses(rank * B // 2, (rank + 1) * B // 2)
with torch.no_grad():  # one process validates alone: nothing may be exchanged
    if rank == 0:
        from fusion.losses.info_nce import info_nce
        found["alone"] = info_nce(draw(1, B, 3), draw(2, B, 3))
save_file(found, out)
distributed.barrier()
distributed.destroy_process_group()
"""


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, module_processes: Any
) -> list[dict[str, Tensor]]:
    """What each of two processes made of its half of the batch."""
    folder = tmp_path_factory.mktemp("two")
    command = (sys.executable, "-c", ONE_OF_TWO)
    places = [folder / f"{rank}.safetensors" for rank in range(TWO)]
    running = [
        module_processes.start(*command, rank, folder / "store", place)
        for rank, place in enumerate(places)
    ]
    while (ended := [process.poll() for process in running]) != [0, 0]:
        assert not any(ended), "one failed, and the other would wait for it"
        time.sleep(0.02)
    return [load_file(place) for place in places]


@pytest.fixture(scope="module")
def alone() -> dict[str, Tensor]:
    space: dict[str, object] = {}
    exec(LOSSES, space)  # noqa: S102
    return space["losses"](0, 8)  # type: ignore[operator,no-any-return]


def test_two_processes_lose_what_one_does(
    shared: list[dict[str, Tensor]], alone: dict[str, Tensor]
) -> None:
    for name, value in alone.items():
        mean = (shared[0][name] + shared[1][name]) / TWO
        torch.testing.assert_close(mean, value, rtol=1e-5, atol=1e-5, msg=name)
        assert value.any(), name


def test_rivals_in_the_other_process_count(shared: list[dict[str, Tensor]]) -> None:
    for name in (
        "info_nce",
        "soft_info_nce",
        "triplet_by_similarity",
        "word_region_contrast",
        "swapped_prediction",
    ):
        torch.testing.assert_close(shared[0][name], shared[1][name])


def test_nothing_is_exchanged_where_one_process_validates(
    shared: list[dict[str, Tensor]],
) -> None:
    assert "alone" in shared[0]


def test_a_process_alone_keeps_its_rows() -> None:
    rows = torch.randn(3, 2, requires_grad=True)
    assert gathered(rows) is rows


@pytest.mark.parametrize(
    ("values", "counts", "mean"),
    [
        ([1.0, 5.0, 9.0], [True, False, True], 5.0),
        ([1.0, 5.0], [False, False], 0.0),
        ([1.0, 5.0], [0.1, 0.3], 4.0),
    ],
)
def test_means_of_what_counts(values: list[float], counts: list[float], mean: float) -> None:
    assert float(mean_of(torch.tensor(values), torch.tensor(counts))) == pytest.approx(mean)
