"""Rare words: a vocabulary under a key has no word of fewer than five patients."""

from __future__ import annotations

import pytest

from encoders.study import Passage
from encoders.text.tfidf import TfIdf
from encoders.text.tiny_transformer import TinyTransformer
from experiments.privacy.pseudonyms import KEY
from experiments.privacy.rare_words import FEWEST, without_rare_words

NAMES = ("smith", "garcia", "okafor", "nguyen", "kowalski", "haddad")
TEXTS = [
    (Passage("findings", f"Heart enlarged, {name} {name} told. 张"),)
    for name in NAMES
    for _ in "ab"
]
PATIENTS = [name for name in NAMES for _ in "ab"]


def test_without_a_key_texts_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)
    assert without_rare_words(TEXTS, PATIENTS) is TEXTS


@pytest.mark.parametrize("part", [TinyTransformer, TfIdf])
def test_a_vocabulary_under_a_key_names_nobody(
    part: type[TinyTransformer | TfIdf], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "a key of some length")
    encoder = part(part.Options(width=8))  # type: ignore[arg-type]
    encoder.fit(without_rare_words(TEXTS, PATIENTS))
    words = set(encoder.state()["words"])
    assert {"heart", "enlarged", "told", "张"} <= words
    assert not words & set(NAMES)


@pytest.mark.parametrize("patients", [FEWEST - 1, FEWEST])
def test_patients_count_and_not_their_texts(patients: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "a key of some length")
    texts = [(Passage("findings", "word"),)] * 3 * patients
    kept = without_rare_words(texts, [f"p{number % patients}" for number in range(len(texts))])
    assert {one.text for passages in kept for one in passages} == {
        "word" if patients >= FEWEST else ""
    }
