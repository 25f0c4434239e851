"""Page of a comparison: differences between runs with intervals and p-values."""

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
    """The page as one HTML document without external references."""
    return render_html(comparison_page(comparison))


def render_comparison_markdown(comparison: Comparison) -> str:
    """The page as Markdown, without drawings."""
    return render_markdown(comparison_page(comparison))


def comparison_page(comparison: Comparison) -> Page:
    """Page of a comparison."""
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
        summary=Pairs(
            (
                Pair("Compared", ", ".join(names)),
                Pair("Predictions", comparison.told),
                Pair("Tested on", f"{comparison.studies} studies of {comparison.groups} patients"),
                Pair("Labels", first.labels),
                Pair("Labels derived from", ", ".join(first.label_source)),
            )
        ),
        sections=(*sections, guidelines(sections)),
        foot="Made by kgdx from the record of the comparison.",
    )


def guidelines(sections: Sequence[Section]) -> Section:
    """Guideline items answered on a page of several configurations; run pages answer the rest."""
    called = {"measured": "entries", "limits": "notes", "data": "repeat"}
    return checklist_section(sections, called=called, otherwise="see the pages of the runs")


def _lead(comparison: Comparison) -> str:
    """Primary verdicts, else the first verdict, else the number of configurations."""
    macros = macro_differences(comparison)
    primary = [one for one in macros if one.family == "primary"]
    sentences = [verdict_sentence(one, comparison.level) for one in primary or macros[:1]] or [
        f"{len(comparison.entries)} configurations on the same {comparison.studies} studies."
    ]
    return comparison.preface + " ".join(sentences)


def comparison_badges(comparison: Comparison) -> tuple[Badge, ...]:
    """Badges: worst leakage of the entries, and the subset or data they were tested on."""
    order = list(LEAKAGE)
    levels = {entry.leakage for entry in comparison.entries}
    worst = max(levels, key=lambda level: order.index(level) if level in order else len(order))
    tone, label, _ = LEAKAGE.get(worst, ("warn", worst, ""))
    badges = [Badge(label, tone), Badge("research use only")]
    if any(entry.split_kind == "locked" for entry in comparison.entries):
        badges.append(Badge("locked test set", "warn"))
    elif comparison.entries[0].split_kind == "external":
        badges.append(Badge("external data"))
    elif comparison.of_runs and comparison.entries[0].split_kind != "official":
        badges.append(Badge("development set"))
    return tuple(badges)
