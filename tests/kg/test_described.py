"""Options in words: the type and bounds that are checked, the meaning that is documented."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from kg.bounds import Count, Positive, Share, ShareBelow1
from kg.described import described, meanings
from kg.options import Options, Part


class Below(Options):
    """Options of another.

    Args:
        side: Side in
            pixels: a multiple of 8.
    """

    side: Count = 8


class Every(Below):
    """Options of every kind.

    Args:
        name: Its name.
        share: A share.
        rate: A rate.
        kept: What is kept.
        mode: A choice.
        switch: Whether it is on.
        sizes: Several sizes.
        pair: Two numbers.
        weights: Weight of each loss.
        part: A part.
        inner: Options.

    Raises:
        Nothing: never.
    """

    name: str
    share: Share = 0.5
    rate: Positive | None = None
    kept: ShareBelow1 = 0.1
    mode: Literal["", "one", "two"] = ""
    switch: bool = True
    sizes: tuple[Count, ...] = (1, 2)
    pair: tuple[Share, float] = (0.9, 1.0)
    weights: Mapping[str, Share] = {}
    part: Part = Part(name="one")
    inner: Below = Below()


def test_types_in_words() -> None:
    assert {one.name: one.kind for one in described(Every)} == {
        "side": "whole number, at least 1",
        "name": "text",
        "share": "number, 0 to 1",
        "rate": "number, above 0 or null",
        "kept": "number, at least 0, below 1",
        "mode": "'' | one | two",
        "switch": "true | false",
        "sizes": "list of whole number, at least 1",
        "pair": "[number, 0 to 1, number]",
        "weights": "number, 0 to 1 by name",
        "part": "a name with its options",
        "inner": "keys",
    }


def test_defaults_and_meanings() -> None:
    every = {one.name: one for one in described(Every)}
    assert every["name"].required
    assert [one.name for one in every.values() if one.required] == ["name"]
    assert every["sizes"].default == [1, 2]
    assert every["inner"].default == {"side": 8}
    assert every["side"].meaning == "Side in pixels: a multiple of 8."
    assert set(meanings(Every)) == set(Every.model_fields)
