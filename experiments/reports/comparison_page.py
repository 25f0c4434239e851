"""The page of a comparison: what differs, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compare.records import Comparison
from experiments.compare.wording import verdict_sentence
from experiments.reports.checklist import checklist_section
from experiments.reports.comparing import macro_differences
from experiments.reports.comparison_sections import comparison_sections
from experiments.reports.document import Badge, Page, Pair, Pairs, Section
from experiments.reports.html import render_html
from experiments.reports.markdown import render_markdown
from experiments.reports.wording import LEAKAGE

__all__ = [
    "comparison_badges",
    "comparison_page",
    "guidelines",
    "render_comparison_markdown",
    "render_comparison_page",
]


def render_comparison_page(comparison: Comparison) -> str:
    """The page as HTML: one document, no reference to anything outside it."""
    return render_html(comparison_page(comparison))


def render_comparison_markdown(comparison: Comparison) -> str:
    """The page as Markdown, without drawings."""
    return render_markdown(comparison_page(comparison))


def comparison_page(comparison: Comparison) -> Page:
    """What is to be said of a comparison."""
    first = comparison.entries[0]
    sections = tuple(comparison_sections(comparison))
    names = [entry.name for entry in comparison.entries]
    heading = " and ".join(names) if len(names) < 3 else f"{len(names)} configurations"
    return Page(
        title=f"Comparison: {heading} on {first.dataset}",
        kicker="kgdx comparison",
        heading=f"{heading} on {first.dataset}",
        lead=_lead(comparison),
        badges=comparison_badges(comparison),
        asked=Pairs(
            (
                Pair("Compared", ", ".join(names)),
                Pair("Answers", comparison.told),
                Pair("Tested on", f"{comparison.studies} studies of {comparison.groups} patients"),
                Pair("Labels", first.labels),
                Pair("Labels were read from", ", ".join(first.label_source)),
            )
        ),
        sections=(*sections, guidelines(sections)),
        foot="Made by kgdx from the record of the comparison alone.",
    )


def guidelines(sections: Sequence[Section]) -> Section:
    """The guideline items a page on several configurations answers; runs answer the rest."""
    called = {"measured": "entries", "limits": "notes", "data": "repeat"}
    return checklist_section(sections, called=called, otherwise="see the pages of the runs")


def _lead(comparison: Comparison) -> str:
    """The primary verdicts, else the first, or what there is."""
    macros = macro_differences(comparison)
    primary = [one for one in macros if one.family == "primary"]
    said = [verdict_sentence(one, comparison.level) for one in primary or macros[:1]] or [
        f"{len(comparison.entries)} configurations on the same {comparison.studies} studies."
    ]
    return comparison.preface + " ".join(said)


def comparison_badges(comparison: Comparison) -> tuple[Badge, ...]:
    """The worst leakage of the entries, and which part or data they were tested on."""
    order = list(LEAKAGE)
    levels = {entry.leakage for entry in comparison.entries}
    worst = max(levels, key=lambda level: order.index(level) if level in order else len(order))
    tone, said, _ = LEAKAGE.get(worst, ("warn", worst, ""))
    badges = [Badge(said, tone), Badge("research use only")]
    if any(entry.split_kind == "locked" for entry in comparison.entries):
        badges.append(Badge("locked test set", "warn"))
    elif comparison.entries[0].split_kind == "external":
        badges.append(Badge("external data"))
    elif comparison.entries[0].split_kind != "official":
        badges.append(Badge("development set"))
    return tuple(badges)
