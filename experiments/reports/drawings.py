"""Plots of a page as inline SVG: small, self-contained and reproducible byte by byte."""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.metrics.calibration import Reliability
from experiments.metrics.curves import Curve
from experiments.reports.pages import without_control

__all__ = [
    "BLUE",
    "VERMILION",
    "ForestRow",
    "draw_curve",
    "draw_curves",
    "draw_forest",
    "draw_key",
    "draw_learning",
    "draw_reliability",
]

# Okabe and Ito's palette: distinguishable with any colour vision, and in print.
BLUE, VERMILION, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
PURPLE, SKY, GREY, INK = "#cc79a7", "#56b4e9", "#9aa0a6", "#33373d"
_LINES = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, INK)
_DASHES = ("-", "--", "-.", ":")

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "text.parse_math": False,
    "font.size": 7.5,
    "axes.edgecolor": "#c5c9ce",
    "axes.linewidth": 0.6,
    "axes.labelcolor": "#5d636b",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#5d636b",
    "ytick.color": "#5d636b",
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "lines.solid_capstyle": "round",
}


def draw_curve(curve: Curve, name: str, *, x: str, y: str, chance: float | None) -> Markup:
    """A ROC or precision-recall curve in the unit square, with its band.

    Args:
        curve: The curve and band.
        name: Alternative text of the drawing, also used to keep ids unique.
        x: Label of the x axis.
        y: Label of the y axis.
        chance: Height of the chance line (precision), or None for the diagonal (ROC).
    """
    with _square(name) as (axes, result):
        line = [0, 1] if chance is None else [chance, chance]
        axes.plot([0, 1], line, color=GREY, linewidth=0.7, linestyle=(0, (3, 2)))
        axes.fill_between(curve.x, curve.low, curve.high, color=BLUE, alpha=0.18, linewidth=0)
        axes.plot(curve.x, curve.y, color=BLUE, linewidth=1.3)
        axes.set(xlabel=x, ylabel=y)
    return result[0]


def draw_curves(
    lines: Sequence[Sequence[float]], name: str, *, x: str, y: str, chance: float | None
) -> Markup:
    """Curves of several entries in the unit square, in the colours of `draw_key`.

    Args:
        lines: Heights of each entry's curve at equally spaced positions; empty = not drawn.
        name: Alternative text of the drawing.
        x: Label of the x axis.
        y: Label of the y axis.
        chance: Height of the chance line (precision), or None for the diagonal (ROC).
    """
    with _square(name) as (axes, result):
        line = [0, 1] if chance is None else [chance, chance]
        axes.plot([0, 1], line, color=GREY, linewidth=0.7, linestyle=(0, (3, 2)))
        for place, heights in enumerate(lines):
            axes.plot(np.linspace(0, 1, len(heights)), heights, linewidth=1.2, **_line(place))
        axes.set(xlabel=x, ylabel=y)
    return result[0]


def draw_key(names: Sequence[str], name: str) -> Markup:
    """Names of entries beside the lines that `draw_curves` draws them with."""
    with _drawing(name, (4.6, 0.1 + 0.19 * len(names))) as (axes, result):
        for place, label in enumerate(names):
            axes.plot([0, 0.08], [-place, -place], linewidth=1.6, **_line(place))
            axes.text(0.1, -place, label, va="center", fontsize=8.5, color=INK)
        axes.set(xlim=(0, 1), ylim=(-len(names) + 0.5, 0.5))
        axes.set_axis_off()
    return result[0]


def _line(place: int) -> dict[str, Any]:
    """Colour and dashes of the line at a place."""
    dashes = _DASHES[place // len(_LINES) % len(_DASHES)]
    return {"color": _LINES[place % len(_LINES)], "linestyle": dashes}


def draw_reliability(points: Reliability, name: str) -> Markup:
    """Reliability diagram: predicted probability against observed share, with Wilson intervals."""
    with _square(name) as (axes, result):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.7, linestyle=(0, (3, 2)))
        z = 1.96
        shrink = 1 + z**2 / points.count
        centre = (points.seen + z**2 / (2 * points.count)) / shrink
        variance = points.seen * (1 - points.seen) / points.count + z**2 / (4 * points.count**2)
        half = z * np.sqrt(variance) / shrink
        axes.vlines(points.said, centre - half, centre + half, color=VERMILION, lw=0.7, alpha=0.6)
        size = 4 + 28 * np.sqrt(points.count / points.count.max())
        axes.scatter(points.said, points.seen, s=size, color=VERMILION, linewidths=0, zorder=3)
        axes.set(xlabel="predicted", ylabel="observed")
    return result[0]


def draw_learning(
    series: Mapping[str, Sequence[tuple[float, float]]],
    name: str,
    *,
    y: str,
    bounds: Sequence[float],
) -> Markup:
    """Values over epochs, one line each.

    Args:
        series: Points (epoch, value) of each line.
        name: Alternative text of the drawing.
        y: Label of the y axis.
        bounds: Epochs at which a new stage of training begins.
    """
    with _drawing(name, (4.6, 2.6)) as (axes, result):
        for bound in bounds:
            axes.axvline(bound, color=GREY, linewidth=0.6, linestyle=(0, (1, 2)))
        for place, (label, points) in enumerate(series.items()):
            marker = "o" if len(points) < 12 else None
            axes.plot(
                *zip(*points, strict=True),
                label=label,
                linewidth=1.2,
                **_line(place),
                marker=marker,
                markersize=2.5,
            )
        axes.set(xlabel="epoch", ylabel=y)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color="#eceef0", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.legend(frameon=False, fontsize=7, ncols=1 + len(series) // 7)
    return result[0]


@dataclass(frozen=True)
class ForestRow:
    """A difference in a forest plot.

    Args:
        label: Names of the pair.
        value: Difference.
        low: Lower end of its interval.
        high: Upper end.
        strong: A primary endpoint: its mark is a diamond and its label bold.
        called: Whether it is judged higher or lower: its mark is filled.
    """

    label: str
    value: float
    low: float
    high: float
    strong: bool = False
    called: bool = False


def draw_forest(rows: Sequence[ForestRow], name: str, *, x: str) -> Markup:
    """Differences with their intervals, one below the other, and the line of no difference.

    Args:
        rows: The differences, the first on top.
        name: Alternative text of the drawing.
        x: Label of the x axis.
    """
    labels = ["\n".join(textwrap.wrap(row.label, 24)[:3]) for row in rows]
    heights = [1 + 0.75 * label.count("\n") for label in labels]
    places = -np.cumsum(heights) + np.array(heights) / 2
    with _drawing(name, (3.8, 0.55 + 0.22 * sum(heights))) as (axes, result):
        axes.axvline(0, color=GREY, linewidth=0.8, linestyle=(0, (3, 2)))
        for row, place in zip(rows, places, strict=True):
            color = BLUE if row.called else INK
            axes.plot([row.low, row.high], [place, place], color=color, linewidth=1.4, alpha=0.7)
            axes.plot(
                row.value,
                place,
                marker="D" if row.strong else "o",
                markersize=4.5,
                color=color,
                markerfacecolor=color if row.called else "white",
            )
        axes.set(xlabel=x, ylim=(-sum(heights), 0))
        axes.set_yticks(places, labels, fontsize=8.5)
        for row, label in zip(rows, axes.get_yticklabels(), strict=True):
            label.set_fontweight("bold" if row.strong else "normal")
            label.set_color(INK)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(axis="x", color="#eceef0", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
    return result[0]


@contextmanager
def _square(name: str) -> Iterator[tuple[Axes, list[Markup]]]:
    """A small drawing of the unit square."""
    with _drawing(name, (1.75, 1.75), margins=(0.2, 0.2, 0.97, 0.97)) as (axes, result):
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        axes.set_xticklabels(["0", ".5", "1"])
        axes.set_yticklabels(["0", ".5", "1"])
        yield axes, result


@contextmanager
def _drawing(
    name: str, size: tuple[float, float], margins: tuple[float, float, float, float] | None = None
) -> Iterator[tuple[Axes, list[Markup]]]:
    """A figure to draw on; when the block ends, its SVG is in the list.

    Margins (left, bottom, right, top; shares of the figure) save the time of finding them.

    No global state of matplotlib is touched: neither pyplot nor the user's style takes part.
    """
    result: list[Markup] = []
    with mpl.rc_context(), warnings.catch_warnings():
        # text stays text of the page in any script; its width is estimated
        warnings.filterwarnings("ignore", message="Glyph")
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        mpl.rcParams["svg.hashsalt"] = name
        figure = Figure(figsize=size, layout=None if margins else "constrained")
        if margins:
            left, bottom, right, top = margins
            figure.subplots_adjust(left, bottom, right, top)
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        yield axes, result
        file = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(file, format="svg", metadata=nothing, transparent=True)
    result.append(_inline(without_control(file.getvalue()), without_control(name)))


def _inline(svg: str, name: str) -> Markup:
    """SVG file as an element of a page: scalable, with a name, without references."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = body.replace("xlink:href", "href")
    # The font of the page, not of the machine that drew it.
    body = body.replace("font-family: 'DejaVu Sans'; ", "")
    box = re.search(r'viewBox="[^"]*"', body)
    opening = Markup('<svg role="img" aria-label="{}" {}>').format(
        name, Markup(box.group() if box else "")
    )
    # Every name drawn in text was escaped by matplotlib's own SVG writer.
    return opening + Markup(re.sub(r"^<svg[^>]*>\s*", "", body))
