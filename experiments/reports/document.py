"""Page: what a report says, not how it looks; HTML and Markdown are made from the same one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from markupsafe import Markup

__all__ = [
    "Badge",
    "Bar",
    "Block",
    "Bullets",
    "Code",
    "Examples",
    "Figure",
    "Figures",
    "Folded",
    "Heading",
    "Link",
    "Page",
    "Pair",
    "Pairs",
    "Row",
    "Section",
    "Table",
    "Tile",
    "Tiles",
    "Words",
]


@dataclass(frozen=True)
class Words:
    """A paragraph; `soft` ones explain, `note` ones are small."""

    kind: ClassVar[str] = "words"
    text: str
    tone: str = ""


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Bullets:
    """A list."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """A name and its value; `exact` ones (hashes, command lines) are shown letter by letter."""

    name: str
    value: str
    exact: bool = False


@dataclass(frozen=True)
class Pairs:
    """Names with their values; a pair without a value is not shown."""

    kind: ClassVar[str] = "pairs"
    rows: tuple[Pair, ...]

    @property
    def stated(self) -> tuple[Pair, ...]:
        """The pairs that have a value."""
        return tuple(row for row in self.rows if row.value)


@dataclass(frozen=True)
class Bar:
    """An interval drawn in a cell of a table; Markdown leaves it out.

    Args:
        value: Point estimate.
        low: Lower end.
        high: Upper end.
        left: Value at the left edge.
        right: Value at the right edge.
        mark: Where the dashed line stands: guessing, or no difference.
    """

    kind: ClassVar[str] = "bar"
    value: float
    low: float
    high: float
    left: float = 0.3
    right: float = 1.0
    mark: float = 0.5

    def place(self, value: float) -> float:
        """Where a value stands on a drawing 150 wide, cut to its edges."""
        share = (value - self.left) / (self.right - self.left)
        return 5 + 140 * min(max(share, 0.0), 1.0)


@dataclass(frozen=True)
class Link:
    """A word in a cell that leads to a section of the same page."""

    kind: ClassVar[str] = "link"
    text: str
    section: str


Cell = str | Bar | Link


@dataclass(frozen=True)
class Row:
    """A row of a table; `faint` ones do not count, `strong` ones are what the table is about."""

    cells: tuple[Cell, ...]
    faint: bool = False
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        columns: Heads; an empty one is a column of bars.
        rows: Rows, each with a cell a column.
        words: Places of columns that hold words and are set to the left.
    """

    kind: ClassVar[str] = "table"
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    words: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Tile:
    """One large number with its interval and meaning."""

    what: str
    value: str
    interval: str
    note: str = ""


@dataclass(frozen=True)
class Tiles:
    """A few large numbers."""

    kind: ClassVar[str] = "tiles"
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption."""

    drawing: Markup
    caption: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Figures:
    """Drawings side by side; Markdown leaves them out. `wide` ones need the width of the page."""

    kind: ClassVar[str] = "figures"
    figures: tuple[Figure, ...]
    wide: bool = False


@dataclass(frozen=True)
class Code:
    """Text shown letter by letter."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Examples:
    """Studies with the evidence for each answer, as `example_cards` gives them."""

    kind: ClassVar[str] = "examples"
    cards: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Folded:
    """What is there for who wants it: shown on demand, and always in print."""

    kind: ClassVar[str] = "folded"
    title: str
    blocks: tuple[Block, ...]


Block = Words | Heading | Bullets | Pairs | Table | Tiles | Figures | Code | Examples | Folded


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        id: What links and checklists call it.
        title: Its heading.
        blocks: What it says.
        short: Its name in the list of sections; empty = it is not listed.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]
    short: str = ""


@dataclass(frozen=True)
class Badge:
    """A mark beside the title: `calm`, `warn`, `alarm` or `plain`."""

    text: str
    tone: str = "plain"


@dataclass(frozen=True)
class Page:
    """A whole page.

    Args:
        title: Title of the document.
        kicker: Small line above the heading.
        heading: The heading.
        lead: What was found, in a sentence or two.
        badges: What must be known before reading on.
        note: A sentence on the badges.
        asked: What was asked, beside the lead.
        sections: Its parts, in order.
        foot: What it was made from.
    """

    title: str
    kicker: str
    heading: str
    lead: str
    badges: tuple[Badge, ...] = ()
    note: str = ""
    asked: Pairs = field(default_factory=lambda: Pairs(()))
    sections: tuple[Section, ...] = ()
    foot: str = ""
