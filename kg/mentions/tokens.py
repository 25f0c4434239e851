"""Cut text into sentences of tokens that remember where they stand; words lose plural and case.

A Latin word, a number and each Chinese character are one token; a hyphen inside a word separates
and disappears (`ground-glass` is two tokens). An item of a list begins a sentence, also within a
line (`1) No effusion 2) Small nodule`). De-identification marks (`XXXX`, `___`) become the
token `BLANK`, which is in no phrase.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeVar

BLANK: Final = "<blank>"
"""Stands for words that were taken out; it never belongs to a phrase."""

ASKED: Final = "<asked>"
"""Stands for a question mark before what is asked (`?pneumonia`)."""

ITEM: Final = "<item>"
"""Stands for the number or bullet of an item."""

UNPLAIN: Final = "<unplain>"
"""Stands for what is not read as it is written."""

NAME: Final = 1
SHORT: Final = 2
JOINS: Final = 4
DENIES: Final = 8
NORMAL: Final = 16
CUE: Final = 32
MODIFIER: Final = 64
FIGURE: Final = 128
"""What a word may be, as bits: the first of a name, an abbreviation of one, a word that joins two
or denies one, the first word for normal, of a cue or of a modifier, and a number."""

STOPS: Final = (".", ";")
"""Marks that may close a plain sentence."""

SENTENCE_ENDS: Final = frozenset([*".!?;。！？；\n", ITEM])
"""Tokens that end a sentence."""

MAX_TOKENS: Final = 200
"""A run of words without an end is cut here, so that no text takes more than linear time."""

LONGEST_WORD, MOST_WORDS = 40, 65536
"""Most letters of a word that is remembered, and how many are."""

# most texts are letters and plain stops alone, which a simpler pattern cuts alike and sooner
_PLAIN: Final = re.compile(r"[A-Za-z \t.,;:\-]*")
_PLAIN_RUN: Final = re.compile(r"(?!/|.*\d,\d)[A-Za-z0-9,:/'\-]*|\d+\.\d+,?")
_PLAIN_TOKEN: Final = re.compile(r"\d+\.\d+|[A-Za-z0-9]+(?:'[A-Za-z]+)?|[.,;:/'\-]")
_PLAIN_HYPHEN: Final = re.compile(r"(?<=[A-Za-z0-9])-(?=[A-Za-z0-9])")
_TOKEN: Final = re.compile(
    r"(?P<number>\d+[.,]\d+)"
    # an item of a list in one line: `1)`, `(a)`, `#2`, a bullet, or a spaced slash before a capital
    r"|(?P<item>(?<!\S)(?:\(?(?:\d{1,2}|[A-Za-z]|[ivx]{2,4})\)(?=\s*[^\W\d_])|#\d{1,2}\b[:.)]?"
    r"|\*(?=\s|[A-Z])|[/\\](?=\s[A-Z][a-z])|//(?=\s))|[\u2022\u25aa\u25cf\u25e6\u00b7|]|~(?=\s?[A-Z])|(?<=\s)>(?=\s[A-Z]))"
    # a mark before what is asked: `?pneumonia`, `cough, ? effusion`
    r"|(?P<asked>(?<![^\s(,;:])\?+(?=[^\W\d_]|\s+[a-z])|(?<![^\n,;:(])\?+(?=\s*\w))"
    r"|(?P<word>[A-Za-z0-9\u00c0-\u024f]+(?:['\u2019][A-Za-z]+)?)"
    r"|(?P<chinese>[\u3400-\u4dbf\u4e00-\u9fff])"
    r"|(?P<blank>_{2,})"
    r"|(?P<line>\n\s*(?=\n|[-*\u2022]|\d+[.)]\s|[A-Z\u4e00-\u9fff]))"
    r"|(?P<mark>[^\s\w])"
)
# after a word of three letters, which is hardly an abbreviation, a number or a bracket, before a
# capital, a stray stop or the number of an item, before a line that begins with a capital, and
# after a Chinese stop
_AFTER_STOP: Final = (
    r"(?<=[A-Za-z]{3}\.)(?<![Mm][Rr][Ss]\.)(?<![Aa]pprox\.)(?<!APPROX\.)"
    r"\s+(?=[A-Z]|(?:\d{1,2})?\.(?:\s|\Z))|(?<=[\d)]\.)\s+(?=[A-Z])"
)
_SURE_STOP: Final = re.compile(rf"\.(?:{_AFTER_STOP})")
_SURE_END: Final = re.compile(
    rf"[.\n\u3002\uff01\uff1f\uff1b](?:{_AFTER_STOP}|(?<=\S\n)\s*(?=[A-Z])"
    r"|(?<=[\u3002\uff01\uff1f\uff1b])\s*(?=\S))"
)
_INNER_HYPHEN: Final = re.compile(
    r"(?<=\w)[-\u2010\u2011\u2013](?=[^\W\d_])|(?<=\w)[-\u2010\u2011](?=\w)"
)
_HYPHENS: Final = frozenset("-\u2010\u2011\u2013")
_SIGNS = {"blank": BLANK, "line": "\n", "item": ITEM, "asked": ASKED}
_ABBREVIATIONS: Final = frozenset({"dr", "mr", "mrs", "ms", "vs", "eg", "ie", "approx", "st"})

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


def pieces(text: str) -> list[tuple[int, str]]:
    """Pieces of a text cut where a sentence surely ends, each with its first character's place."""
    found, last = [], 0
    # nothing but a stop ends a sentence in most texts, and is found sooner alone
    ends = _SURE_STOP if text.isascii() and "\n" not in text else _SURE_END
    for gap in ends.finditer(text):
        found.append((last, text[last : gap.start() + 1]))
        last = gap.end()
    found.append((last, text[last:]))
    return found


Form = TypeVar("Form")


class Forms(dict[str, Form]):
    """What is made of each written word, remembered if it is no longer than words are.

    Args:
        make: Makes it.
    """

    def __init__(self, make: Callable[[str], Form]) -> None:
        self._make = make

    def __missing__(self, written: str) -> Form:
        form = self._make(written)
        if len(written) <= LONGEST_WORD and len(self) < MOST_WORDS:
            self[written] = form
        return form


_FORMS: Final = Forms(normal_form)
_new: Final = tuple.__new__


def sentences(text: str) -> list[list[Token]]:
    """Sentences of a text, each with its closing mark as the last token where it has one."""
    tokens = _plain_tokens(text) if _PLAIN.fullmatch(text) else list(_tokens(text))
    found: list[list[Token]] = []
    first = 0
    for place, (word, _, _) in enumerate(tokens):
        if word == ASKED and place > first:
            found.append(tokens[first:place])
            first = place
        ends = word in SENTENCE_ENDS and not _goes_on(tokens, first, place)
        if ends or place - first + 1 >= MAX_TOKENS:
            found.append(tokens[first : place + 1])
            first = place + 1
    if first < len(tokens):
        found.append(tokens[first:])
    return found


class Hinted:
    """A token with what its word may be, as bits."""

    def __init__(self, word: str, start: int, end: int, hints: int) -> None:
        self.word, self.start, self.end, self.hints = word, start, end, hints


class Words:
    """The words of a sentence.

    Args:
        words: Their forms.
        starts: First character of each.
        ends: One past the last character of each.
        hints: What each may be, as bits.
        any_hints: The bits of all.
    """

    def __init__(
        self,
        words: list[str],
        starts: list[int],
        ends: list[int],
        hints: list[int],
        any_hints: int,
    ) -> None:
        self.words, self.starts, self.ends = words, starts, ends
        self.hints, self.any_hints = hints, any_hints

    def that_may_be(self, hint: int) -> list[int]:
        """Places of the words that may be what a bit says."""
        return [place for place, hints in enumerate(self.hints) if hints & hint]


def runs_of(make: Callable[[str], str], hint: Callable[[str], int]) -> Forms[list[Hinted]]:
    """Tokens of each run of text between two spaces; one that is not plain is `UNPLAIN`.

    Args:
        make: Makes the form of a word.
        hint: Says what that may be.
    """
    forms = Forms(make)

    def run(written: str) -> list[Hinted]:
        # most are one word
        if written.isascii() and written.isalpha():
            word = forms[written]
            return [Hinted(word, 0, len(written), hint(word))]
        if _PLAIN_RUN.fullmatch(written) is None:
            return [Hinted(UNPLAIN, 0, len(written), 0)]
        made: list[Hinted] = []
        for found in _PLAIN_TOKEN.finditer(_without_hyphens(written)):
            word = forms[found[0]]
            made.append(Hinted(word, found.start(), found.end(), hint(word)))
        return made

    return Forms(run)


def plain_sentence(text: str, runs: Forms[list[Hinted]]) -> Words | None:
    """The words of a text that is one sentence of words and plain stops, as `sentences` has them.

    None of any other text.
    """
    words, starts, ends, hints = list[str](), list[int](), list[int](), list[int]()
    closed = text.endswith(STOPS)
    first = any_hints = 0
    for written in (text[:-1] if closed else text).split(" "):
        for token in runs[written]:
            words.append(token.word)
            starts.append(first + token.start)
            ends.append(first + token.end)
            hints.append(token.hints)
            any_hints |= token.hints
        first += len(written) + 1
    if closed:
        words.append(text[-1])
        starts.append(first - 1)
        ends.append(first)
        hints.append(0)
    if not words or len(words) >= MAX_TOKENS or UNPLAIN in words:
        return None
    return Words(words, starts, ends, hints, any_hints)


def _plain_tokens(text: str) -> list[Token]:
    """Tokens of a text of letters and plain stops."""
    text = _without_hyphens(text)
    return [_new(Token, (_FORMS[m[0]], *m.span())) for m in _PLAIN_TOKEN.finditer(text)]


def _without_hyphens(text: str) -> str:
    """A plain text with a space for each hyphen inside a word."""
    return _PLAIN_HYPHEN.sub(" ", text) if "-" in text else text


def _tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        kind, written = match.lastgroup, match[0]
        if kind == "word":
            yield _new(Token, (_FORMS[written], *match.span()))
        elif kind != "mark":
            yield Token(_SIGNS.get(kind or "", written), *match.span())
        elif not (written in _HYPHENS and _INNER_HYPHEN.match(text, match.start())):
            yield Token("and" if written == "&" else written, *match.span())


def words(phrase: str) -> tuple[str, ...]:
    """The tokens of a phrase, as they are matched in text."""
    return tuple(token.word for sentence in sentences(phrase) for token in sentence)


def _goes_on(tokens: list[Token], first: int, place: int) -> bool:
    """True if a sentence goes on at its end: after `Dr.`, and at an item in brackets or after `or`.

    Args:
        tokens: All tokens.
        first: Where the sentence begins.
        place: Where it would end.
    """
    if place == first:
        return False
    end, before = tokens[place], tokens[place - 1]
    if end.word == ".":
        return before.word in _ABBREVIATIONS and before.end == end.start
    if end.word != ITEM:
        return False
    marks = [token.word for token in tokens[first:place]]
    return before.word in ("or", "and") or marks.count("(") > marks.count(")")
