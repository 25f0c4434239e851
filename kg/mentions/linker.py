"""MentionLinker: statements about concepts in the passages of a report or dialogue.

Longest match over the graph's own names with plain negation and hedging. In a dialogue a question
put to the patient states nothing by itself; the next speaker's bare no or yes answers everything
that was asked (yes to more than one thing at once is uncertain), as many answers as questions
answer one each. In a report a question is uncertain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple, Protocol

from kg.mentions.abbreviations import spelled_out
from kg.mentions.answers import Reply, is_question, replies
from kg.mentions.as_read import as_read
from kg.mentions.assertion import PLAIN, Judgement, judge
from kg.mentions.coordination import with_shared_words
from kg.mentions.denied_words import with_denied_words
from kg.mentions.dialogue import SPEAKERS, Heard, asks_listener, heard, split_at_gaps, without_links
from kg.mentions.exposures import exposures
from kg.mentions.lexicon import Entry, entry_of, lexicon
from kg.mentions.matcher import Match, Matcher
from kg.mentions.memory import Memory
from kg.mentions.modifiers import NOTHING, ModifierReader
from kg.mentions.spanish import SpanishReader
from kg.mentions.spelling import Speller
from kg.mentions.statement import Assertion, Statement
from kg.mentions.structures import StructureReader
from kg.mentions.tokens import (
    CUE,
    DENIES,
    JOINS,
    MODIFIER,
    NAME,
    NORMAL,
    SHORT,
    Token,
    Words,
    pieces,
    plain_sentence,
    sentences,
)
from kg.mentions.vocabulary import Vocabulary
from kg.model.graph import KnowledgeGraph

LANGUAGES: Final = frozenset({"en", "zh"})
"""Languages whose negations are known; a passage in another one states nothing."""

SPANISH: Final = "es"
"""Language of reports alone: a Spanish turn of a dialogue states nothing."""


class PassageLike(Protocol):
    """A passage: the name of its section or speaker, its text and language."""

    @property
    def name(self) -> str:
        """Section or speaker."""

    @property
    def text(self) -> str:
        """The text."""

    @property
    def language(self) -> str:
        """Language of the text, `en`, `zh` or `es`."""


REMEMBERED, LONGEST_REMEMBERED = 40_000, 1000
"""Number of pieces of reports remembered with their statements, and their largest length."""

Setting = Literal["report", "past", "asks", "patient", "doctor", "unknown"]
"""Setting of a sentence: in a report, in a section on earlier studies, or in a speaker's turn,
where `asks` is a question the patient is to answer."""

WRITTEN: frozenset[Setting] = frozenset({"report", "past"})
"""Settings of reports."""

_new: Final = tuple.__new__


class _Sentence(NamedTuple):
    passage: int
    part: str
    text: str
    tokens: list[Token]
    opens: bool


class MentionLinker:
    """Finds statements of passages about the concepts of a graph.

    Args:
        graph: The graph whose names are looked for.
        left_out: Data sets whose wording must not help (leave-data-set-out).
    """

    def __init__(self, graph: KnowledgeGraph, *, left_out: frozenset[str] = frozenset()) -> None:
        self._graph, self._left_out = graph, left_out
        self._modifiers = ModifierReader(graph)
        self._structures = StructureReader(graph)
        self._written = self._vocabulary(spoken=False)
        # made when one is read, which most runs never do; a compiled class has no cached_property
        self._spoken: Vocabulary | None = None
        self._spanish: SpanishReader | None = None
        self._read_before: dict[Setting, Memory[str, list[Statement]]] = {
            setting: Memory(REMEMBERED) for setting in WRITTEN
        }

    def link(self, passages: Sequence[PassageLike]) -> list[Statement]:
        """Statements of all passages, in the order of the text.

        A mention in a condition or in a question nobody answers gives no statement. A question
        waits for a turn of somebody else that opens with an answer, until the asker speaks again.
        """
        statements: list[Statement] = []
        if SPEAKERS.isdisjoint([passage.name for passage in passages]):
            for place, passage in enumerate(passages):
                if is_read(passage):
                    statements += self._written_in(place, passage)
            return statements
        asked: list[list[Statement]] = []
        asker, waited = "", False
        for sentence in _sentences(passages):
            if asked and asker == "unknown":
                statements += _answered(asked, replies(sentence.text))
                asked = []
            elif asked and sentence.part != asker:
                said = replies(sentence.text) if sentence.opens else []
                statements += _answered(asked, said)
                asked, waited = [] if said else asked, True
            elif waited:
                asked, waited = [], False
            found = self._read(sentence)
            if _asks(sentence):
                asked.append(found)
                asker = sentence.part
            else:
                statements += found
        return sorted(statements, key=lambda s: (s.passage, s.start))

    def _written_in(self, place: int, passage: PassageLike) -> Iterable[Statement]:
        """Statements of a report's section; reports repeat sentences, so they are remembered."""
        part = passage.name
        if passage.language == SPANISH:
            if self._spanish is None:
                self._spanish = SpanishReader(self._graph.index, self._left_out)
            return self._spanish.statements(place, part, passage.text)
        setting: Setting = "past" if part == "comparison" else "report"
        remembered, statements = self._read_before[setting], list[Statement]()
        for first, piece in pieces(passage.text):
            found = remembered.get(piece)
            if found is None:
                found = self._understood_in(piece, setting)
                if len(piece) <= LONGEST_REMEMBERED:
                    remembered.keep(piece, found)
            for one in found:
                statements.append(_placed(one, place, first, part))
        return statements

    def _understood_in(self, piece: str, setting: Setting) -> list[Statement]:
        """Statements of the sentences of a piece of a report, as if it were a passage."""
        sentence = plain_sentence(piece, self._written.runs)
        if sentence is not None:
            return self._understand(sentence, setting)
        found: list[Statement] = []
        for written_tokens in sentences(as_read(piece)):
            tokens = _with_negations_apart(written_tokens, self._written.speller)
            found += self._understand(self._written.words(tokens), setting)
        return found

    def _vocabulary_of(self, setting: Setting) -> Vocabulary:
        """The vocabulary of reports or of dialogues."""
        if setting in WRITTEN:
            return self._written
        if self._spoken is None:
            self._spoken = self._vocabulary(spoken=True)
        return self._spoken

    def _vocabulary(self, *, spoken: bool) -> Vocabulary:
        phrases = lexicon(self._graph, left_out=self._left_out, spoken=spoken)
        return Vocabulary(phrases, self._structures, self._modifiers)

    def _read(self, sentence: _Sentence) -> list[Statement]:
        """Statements of one sentence; a mention of which nothing is stated gives none."""
        setting = _setting(sentence)
        words = self._vocabulary_of(setting).words(sentence.tokens)
        found = self._understand(words, setting)
        return [_placed(one, sentence.passage, 0, sentence.part) for one in found]

    def _understand(self, sentence: Words, setting: Setting) -> list[Statement]:
        """Statements of a sentence."""
        if sentence.any_hints & SHORT:
            sentence.words = spelled_out(sentence.words)
        matches = self._named(sentence, self._vocabulary_of(setting).phrases, setting)
        if not matches:
            return []
        judged = self._judged(sentence, matches, setting)
        said = [NOTHING] * len(matches)
        if sentence.any_hints & MODIFIER:
            said = self._modifiers.read(sentence, matches)
        found: list[Statement] = []
        for place, match in enumerate(matches):
            judgement = judged[place]
            if judgement.assertion is not None:
                first, last = sentence.starts[match.start], sentence.ends[match.end - 1]
                sites, side, grade, change = said[place]
                for concept in match.meaning.concepts:
                    told = (
                        concept,
                        judgement.assertion,
                        0,
                        first,
                        last,
                        "",
                        judgement.rule,
                        sites,
                        side,
                        grade,
                        change,
                    )
                    found.append(_new(Statement, told))
        return found

    def _named(
        self, sentence: Words, phrases: Matcher[Entry], setting: Setting
    ) -> list[Match[Entry]]:
        """Names in a sentence, in order, with exposures told and structures called normal."""
        words, hints = sentence.words, sentence.any_hints
        matches = phrases.find(words, sentence.that_may_be(NAME)) if hints & NAME else []
        if hints & JOINS:
            matches = with_shared_words(words, matches, phrases)
        if hints & DENIES:
            matches = with_denied_words(words, matches, phrases)
        if setting not in WRITTEN:
            matches = self._with_exposures(words, matches)
        elif hints & NORMAL:
            matches = self._with_normal(sentence, matches)
        return _without_repeated_fields(words, matches)

    def _judged(
        self, sentence: Words, matches: list[Match[Entry]], setting: Setting
    ) -> list[Judgement]:
        """What a sentence asserts of each of its names."""
        words, spoken = sentence.words, setting not in WRITTEN
        judged = [PLAIN] * len(matches)
        if sentence.any_hints & (CUE | DENIES):
            judged = judge(sentence, matches, spoken=spoken)
        if spoken and setting != "asks":
            judged = heard(words, setting, [self._heard(match) for match in matches], judged)
        question = not spoken and words[-1] in ("?", "\uff1f")
        return [
            _settled(match.meaning, judged[place], setting, question)
            for place, match in enumerate(matches)
        ]

    def _with_exposures(
        self, words: list[str], named: Sequence[Match[Entry]]
    ) -> list[Match[Entry]]:
        """Phrases and exposures in a sentence of a dialogue; an exposure swallows what it names."""
        told = [
            Match(entry_of(self._graph, (one.concept,)), one.start, one.end)
            for one in exposures(words)
            if one.concept in self._graph.index
        ]
        left = [
            match
            for match in named
            if not any(one.start < match.end and match.start < one.end for one in told)
        ]
        return sorted([*told, *left], key=lambda match: match.start)

    def _heard(self, match: Match[Entry]) -> Heard:
        concepts = match.meaning.concepts
        kind = self._graph.concept(concepts[0]).kind if concepts else ""
        return Heard(match.start, match.end, concepts, kind)

    def _with_normal(self, sentence: Words, matches: list[Match[Entry]]) -> list[Match[Entry]]:
        """The matches with the structures a report's sentence calls normal."""
        found = [
            denied
            for denied in self._structures.read(sentence)
            if not any(one.start < denied.end and denied.start < one.end for one in matches)
        ]
        return sorted([*matches, *found], key=lambda match: match.start) if found else matches


def _with_negations_apart(tokens: Sequence[Token], speller: Speller) -> list[Token]:
    """The tokens of a sentence with a negation written together with its word apart from it."""
    apart: list[Token] = []
    for token in tokens:
        negation = speller.negation_in(token.word)
        if not negation:
            apart.append(token)
            continue
        middle = token.start + len(negation)
        apart.append(Token(negation, token.start, middle))
        apart.append(Token(token.word.removeprefix(negation), middle, token.end))
    return apart


def _without_repeated_fields(words: list[str], matches: list[Match[Entry]]) -> list[Match[Entry]]:
    """The matches without a field's name whose field says it again (`Edema: no edema`)."""
    if ":" not in words:
        return matches
    return [
        match
        for place, match in enumerate(matches)
        if words[match.end : match.end + 1] != [":"]
        or all(match.meaning.concepts != later.meaning.concepts for later in matches[place + 1 :])
    ]


def is_read(passage: PassageLike) -> bool:
    """True if the language of a passage is read."""
    if passage.language == SPANISH:
        return passage.name not in SPEAKERS
    return passage.language in LANGUAGES


def _sentences(passages: Sequence[PassageLike]) -> Iterator[_Sentence]:
    for place, passage in enumerate(passages):
        if passage.language not in LANGUAGES:
            continue
        spoken, opens = passage.name in SPEAKERS, True
        text = without_links(passage.text) if spoken else passage.text
        whole = as_read(text, spoken=spoken)
        for written in sentences(whole):
            for tokens in split_at_gaps(written) if spoken else [written]:
                text = whole[tokens[0].start : tokens[-1].end]
                yield _Sentence(place, passage.name, text, tokens, opens)
                opens = False


def _setting(sentence: _Sentence) -> Setting:
    part = sentence.part
    if part not in SPEAKERS:
        return "past" if part == "comparison" else "report"
    if _asks(sentence):
        return "asks"
    return part if part in ("doctor", "unknown") else "patient"  # type: ignore[return-value]


def _settled(entry: Entry, judgement: Judgement, setting: Setting, question: bool) -> Judgement:
    """The judgement after what the phrase itself asserts and where it stands are counted in."""
    if judgement.assertion == "present" and (question or setting == "past"):
        return Judgement("uncertain", "question" if question else "history_section")
    if entry.asserts is None or judgement.assertion in (None, "uncertain"):
        return judgement
    return Judgement(entry.asserts, "phrase")


def _placed(statement: Statement, passage: int, first: int, part: str) -> Statement:
    """A statement moved to where its text begins in a passage."""
    concept, assertion, _, start, end, _, rule, sites, side, severity, change = statement
    start += first
    end += first
    told = (concept, assertion, passage, start, end, part, rule, sites, side, severity, change)
    return _new(Statement, told)


def _asks(sentence: _Sentence) -> bool:
    """True if a sentence is a question that the patient is to answer."""
    if sentence.part not in SPEAKERS or not is_question(sentence.text, sentence.part):
        return False
    return asks_listener([token.word for token in sentence.tokens], sentence.part)


def _answered(asked: Sequence[list[Statement]], said: Sequence[Reply]) -> list[Statement]:
    """The statements bare answers make of the mentions in the questions before them."""
    if not said:
        return []
    if len(said) == len(asked) > 1:
        return [
            statement
            for question, reply in zip(asked, said, strict=True)
            for statement in _answered([question], [reply])
        ]
    mentions = [statement for question in asked for statement in question]
    reply = said[0]
    several = len({statement.concept for statement in mentions}) > 1
    open_which = reply.assertion == "present" and several and not reply.of_all
    assertion: Assertion = "uncertain" if open_which else reply.assertion
    rule = {"absent": "answer_no", "present": "answer_yes"}.get(reply.assertion, "answer_unsure")
    return [statement._replace(assertion=assertion, rule=rule) for statement in mentions]
