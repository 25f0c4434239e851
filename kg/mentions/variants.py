"""Other ways to write a name: another word order, or a participle for a noun.

`Enlargement of left atrium` is also written `left atrium enlargement`, `enlarged left atrium` and
`left atrium is enlarged`; `Effusion, pleural` is a pleural effusion. Variants are looked for only
where no name of the graph claims the same words.
"""

from __future__ import annotations

from collections.abc import Iterator

PARTICIPLES = {
    "elevation": "elevated",
    "blunting": "blunted",
    "flattening": "flattened",
    "widening": "widened",
    "enlargement": "enlarged",
    "thickening": "thickened",
    "narrowing": "narrowed",
    "calcification": "calcified",
    "depression": "depressed",
    "obscuration": "obscured",
    "distension": "distended",
    "dilation": "dilated",
    "tortuosity": "tortuous",
    "unfolding": "unfolded",
}
"""Adjective for a structure, by the noun of its change."""

ADJECTIVES = frozenset(PARTICIPLES.values()) | {"increased", "decreased", "prominent", "low"}
"""Words that may stand before a part, or after it with a verb between."""

SAME = {"lung": "pulmonary", "pulmonary": "lung", "heart": "cardiac", "cardiac": "heart"}
"""Noun and adjective of one part, either of which may open a name."""


PREFIXES = ("pneumo", "cardio", "hemo", "hydro", "pleuro", "broncho", "lympho", "pyo")
"""Beginnings of one-word names that are also written apart (`pneumo-thorax`)."""

SHORTEST_JOINED = 10
"""Fewest letters of a name of two words that is looked for as one (`pleuraleffusion`)."""


def variants(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Other token sequences that mean the same as a name's."""
    yield from _respaced(tokens)
    if "," in tokens:
        place = tokens.index(",")
        yield (*tokens[place + 1 :], *tokens[:place])
        return
    yield from _reordered(tokens)
    if len(tokens) > 1 and tokens[0] in SAME:
        other = (SAME[tokens[0]], *tokens[1:])
        yield other
        yield from _reordered(other)


def _respaced(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """A name with a space too few or too many."""
    joined = "".join(tokens)
    if (
        len(tokens) == 2
        and len(joined) >= SHORTEST_JOINED
        and joined.isascii()
        and joined.isalpha()
    ):
        yield (joined,)
    for prefix in PREFIXES if len(tokens) == 1 else ():
        if tokens[0].startswith(prefix) and len(tokens[0]) > len(prefix) + 3:
            yield (prefix, tokens[0].removeprefix(prefix))


def _reordered(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if "of" in tokens[1:-1]:
        place = tokens.index("of")
        what, part = tokens[:place], tokens[place + 1 :]
        yield (*part, *what)
        participle = PARTICIPLES.get(what[0]) if len(what) == 1 else None
        if participle is not None:
            yield (participle, *part)
            yield (*part, participle)
    elif len(tokens) > 1 and tokens[0] in ADJECTIVES:
        yield (*tokens[1:], tokens[0])
    elif len(tokens) > 1 and tokens[-1] in PARTICIPLES:
        yield (tokens[-1], *tokens[:-1])
