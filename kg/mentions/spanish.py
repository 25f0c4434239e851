"""Spanish reports: findings, negations and hedges of three tables, looked for by their stems.

The tables are written in plain Spanish: `spanish.tsv` as `english.tsv`, `spanish_cues.tsv` as
`cues.tsv`, `spanish_modifiers.tsv` as `modifiers.tsv`. They were written with the reports of
PadChest's development part at hand (nine tenths of its patients); phrases marked `padchest` follow
the conventions of its labels.

Stemmed reports have lost their commas and joining words, so a cue acts up to the next word that
opens something new (`con`, `pero`, `persiste`), a hedge up to a comma too. Negation is stronger
than a hedge. An adjective stands after its noun, or right before it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple, cast

from kg.mentions.cues import FAR, Cue, Effect, Side
from kg.mentions.lexicon import NOT_A_CONCEPT
from kg.mentions.matcher import Match, Matcher
from kg.mentions.memory import Memory
from kg.mentions.own_tables import table_rows
from kg.mentions.statement import Assertion, Statement
from kg.mentions.stems import stem, stemmed, stems
from kg.mentions.tokens import sentences

FILLERS = frozenset(
    {
        *("derecho", "izquierdo", "ambos", "ambas", "bilateral", "pulmonar", "basal", "bibasal"),
        *("leve", "ligero", "discreto", "minimo", "moderado", "marcado", "importante", "severo"),
        *("pequeño", "gran", "grande", "probable", "posible", "difuso", "signos", "dorsal"),
        *("cardiaco", "aparente", "multiples", "antiguo", "residual", "medio", "superior"),
        *("inferior", "anterior", "posterior", "lateral", "cuerpo", "nivel", "hemitorax", "via"),
        *("traves", "atraves", "acceso", "entrada", "relacion", "compatible", "corresponde", "con"),
    }
)
"""Words a phrase may have between its own (`derrame izquierdo loculado`)."""

MODIFIERS_END = frozenset({",", ";", ".", "con", "sin", "no", "ni", "o", "pero"})
"""Tokens no modifier reaches across."""

MODIFIERS = ("site", "side", "severity", "change")
MENTION = "\0"

ASSERTS: Mapping[str, Assertion] = {
    "history": "uncertain",
    "probable": "uncertain",
    "alternative": "uncertain",
    "uncertain": "uncertain",
    "absent": "absent",
}
"""Assertion of each effect, the weakest first."""

HEDGES = frozenset(ASSERTS) - {"absent"}

Facts = tuple[tuple[str, str], ...]
"""Kind and value of each thing a modifier says."""


class Meaning(NamedTuple):
    """Concepts of a phrase, and what it asserts whatever stands around it."""

    concepts: tuple[str, ...]
    asserts: Assertion | None


Found = Match[Meaning]

Details = tuple[tuple[str, ...], str, str, str]
"""Sites, side, severity and change."""

Understood = tuple[Found, tuple[Assertion, str], Details]
"""A phrase, what is asserted of it and by which rule, and where, how severe and since when."""

REMEMBERED = 20_000
"""Number of different sentences remembered with their statements."""


class SpanishReader:
    """Finds what Spanish reports state.

    Args:
        known: Concepts of the graph.
        left_out: Data sets whose wording must not help.
    """

    def __init__(self, known: Container[str], left_out: frozenset[str] = frozenset()) -> None:
        phrases = [
            (stems(row["phrase"]), Meaning(concepts, cast(Assertion, row["asserts"]) or None))
            for row in table_rows("spanish.tsv")
            if not row["dataset"] or row["dataset"] not in left_out
            for concepts in [tuple(one for one in row["concept"].split() if one in known)]
            if concepts or row["concept"] == NOT_A_CONCEPT
        ]
        self._phrases = Matcher(phrases, frozenset(stem(word) for word in FILLERS))
        self._read_before: Memory[tuple[tuple[str, ...], bool], list[Understood]]
        self._read_before = Memory(REMEMBERED)

    def statements(self, place: int, part: str, text: str) -> Iterator[Statement]:
        """Statements of a passage, in the order of the text.

        Args:
            place: Its index in the report.
            part: Its section.
            text: What is written.
        """
        for sentence in sentences(text):
            tokens = stemmed(text, sentence)
            words = tuple([token.word for token in tokens])
            for match, (said, rule), details in self._understood(words, part == "comparison"):
                start, end = tokens[match.start].start, tokens[match.end - 1].end
                for concept in match.meaning.concepts:
                    yield Statement(concept, said, place, start, end, part, rule, *details)

    def _understood(self, words: tuple[str, ...], past: bool) -> list[Understood]:
        """The phrases of a sentence of stems; reports repeat theirs, so this is remembered."""
        said = self._read_before.get((words, past))
        if said is None:
            found = self._phrases.find(list(words))
            judged = _judged(words, found, past=past)
            said = list(zip(found, judged, _modifiers(words, found), strict=True))
            self._read_before.keep((words, past), said)
        return said


def _judged(
    words: Sequence[str], found: Sequence[Found], *, past: bool
) -> list[tuple[Assertion, str]]:
    """Assertion of each mention in a sentence, with the deciding rule."""
    effects = _effects(words, found)
    asked = "?" in words[-1:]
    judged: list[tuple[Assertion, str]] = []
    for match, own in zip(found, effects, strict=True):
        effect = max(own, key=list(ASSERTS).index, default="")
        said = ASSERTS[effect] if effect else "present"
        if said == "present" and (asked or past):
            judged.append(("uncertain", "question" if asked else "history_section"))
        elif match.meaning.asserts is not None and said != "uncertain":
            judged.append((match.meaning.asserts, "phrase"))
        else:
            judged.append((said, own[effect] if effect else "plain"))
    return judged


def _effects(words: Sequence[str], found: Sequence[Found]) -> list[dict[str, str]]:
    """The effects of cues on each mention, each with the name of its rule."""
    masked = list(words)
    for match in found:
        if match.meaning.asserts is None:
            masked[match.start : match.end] = [MENTION] * (match.end - match.start)
    cues = _cues().find(masked) if found else []
    stops = sorted({one.start for one in cues if any(cue.effect == "ends" for cue in one.meaning)})
    effects: list[dict[str, str]] = [{} for _ in found]
    for one in cues:
        acted = False
        for cue in sorted(one.meaning, key=lambda cue: cue.side != "before"):
            if cue.effect not in ASSERTS or (cue.side == "after" and acted):
                continue
            for place in _reached(one, cue, found, _bounds(one, cue, words, stops)):
                side = "before" if cue.side == "before" else "after"
                effects[place].setdefault(cue.effect, f"{cue.effect}_{side}")
                acted = True
    return effects


def _bounds(
    one: Match[tuple[Cue, ...]], cue: Cue, words: Sequence[str], stops: Sequence[int]
) -> tuple[int, int]:
    """First token and one past the last that a cue acts on."""
    low = max((stop for stop in stops if stop < one.start), default=0)
    high = min((stop for stop in stops if stop >= one.end), default=len(words))
    if cue.effect in HEDGES and "o" not in words[one.end : high]:
        commas = (place for place in range(one.end, high) if words[place] == ",")
        high = next(commas, high)
    return max(low, one.start - cue.reach), min(high, one.end + cue.reach)


def _reached(
    one: Match[tuple[Cue, ...]], cue: Cue, found: Sequence[Found], bounds: tuple[int, int]
) -> list[int]:
    """Places of the mentions a cue acts on; of an alternative the nearest on each side."""
    low, high = bounds
    ahead = [p for p, match in enumerate(found) if one.end <= match.start < high]
    back = [p for p, match in enumerate(found) if low < match.end <= one.start]
    if cue.effect == "alternative":
        ahead, back = ahead[:1], back[-1:]
    return (ahead if cue.side != "after" else []) + (back if cue.side != "before" else [])


def _modifiers(words: Sequence[str], found: Sequence[Found]) -> Iterator[Details]:
    """Site, side, severity and change of each mention: inside it, after it, right before it."""
    said = _modifier_phrases().find(list(words)) if found else []
    starts = {match.start for match in found}
    before = {one.end: one for one in said if one.end in starts and not _is_place(one.meaning)}
    for match, after in zip(found, [*(m.start for m in found[1:]), len(words)], strict=False):
        ends = (place for place in range(match.end, after) if words[place] in MODIFIERS_END)
        high = next(ends, after)
        own = [
            one.meaning
            for one in said
            if (match.start <= one.start and one.end <= high and one.end not in before)
            or one is before.get(match.start)
        ]
        yield _collected(own)


def _collected(said: Sequence[Facts]) -> Details:
    """Combined assertion of one mention; of two sides both, else the last."""
    values: dict[str, list[str]] = {kind: [] for kind in MODIFIERS}
    for facts in said:
        for kind, value in facts:
            values[kind].append(value)
    sites = tuple(dict.fromkeys(values["site"]))
    sides = {side for side in ("left", "right") if any(f":{side}_" in site for site in sites)}
    sides |= set(values["side"])
    side = sides.pop() if len(sides) == 1 else "bilateral" if sides else ""
    severity, change = (values[kind][-1] if values[kind] else "" for kind in MODIFIERS[2:])
    return sites, side, severity, change


def _is_place(facts: Facts) -> bool:
    return any(kind in ("site", "side") for kind, _ in facts)


@cache
def _modifier_phrases() -> Matcher[Facts]:
    return Matcher(
        (stems(row["phrase"]), tuple((kind, row[kind]) for kind in MODIFIERS if row[kind]))
        for row in table_rows("spanish_modifiers.tsv")
    )


@cache
def _cues() -> Matcher[tuple[Cue, ...]]:
    cues: dict[tuple[str, ...], list[Cue]] = {}
    for row in table_rows("spanish_cues.tsv"):
        effect, side = cast(Effect, row["effect"]), cast(Side, row["side"])
        cue = Cue(effect, side, int(row["reach"] or FAR))
        cues.setdefault(stems(row["cue"]), []).append(cue)
    return Matcher((words, tuple(found)) for words, found in cues.items())
