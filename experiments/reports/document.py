"""Document model of a report page, rendered as HTML or Markdown."""

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
    "Paragraph",
]


@dataclass(frozen=True)
class Paragraph:
    """Paragraph; the tone `soft` marks an explanation, `note` a small remark."""

    kind: ClassVar[str] = "paragraph"
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
    """Name and value; `exact` values (hashes, command lines) are shown verbatim."""

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
    """Interval drawn in a table cell; omitted in Markdown.

    Args:
        value: Point estimate.
        low: Lower end.
        high: Upper end.
        left: Value at the left edge.
        right: Value at the right edge.
        mark: Value of the dashed line: chance, or no difference.
    """

    kind: ClassVar[str] = "bar"
    value: float
    low: float
    high: float
    left: float = 0.3
    right: float = 1.0
    mark: float = 0.5

    def place(self, value: float) -> float:
        """Position of a value on a drawing of width 150, clipped to its edges."""
        share = (value - self.left) / (self.right - self.left)
        return 5 + 140 * min(max(share, 0.0), 1.0)


@dataclass(frozen=True)
class Link:
    """Link in a cell to a section of the same page."""

    kind: ClassVar[str] = "link"
    text: str
    section: str


Cell = str | Bar | Link


@dataclass(frozen=True)
class Row:
    """Table row; `faint` rows do not count, `strong` rows are the main result."""

    cells: tuple[Cell, ...]
    faint: bool = False
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        columns: Headings; an empty one is a column of bars.
        rows: Rows with one cell per column.
        words: Indices of text columns, which are aligned to the left.
    """

    kind: ClassVar[str] = "table"
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    words: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Tile:
    """One large number with its interval."""

    what: str
    value: str
    interval: str


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
    """Drawings side by side, omitted in Markdown; `wide` ones take the width of the page."""

    kind: ClassVar[str] = "figures"
    figures: tuple[Figure, ...]
    wide: bool = False


@dataclass(frozen=True)
class Code:
    """Verbatim text."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Examples:
    """Studies with the evidence for each prediction, from `example_cards`."""

    kind: ClassVar[str] = "examples"
    cards: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Folded:
    """Collapsible blocks: shown on demand, and always in print."""

    kind: ClassVar[str] = "folded"
    title: str
    blocks: tuple[Block, ...]


Block = Paragraph | Heading | Bullets | Pairs | Table | Tiles | Figures | Code | Examples | Folded


@dataclass(frozen=True)
class Section:
    """Section of a page.

    Args:
        id: Name in links and checklists.
        title: Heading.
        blocks: Content.
        short: Name in the list of sections; empty = not listed.
        folded: Whether only the heading is shown until the reader opens it.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]
    short: str = ""
    folded: bool = False


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
        lead: Result in a sentence or two.
        badges: Leakage, status and other warnings.
        note: A sentence on the badges.
        summary: Settings shown beside the lead.
        sections: Sections, in order.
        foot: Origin of the page.
    """

    title: str
    kicker: str
    heading: str
    lead: str
    badges: tuple[Badge, ...] = ()
    note: str = ""
    summary: Pairs = field(default_factory=lambda: Pairs(()))
    sections: tuple[Section, ...] = ()
    foot: str = ""
