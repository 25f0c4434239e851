"""Texts cut into sentences and words: items in one line, questions, and pieces of reports."""

from __future__ import annotations

import tracemalloc

import pytest

from encoders.study import Passage
from kg.mentions.linker import MentionLinker
from kg.mentions.spelling import LONGEST, Speller
from kg.mentions.tokens import (
    ASKED,
    ITEM,
    MAX_TOKENS,
    _plain_tokens,
    _tokens,
    normal_form,
    pieces,
    plain_sentence,
    runs_of,
    sentences,
)


def cut(text: str) -> list[list[str]]:
    return [[token.word for token in sentence] for sentence in sentences(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1)No edema 2)Mass", [[ITEM], ["no", "edema", ITEM], ["mass"]]),
        ("(a) No edema (b) Mass", [[ITEM], ["no", "edema", ITEM], ["mass"]]),
        ("No edema • Mass", [["no", "edema", ITEM], ["mass"]]),
        ("No edema / Small mass", [["no", "edema", ITEM], ["small", "mass"]]),
        ("edema / mass", [["edema", "/", "mass"]]),
        ("R / O edema", [["r", "/", "o", "edema"]]),
        ("a lesion (2 of 3) seen", [["a", "lesion", "(", "2", "of", ITEM, "seen"]]),
        ("(1) contact or (2) travel", [[ITEM], ["contact", "or", ITEM, "travel"]]),
        ("edema ?mass", [["edema"], [ASKED, "mass"]]),
        ("? edema ? mass", [[ASKED, "edema"], [ASKED, "mass"]]),
        ("Is it edema? Mass.", [["is", "it", "edema", "?"], ["mass", "."]]),
        ("Is it edema ? Mass.", [["is", "it", "edema", "?"], ["mass", "."]]),
        ("ground-glass, mid- and lower", [["ground", "glass", ",", "mid", "-", "and", "lower"]]),
        ("Seen by Dr. Smith. Edema.", [["seen", "by", "dr", ".", "smith", "."], ["edema", "."]]),
    ],
)
def test_sentences(text: str, words: list[list[str]]) -> None:
    assert cut(text) == words


@pytest.mark.parametrize(
    "text",
    [
        "The heart is normal in size; no ground-glass opacity.",
        "Seen by Dr. Smith, approx. here",
        "mid- and lower -- lungs - clear: none",
        "",
    ],
)
def test_plain_text_is_cut_alike(text: str) -> None:
    assert _plain_tokens(text) == list(_tokens(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No edema. Small mass.  No node.", ["No edema.", "Small mass.", "No node."]),
        ("No edema approx. Two.", ["No edema approx. Two."]),
        ("Size 2.5 cm. small", ["Size 2.5 cm. small"]),
        ("No edema.\nMass.", ["No edema.", "Mass."]),
        ("NO EDEMA. MASS.", ["NO EDEMA.", "MASS."]),
        ("1. No edema.", ["1.", "No edema."]),
        ("No edema\nMass\nin the lung", ["No edema\n", "Mass\nin the lung"]),
        ("Seen by Mrs. Smith. Mass.", ["Seen by Mrs. Smith.", "Mass."]),
        ("无气胸。肺结节。", ["无气胸。", "肺结节。"]),
        ("No acute disease. 2. Mass.", ["No acute disease.", "2.", "Mass."]),
        ("No acute disease. .", ["No acute disease.", "."]),
        ("Approx. 2.5 cm, max. 2.5 cm.", ["Approx. 2.5 cm, max. 2.5 cm."]),
    ],
)
def test_pieces_end_where_sentences_do(text: str, expected: list[str]) -> None:
    cut = list(pieces(text))
    assert [piece for _, piece in cut] == expected
    assert all(text[start:].startswith(piece) for start, piece in cut)


def test_statements_of_later_pieces_stand_where_they_are_written(linker: MentionLinker) -> None:
    text = "Two views obtained. No effusion. Small nodule seen."
    found = linker.link([Passage("findings", text)])
    assert [text[s.start : s.end] for s in found] == ["effusion", "nodule"]


@pytest.mark.parametrize(
    "text",
    [
        "No right-sided effusion, mass or T9-T10 fracture.",
        "Edema - none;",
        "Heart: normal;",
        "a--b -c d- 3 -4-5",
        "Seen by Dr.",
        "No effusion  or mass",
        "Scar/atelectasis, 2.5 cm, or 1.5, of the patient's lung",
        "No mass//scar, effusion's and/or 'edema' s/p 3/4",
    ],
)
def test_plain_words_are_those_of_the_sentence(text: str) -> None:
    [sentence] = sentences(text)
    found = plain_sentence(text, runs_of(normal_form, len))
    assert found is not None
    assert found.words == [token.word for token in sentence]
    assert found.starts == [token.start for token in sentence]
    assert found.ends == [token.end for token in sentence]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Edema. Mass.",
        "1,5 cm mass",
        "1) Mass",
        "Mass?",
        "无气胸",
        "a\nB",
        "No effusion\tor mass",
        "Edema; mass",
        "Edema / Mass",
        "1.5.2 cm mass",
        "v1.5 mass",
        "no " * MAX_TOKENS,
    ],
)
def test_of_any_other_text_there_are_no_plain_words(text: str) -> None:
    assert plain_sentence(text, runs_of(normal_form, len)) is None


@pytest.mark.parametrize(
    "text", ["No effusion period", "NO EFFUSION COMMA MASS", "No mass new line"]
)
def test_dictated_marks_are_read_in_plain_words_too(linker: MentionLinker, text: str) -> None:
    spelled = text.lower().replace("period", ".").replace("comma", ",").replace("new line", ".")
    dictated, typed = (linker.link([Passage("findings", one)]) for one in (text, spelled))
    assert [(s.concept, s.assertion) for s in dictated] == [(s.concept, s.assertion) for s in typed]


def test_a_sentence_without_an_end_is_cut(linker: MentionLinker) -> None:
    text = "no effusion but nodule and " * 2_000
    assert max(len(sentence) for sentence in sentences(text)) == MAX_TOKENS
    found = linker.link([Passage("findings", text)])
    assert len(found) == 4_000


@pytest.mark.parametrize("word", ["a" * 10**6, ("b" * 10**5 + " ") * 10, "." * 10**4, "?" * 10**4])
def test_long_words_and_runs_of_marks_take_little(linker: MentionLinker, word: str) -> None:
    tracemalloc.start()
    assert linker.link([Passage("findings", word)]) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * 10**6


def test_a_longer_word_than_any_is_a_slip_of_none() -> None:
    right = "pneumothorax" * 4
    assert Speller({right}).mend(right[:-1]) == right[:-1]
    assert len(right) > LONGEST
