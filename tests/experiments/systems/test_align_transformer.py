"""AlignTransformer, JPG: alignment, gates and memory by hand, and what comes back as a sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, StudyBatch, Text
from encoders.text import TEXT_SECTIONS, Vocabulary
from experiments.systems._grains import (
    SLOTS,
    ConditionalNorm,
    GatedGrains,
    HierarchicalAlignment,
    MultiGrainedDecoder,
    RelationalMemory,
)
from experiments.systems.align_transformer import AlignTransformer
from fusion.layers.generation import Generated
from fusion.stage import Stage
from fusion.system import System
from kg.errors import InputError

Build = Callable[..., tuple[System, StudyBatch]]
WRITING = Stage(objectives={"report": 1.0})
START, END = 3, 4
ON = torch.tensor([[True, True]])


def built(build: Build, name: str = "align_transformer", **options: Any) -> tuple[Any, StudyBatch]:
    system, batch = build(name, options=options)
    assert isinstance(system, AlignTransformer)
    return system, batch


def plain(attend: nn.MultiheadAttention) -> None:
    """Attention by the dot products of the tokens themselves."""
    width = attend.embed_dim
    with torch.no_grad():
        attend.in_proj_weight.copy_(torch.eye(width).repeat(3, 1))
        attend.out_proj.weight.copy_(torch.eye(width))


def attended(query: Tensor, tokens: Tensor) -> Tensor:
    """What a query sees of tokens by plain attention."""
    shares = (query @ tokens.T / query.shape[-1] ** 0.5).softmax(-1)
    return shares @ tokens


def normed(tokens: Tensor) -> Tensor:
    """Tokens of width 2, normalised."""
    return F.layer_norm(tokens, (2,))


def test_tags_and_regions_are_aligned_by_hand() -> None:
    align = HierarchicalAlignment(2, 2, 1).eval()
    for one in (*align.look, *align.back):
        plain(one.attend)
    tags, regions = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[3.0, 1.0], [0.0, 1.0]])
    made = align(tags[None], regions[None], ON)[0]
    grains = []
    for _ in range(2):
        seen = normed(tags + attended(tags, regions))
        tags = normed(seen + attended(seen, tags))
        grains.append(normed(seen + tags))
    torch.testing.assert_close(made, torch.stack(grains))


def test_the_first_tag_sees_the_region_that_is_like_it() -> None:
    """Equal regions but one; a tag like that one gets more of it."""
    align = HierarchicalAlignment(2, 1, 1)
    plain(align.look[0].attend)
    regions = torch.tensor([[[4.0, 0.0], [0.0, 4.0]]])
    for tag, place in (([2.0, 0.0], 0), ([0.0, 2.0], 1)):
        seen, shares = align.look[0].attend(torch.tensor([[tag]]), regions, regions)
        share = 1 / (1 + math.exp(-8 / 2**0.5))
        assert shares[0, 0, place].item() == pytest.approx(share)
        assert seen[0, 0, place].item() == pytest.approx(4 * share)


@torch.no_grad()
def test_masked_regions_change_no_grain() -> None:
    align = HierarchicalAlignment(4, 3, 2).eval()
    tags, regions = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    mask = torch.tensor([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0]]).bool()
    made = align(tags, regions, mask)
    other = align(tags, torch.where(mask[..., None], regions, 9.0), mask)
    assert made.shape == (2, 3, 3, 4)
    torch.testing.assert_close(made[0], other[0])
    assert made.isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize(("bias", "share"), [(0.0, 0.5), (50.0, 1.0), (-50.0, 0.0)])
def test_gates_mix_what_is_seen_of_each_grain(bias: float, share: float) -> None:
    """The gate of the first grain is wide open; that of the second is open by a share."""
    look = GatedGrains(2, 2, 1)
    plain(look.attend)
    for gate, value in zip(look.gates, (50.0, bias), strict=True):
        nn.init.zeros_(gate.weight)
        nn.init.constant_(gate.bias, value)
    words, grains = torch.tensor([[[1.0, 0.0]]]), torch.randn(1, 2, 3, 2)
    one, other = (attended(words[0], grain) for grain in grains[0])
    torch.testing.assert_close(look(words, grains)[0], (one + share * other) / 2**0.5)


@torch.no_grad()
def test_the_memory_takes_and_keeps_by_its_gates() -> None:
    memory = RelationalMemory(4, 2).eval()
    for layer in (memory.by_word, memory.by_memory):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    words = torch.randn(1, 2, 4)
    memory.by_word.bias.copy_(torch.tensor([-50.0] * 4 + [50.0] * 4))  # takes nothing, keeps all
    kept = memory(words)
    assert kept.shape == (1, 2, SLOTS * 4)
    torch.testing.assert_close(kept[0, 1], torch.eye(SLOTS, 4).flatten())
    memory.by_word.bias.copy_(torch.tensor([50.0] * 4 + [-50.0] * 4))  # takes all, keeps nothing
    for layers in (memory.attend.out_proj, memory.feed[2]):
        nn.init.zeros_(layers.weight)
        nn.init.zeros_(layers.bias)
    torch.testing.assert_close(memory(words)[0, 0], torch.eye(SLOTS, 4).tanh().flatten())
    torch.testing.assert_close(memory(words)[0, 1], torch.eye(SLOTS, 4).tanh().tanh().flatten())


@torch.no_grad()
def test_the_memory_moves_gain_and_shift() -> None:
    norm = ConditionalNorm(2, 3)
    states, memory = torch.tensor([[[3.0, 1.0]]]), torch.ones(1, 1, 3)
    unit = torch.tensor([[[1.0, -1.0]]])
    torch.testing.assert_close(norm(states, memory), unit, atol=1e-4, rtol=0)
    norm.gain[-1].bias.copy_(torch.tensor([1.0, 0.5]))
    norm.shift[-1].bias.copy_(torch.tensor([0.0, 2.0]))
    moved = torch.tensor([[[2.0, 0.5]]])
    torch.testing.assert_close(norm(states, memory), moved, atol=1e-4, rtol=0)


@pytest.fixture
def decoder() -> MultiGrainedDecoder:
    torch.manual_seed(0)
    book = Vocabulary(9, 0, 1, 2, START, END, _numbers)
    made = MultiGrainedDecoder(book, 8, grains=2, layers=2, heads=2, limit=6).eval()
    for norm in made.modules():
        if isinstance(norm, ConditionalNorm):
            nn.init.normal_(norm.gain[-1].weight)
    return made


def _numbers(ids: Sequence[int]) -> str:
    return " ".join(map(str, ids))


@torch.no_grad()
def test_word_by_word_it_writes_as_it_reads(decoder: MultiGrainedDecoder) -> None:
    """Logits of words that come one by one are those of the whole text."""
    grains = torch.randn(3, 2, 2, 8)
    words = torch.tensor([[START, 5, 6, 7, 8], [START, 8, 8, 5, 5], [START, 6, 5, 6, 5]])
    whole = decoder(grains, ON, words)
    state, one_by_one = decoder._start(grains, ON), []
    for word in words.unbind(1):
        logits, state = decoder._step(word, state)
        one_by_one.append(logits)
    torch.testing.assert_close(torch.stack(one_by_one, 1), whole)
    words[:, 3:] = 7
    torch.testing.assert_close(decoder(grains, ON, words)[:, :3], whole[:, :3])  # none sees later


@pytest.mark.parametrize("beams", [1, 2])
def test_it_writes_the_reports_it_has_learnt(build: Build, beams: int) -> None:
    system, batch = built(build, beams=beams, layers=2)
    assert batch.paired_text is not None
    book = system.decoder.vocabulary
    optimiser = torch.optim.Adam(system.parameters(), 5e-3)
    for _ in range(120):
        optimiser.zero_grad()
        system.losses(batch, WRITING)["report"].backward()
        optimiser.step()
    truth = [book.decode(words) for words in book.framed(batch.paired_text).tolist()]
    assert system.generate(batch) == truth
    empty = replace(batch, image_mask=torch.zeros_like(batch.image_mask))
    assert system.generate(empty) == [""] * 4


@torch.no_grad()
def test_only_the_likeliest_tags_are_aligned(build: Build) -> None:
    system, batch = built(build, tags=2)
    nn.init.zeros_(system.score.weight)
    system.score.bias.copy_(torch.tensor([0.0, 2.0, 1.0]))
    grains = system.see(batch).grains
    assert grains.shape == (4, 3, 2, 16)
    system.present.weight[0] = system.absent.weight[0] = 9.0  # the third likeliest of three
    torch.testing.assert_close(system.see(batch).grains, grains)
    system.absent.weight[2] = 9.0
    assert not torch.allclose(system.see(batch).grains, grains)
    more, _ = built(build, tags=10)
    assert more.see(batch).grains.shape[2] == 3  # there are no more


@torch.no_grad()
def test_a_tag_is_present_by_its_probability(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    system, batch = built(build, tags=2)
    nn.init.zeros_(system.score.weight)
    system.score.bias.copy_(torch.tensor([-9.0, 0.0, math.log(3)]))  # 0, 1/2 and 3/4
    aligned: list[Tensor] = []
    align = system.align.forward

    def noted(tags: Tensor, regions: Tensor, mask: Tensor) -> Any:
        aligned.append(tags)
        return align(tags, regions, mask)

    monkeypatch.setattr(system.align, "forward", noted)
    system.see(batch)
    present, absent = system.present.weight, system.absent.weight
    expected = [present[2] * 0.75 + absent[2] * 0.25, present[1] * 0.5 + absent[1] * 0.5]
    torch.testing.assert_close(aligned[0], torch.stack(expected).expand(4, -1, -1))


def test_words_do_not_teach_which_tags_are_likely(build: Build) -> None:
    system, batch = built(build)
    system.losses(batch, WRITING)["report"].backward()
    assert system.score.weight.grad is None
    assert system.present.weight.grad.any()


def test_without_feedback_no_report_is_read(build: Build) -> None:
    system, _ = built(build)
    assert not hasattr(system, "text_reader")
    assert system.loss_names(system.options) == ("classification", "report")
    assert set(system.stages[0].objectives) == {"classification", "report"}


def jpg(build: Build, monkeypatch: pytest.MonkeyPatch, drafts: str) -> tuple[Any, StudyBatch]:
    """JPG that reads the first word alone as its vector, and writes given drafts.

    Args:
        build: Builds systems.
        monkeypatch: Changes the system.
        drafts: `own` are the true reports, `other` those of the next study, `none` are empty.
    """
    system, batch = built(build, "align_transformer, jpg", temperature=0.5)
    assert batch.paired_text is not None
    book = system.decoder.vocabulary
    words = book.framed(batch.paired_text)[:, 1:]
    words = {"own": words, "other": words.roll(1, 0), "none": words}[drafts]
    there = (words != book.end) & (words != book.padding) & (drafts != "none")
    made = Generated(words, there, words[:, 0] * 0.0)
    monkeypatch.setattr(system.decoder, "written", lambda tokens, mask: made)
    return system, batch


FEEDBACK = Stage(objectives={"feedback": 1.0})


@torch.no_grad()
def test_a_report_of_its_own_is_a_harder_sample(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image must fit the true report better; findings are told from the written one."""
    system, batch = jpg(build, monkeypatch, "other")
    images = F.normalize(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]]), dim=-1)
    own = F.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), dim=-1)
    told: list[Tensor] = []

    def read(words: Tensor) -> Features:
        told.append(words)
        turned = len(told) > 1  # the second is what was written: reports of the study before
        return Features(words[..., None] * 1.0, words > 0, own.roll(1, 0) if turned else own)

    monkeypatch.setattr(system, "_read", read)
    monkeypatch.setattr(system, "_images", lambda seen: images)
    monkeypatch.setattr(system, "text_projection", nn.Identity())
    monkeypatch.setattr(system, "score", nn.Linear(2, 3))
    monkeypatch.setattr(system, "see", lambda batch: _seen(images))
    made = system.losses(batch, FEEDBACK)["feedback"]
    half = 2**-0.5
    # similarity with the true report, and with the one written: that of the study before
    fits, drafts = (1.0, 0.0, half, half), (1.0, 0.0, half, -half)
    ranking = sum(math.log1p(math.exp(2 * (b - a))) for a, b in zip(fits, drafts, strict=True)) / 4
    findings = system.objective.of(system.score(own.roll(1, 0)), batch.targets)
    assert made.item() == pytest.approx(ranking + findings.item(), abs=1e-5)
    assert torch.equal(told[1], told[0].roll(1, 0))


def _seen(images: Tensor) -> Any:
    from experiments.systems.align_transformer import Seen

    regions = Features(images[:, None], torch.ones(len(images), 1).bool(), images)
    return Seen(regions, images, images[:, None, None])


@torch.no_grad()
@pytest.mark.parametrize("drafts", ["own", "none"])
def test_a_report_equal_to_the_true_one_or_empty_is_no_rival(
    build: Build, monkeypatch: pytest.MonkeyPatch, drafts: str
) -> None:
    system, batch = jpg(build, monkeypatch, drafts)
    made = system.losses(batch, FEEDBACK)["feedback"]
    told = Stage(objectives={"text_classification": 1.0})
    expected = system.losses(batch, told)["text_classification"] if drafts == "own" else 0.0
    torch.testing.assert_close(made, torch.as_tensor(expected))


@torch.no_grad()
def test_reports_are_read_by_their_words_alone(build: Build) -> None:
    """Neither section nor length nor unknown words tell a written report from a true one."""
    system, batch = built(build, "align_transformer, jpg", limit=6)
    assert batch.paired_text is not None
    book = system.decoder.vocabulary
    framed = book.framed(batch.paired_text)
    words = system._plain(framed[:, 1:])
    assert words.shape == (4, 6)
    assert torch.equal(words, framed[:, 1:7])  # of ten words each
    mixed = torch.tensor([[7, book.unknown, 8, book.end, 0], [book.end, 0, 0, 0, 0]])
    assert system._plain(mixed).tolist() == [[7, 8, 0, 0, 0, 0], [0] * 6]
    told = Text(words, None, words > 0, (words > 0) * TEXT_SECTIONS.index("findings"))
    torch.testing.assert_close(system._read(words).pooled, system.text_reader(told).pooled)


def test_written_reports_teach_images_and_texts_but_not_the_writer(build: Build) -> None:
    system, batch = built(build, "align_transformer, jpg")
    system.losses(batch, FEEDBACK)["feedback"].backward()
    taught = {name for name, one in system.named_parameters() if one.grad is not None}
    assert {"align.norms.2.weight", "present.weight", "text_reader.project.weight"} <= taught
    assert not any(name.startswith("decoder.") for name in taught)


@torch.no_grad()
def test_equal_reports_are_no_rivals_in_alignment(build: Build) -> None:
    system, batch = built(build, "align_transformer, jpg")
    assert batch.paired_text is not None
    same = replace(batch, paired_text=batch.paired_text.rows(torch.zeros(4, dtype=torch.long)))
    stage = Stage(objectives={"alignment": 1.0})
    assert system.losses(same, stage)["alignment"].item() == pytest.approx(0.0, abs=1e-6)
    assert system.losses(batch, stage)["alignment"].item() > 0.1


@pytest.mark.parametrize(
    ("options", "lacks", "said"),
    [
        ({}, {"vocabulary": None}, "writes words"),
        ({}, {"image_width": 0, "image_tokens": 0}, "images"),
        ({"feedback": "jpg"}, {"text_encoder": None}, "reads what it writes"),
        ({"heads": 3}, {}, "heads"),
    ],
)
def test_what_it_lacks_is_said(
    build: Build, options: dict[str, Any], lacks: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        build("align_transformer", options=options, lacks=lacks)
    assert caught.value.hint
