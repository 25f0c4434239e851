"""A made-up setting and four or more studies for any system, made from what it says it needs.

A system is tried as soon as its file exists. What it must have otherwise than the rest, small sizes
above all, stands in `CASES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from encoders.batch import Statements, StudyBatch, Text
from encoders.graph_arrays import CLINICAL
from encoders.image import IMAGE_ENCODERS
from encoders.sentences import one_sentence
from encoders.study import Passage
from encoders.text import TEXT_ENCODERS
from experiments.systems import SYSTEMS
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import ConceptTexts, Setting, System
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph
from kg.options import parse_options

SIDE, WIDTH = 4, 8
"""Side of the token grid of a made-up picture, and width of a token."""

PIXELS = 32
"""Side of a made-up picture in pixels, for systems that read these."""

NAMES = tuple(f"ckg:f{place}" for place in range(6))
FINDINGS = NAMES[:3]
WORDS = ("mass", "nodule", "effusion", "lung", "heart", "clear", "large", "small", "left", "right")


@dataclass(frozen=True)
class Case:
    """A system in one of the ways it is trained.

    Args:
        system: Its name in the catalog.
        options: Options it is tried with.
        stages: Stages it is trained in; empty = its own.
        run: Sections of the configuration of the small run that it must have otherwise.
    """

    system: str
    options: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    run: Mapping[str, Any] = field(default_factory=dict)


STRONG = {"strength": 100.0}
SMALL_LATENT = {"width": 16, "latent": 4, "hidden": 16}
AS_RELEASED = Stage(objectives={"prior": 1.0, "text": 1.0, "divergence": 1e-3})
SMALL_HEAD = {"width": 16, "space": 16, "head": 32, "head_dropout": 0.1}
SMALL_CRITIC = {"width": 16, "critic": [16, 8]}
AS_A_WHOLE = Stage(objectives={"global_information": 1.0}, monitor="loss")
WITH_LABELS = {"exist": 1.0, "site": 1.0, "classification": 1.0}
SMALL_ARL = {"width": 16, "heads": 2, "layers": 1}
SMALL_TOWERS = {"width": 16, "space": 16, "hidden": [16]}
SMALL_VIEWS = {"width": 16, "decoder": 16, "heads": 2, "limit": 12, "views": 2}
SMALL_TASKS = {"width": 16, "hidden": 16}
REAL_TASKS = {"kind": ["ckg:pneumothorax", "ckg:pleural_effusion"]}
SMALL_STREAM = {"width": 16, "layers": 1, "heads": 2}
SMALL_VIT = {"model": "test_vit", "size": PIXELS}
TRAINED_PIXELS = {"encoder": {"name": "timm_backbone", "options": SMALL_VIT}, "frozen": False}
PLAIN_PIXELS = {"encoder": {"name": "patches", "options": {"size": PIXELS}}, "frozen": False}
SMALL_TAGS = {"width": 16, "heads": 2, "limit": 12, "tags": 2}

CASES: Mapping[str, Case] = {
    **{name: Case(name) for name in SYSTEMS.names()},
    "graph_fusion": Case("graph_fusion", {"width": 16}),
    # the made-up targets deny what they entail
    "lesanet": Case("lesanet", {"roi": 2, "width": 32, "embedding": 8, "expansion": False}),
    "linear_probe": Case("linear_probe", {**STRONG, "width": 16}),
    "logistic_image": Case("logistic_image", STRONG),
    "logistic_metadata": Case("logistic_metadata", STRONG),
    "logistic_text": Case("logistic_text", STRONG),
    "chexzero": Case("chexzero", SMALL_TOWERS),
    "carzero": Case("carzero", {**SMALL_TOWERS, "layers": 2}),
    "carzero, fine-tuned": Case("carzero", SMALL_TOWERS, (Stage(name="fine_tuning"),)),
    "convirt": Case("convirt", SMALL_TOWERS),
    "gloria": Case("gloria", SMALL_TOWERS),
    "medclip": Case("medclip", SMALL_TOWERS),
    "medklip": Case("medklip", {"width": 16, "layers": 2}),
    "medklip, with labels": Case(
        "medklip", {"width": 16, "layers": 2}, (Stage(objectives=WITH_LABELS),)
    ),
    "kad": Case("kad", {**SMALL_TOWERS, "layers": 2}),
    "kad, with labels": Case("kad", {**SMALL_TOWERS, "layers": 2}, (Stage(name="fine_tuning"),)),
    "mgca": Case("mgca", {**SMALL_TOWERS, "prototypes": 8}),
    "chauhan": Case("chauhan", SMALL_TOWERS),
    "chauhan, pretrained": Case("chauhan", SMALL_TOWERS, (Stage(objectives={"ranking": 1.0}),)),
    "liao": Case("liao", SMALL_CRITIC),
    "liao, as a whole": Case("liao", SMALL_CRITIC, (AS_A_WHOLE,)),
    "liao, fine-tuned": Case("liao", SMALL_CRITIC, (Stage(name="fine_tuning"),)),
    "joimternet": Case("joimternet", SMALL_HEAD),
    "joimternet, fine-tuned": Case("joimternet", SMALL_HEAD, (Stage(name="fine_tuning"),)),
    "joimternet, with text": Case(
        "joimternet", {**SMALL_HEAD, "reads": "image_and_text"}, (Stage(name="fine_tuning"),)
    ),
    "image_baseline": Case("image_baseline", {"hidden": [16], "dropout": 0.1}),
    "image_baseline, one each": Case("image_baseline", {"networks": "one_each", "hidden": [16]}),
    "vkd": Case("vkd", SMALL_LATENT),
    "vkd, as released": Case("vkd", {**SMALL_LATENT, "reversed": True}, (AS_RELEASED,)),
    "tienet": Case("tienet", {"width": 16, "hidden": 16, "words": 16, "attention": 16}),
    "daniels": Case("daniels", {"topics": 4, "terms": 16, "commonest": 1.0}),
    # on four studies nothing is rare, and almost everything is common
    "lara": Case(
        "lara",
        {"codebook": 64, "terms": 64, "cases": 8, "latent": 16, "rarest": 0.0, "commonest": 1.0},
    ),
    "jacenkow": Case("jacenkow", SMALL_STREAM),
    "wang_mixed": Case("wang_mixed", SMALL_STREAM),
    "wang_mixed, fine-tuned": Case("wang_mixed", SMALL_STREAM, (Stage(name="fine_tuning"),)),
    "medvill": Case("medvill", {**SMALL_STREAM, "attention": "seq2seq"}),
    "medvill, fine-tuned": Case("medvill", SMALL_STREAM, (Stage(name="fine_tuning"),)),
    "arl": Case("arl", SMALL_ARL),
    "arl, with text": Case("arl", {**SMALL_ARL, "reads": "image_and_text"}, (Stage(),)),
    "berthop": Case("berthop", SMALL_STREAM),
    "hassan": Case("hassan", SMALL_STREAM),
    "hassan, single stream": Case("hassan", {**SMALL_STREAM, "join": "single_stream"}),
    "hassan, two streams": Case("hassan", {**SMALL_STREAM, "join": "two_stream"}),
    "weng": Case(
        "weng",
        {**SMALL_TASKS, "tasks": {"kind": ["ckg:f0", "ckg:f1"]}},
        run={"system": {"name": "weng", "options": {**SMALL_TASKS, "tasks": REAL_TASKS}}},
    ),
    "biomedclip": Case("biomedclip", {"space": 16}, run={"image": TRAINED_PIXELS}),
    "biomedclip, fine-tuned": Case(
        "biomedclip", {"space": 16}, (Stage(name="fine_tuning"),), run={"image": TRAINED_PIXELS}
    ),
    "vlm_report": Case(
        "vlm_report",
        {"rank": 4, "limit": 16, "whole": ["lm_head", "embed_tokens"]},
        run={"image": PLAIN_PIXELS},
    ),
    "zhang2020": Case("zhang2020", {"width": 32, "state": 16}),
    "zheng": Case("zheng", {"width": 16, "entities": 4}),
    "medvill, writing": Case(
        "medvill", {**SMALL_STREAM, "limit": 12}, (Stage(objectives={"report": 1.0}),)
    ),
    "clinical_bert": Case("clinical_bert", SMALL_STREAM),
    "clinical_bert, fine-tuned": Case("clinical_bert", SMALL_STREAM, (Stage(name="fine_tuning"),)),
    "clinical_bert, writing": Case(
        "clinical_bert", {**SMALL_STREAM, "limit": 12}, (Stage(objectives={"report": 1.0}),)
    ),
    "zhang2020, writing": Case(
        "zhang2020",
        {"width": 32, "state": 16, "limit": 12},
        (Stage(objectives={"classification": 1.0, "report": 1.0}),),
    ),
    "align_transformer": Case("align_transformer", SMALL_TAGS),
    "align_transformer, jpg": Case("align_transformer", {**SMALL_TAGS, "feedback": "jpg"}),
    "refers": Case("refers", SMALL_VIEWS),
    "refers, one view": Case("refers", {**SMALL_VIEWS, "views": 1}),
    "refers, fine-tuned": Case("refers", SMALL_VIEWS, (Stage(name="fine_tuning"),)),
    "convirt, fine-tuned": Case("convirt", SMALL_TOWERS, (Stage(name="fine_tuning"),)),
    "gloria, fine-tuned": Case("gloria", SMALL_TOWERS, (Stage(name="fine_tuning"),)),
    "mgca, fine-tuned": Case("mgca", SMALL_TOWERS, (Stage(name="fine_tuning"),)),
}
"""Every system, and those that are trained in another way too, each by what it is called here."""

each_case = pytest.mark.parametrize("name", CASES)


def needs_of(case: Case) -> Needs:
    """What a system asks of its input."""
    part = SYSTEMS.load(case.system)
    options = parse_options(part.Options, case.options, where=case.system)
    needs: Needs = part.needs(options, stages_of(case))
    return needs


def stages_of(case: Case) -> tuple[Stage, ...]:
    """The stages a system is trained in."""
    part = SYSTEMS.load(case.system)
    options = parse_options(part.Options, case.options, where=case.system)
    stages: tuple[Stage, ...] = case.stages or part.default_stages(options)
    return stages


def make_setting(needs: Needs) -> Setting:
    """A graph of six findings, cached image tokens and a text encoder that knows ten words."""
    book = (Evidence("a textbook", "curated", "asserted"),)
    graph = KnowledgeGraph(
        tuple(Concept(name, word, "finding") for name, word in zip(NAMES, WORDS[:6], strict=True)),
        (
            Edge(NAMES[1], "is_a", NAMES[0], book),
            Edge(NAMES[2], "co_occurs_with", NAMES[4], book),
            Edge(NAMES[2], "disjoint_with", NAMES[3], book),
        ),
    )
    part = TEXT_ENCODERS.load("tiny_transformer")
    torch.manual_seed(0)
    encoder = part(part.Options(width=16, heads=2, at_least=1))
    if needs.vocabulary:
        encoder.mark_ends()
    encoder.fit([[Passage("findings", f"{' '.join(WORDS)} no .")]])
    image = _pixel_encoder() if needs.pixels else None
    return Setting(
        graph=graph,
        concept_vectors=torch.randn(6, 8),
        findings=FINDINGS,
        supervised=(NAMES[4],),
        image_width=WIDTH if image is None else image.width,
        image_tokens=SIDE**2,
        image_encoder=image,
        text_width=encoder.width,
        text_encoder=encoder,
        prevalence=(0.5, 0.2, 0.3),
        facts_width=3,
        vocabulary=encoder.vocabulary() if needs.vocabulary else None,
        texts=concept_texts(graph, encoder) if needs.definitions else None,
    )


def _pixel_encoder() -> Any:
    """An image encoder that trains: a small vision transformer."""
    part = IMAGE_ENCODERS.load("timm_backbone")
    return part(part.Options(**SMALL_VIT))


def make_batch(setting: Setting, needs: Needs, studies: int = 4) -> StudyBatch:
    """Studies of which no two are alike, with what training sees of what the system needs."""
    generator = torch.Generator().manual_seed(2)
    rng = np.random.default_rng(3)
    text = _texts(setting, [_report(rng) for _ in range(studies)])
    if needs.text_statements:
        text = replace(text, statements=made_statements(studies))
    tokens = torch.randn(studies, 2, SIDE**2, WIDTH, generator=generator)
    targets = (torch.arange(studies)[:, None] + torch.arange(3) * 2) // 2 % 2 * 1.0
    targets[-1, 1] = float("nan")
    coded = torch.zeros(studies, len(NAMES))
    kinds = torch.zeros(studies, 2, dtype=torch.long)
    paired = one_sentence(text, rng) if needs.sentences else text
    corners = torch.tensor([0.1, 0.2, 0.6, 0.8]) + 0.04 * torch.arange(studies)[:, None, None]
    return StudyBatch(
        ids=tuple(map(str, range(studies))),
        pixels=_pixels(studies) if needs.pixels else None,
        image_tokens=None if needs.pixels else tokens,
        image_mask=(torch.arange(studies)[:, None] % 2 == 0) | torch.tensor([True, False]),
        view=kinds,
        modality=kinds,
        text=text,
        evidence=coded,
        targets=targets,
        concept_targets=coded,
        metadata=torch.randn(studies, 3, generator=generator),
        paired_text=paired if needs.paired_report or needs.sentences else None,
        statements=made_statements(studies) if needs.statements else None,
        triples=_triples(studies) if needs.triples else None,
        boxes=corners.expand(-1, 2, -1).clamp_max(1.0) if needs.boxes else None,
    )


def _pixels(studies: int) -> Tensor:
    """Two images a study, as normalised."""
    generator = torch.Generator().manual_seed(2)
    return torch.randn(studies, 2, 3, PIXELS, PIXELS, generator=generator)


def without(batch: StudyBatch, *, text: bool = False, image: bool = False) -> StudyBatch:
    """The batch with no text at all, or with no picture."""
    if text:
        batch = replace(batch, text=None, evidence=torch.zeros(len(batch.ids), len(NAMES)))
    if image:
        pixels, tokens = (
            None if each is None else torch.zeros_like(each)
            for each in (batch.pixels, batch.image_tokens)
        )
        mask = torch.zeros_like(batch.image_mask)
        batch = replace(batch, pixels=pixels, image_tokens=tokens, image_mask=mask)
    return batch


@pytest.fixture
def build() -> Callable[..., tuple[System, StudyBatch]]:
    """Builds a system of a case, prepared on studies that come with it."""

    def make(
        name: str,
        *,
        studies: int = 4,
        lacks: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[System, StudyBatch]:
        case = CASES[name]
        needs = needs_of(case)
        whole = make_setting(needs)
        setting = replace(whole, **(lacks or {}))
        part = SYSTEMS.load(case.system)
        chosen = {**case.options, **(options or {})}
        torch.manual_seed(1)
        system: System = part(
            parse_options(part.Options, chosen, where=case.system), setting, case.stages
        )
        batch = make_batch(whole, needs, studies)
        system.prepare([batch])
        return system.eval(), batch

    return make


def concept_texts(graph: KnowledgeGraph, encoder: Any) -> ConceptTexts:
    """Names of the findings, definitions of two words, and relations in a word of the encoder."""

    def read(texts: list[str]) -> Text:
        words, mask, section = encoder.tokenize([[Passage("findings", text)] for text in texts])
        return Text(words, None, mask, section)

    names = [concept.label for concept in graph.concepts]
    said = [f"{name} {word}" for name, word in zip(names, cycle(WORDS[4:]), strict=False)]
    return ConceptTexts(
        read(names), read(said), read([WORDS[n % 10] for n, _ in enumerate(CLINICAL)])
    )


def _report(rng: np.random.Generator) -> list[Passage]:
    """Two sentences of words that chance draws."""
    said = (" ".join(rng.choice(WORDS, 4, replace=False)) for _ in range(2))
    return [Passage("findings", ". ".join(said) + ".")]


def _texts(setting: Setting, reports: list[list[Passage]]) -> Text:
    encoder: Any = setting.text_encoder
    made = encoder.tokenized(reports)
    return Text(made.words, None, made.mask, made.section, made.sentence, made.word)


def made_statements(studies: int) -> Statements:
    """A finding of each study, present in every other one, stated by both of its sentences."""
    at = torch.arange(studies)[:, None].expand(-1, 2)
    sentence = torch.tensor([0, 1]).expand_as(at)
    first = sentence * 5  # four words and a full stop
    return Statements(
        at % 3, (at % 2) * 2.0 - 1, torch.full_like(at, -1), sentence, first, first + 1
    )


def _triples(studies: int) -> Tensor:
    """Edges between neighbours in the list of findings, by the relations in turn."""
    at = torch.arange(studies)
    return torch.stack([at % 6, at % len(CLINICAL), (at + 1) % 6], 1)


def fitted_encoder(reports: Sequence[str], *, ends: bool = False) -> Any:
    """A text encoder of the words of some reports; `ends` marks where they end."""
    part = TEXT_ENCODERS.load("tiny_transformer")
    torch.manual_seed(0)
    made = part(part.Options(width=8, heads=2, at_least=1))
    if ends:
        made.mark_ends()
    made.fit([[Passage("findings", text)] for text in reports])
    return made


def words_of(encoder: Any, *reports: str, section: str = "findings") -> Text:
    """The words of reports of one section each, before they are encoded."""
    rows = encoder.tokenized([[Passage(section, text)] if text else [] for text in reports])
    return Text(rows.words, None, rows.mask, rows.section, rows.sentence, rows.word)
