"""Page of an ablation: its conclusion, its arms, and their comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from experiments.ablate.result import AblationResult, Compared, answer
from experiments.compare.records import Comparison, Difference
from experiments.compare.wording import macro_name, seeds_words, signed, verdict_word
from experiments.reports.comparing import forest_rows
from experiments.reports.comparison_page import comparison_badges, guidelines
from experiments.reports.comparison_sections import comparison_sections
from experiments.reports.document import (
    Block,
    Bullets,
    Figure,
    Figures,
    Folded,
    Heading,
    Page,
    Pair,
    Pairs,
    Paragraph,
    Row,
    Section,
    Table,
)
from experiments.reports.drawings import draw_forest
from experiments.reports.html import render_html
from experiments.reports.markdown import render_markdown
from experiments.reports.wording import number, span

__all__ = ["ablation_page", "render_ablation_markdown", "render_ablation_page"]


def render_ablation_page(result: AblationResult) -> str:
    """The page as one HTML document without external references."""
    return render_html(ablation_page(result))


def render_ablation_markdown(result: AblationResult) -> str:
    """The page as Markdown, without drawings."""
    return render_markdown(ablation_page(result))


def ablation_page(result: AblationResult) -> Page:
    """Page of an ablation.

    Args:
        result: The ablation, with at least one setting.
    """
    first = result.settings[0].comparison
    sections = tuple(_sections(result))
    return Page(
        title=f"Ablation {result.name}",
        kicker=f"kgdx ablation {result.name}",
        heading=result.about or result.name,
        lead=first.preface + _lead(result),
        badges=comparison_badges(first),
        summary=Pairs(
            (
                Pair("Base", result.base),
                Pair("Compared with", result.reference),
                Pair("Primary endpoints", _primary(result)),
                Pair("Predictions", first.told),
                Pair("Tested on", f"{first.studies} studies of {first.groups} patients"),
                Pair("Seeds", ", ".join(map(str, result.seeds))),
            )
        ),
        sections=(*sections, guidelines(sections)),
        foot="Made by kgdx from the record of the ablation.",
    )


def _sections(result: AblationResult) -> Iterator[Section]:
    yield Section("answer", "Conclusion", tuple(_answer(result)), "Conclusion")
    yield Section("plan", "The arms", tuple(_plan(result)), "Arms")
    if len(result.settings) == 1:
        yield from comparison_sections(result.settings[0].comparison)
        return
    yield Section("across", "Across settings", tuple(_across(result)), "Across")
    for place, one in enumerate(result.settings):
        for section in comparison_sections(one.comparison, drawn=f"at {one.setting}: "):
            # the first setting keeps the names that links of the page know
            name = section.id if not place else f"{section.id}-{place + 1}"
            title = f"{section.title} ({one.setting})"
            yield replace(section, id=name, title=title, short="")


def _primary(result: AblationResult) -> str:
    return "; ".join(f"{result.reference} − {arm}" for arm in result.primary)


def _primary_differences(result: AblationResult, one: Compared) -> list[Difference]:
    """Macro differences that are primary endpoints, under one setting."""
    pairs = [one.comparison.between(result.reference, arm) for arm in result.primary]
    return [pair[0] for pair in pairs if pair]


def _lead(result: AblationResult) -> str:
    """Conclusion in one sentence per setting."""
    if not result.primary:
        return f"{len(result.arms)} arms, none of whose differences is a primary endpoint."
    verdicts = {one.setting: _verdict(result, one) for one in result.settings}
    if len(set(verdicts.values())) == 1:
        under = "Under every setting: " if len(verdicts) > 1 else ""
        return under + next(iter(verdicts.values()))
    return " ".join(f"At {setting}: {verdict}" for setting, verdict in verdicts.items())


def _verdict(result: AblationResult, one: Compared) -> str:
    """Verdict under one setting; a win needs every primary endpoint to be higher."""
    what = "The graph" if result.channels else f"The reference {result.reference}"
    calls = [found.verdict for found in _primary_differences(result, one)]
    if calls and all(call == "higher" for call in calls):
        return f"{what} helps: {result.reference} is better in every primary endpoint."
    if "lower" in calls:
        return f"{what} does not help: {result.reference} is worse in a primary endpoint."
    if "higher" in calls:
        return (
            f"{what} is not shown to help: {result.reference} is better in some primary "
            "endpoints, but not in all."
        )
    return f"{what} is not shown to help: no primary endpoint shows a difference."


def _answer(result: AblationResult) -> Iterator[Block]:
    yield Bullets(tuple(answer(result)) or (_lead(result),))
    yield Paragraph(
        "The verdicts hold for these data, this system and these seeds. A difference that is not "
        "shown may still exist; its interval says how large it can be.",
        "note",
    )


def _plan(result: AblationResult) -> Iterator[Block]:
    """Open channels, changed settings and runs of each arm."""
    if result.channels:
        yield Paragraph(
            "Channels through which the graph reaches a prediction; - is closed.", "soft"
        )
        names = list(next(iter(result.channels.values())))
        rows = (
            Row((arm, *(open_.get(name, "") for name in names)), strong=arm == result.reference)
            for arm, open_ in result.channels.items()
        )
        yield Table(("Arm", *names), tuple(rows), frozenset(range(1, len(names) + 1)))
    yield Heading("Runs")
    yield _runs(result)
    changes = (
        Row((arm, ", ".join(f"{key}={value}" for key, value in values.items()) or "nothing"))
        for arm, values in result.arms.items()
    )
    yield Folded(
        "Settings changed by each arm", (Table(("Arm", "Changes"), tuple(changes), _SECOND),)
    )


_SECOND = frozenset({1})


def _draws(result: AblationResult) -> int:
    return max(1, len(result.folds)) * max(1, len(result.rotations))


def _runs(result: AblationResult) -> Table:
    """Planned and finished runs of each arm."""
    planned = len(result.settings) * len(result.seeds) * _draws(result)
    rows = []
    for arm in result.arms:
        entries = [
            entry
            for one in result.settings
            for entry in one.comparison.entries
            if entry.name == arm
        ]
        finished = sum(len(entry.runs) for entry in entries)
        seconds = sum(entry.seconds for entry in entries)
        parameters = max((entry.parameters for entry in entries), default=0)
        missing = planned - finished
        rows.append(
            Row(
                (arm, str(planned), str(finished), str(missing) if missing else "none")
                + (f"{parameters:,}", f"{seconds / 60:.1f}"),
                faint=missing > 0,
                strong=arm == result.reference,
            )
        )
    heads = ("Arm", "Planned", "Run", "Missing", "Parameters", "Minutes")
    return Table(heads, tuple(rows))


def _across(result: AblationResult) -> Iterator[Block]:
    """Metrics of the arms and primary differences under each setting."""
    every = [(one, pair) for one in result.settings for pair in _primary_differences(result, one)]
    labels = [f"{one.setting}: {pair.first} − {pair.second}" for one, pair in every]
    differences = [pair for _, pair in every]
    rows = forest_rows(differences, labels)
    metric = result.settings[0].comparison.metric
    if rows:
        axis = f"first minus second, {macro_name(metric)}"
        drawn = draw_forest(rows, "Forest plot: primary endpoints by setting", x=axis)
        yield Figures((Figure(drawn, "Primary endpoints under each setting."),), wide=True)
        lines = (
            Row((label, signed(one.value), seeds_words(one.by_seed, sign=True), verdict_word(one)))
            for label, one in zip(labels, differences, strict=True)
        )
        heads = ("First minus second", "Difference", "Over seeds", "Verdict")
        yield Table(heads, tuple(lines), frozenset({3}))
    yield Heading(f"{macro_name(metric, start=True)} of each arm")
    lines = (
        Row((arm, *(_scored(one.comparison, arm) for one in result.settings)))
        for arm in result.arms
    )
    yield Table(("Arm", *(one.setting for one in result.settings)), tuple(lines))


def _scored(comparison: Comparison, arm: str) -> str:
    """Compared metric of an arm; empty where it was not run."""
    for entry in comparison.entries:
        value = entry.metrics.get(comparison.metric)
        if entry.name == arm and value is not None:
            return f"{number(value)} ({span(value)})"
    return ""
