"""A made-up graph and made-up studies on which the fused classifier is held to its contracts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from encoders.batch import StudyBatch, Text
from fusion.classifier import ClassifierOptions, KnowledgeClassifier
from fusion.system import Setting
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

WIDTH, TOKENS, IMAGE, WORDS, TEXT, STUDIES = 16, 4, 6, 5, 8, 7
MANY = 70
"""Findings of the graph: more than are answered at once."""

BOOK = (Evidence("a textbook", "curated", "asserted"),)


def finding(place: int) -> str:
    return f"ckg:finding{place:02d}"


@pytest.fixture(scope="session")
def graph() -> KnowledgeGraph:
    """Findings 1 and 2 are kinds of 0, 3 is filed under 0 by a label set, all lie somewhere."""
    findings = [Concept(finding(place), f"finding {place}", "finding") for place in range(MANY)]
    sites = [Concept(f"ckg:site{place}", f"site {place}", "anatomy") for place in range(3)]
    edges = [
        Edge(finding(1), "is_a", finding(0), BOOK),
        Edge(finding(2), "is_a", finding(0), BOOK),
        Edge(finding(3), "grouped_under", finding(0), BOOK, label_set="a set"),
        *(
            Edge(finding(place), "located_in", f"ckg:site{place % 3}", BOOK)
            for place in range(MANY - 1)  # the last finding stands alone
        ),
        *(Edge(finding(p), "co_occurs_with", finding(p + 7), BOOK) for p in range(0, MANY - 8, 3)),
    ]
    return KnowledgeGraph((*findings, *sites), tuple(edges), name="made up")


@pytest.fixture(scope="session")
def setting(graph: KnowledgeGraph) -> Setting:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(len(graph.concepts), 12, generator=generator)
    return Setting(
        graph=graph,
        concept_vectors=nn.functional.normalize(vectors, dim=1),
        findings=tuple(finding(place) for place in range(5)),
        supervised=(finding(8), finding(2), finding(9)),
        image_width=IMAGE,
        image_tokens=TOKENS,
        text_width=TEXT,
    )


@pytest.fixture(scope="session")
def batch(graph: KnowledgeGraph) -> StudyBatch:
    """Seven studies: with everything, without text, without pictures, and 3 with nothing at all."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    image_mask = torch.tensor([[1, 1], [1, 0], [0, 0], [0, 0], [1, 1], [0, 1], [1, 1]]).bool()
    lengths = torch.tensor([5, 0, 3, 0, 1, 4, 2])
    words = torch.arange(WORDS)[None] < lengths[:, None]
    evidence = torch.zeros(STUDIES, len(graph.concepts))
    evidence[0, :3] = torch.tensor([1.0, -1.0, 0.5])
    evidence[2, 5] = 1.0
    targets = (draw(STUDIES, 5) > 0).float()
    targets[1, 2] = targets[4] = float("nan")
    coded = (draw(STUDIES, len(graph.concepts)) > 1).float()
    coded[3] = float("nan")
    return StudyBatch(
        ids=tuple(f"study {place}" for place in range(STUDIES)),
        pixels=None,
        image_tokens=draw(STUDIES, 2, TOKENS, IMAGE),
        image_mask=image_mask,
        view=torch.tensor([[0, 1]]).expand(STUDIES, 2).contiguous(),
        modality=torch.tensor([0, 0, 1, 1, 2, 2, 0])[:, None].expand(STUDIES, 2).contiguous(),
        text=Text(None, draw(STUDIES, WORDS, TEXT), words, torch.ones_like(words).long()),
        evidence=evidence,
        targets=targets,
        concept_targets=coded,
        paired_text=Text(None, draw(STUDIES, WORDS, TEXT), words, torch.ones_like(words).long()),
    )


def choose(batch: StudyBatch, places: list[int]) -> StudyBatch:
    """Some studies of a batch, in this order."""

    def rows(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value[places]
        if isinstance(value, Text):
            return Text(
                None if value.words is None else value.words[places],
                None if value.tokens is None else value.tokens[places],
                value.mask[places],
                value.section[places],
            )
        return value

    fields = {name: rows(value) for name, value in vars(batch).items() if name != "ids"}
    return replace(batch, ids=tuple(batch.ids[place] for place in places), **fields)


@pytest.fixture(scope="session")
def rows() -> Callable[[StudyBatch, list[int]], StudyBatch]:
    return choose


@pytest.fixture(scope="session")
def classifier(setting: Setting) -> Callable[..., KnowledgeClassifier]:
    """A classifier in evaluation mode, with random weights where zeros would hide a mistake."""

    def build(**options: Any) -> KnowledgeClassifier:
        torch.manual_seed(5)
        made = KnowledgeClassifier(ClassifierOptions(width=WIDTH, **options), setting).eval()
        for name, parameter in made.named_parameters():
            if "relation_bias" in name:
                nn.init.normal_(parameter)
        return made

    return build
