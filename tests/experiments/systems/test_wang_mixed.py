"""Wang, mixed data: what is hidden and rebuilt by hand, who stays a pair, and sides read alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from experiments.systems.wang_mixed import WangMixed
from fusion.losses.info_nce import info_nce
from fusion.system import System
from kg.errors import InputError

Build = Callable[..., tuple[System, StudyBatch]]


def built(build: Build, **options: Any) -> tuple[WangMixed, StudyBatch]:
    system, batch = build("wang_mixed", options=options)
    assert isinstance(system, WangMixed)
    return system, batch


def without(batch: StudyBatch, **lacks: torch.Tensor) -> StudyBatch:
    """The batch where some rows lack picture or report."""
    if "image" in lacks:
        batch = replace(batch, image_mask=batch.image_mask & ~lacks["image"][:, None])
    if "text" in lacks:
        assert batch.paired_text is not None
        mask = batch.paired_text.mask & ~lacks["text"][:, None]
        batch = replace(batch, paired_text=replace(batch.paired_text, mask=mask))
    return batch


@pytest.mark.parametrize("scales", [(1,), (1, 2), (4,)])
def test_blocks_are_rebuilt_at_every_scale_by_hand(build: Build, scales: tuple[int, ...]) -> None:
    """Everything hidden and nothing said: the error is the mean size of a normalised target."""
    system, batch = built(build, scales=scales, hidden_patches=1.0)
    for line in system.rebuild:
        assert isinstance(line, nn.Linear)
        nn.init.zeros_(line.weight)
        nn.init.zeros_(line.bias)
    assert batch.image_tokens is not None
    grids = batch.image_tokens[batch.image_mask].view(-1, 4, 4, 8)
    expected = 0.0
    for scale in scales:
        n = 4 // scale
        means = grids.view(-1, n, scale, n, scale, 8).mean((2, 4))
        expected += float(F.layer_norm(means, (8,)).abs().mean())
    assert float(system.hidden(batch)[1].detach()) == pytest.approx(expected, abs=1e-5)


@torch.no_grad()
def test_a_hidden_cell_is_not_seen(build: Build) -> None:
    system, batch = built(build, hidden_patches=1.0, hidden_words=0.0)
    assert batch.image_tokens is not None
    cells = torch.zeros(4, 32).bool()
    cells[:, 5] = True
    hidden = system._without(batch, cells).image_tokens
    assert hidden is not None
    assert not hidden[:, 0, 5].any()
    kept = torch.ones(16).bool()
    kept[5] = False
    torch.testing.assert_close(hidden[:, 0, kept], batch.image_tokens[:, 0, kept])
    torch.testing.assert_close(hidden[:, 1], batch.image_tokens[:, 1])


@torch.no_grad()
def test_pixels_are_hidden_and_rebuilt_in_patches(build: Build) -> None:
    """A picture of 8 x 8 pixels in 4 x 4 cells; at scale 2 the picture is half as large."""
    system, batch = built(build)
    pixels = torch.arange(4 * 2 * 64.0).view(4, 2, 1, 8, 8)
    shown = replace(batch, image_tokens=None, pixels=pixels)
    cells = torch.zeros(4, 32).bool()
    cells[:, 6] = True  # second row, third column
    hidden = system._without(shown, cells).pixels
    assert hidden is not None
    assert not hidden[:, 0, :, 2:4, 4:6].any()
    assert int((hidden != pixels)[0].sum()) == 4
    fine, coarse = system._cells(shown, 1), system._cells(shown, 2)
    assert fine.shape == (4, 32, 4)
    assert fine[0, 6].tolist() == [20.0, 21.0, 28.0, 29.0]
    assert coarse.shape == (4, 8, 4)
    small = F.avg_pool2d(pixels[0, 0], 2)[0]
    assert coarse[0, 3].tolist() == small[2:, 2:].flatten().tolist()


def test_a_share_of_the_studies_stays_pairs_the_same_each_time(build: Build) -> None:
    system, batch = built(build, paired=0.3)
    many = replace(batch, ids=tuple(f"study {n}" for n in range(2000)))
    kept = system.kept(many)
    assert float(kept.float().mean()) == pytest.approx(0.3, abs=0.04)
    assert torch.equal(kept, system.kept(many))
    half, _ = built(build, paired=0.6)
    assert bool((half.kept(many) | ~kept).all())


@torch.no_grad()
def test_what_is_no_pair_is_read_apart(build: Build) -> None:
    """Words hidden from a study that is no pair are told as without its picture."""
    apart, batch = built(build, paired=0.0, hidden_words=1.0, hidden_patches=1.0)
    pairs, _ = built(build, paired=1.0, hidden_words=1.0, hidden_patches=1.0)
    pairs.load_state_dict(apart.state_dict())
    every = torch.ones(4).bool()

    def losses(system: WangMixed, given: StudyBatch) -> tuple[float, float]:
        torch.manual_seed(0)
        words, patches = system.hidden(given)
        return float(words), float(patches)

    words, patches = losses(apart, batch)
    assert words == pytest.approx(losses(pairs, without(batch, image=every))[0], abs=2e-6)
    assert patches == pytest.approx(losses(pairs, without(batch, text=every))[1], abs=2e-6)
    whole = losses(pairs, batch)
    assert words != pytest.approx(whole[0], abs=1e-4)
    assert patches != pytest.approx(whole[1], abs=1e-5)


@torch.no_grad()
def test_only_pairs_are_paired(build: Build) -> None:
    system, batch = built(build)
    assert batch.paired_text is not None
    lacking = without(
        batch,
        image=torch.tensor([True, False, False, False]),
        text=torch.tensor([False, True, False, False]),
    )
    image, text = system.embed_image(lacking)[2:], system.embed_text(batch.paired_text)[2:]
    expected = info_nce(image, text, scale=10.0)
    torch.testing.assert_close(system.pairing(lacking), expected, atol=1e-5, rtol=1e-5)
    none, _ = built(build, paired=0.0)
    assert float(none.pairing(batch)) == 0.0


@torch.no_grad()
def test_a_study_without_picture_or_report_gives_the_other_loss_alone(build: Build) -> None:
    system, batch = built(build, hidden_words=1.0, hidden_patches=1.0)
    every = torch.ones(4).bool()
    words, patches = system.hidden(without(batch, image=every))
    assert float(patches) == 0.0
    assert float(words) > 0
    words, patches = system.hidden(without(batch, text=every))
    assert float(words) == 0.0
    assert float(patches) > 0


@pytest.mark.parametrize(
    ("options", "lacks"),
    [
        ({"scales": (1, 3)}, {}),
        ({"scales": ()}, {}),
        ({}, {"image_tokens": 15}),
        ({}, {"text_width": 0, "text_encoder": None}),
    ],
)
def test_it_is_refused_without_a_grid_a_scale_or_reports(
    build: Build, options: dict[str, Any], lacks: dict[str, Any]
) -> None:
    with pytest.raises(InputError) as caught:
        build("wang_mixed", options=options, lacks=lacks)
    assert caught.value.hint
