"""MentionLinker: passages of a report or dialogue in, statements about concepts out.

Longest match over the graph's own names with plain negation and hedging. In a dialogue a question
states nothing by itself; the next speaker's bare no or yes answers everything that was asked (yes
to more than one thing at once is uncertain). In a report a question is uncertain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, Protocol

from kg.graph import KnowledgeGraph
from kg.mentions.answers import answer, is_question
from kg.mentions.assertion import CUE_WORDS, Judgement, Mention, judge
from kg.mentions.coordination import with_shared_words
from kg.mentions.lexicon import Entry, lexicon
from kg.mentions.matcher import Match
from kg.mentions.modifiers import ModifierReader, Modifiers
from kg.mentions.spelling import Speller
from kg.mentions.statement import Assertion, Statement
from kg.mentions.tokens import Token, sentences

SPEAKERS = frozenset({"patient", "doctor", "unknown", "description"})
"""Names of passages that are turns of a dialogue; every other name is a report's section."""

CHRONIC_KINDS = frozenset({"comorbidity", "risk_factor", "exposure", "procedure", "device"})
"""Kinds of concepts a history of which still holds."""


class PassageLike(Protocol):
    """What is read of a passage: the name of its section or speaker, its text and language."""

    @property
    def name(self) -> str:
        """Section or speaker."""

    @property
    def text(self) -> str:
        """What is written or said."""

    @property
    def language(self) -> str:
        """Language of the text, `en` or `zh`."""


REMEMBERED = 20_000
"""How many different sentences are remembered with what they state."""

Setting = Literal["report", "past", "turn"]
"""Where a sentence stands: a report's section, one that speaks of earlier studies, or a turn."""


class _Understood(NamedTuple):
    """What a sentence states of one concept, in tokens `[start, end)`."""

    concept: str
    assertion: Assertion
    rule: str
    start: int
    end: int
    modifiers: Modifiers


class _Sentence(NamedTuple):
    passage: int
    part: str
    text: str
    tokens: list[Token]


class MentionLinker:
    """Finds what passages state about the concepts of a graph.

    Args:
        graph: The graph whose names are looked for.
        left_out: Data sets whose wording must not help (leave-data-set-out).
    """

    def __init__(self, graph: KnowledgeGraph, *, left_out: frozenset[str] = frozenset()) -> None:
        self._phrases = lexicon(graph, left_out=left_out)
        self._modifiers = ModifierReader(graph)
        known = CUE_WORDS | self._modifiers.vocabulary
        self._speller = Speller(self._phrases.vocabulary, known)
        self._chronic = frozenset(c.id for c in graph.concepts if c.kind in CHRONIC_KINDS)
        self._read_before: dict[tuple[tuple[str, ...], Setting], tuple[_Understood, ...]] = {}

    def link(self, passages: Sequence[PassageLike]) -> list[Statement]:
        """Statements of all passages, in the order of the text.

        A mention in a condition or in a question nobody answers gives no statement.
        """
        statements: list[Statement] = []
        asked: list[Statement] = []
        asker = ""
        for sentence in _sentences(passages):
            if asked and (sentence.part != asker or asker == "unknown"):
                statements += _answered(asked, answer(sentence.text))
                asked = []
            found = self._read(sentence)
            if sentence.part in SPEAKERS and is_question(sentence.text, sentence.part):
                asked += found
                asker = sentence.part
            else:
                statements += found
        return sorted(statements, key=lambda s: (s.passage, s.start))

    def _read(self, sentence: _Sentence) -> list[Statement]:
        """Statements of one sentence; a mention of which nothing is stated gives none."""
        words = tuple([token.word for token in sentence.tokens])
        key = (words, _setting(sentence.part))
        if key not in self._read_before:
            if len(self._read_before) >= REMEMBERED:
                self._read_before.clear()
            self._read_before[key] = self._understand(*key)
        return [_statement(sentence, understood) for understood in self._read_before[key]]

    def _understand(self, written: tuple[str, ...], setting: Setting) -> tuple[_Understood, ...]:
        """What the words of a sentence state; reports repeat theirs, so this is remembered."""
        words = [self._speller.mend(word) for word in written]
        matches = with_shared_words(words, self._phrases.find(words), self._phrases)
        if not matches:
            return ()
        judged = judge(words, [self._mention(match) for match in matches])
        question = setting != "turn" and words[-1] in ("?", "\uff1f")
        said = self._modifiers.read(words, [(match.start, match.end) for match in matches])
        return tuple(
            _Understood(concept, settled.assertion, settled.rule, match.start, match.end, more)
            for match, judgement, more in zip(matches, judged, said, strict=True)
            for settled in [_settled(match.meaning, judgement, setting, question)]
            if settled.assertion is not None
            for concept in match.meaning.concepts
        )

    def _mention(self, match: Match[Entry]) -> Mention:
        concepts, asserts = match.meaning
        chronic = not self._chronic.isdisjoint(concepts)
        return Mention(match.start, match.end, chronic, asserts is not None)


def _sentences(passages: Sequence[PassageLike]) -> Iterator[_Sentence]:
    for place, passage in enumerate(passages):
        for tokens in sentences(passage.text):
            text = passage.text[tokens[0].start : tokens[-1].end]
            yield _Sentence(place, passage.name, text, tokens)


def _setting(part: str) -> Setting:
    if part in SPEAKERS:
        return "turn"
    return "past" if part == "comparison" else "report"


def _settled(entry: Entry, judgement: Judgement, setting: Setting, question: bool) -> Judgement:
    """The judgement after what the phrase itself asserts and where it stands are counted in."""
    if judgement.assertion == "present" and (question or setting == "past"):
        return Judgement("uncertain", "question" if question else "history_section")
    if entry.asserts is None or judgement.assertion in (None, "uncertain"):
        return judgement
    return Judgement(entry.asserts, "phrase")


def _statement(sentence: _Sentence, understood: _Understood) -> Statement:
    concept, assertion, rule, start, end, more = understood
    tokens = sentence.tokens
    return Statement(
        concept,
        assertion,
        sentence.passage,
        tokens[start].start,
        tokens[end - 1].end,
        sentence.part,
        rule,
        *more,
    )


def _answered(asked: Sequence[Statement], said: Assertion | None) -> list[Statement]:
    """The statements a bare answer makes of the mentions in the questions before it."""
    if said is None:
        return []
    several = len({statement.concept for statement in asked}) > 1
    assertion: Assertion = "uncertain" if said == "present" and several else said
    rule = "answer_no" if said == "absent" else "answer_yes"
    return [replace(statement, assertion=assertion, rule=rule) for statement in asked]
