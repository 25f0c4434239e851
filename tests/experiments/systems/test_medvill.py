"""MedViLL: losses of one reading by hand, what is hidden, and pairs matched one by one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from encoders.batch import StudyBatch
from encoders.text import TEXT_SECTIONS
from experiments.systems.medvill import MedViLL
from fusion.system import System
from kg.errors import InputError

Build = Callable[..., tuple[System, StudyBatch]]


def built(build: Build, **options: Any) -> tuple[MedViLL, StudyBatch]:
    system, batch = build("medvill", options=options)
    assert isinstance(system, MedViLL)
    return system, batch


def test_wrong_reports_are_told_by_the_mark_by_hand(build: Build) -> None:
    """No word hidden, every report wrong that may be: the labels of all four studies differ."""
    system, batch = built(build, hidden_words=0.0, wrong=1.0)
    with torch.no_grad():
        system.fits.weight.zero_()
        system.fits.bias.fill_(2.0)
    made = system.shown(batch)
    wrong = math.log(1 + math.exp(2))
    assert float(made.matching.detach()) == pytest.approx(wrong, abs=1e-5)
    assert float(made.words.detach()) == 0.0
    right = float(built_right(build, batch))
    assert right == pytest.approx(math.log(1 + math.exp(-2)), abs=1e-5)


def built_right(build: Build, batch: StudyBatch) -> torch.Tensor:
    """The loss of matching where all labels are alike, so that every report is right."""
    system, _ = built(build, wrong=1.0)
    with torch.no_grad():
        system.fits.weight.zero_()
        system.fits.bias.fill_(2.0)
    return system.shown(replace(batch, targets=torch.zeros_like(batch.targets))).matching.detach()


def test_hidden_words_are_read_hidden_and_told_as_they_were(build: Build) -> None:
    system, batch = built(build, hidden_words=1.0, wrong=0.0)
    assert batch.paired_text is not None
    words, mask = system.stream.words(batch.paired_text)
    book = system.stream.vocabulary
    read: list[torch.Tensor] = []
    states: list[torch.Tensor] = []
    system.stream.bert.embeddings.word_embeddings.register_forward_pre_hook(
        lambda _, given: read.append(given[0])
    )
    system.tell.register_forward_pre_hook(lambda _, given: states.append(given[0]))
    torch.manual_seed(0)
    loss = system.shown(batch).words
    real = mask & (words != book.end)
    shown = read[0]
    assert bool((shown[real] == book.mask).float().mean() > 0.6)
    assert torch.equal(shown[~real], words[~real])
    expected = F.cross_entropy(system.tell(states[0]), words[real])
    torch.testing.assert_close(loss, expected)


def test_a_study_without_report_is_no_pair(build: Build) -> None:
    system, batch = built(build, hidden_words=0.0, wrong=0.0)
    assert batch.paired_text is not None
    mask = batch.paired_text.mask.clone()
    mask[1] = False
    lacking = replace(batch, paired_text=replace(batch.paired_text, mask=mask))
    torch.manual_seed(0)
    with torch.no_grad():
        whole = system.fits(joint_first(system, lacking))[[0, 2, 3], 0]
        expected = F.binary_cross_entropy_with_logits(whole, torch.ones(3))
        torch.testing.assert_close(system.shown(lacking).matching, expected)


def joint_first(system: MedViLL, batch: StudyBatch) -> torch.Tensor:
    text = system.embed(batch.paired_text)
    return system.stream(system.image_tower(batch), text, system.options.attention).first


@torch.no_grad()
def test_pairs_are_matched_one_by_one(build: Build) -> None:
    system, batch = built(build)
    assert batch.paired_text is not None
    scores = system.match(batch, batch.paired_text)
    assert scores.shape == (4, 4)
    for shift in range(4):
        at = (torch.arange(4) + shift) % 4
        moved = replace(batch, paired_text=batch.paired_text.rows(at))
        alone = system.fits(joint_first(system, moved))[:, 0]
        torch.testing.assert_close(scores[torch.arange(4), at], alone, atol=1e-5, rtol=1e-5)
    mask = batch.paired_text.mask.clone()
    mask[2] = False
    image_mask = batch.image_mask.clone()
    image_mask[1] = False
    gone = system.match(
        replace(batch, image_mask=image_mask), replace(batch.paired_text, mask=mask)
    )
    lacks = gone.isnan()
    assert lacks[1].all()
    assert lacks[:, 2].all()
    assert int(lacks.sum()) == 7


def test_it_is_refused_without_reports(build: Build) -> None:
    with pytest.raises(InputError) as caught:
        build("medvill", lacks={"text_width": 0, "text_encoder": None})
    assert caught.value.hint


def test_it_writes_the_reports_it_has_learnt_without_indication(build: Build) -> None:
    system, batch = build("medvill, writing", options={"token_dropout": 0.0, "dropout": 0.0})
    assert isinstance(system, MedViLL)
    assert batch.paired_text is not None
    section = batch.paired_text.section.clone()
    section[:, 0] = TEXT_SECTIONS.index("indication")
    batch = replace(batch, paired_text=replace(batch.paired_text, section=section))
    assert batch.paired_text is not None
    optimiser = torch.optim.Adam(system.parameters(), 3e-3)
    torch.manual_seed(0)
    for _ in range(250):
        optimiser.zero_grad()
        system.losses(batch, system.stages[0])["report"].backward()
        optimiser.step()
    book = system.stream.vocabulary
    truth = [book.decode(words) for words in book.framed(batch.paired_text).tolist()]
    assert system.generate(batch) == truth
    empty = replace(batch, image_mask=torch.zeros_like(batch.image_mask))
    assert system.generate(empty) == [""] * 4


def test_a_run_that_has_learnt_no_words_says_so(build: Build) -> None:
    system, batch = build("medvill, fine-tuned")
    assert isinstance(system, MedViLL)
    with pytest.raises(InputError, match="not learnt words") as caught:
        system.generate(batch)
    assert caught.value.hint
