"""Cut text into sentences of tokens that remember where they stand; words lose plural and case.

A Latin word, a number and each Chinese character are one token; a hyphen inside a word separates
and disappears (`ground-glass` is two tokens). An item of a list begins a sentence, also within a
line (`1) No effusion 2) Small nodule`). De-identification marks (`XXXX`, `___`) become the
token `BLANK`, which is in no phrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

BLANK = "<blank>"
"""Stands for words that were taken out; it never belongs to a phrase."""

ASKED = "<asked>"
"""Stands for a question mark before what is asked (`?pneumonia`)."""

SENTENCE_ENDS = frozenset(".!?;。！？；\n")
"""Tokens that end a sentence."""

MAX_TOKENS = 200
"""A run of words without an end is cut here, so that no text takes more than linear time."""

_TOKEN = re.compile(
    r"(?P<number>\d+[.,]\d+)"
    # an item of a list in one line: `1)`, `(a)`, `#2`, a bullet, or a spaced slash before a capital
    r"|(?P<item>(?<!\S)(?:\(?(?:\d{1,2}|[A-Za-z]|[ivx]{2,4})\)(?=\s*[^\W\d_])|#\d{1,2}\b[:.)]?"
    r"|\*(?=\s)|/(?=\s[A-Z][a-z])|//(?=\s))|[\u2022\u25aa\u25cf\u25e6\u00b7|]|~(?=\s?[A-Z])|(?<=\s)>(?=\s[A-Z]))"
    # a mark before what is asked: `?pneumonia`, `cough, ? effusion`
    r"|(?P<asked>(?<![^\s(,;:])\?+(?=[^\W\d_]|\s+[a-z])|(?<![^\n,;:(])\?+(?=\s*\w))"
    r"|(?P<word>[A-Za-z0-9\u00c0-\u024f]+(?:['\u2019][A-Za-z]+)?)"
    r"|(?P<chinese>[\u3400-\u4dbf\u4e00-\u9fff])"
    r"|(?P<blank>_{2,})"
    r"|(?P<line>\n\s*(?=\n|[-*\u2022]|\d+[.)]\s|[A-Z\u4e00-\u9fff]))"
    r"|(?P<mark>[^\s\w])"
)
_SURE_END = re.compile(r"(?<=[a-z]{3}\.)(?<!approx\.)(?<!mrs\.)\s+(?=[A-Z])")
_INNER_HYPHEN = re.compile(r"(?<=\w)[-\u2010\u2011\u2013](?=[^\W\d_])|(?<=\w)[-\u2010\u2011](?=\w)")
_HYPHENS = frozenset("-\u2010\u2011\u2013")
_ABBREVIATIONS = frozenset({"dr", "mr", "mrs", "ms", "vs", "eg", "ie", "approx", "st"})

_IRREGULAR = {
    "pneumothoraces": "pneumothorax",
    "hydropneumothoraces": "hydropneumothorax",
    "atelectases": "atelectasis",
    "metastases": "metastasis",
    "bullae": "bulla",
    "masses": "mass",
    "diagnoses": "diagnosis",
    "edemas": "edema",
    "oedema": "edema",
    "haemothorax": "hemothorax",
    "haemorrhage": "hemorrhage",
    "tumour": "tumor",
    "tumours": "tumor",
    "arteries": "artery",
    "centre": "center",
    "fibre": "fiber",
    "hilar": "hilar",
}


class Token(NamedTuple):
    """One token.

    Args:
        word: Its normalised form, as phrases and cues are written.
        start: First character in the text.
        end: One past the last character.
    """

    word: str
    start: int
    end: int


@lru_cache(maxsize=65536)
def normal_form(word: str) -> str:
    """A word in lower case and singular (`Opacities` becomes `opacity`)."""
    lower = word.lower().replace("\u2019", "'")
    if lower in _IRREGULAR:
        return _IRREGULAR[lower]
    if len(lower) >= 3 and not lower.strip("x"):
        return BLANK
    if len(lower) < 4 or not lower.endswith("s") or lower.endswith(("ss", "us", "is", "'s")):
        return lower.removesuffix("'s")
    if lower.endswith("ies") and len(lower) > 5:
        return lower[:-3] + "y"
    if lower.endswith(("sses", "shes", "ches", "xes")):
        return lower[:-2]
    return lower[:-1]


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Pieces of a text cut where a sentence surely ends, each with its first character's place."""
    last = 0
    for gap in _SURE_END.finditer(text):
        yield last, text[last : gap.start()]
        last = gap.end()
    yield last, text[last:]


def sentences(text: str) -> list[list[Token]]:
    """Sentences of a text, each with its closing mark as the last token where it has one."""
    found: list[list[Token]] = []
    sentence: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind, written = match.lastgroup, match[0]
        if kind == "word":
            word = normal_form(written)
        elif kind == "blank":
            word = BLANK
        elif kind == "line":
            word = "\n"
        elif written == "&":
            word = "and"
        elif kind == "item" and not _goes_on(sentence):
            word = "\n"
        elif kind == "asked":
            word = ASKED
            if sentence:
                found.append(sentence)
                sentence = []
        elif written in _HYPHENS and _INNER_HYPHEN.match(text, match.start()):
            continue
        else:
            word = written
        sentence.append(Token(word, *match.span()))
        ends = word in SENTENCE_ENDS and not _abbreviated(sentence)
        if ends or len(sentence) >= MAX_TOKENS:
            found.append(sentence)
            sentence = []
    if sentence:
        found.append(sentence)
    return found


def words(phrase: str) -> tuple[str, ...]:
    """The tokens of a phrase, as they are matched in text."""
    return tuple(token.word for sentence in sentences(phrase) for token in sentence)


def _goes_on(sentence: list[Token]) -> bool:
    """Whether a sentence so far goes on at an item's number: in open brackets and after `or`."""
    marks = [token.word for token in sentence]
    return marks.count("(") > marks.count(")") or marks[-1:] in (["or"], ["and"])


def _abbreviated(sentence: list[Token]) -> bool:
    """Whether the full stop that closes a sentence so far belongs to an abbreviation."""
    if sentence[-1].word != "." or len(sentence) < 2:
        return False
    before = sentence[-2]
    return before.word in _ABBREVIATIONS and before.end == sentence[-1].start
