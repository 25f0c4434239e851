"""Whatever join, head or graph encoder: a finding's answer is its own, and nothing is required."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor

from encoders.batch import StudyBatch
from encoders.graph import GRAPH_ENCODERS
from fusion.classifier import CHUNK, KnowledgeClassifier
from fusion.heads import HEADS
from fusion.joins import INPUTS, JOINS
from fusion.system import Output, Setting
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph

Build = Callable[..., KnowledgeClassifier]
Rows = Callable[[StudyBatch, list[int]], StudyBatch]

VARIANTS: dict[str, dict[str, Any]] = {
    **{f"join {name}": {"join": {"name": name}} for name in JOINS.names()},
    **{f"head {name}": {"head": {"name": name}} for name in HEADS.names()},
    **{f"graph {name}": {"message_passing": {"name": name}} for name in GRAPH_ENCODERS.names()},
    "no memory": {"neighbourhood": 0},
    "no evidence": {"evidence": 0},
    "no concept logit": {"concept_logit": False},
}
each_variant = pytest.mark.parametrize("options", VARIANTS.values(), ids=list(VARIANTS))
each_join = pytest.mark.parametrize("join", JOINS.names())


def all_findings(graph: KnowledgeGraph) -> tuple[str, ...]:
    return tuple(concept.id for concept in graph.concepts if concept.kind == "finding")


@torch.no_grad()
def answer(model: KnowledgeClassifier, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
    return model.predict(batch, findings)


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@each_variant
def test_a_logit_does_not_depend_on_what_else_is_asked(
    classifier: Build, graph: KnowledgeGraph, batch: StudyBatch, options: dict[str, Any]
) -> None:
    model, names = classifier(**options), all_findings(graph)
    assert len(names) > CHUNK
    whole = answer(model, batch, names).logits
    for place in (0, 3, CHUNK - 1, CHUNK, len(names) - 1):
        close(answer(model, batch, (names[place],)).logits[:, 0], whole[:, place])
    close(answer(model, batch, names[::-1]).logits, whole.flip(1))
    close(answer(model, batch, names[5:12]).logits, whole[:, 5:12])
    close(answer(model, batch, (names[1], names[1])).logits, whole[:, [1, 1]])
    # what is trained on is answered as what is asked for
    with torch.no_grad():
        close(model(batch).logits, whole[:, :5])


@each_variant
def test_a_study_is_answered_alone_as_among_others(
    classifier: Build, batch: StudyBatch, rows: Rows, setting: Setting, options: dict[str, Any]
) -> None:
    model = classifier(**options)
    whole = answer(model, batch, setting.findings).logits
    for place in range(len(batch.ids)):
        close(answer(model, rows(batch, [place]), setting.findings).logits[0], whole[place])
    mixed = [4, 0, 6, 3, 2, 5, 1]
    close(answer(model, rows(batch, mixed), setting.findings).logits, whole[mixed])


@each_variant
def test_edges_that_are_not_there_are_as_if_never_known(
    classifier: Build, batch: StudyBatch, setting: Setting, options: dict[str, Any]
) -> None:
    model, closed = (
        classifier(**options),
        classifier(**options, messages=False, propagation_steps=0),
    )
    closed.load_state_dict(model.state_dict())
    count = len(model.spread.share)
    with torch.no_grad():
        none, every = model.predict_on_edges(
            batch, [setting.findings] * 2, torch.tensor([[0.0], [1.0]]).expand(2, count)
        )
    close(every, answer(model, batch, setting.findings).logits)
    close(
        none - own_evidence(model, batch, setting), answer(closed, batch, setting.findings).logits
    )


@torch.no_grad()
def own_evidence(model: KnowledgeClassifier, batch: StudyBatch, setting: Setting) -> Tensor:
    """What the spread adds to each finding before anything is carried, `[B, C]`."""
    scale = torch.zeros(len(model.spread.share))
    nodes = model.concept_reader(scale)
    seen = model.concept_logits(model.read(batch, nodes)["image"], nodes, setting.supervised)
    carried = model.propagated_evidence(batch, seen, scale)
    assert carried is not None
    return carried[:, model.concept_reader.places(setting.findings)]


def without(batch: StudyBatch, source: str) -> StudyBatch:
    """The batch without one source, hidden study by study."""
    if source == "image":
        return replace(batch, image_mask=torch.zeros_like(batch.image_mask))
    if source == "text":
        assert batch.text is not None
        return replace(batch, text=replace(batch.text, mask=torch.zeros_like(batch.text.mask)))
    assert batch.evidence is not None
    return replace(batch, evidence=torch.zeros_like(batch.evidence))


SUBSETS = [
    missing for count in range(4) for missing in combinations(("image", "text", "evidence"), count)
]


@each_join
@pytest.mark.parametrize("missing", SUBSETS, ids=lambda names: "without " + "+".join(names))
def test_whatever_is_missing_the_answer_is_finite(
    classifier: Build, batch: StudyBatch, setting: Setting, join: str, missing: tuple[str, ...]
) -> None:
    model = classifier(join={"name": join})
    for source in missing:
        batch = without(batch, source)
    made = answer(model, batch, setting.findings)
    assert made.logits.isfinite().all()
    assert made.gates is not None
    for place, source in enumerate(INPUTS):
        if source in missing:
            assert not made.gates[..., place].any()
    # what hides behind a mask is never looked at
    spoilt = replace(batch, image_tokens=torch.full_like(batch.image_tokens, 9.0))
    if "image" in missing:
        close(answer(model, spoilt, setting.findings).logits, made.logits)


@each_join
def test_a_source_that_nobody_has_is_as_one_that_is_hidden(
    classifier: Build, batch: StudyBatch, setting: Setting, join: str
) -> None:
    model = classifier(join={"name": join})
    for source in ("text", "evidence"):
        nobody = replace(batch, **{source: None})
        hidden = without(batch, source)
        close(
            answer(model, nobody, setting.findings).logits,
            answer(model, hidden, setting.findings).logits,
        )


@each_join
def test_gates_are_closed_where_a_study_lacks_the_source(
    classifier: Build, batch: StudyBatch, setting: Setting, join: str
) -> None:
    made = answer(classifier(join={"name": join}), batch, setting.findings)
    assert made.gates is not None
    assert made.gates.shape == (len(batch.ids), len(setting.findings), len(INPUTS))
    assert batch.text is not None
    assert batch.evidence is not None
    there = (batch.image_mask.any(1), batch.text.mask.any(1), (batch.evidence != 0).any(1))
    for source, has in zip(("image", "text", "evidence"), there, strict=True):
        gates = made.gates[..., INPUTS.index(source)]
        assert (gates[has] > 0).all()
        assert (gates[~has] == 0).all()
    assert ((made.gates >= 0) & (made.gates <= 1)).all()


@each_join
def test_the_order_of_pictures_and_words_means_nothing(
    classifier: Build, batch: StudyBatch, setting: Setting, join: str
) -> None:
    model = classifier(join={"name": join})
    turned = replace(
        batch,
        **{
            name: getattr(batch, name).flip(1)
            for name in ("image_tokens", "image_mask", "view", "modality")
        },
    )
    close(
        answer(model, turned, setting.findings).logits,
        answer(model, batch, setting.findings).logits,
    )


@each_join
def test_attention_is_a_share(
    classifier: Build, batch: StudyBatch, setting: Setting, join: str
) -> None:
    made = answer(classifier(join={"name": join}), batch, setting.findings)
    for name, weights in made.attention.items():
        assert weights.shape[:2] == made.logits.shape
        assert (weights >= 0).all()
        assert (weights.sum(-1) <= 1 + 1e-5).all()
        if name == "image":
            hidden = ~batch.image_mask.repeat_interleave(4, 1)
            assert not weights.transpose(1, 2)[hidden].any()


def test_closed_memory_is_a_closed_gate(
    classifier: Build, batch: StudyBatch, setting: Setting
) -> None:
    made = answer(classifier(neighbourhood=0), batch, setting.findings)
    assert made.gates is not None
    assert not made.gates[..., INPUTS.index("memory")].any()
    assert not made.attention["memory"].any()


def test_attention_explains_the_message(
    classifier: Build, batch: StudyBatch, setting: Setting
) -> None:
    """The weights shown are those that were used: recomputed by hand from the last round."""
    model = classifier()
    attend = model.join.layers[-1].attend["text"]
    with torch.no_grad():
        queries, tokens = torch.randn(2, 3, 16), torch.randn(2, 4, 16)
        bias = torch.zeros(2, 1, 1, 4)
        bias[1, ..., 2:] = float("-inf")
        attend.heads = 1  # with one head the mean over heads is the weight itself
        attend.nothing.data = attend.nothing.data.reshape(1, 1, 16)
        weights = attend.weights(queries, tokens, bias)
        close(attend(queries, tokens, bias), attend.out(weights @ attend.value(tokens)))
    assert not weights[1, :, 2:].any()


def test_no_findings_no_answer(classifier: Build, batch: StudyBatch) -> None:
    assert answer(classifier(), batch, ()).logits.shape == (7, 0)


def test_pixels_of_real_pictures_alone_are_encoded(setting: Setting, batch: StudyBatch) -> None:
    from fusion.classifier import ClassifierOptions

    seen: list[int] = []

    class Encoder(torch.nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            seen.append(len(pixels))
            return pixels.flatten(1)[:, : 4 * 6].reshape(-1, 4, 6)

    torch.manual_seed(5)
    given = replace(setting, image_encoder=Encoder())
    model = KnowledgeClassifier(ClassifierOptions(width=16), given).eval()
    assert batch.image_tokens is not None
    pixels = batch.image_tokens.reshape(7, 2, 1, 4, 6)
    drawn = replace(batch, image_tokens=None, pixels=pixels)
    made = answer(model, drawn, setting.findings).logits
    assert seen == [int(batch.image_mask.sum())]
    close(made, answer(model, batch, setting.findings).logits)
    nobody = replace(drawn, image_mask=torch.zeros_like(batch.image_mask))
    close(
        answer(model, nobody, setting.findings).logits,
        answer(model, without(batch, "image"), setting.findings).logits,
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"join": {"name": "knowledge_attention", "options": {"heads": 3}}}, "heads"),
        ({"join": {"name": "knowledge_attention", "options": {"layer": 3}}}, "layer"),
        ({"head": {"name": "concept_dot", "options": {"dropuot": 0.1}}}, "dropuot"),
        ({"message_passing": {"name": "rgcm"}}, "rgcm"),
    ],
)
def test_a_wrong_part_is_refused_by_name(
    classifier: Build, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        classifier(**options)
    assert caught.value.hint
