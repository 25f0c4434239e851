"""Daniels 2019: terms of reports, topics as scikit-learn has them, findings by topics alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import NMF, non_negative_factorization
from sklearn.preprocessing import normalize

from encoders.batch import StudyBatch
from experiments.systems._report_terms import DeniedWords
from experiments.systems.daniels import Daniels, activations
from fusion.capabilities import Explains
from fusion.stage import Stage
from fusion.system import Setting
from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.graph import KnowledgeGraph
from tests.experiments.systems.conftest import fitted_encoder, words_of

LABELS = ("effusion", "heart")
REPORTS = (
    "Large effusion with blunting. Heart normal.",
    "No effusion or pneumothorax; heart enlarged, cardiomegaly.",
    "Effusion and blunting. Cardiomegaly, heart enlarged.",
    "Heart normal. No pneumothorax.",
    "Blunting, effusion. No pneumothorax.",
    "",
)


ENCODER = fitted_encoder(REPORTS, ends=True)
texts = partial(words_of, ENCODER)


def studies() -> StudyBatch:
    generator = torch.Generator().manual_seed(3)
    kinds = torch.zeros(6, 1, dtype=torch.long)
    return StudyBatch(
        ids=tuple("abcdef"),
        pixels=None,
        image_tokens=torch.randn(6, 1, 16, 6, generator=generator),
        image_mask=torch.tensor([True, True, True, False, True, True])[:, None],
        view=kinds,
        modality=kinds,
        text=None,
        evidence=None,
        targets=torch.tensor([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0], [0, 0.0]]),
        paired_text=texts(*REPORTS),
    )


def build(**options: Any) -> Daniels:
    graph = KnowledgeGraph(tuple(Concept(name, name, "finding") for name in LABELS), ())
    setting = Setting(
        graph,
        torch.zeros(2, 2),
        LABELS,
        image_width=6,
        image_tokens=16,
        text_width=8,
        text_encoder=ENCODER,
        vocabulary=ENCODER.vocabulary(),
    )
    torch.manual_seed(0)
    sizes = {"topics": 3, "terms": 12, "rarest": 0.0, "commonest": 1.0, "width": 8}
    system = Daniels(Daniels.Options(**{**sizes, **options}), setting)
    system.prepare([studies()])
    return system


def terms_of(report: str, *, denied: bool = True, section: str = "findings") -> set[str]:
    words = DeniedWords(ENCODER.vocabulary(), ("findings",), denied=denied)
    found = words.of(texts(report, section=section))[0] & words.counted
    return {words.name(int(term)) for term in found.nonzero()}


def test_a_word_after_a_negation_is_another_term_to_the_end_of_its_sentence() -> None:
    report = "Large effusion, no pneumothorax, blunting or cardiomegaly. Heart normal."
    assert terms_of(report) == {
        *("large", "effusion", "heart", "normal"),
        *("no pneumothorax", "no blunting", "no cardiomegaly"),
    }
    assert "pneumothorax" in terms_of(report, denied=False)
    assert not terms_of(report, section="impression")
    assert not terms_of("no . or with")


@pytest.mark.parametrize("updates", [1, 7, 200])
def test_topics_of_a_text_are_those_of_scikit_learn(updates: int) -> None:
    generator = np.random.default_rng(0)
    rows, topics = generator.random((1, 9)), generator.random((4, 9))
    expected, _, _ = non_negative_factorization(
        rows, H=topics, n_components=4, update_H=False, solver="mu", tol=0, max_iter=updates
    )
    made = activations(torch.from_numpy(rows), torch.from_numpy(topics), updates)
    torch.testing.assert_close(made, torch.from_numpy(expected), rtol=1e-6, atol=1e-8)


def test_topics_begin_as_the_factors_of_the_training_reports() -> None:
    system = build()
    words = DeniedWords(ENCODER.vocabulary(), ("findings",), denied=True)
    chosen = system.terms[system.terms >= 0]
    counts = words.of(texts(*REPORTS[:5]))[:, chosen].double().numpy()
    rows = normalize(counts * (np.log(6 / (1 + counts.sum(0))) + 1))
    model = NMF(3, init="nndsvda", random_state=0, max_iter=400)
    activity = model.fit_transform(rows)
    own = system.topics.detach()[:, : len(chosen)].double()
    both = torch.from_numpy(activity @ model.components_)
    read = activations(torch.from_numpy(rows), own, 2000)
    torch.testing.assert_close(read @ own, both, atol=5e-3, rtol=0.0)
    torch.testing.assert_close(
        torch.nn.functional.normalize(own, dim=1),
        torch.from_numpy(normalize(model.components_)),
        atol=1e-5,
        rtol=1e-5,
    )


def test_the_loss_of_the_topics_is_what_they_leave_of_the_terms() -> None:
    system, batch = build(updates=500), studies()
    found = system.losses(batch, Stage(objectives={"topics": 1.0}))["topics"]
    words = DeniedWords(ENCODER.vocabulary(), ("findings",), denied=True)
    rows = (
        words.of(batch.paired_text)[:5, system.terms].double().numpy() * (system.terms >= 0).numpy()
    )
    rows = normalize(rows * system.frequency.double().numpy())
    topics = system.topics.detach().double().numpy()
    weights, _, _ = non_negative_factorization(
        rows, H=topics, n_components=3, update_H=False, tol=1e-12, max_iter=5000
    )
    expected = np.square(rows - weights @ topics).mean()
    assert found.item() == pytest.approx(expected, rel=0.02)


def test_a_finding_is_a_sum_of_topics_that_can_only_speak_for_it() -> None:
    system, batch = build(), studies()
    optimiser = torch.optim.Adam(system.parameters(), 0.1)
    for _ in range(20):
        optimiser.zero_grad()
        losses = system.losses(batch, system.stages[0])
        sum(losses.values()).backward()  # type: ignore[union-attr]
        optimiser.step()
        system.after_step()
        assert (system.topics >= 0).all()
        assert (system.reasons >= 0).all()
    system.eval()
    predicted = system.presence(system.reader(batch).pooled)
    more = predicted.clone()
    more[:, 0] += 1.0
    assert (system._findings(more) >= system._findings(predicted)).all()
    expected = predicted.sigmoid() @ system.reasons + system.bias
    torch.testing.assert_close(system.logits(batch), expected)


@torch.no_grad()
def test_losses_of_topics_count_only_studies_with_terms_and_pictures() -> None:
    system, batch = build().eval(), studies()
    stage = system.stages[0]
    whole = system.losses(batch, stage)
    assert batch.image_tokens is not None
    tokens = batch.image_tokens.clone()
    tokens[[3, 5]] = 7.0  # one without a picture, one without a report
    changed = system.losses(replace(batch, image_tokens=tokens), stage)
    for name in ("topics", "presence"):
        torch.testing.assert_close(changed[name], whole[name])
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    assert batch.paired_text is not None
    turned = replace(
        batch,
        image_tokens=batch.image_tokens[order],
        image_mask=batch.image_mask[order],
        targets=batch.targets[order],
        paired_text=batch.paired_text.rows(order),
    )
    for name, loss in system.losses(turned, stage).items():
        torch.testing.assert_close(loss, whole[name])


def test_topics_learn_nothing_from_pictures_or_labels() -> None:
    system = build()
    names = {"presence": 1.0, "classification": 1.0}
    sum(system.losses(studies(), Stage(objectives=names)).values()).backward()  # type: ignore[union-attr]
    assert system.topics.grad is None
    assert system.presence.weight.grad is not None


@torch.no_grad()
def test_reasons_are_the_words_of_the_topics_that_weigh_most() -> None:
    system, batch = build().eval(), studies()
    assert isinstance(system, Explains)
    system.reasons.copy_(torch.tensor([[0.0, 1.0], [9.0, 0.0], [1.0, 2.0]]))
    system.presence.weight.zero_()
    system.presence.bias.zero_()
    lines = system.evidence(batch, ("effusion", "nowhere"))
    assert [len(study) for study in lines] == [2] * 6
    first = lines[0][0]
    assert first[0].startswith(f"topic {system._named(system.topics[1])} (0.50 present, weight 9.")
    assert lines[0][1] == []
    named = {word for topic in system.topics for word in system._named(topic).split(", ")}
    assert {"effusion", "blunting", "cardiomegaly"} <= named


def test_reports_without_terms_are_refused() -> None:
    with pytest.raises(InputError, match="the training reports have no terms"):
        build(sections=("impression",))
