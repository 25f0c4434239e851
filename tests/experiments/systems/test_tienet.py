"""TieNet: both losses by hand, the two modes at test, and what it writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from encoders.batch import StudyBatch, Text
from encoders.text import TEXT_SECTIONS, Vocabulary
from experiments.systems.tienet import TieNet
from fusion.layers.generation import State
from fusion.stage import Stage
from fusion.system import Setting
from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.graph import KnowledgeGraph

SPECIAL = ("<padding>", "<unknown>", "<mask>", "<start>", "<end>")
WORDS = (*SPECIAL, "clear", "heart", "large", "effusion")
END = WORDS.index("<end>")
FINDINGS = TEXT_SECTIONS.index("findings")
INDICATION = TEXT_SECTIONS.index("indication")
BOTH = Stage(objectives={"classification": 1.0, "report": 1.0})


def decode(ids: Sequence[int]) -> str:
    return " ".join(WORDS[each] for each in ids if each not in (0, 2, 3, 4))


@pytest.fixture(scope="module")
def setting() -> Setting:
    names = ("ckg:a", "ckg:b")
    return Setting(
        graph=KnowledgeGraph(tuple(Concept(name, name, "finding") for name in names), ()),
        concept_vectors=torch.zeros(2, 4),
        findings=names,
        image_width=4,
        image_tokens=3,
        vocabulary=Vocabulary(len(WORDS), 0, 1, 2, 3, END, decode),
    )


@pytest.fixture
def system(setting: Setting) -> TieNet:
    torch.manual_seed(0)
    options = TieNet.Options(width=6, hidden=5, words=4, attention=3, heads=2, limit=7)
    return TieNet(options, setting).eval()


def text(*reports: str, part: int = FINDINGS) -> Text:
    """Reports as word ids."""
    ids = [[WORDS.index(word) for word in report.split()] for report in reports]
    longest = max(1, *map(len, ids))
    words = torch.tensor([[*row, *[0] * (longest - len(row))] for row in ids])
    mask = words > 0
    return Text(words, None, mask, mask * part, word=torch.where(mask, 0, -1))


def studies(*pictures: bool, **fields: Any) -> StudyBatch:
    """Studies with one picture of random tokens, or none."""
    torch.manual_seed(5)
    size = len(pictures)
    mask = torch.tensor(pictures)[:, None]
    kinds = torch.zeros(size, 1, dtype=torch.long)
    return StudyBatch(
        ids=tuple(map(str, range(size))),
        pixels=None,
        image_tokens=torch.randn(size, 1, 3, 4),
        image_mask=mask,
        view=kinds,
        modality=kinds,
        text=None,
        evidence=None,
        targets=torch.tensor([[1.0, 0.0]] * size),
        **fields,
    )


def saying(system: TieNet, words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the decoder write these words in turn, and then the last of them for ever."""
    step = system.decoder.step
    said: Iterator[str] = iter(())

    def next_words(last: Tensor, state: State) -> tuple[Tensor, State]:
        nonlocal said
        if bool((last == WORDS.index("<start>")).all()):
            said = chain(words, repeat(words[-1]))
        logits = torch.zeros(len(last), len(WORDS))
        logits[:, WORDS.index(next(said))] = 9.0
        return logits, step(last, state)[1]

    monkeypatch.setattr(system.decoder, "step", next_words)


def bias(layers: nn.Module) -> Tensor:
    """Bias of the linear layer that ends a sequence, all else in it being zero."""
    line = next(layer for layer in layers.modules() if isinstance(layer, nn.Linear))
    nn.init.zeros_(line.weight)
    nn.init.zeros_(line.bias)
    return line.bias.detach()


def test_losses_are_those_counted_by_hand(system: TieNet) -> None:
    bias(system.classify).copy_(torch.tensor([1.0, -1.0]))
    bias(system.decoder.output)[WORDS.index("clear")] = 2.0
    losses = system.losses(studies(True, True, paired_text=text("heart clear", "")), BOTH)
    # every word has the same logits; a study without a report teaches no word: heart, clear, end
    total = torch.tensor([0.0] * (len(WORDS) - 1) + [2.0]).logsumexp(0)
    assert losses["report"].item() == pytest.approx(float(total - 2.0 / 3))
    # half of what is asked is there, so that every answer weighs one: log(1 + exp(-1))
    assert losses["classification"].item() == pytest.approx(0.3132617, abs=1e-6)


def test_only_losses_of_the_stage_are_given(system: TieNet) -> None:
    batch = studies(True, paired_text=text("clear"))
    assert set(system.losses(batch, Stage(objectives={"report": 1.0}))) == {"report"}


def test_a_report_at_test_is_read(system: TieNet) -> None:
    batch = studies(True, True)
    one, other = (
        system.logits(replace(batch, text=text(*reports)))
        for reports in (("heart large", "clear"), ("heart clear", "clear"))
    )
    assert not torch.allclose(one[0], other[0])
    torch.testing.assert_close(one[1], other[1])


def test_without_a_report_its_own_is_read(system: TieNet, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(system, ["heart", "large", "<end>"], monkeypatch)
    alone = system.logits(studies(True, True))
    given = system.logits(replace(studies(True, True), text=text("heart large", "heart large")))
    torch.testing.assert_close(alone, given)


def test_each_study_has_the_mode_of_what_it_is_given(
    system: TieNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(system, ["effusion", "<end>"], monkeypatch)
    mixed = system.logits(replace(studies(True, True), text=text("heart large clear", "")))
    given = system.logits(replace(studies(True, True), text=text("heart large clear", "effusion")))
    torch.testing.assert_close(mixed, given)


def test_indication_alone_is_not_a_report(system: TieNet) -> None:
    alone = system.logits(studies(True))
    asked = system.logits(replace(studies(True), text=text("heart", part=INDICATION)))
    torch.testing.assert_close(alone, asked)


def test_the_paired_report_is_never_read_at_test(system: TieNet) -> None:
    alone = system.logits(studies(True))
    paired = system.logits(studies(True, paired_text=text("heart large")))
    torch.testing.assert_close(alone, paired)
    assert system.generate(studies(True)) == system.generate(
        studies(True, paired_text=text("heart large"))
    )


def test_writing_stops_at_the_end(system: TieNet, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(system, ["heart", "clear", "<end>", "large"], monkeypatch)
    assert system.generate(studies(True, True)) == ["heart clear", "heart clear"]


def test_writing_stops_at_the_limit(system: TieNet, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(system, ["large"], monkeypatch)
    assert system.generate(studies(True)) == [" ".join(["large"] * 7)]


@pytest.mark.parametrize("word", [*SPECIAL[:4]])
def test_marks_are_never_written(system: TieNet, word: str) -> None:
    bias(system.decoder.output)[WORDS.index(word)] = 50.0
    assert "<" not in system.generate(studies(True))[0]


def test_what_is_read_is_cut_at_the_limit(system: TieNet) -> None:
    seven = " ".join(["heart"] * 7)
    one, other = (
        system.logits(replace(studies(True), text=text(report)))
        for report in (f"{seven} clear", f"{seven} large effusion")
    )
    torch.testing.assert_close(one, other)


def test_without_a_picture_nothing_is_written(
    system: TieNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(system, ["heart", "<end>"], monkeypatch)
    batch = studies(True, False)
    assert system.generate(batch) == ["heart", ""]
    assert system.logits(batch).isfinite().all()
    read = system.logits(replace(batch, text=text("clear", "clear")))
    assert not torch.allclose(read[1], system.logits(batch)[1])


def test_how_many_others_are_written_beside_changes_nothing(system: TieNet) -> None:
    batch = studies(True, False, True)
    alone = [
        replace(
            batch,
            ids=("x",),
            **{
                name: getattr(batch, name)[at : at + 1]
                for name in ("image_tokens", "image_mask", "view", "modality", "targets")
            },
        )
        for at in range(3)
    ]
    together = system.logits(batch)
    apart = torch.cat([system.logits(one) for one in alone])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("lacks", [{"image_width": 0}, {"vocabulary": None}])
def test_it_needs_pictures_and_words(setting: Setting, lacks: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="images|pictures|words") as caught:
        TieNet(TieNet.Options(), replace(setting, **lacks))
    assert caught.value.hint
