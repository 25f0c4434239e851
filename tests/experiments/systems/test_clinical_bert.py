"""Clinical-BERT: states and sparse attention by hand, which words are medical, each loss apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from encoders.batch import Features, Statements, StudyBatch
from experiments.systems.clinical_bert import ClinicalBERT, sparse_softmax, stated_states
from fusion.stage import Stage
from fusion.system import System
from kg.errors import InputError

Build = Callable[..., tuple[System, StudyBatch]]


def built(build: Build, name: str = "clinical_bert", **options: Any) -> tuple[Any, StudyBatch]:
    system, batch = build(name, options=options)
    assert isinstance(system, ClinicalBERT)
    return system, batch


def test_the_strongest_statement_is_the_state_of_a_finding() -> None:
    concept = torch.tensor([[0, 0, 1, -1], [2, 1, -1, -1], [0, 0, -1, -1]])
    assertion = torch.tensor([[-1.0, 1.0, 0.5, 0.0], [1.0, -1.0, 0, 0], [-1.0, 0.5, 0, 0]])
    covered = torch.tensor([[1, 0], [0, 1], [0, 1]]).bool()  # concept 2 is narrower than finding 1
    rest = [torch.zeros_like(concept)] * 4
    states = stated_states(Statements(concept, assertion, *rest), covered)
    assert states.tolist() == [[3, 2], [0, 3], [2, 0]]


@pytest.mark.parametrize(
    ("mask", "kept", "weights"),
    [
        ((1, 1, 1), 1, (0.0, 1.0, 0.0)),
        ((1, 0, 1), 1, (1.0, 0.0, 0.0)),
        ((1, 1, 1), 2, (0.2689, 0.7311, 0.0)),
        ((0, 0, 0), 2, (0.0, 0.0, 0.0)),
        ((1, 0, 0), 3, (1.0, 0.0, 0.0)),
    ],
)
def test_sparse_attention_keeps_the_largest(
    mask: tuple[int, ...], kept: int, weights: tuple[float, ...]
) -> None:
    made = sparse_softmax(torch.tensor([1.0, 2.0, 0.0]), torch.tensor(mask).bool(), kept)
    assert made.tolist() == pytest.approx(weights, abs=1e-4)


def test_words_of_statements_are_medical(build: Build) -> None:
    """Each of the two sentences has four words and a stop, of which the first two are stated."""
    system, batch = built(build)
    words = system.words(batch)
    assert words.terms[:, :7].long().tolist() == [[1, 1, 0, 0, 0, 1, 1]] * 4
    assert int(words.terms.sum()) == 16
    assert not system.words(replace(batch, statements=None)).terms.any()


def test_only_medical_words_are_hidden_and_told(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, batch = built(build, hidden_terms=1.0)
    truth = system.words(batch)
    told: list[torch.Tensor] = []

    def loss(states: torch.Tensor, words: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        told.append(hidden)
        return states.sum()

    monkeypatch.setattr(system.tell, "loss", loss)
    system.hidden(batch, 1.0, terms=True)
    assert torch.equal(told[0], truth.terms)
    system.hidden(batch, 1.0, terms=False)
    assert torch.equal(told[1], truth.mask & (truth.ids != system.stream.vocabulary.end))


def test_states_are_told_from_the_picture_alone_by_hand(build: Build) -> None:
    system, batch = built(build)
    with torch.no_grad():
        system.states.weight.zero_()
        system.states.bias.zero_()
    batch = replace(batch, image_mask=torch.tensor([[True, False]] * 4))
    loss = system.losses(batch, Stage(objectives={"states": 1.0}))["states"]
    assert float(loss) == pytest.approx(float(torch.tensor(4.0).log()), abs=1e-5)
    with torch.no_grad():
        system.states.bias.copy_(torch.tensor([2.0, 0.0, 0.0, 0.0] * 3))
    # of three findings one is stated in each report
    right, wrong = (F.cross_entropy(torch.tensor([2.0, 0, 0, 0]), torch.tensor(s)) for s in (0, 1))
    loss = system.losses(batch, Stage(objectives={"states": 1.0}))["states"]
    states = stated_states(batch.statements, system.covered)  # type: ignore[arg-type]
    unnamed = (states == 0).float().mean()
    expected = right * unnamed + wrong * (1 - unnamed)
    torch.testing.assert_close(loss.detach(), expected)
    other = replace(batch, paired_text=batch.paired_text.rows(torch.tensor([1, 0, 3, 2])))  # type: ignore[union-attr]
    torch.testing.assert_close(system.diagnosis(other), system.diagnosis(batch))


@torch.no_grad()
def test_a_match_is_of_few_words_that_look_at_few_regions(build: Build) -> None:
    system, _ = built(build, regions=1, terms=1)
    image = torch.randn(2, 5, 16)
    terms = torch.randn(2, 3, 16)
    masks = torch.tensor([[1, 1, 1, 0, 1]] * 2).bool(), torch.tensor([[1, 1, 0]] * 2).bool()
    made = system.match_terms(
        Features(image, masks[0], image[:, 0]), Features(terms, masks[1], terms[:, 0])
    )
    for row in range(2):
        scores = system.query(terms[row]) @ system.key(image[row]).T
        nearest = scores.masked_fill(~masks[0][row], -1e9).argmax(1)
        seen = image[row, nearest]
        pairs = torch.cat([terms[row], seen], 1)
        word = int(system.weigh(pairs)[:2, 0].argmax())
        expected = system.fits(pairs[word])[0]
        torch.testing.assert_close(made[row], expected)


@pytest.mark.parametrize("off", ["states", "hidden_terms", "matching", "hidden_words"])
def test_each_objective_can_be_off(build: Build, off: str) -> None:
    system, batch = built(build)
    left = {name: 1.0 for name in ClinicalBERT.PRETRAINING if name != off}
    torch.manual_seed(0)
    losses = system.losses(batch, Stage(objectives=left))
    assert set(losses) == set(left)
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())


def test_it_writes_the_reports_it_has_learnt(build: Build) -> None:
    system, batch = built(build, "clinical_bert, writing", dropout=0.0)
    optimiser = torch.optim.Adam(system.parameters(), 3e-3)
    torch.manual_seed(0)
    for _ in range(250):
        optimiser.zero_grad()
        system.losses(batch, system.stages[0])["report"].backward()
        optimiser.step()
    book = system.stream.vocabulary
    truth = [book.decode(words) for words in book.framed(batch.paired_text).tolist()]
    assert system.generate(batch) == truth


@pytest.mark.parametrize("name", ["clinical_bert", "clinical_bert, writing"])
def test_it_is_refused_without_reports(build: Build, name: str) -> None:
    with pytest.raises(InputError) as caught:
        build(name, lacks={"text_width": 0, "text_encoder": None})
    assert caught.value.hint


def test_a_run_that_has_learnt_no_words_says_so(build: Build) -> None:
    system, batch = built(build, "clinical_bert, fine-tuned")
    with pytest.raises(InputError, match="not learnt words") as caught:
        system.generate(batch)
    assert caught.value.hint
