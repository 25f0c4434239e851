"""A comparison as text tables, for the terminal and for TeX."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.compare.records import METRICS, Comparison, Difference, Entry
from experiments.compare.wording import (
    NOTHING,
    macro_name,
    p_value,
    seeds_words,
    verdict_word,
)
from experiments.metrics.bootstrap import ALL

__all__ = [
    "Table",
    "about",
    "difference_table",
    "entry_table",
    "finding_difference_table",
    "finding_table",
    "published_table",
    "rare_findings_table",
    "settings_table",
    "tables",
]

SHOWN = ("auroc_macro", "auprc_macro", "brier_macro")
"""Metrics of an entry that have a column."""


@dataclass(frozen=True)
class Table:
    """One table.

    Args:
        title: Title.
        columns: Column headings.
        rows: Cells, one per column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def about(comparison: Comparison) -> str:
    """Summary of the data, split, averaging and intervals in a few sentences."""
    entry = comparison.entries[0]
    if not comparison.of_runs:
        return _about_tables(comparison)
    origin = f" (derived from {', '.join(entry.label_source)})" if entry.label_source else ""
    tested = f"{len(entry.folds)} {'origins' if entry.split_kind == 'sources' else 'folds'}"
    own = entry.split_kind not in ("external", "locked")
    split = tested if own and len(entry.folds) > 1 else entry.split_kind
    compared = "" if comparison.on == "test" else f"Predictions compared: {comparison.told}. "
    commits = sorted({each[:12] for one in comparison.entries for each in one.commits})
    within = "mean of folds" if own else "studies ranked together"
    within = "within modalities, mean of modalities" if comparison.parts else within
    means = (
        f"{_averaged(comparison)}, {within}"
        if comparison.ranked
        else "The metric is made of sums over all studies"
    )
    return (
        f"{compared}{comparison.studies} studies of {comparison.groups} patients tested; data set "
        f"{entry.dataset}, labels {entry.labels}{origin}, split {split}. {means}; "
        f"{100 * comparison.level:g}% intervals from {comparison.resamples} bootstrap resamples of "
        "patients within folds, scores averaged over seeds first, differences on the same "
        f"patients. kgdx at {', '.join(commits)}."
    )


def _averaged(comparison: Comparison) -> str:
    entry = comparison.entries[0]
    return (
        f"Macro means are over the {entry.metrics[comparison.metric].findings} of "
        f"{len(entry.findings)} findings with at least {comparison.at_least} positives"
    )


def _about_tables(comparison: Comparison) -> str:
    return (
        f"{comparison.studies} studies of {comparison.groups} patients that are in all of the "
        f"{comparison.told}. {_averaged(comparison)}; {100 * comparison.level:g}% intervals from "
        f"{comparison.resamples} bootstrap resamples of patients, differences on the same patients."
    )


def tables(comparison: Comparison) -> list[Table]:
    """All tables of a comparison that have rows."""
    every = [
        entry_table(comparison),
        published_table(comparison),
        difference_table(comparison),
        settings_table(comparison),
        finding_table(comparison),
        finding_difference_table(comparison),
        rare_findings_table(comparison),
    ]
    return [table for table in every if table.rows]


def entry_table(comparison: Comparison) -> Table:
    """One row per configuration, with its inputs and metrics."""
    far = any(entry.by_distance for entry in comparison.entries)
    others = SHOWN if comparison.ranked else ()
    every = [comparison.metric + ALL] * any(
        comparison.metric + ALL in entry.metrics for entry in comparison.entries
    )
    names = [comparison.metric, *every, *(m for m in others if m != comparison.metric)]
    heads = [macro_name(name) for name in names]
    if comparison.parts:
        heads[0] += ", together"
    described = ("system", "inputs at test", "text policy", "leakage", "graph", "parameters")
    columns = (
        *("entry", *(*described, "seeds", "folds") * comparison.of_runs),
        *(*comparison.parts, *heads, *["by seed"] * comparison.of_runs),
        *["rank correlation with distance"] * far,
    )
    rows = [
        (
            entry.name,
            *(_described(entry) if comparison.of_runs else ()),
            *("too few" if part.too_few else part.value.words() for part in entry.parts),
            *(value.words() if (value := entry.metrics.get(name)) else NOTHING for name in names),
            *[seeds_words(entry.by_seed)] * comparison.of_runs,
            *([distances(entry)] if far else []),
        )
        for entry in comparison.entries
    ]
    return Table("Configurations", columns, tuple(rows))


def _described(entry: Entry) -> tuple[str, ...]:
    """System, inputs, leakage, graph and size of an entry, and the number of its runs."""
    return (
        entry.system,
        " + ".join(entry.inputs_at_test) or "nothing",
        entry.text_policy,
        entry.leakage,
        graphs(entry),
        *(str(entry.parameters), str(len(entry.seeds)), str(len(entry.folds))),
    )


def published_table(comparison: Comparison) -> Table:
    """One row per published number, with its entry and differences."""
    rows = [
        (entry.name, one.metric, f"{one.value:g}", one.mark, one.where, one.differs or NOTHING)
        for entry in comparison.entries
        for one in entry.published
    ]
    columns = ("entry", "metric", "published", "mark", "where", "differences")
    return Table("Published, not measured here", columns, tuple(rows))


def difference_table(comparison: Comparison) -> Table:
    """One row per pair: difference of the macro means, p-values and verdict."""
    macros = [each for each in comparison.differences if not each.finding]
    macros += comparison.over_all
    delong = any(each.p_delong is not None for each in macros)
    columns = (
        *("first minus second", macro_name(comparison.metric), "p", "p after Holm"),
        *["p DeLong"] * delong,
        *("by seed", "endpoint", "verdict"),
    )
    rows = [
        (
            f"{each.first} - {each.second}{', all findings' * each.metric.endswith(ALL)}",
            each.value.words(sign=True),
            p_value(each.p),
            p_value(each.p_holm),
            *([p_value(each.p_delong)] if delong else []),
            seeds_words(each.by_seed, sign=True),
            each.family,
            verdict_word(each),
        )
        for each in macros
    ]
    return Table("Differences", columns, tuple(rows))


def settings_table(comparison: Comparison) -> Table:
    """Settings of the entries, one column per configuration."""
    keys = dict.fromkeys(key for entry in comparison.entries for key in entry.settings)
    rows = [(key, *(e.settings.get(key, NOTHING) for e in comparison.entries)) for key in keys]
    return Table("Settings", ("setting", *_names(comparison)), tuple(rows))


def finding_table(comparison: Comparison) -> Table:
    """Statistic of each finding, one column per configuration."""
    rows = []
    far = any(row.distance is not None for row in comparison.entries[0].findings)
    for place, first in enumerate(comparison.entries[0].findings):
        each = [entry.findings[place] for entry in comparison.entries]
        cells = ["too few" if row.too_few else row.value.words() for row in each]
        away = NOTHING if first.distance is None else f"{first.distance:.2f}"
        counted = f"{first.positives}/{first.studies}"
        rows.append((first.label, counted, *[away] * far, *cells))
    metric = macro_name(METRICS.get(comparison.metric, ""))
    columns = ("finding", "positives", *["distance to the nearest trained"] * far)
    columns += tuple(_names(comparison))
    return Table(f"{metric} of each finding", columns, tuple(rows))


def finding_difference_table(comparison: Comparison) -> Table:
    """Difference of each finding, one column per pair, with the verdict where there is one."""
    pairs = [(d.first, d.second) for d in comparison.differences if not d.finding]
    by_finding = {(d.first, d.second, d.finding): d for d in comparison.differences if d.finding}
    rows = []
    for row in comparison.entries[0].findings if pairs else ():
        each = [by_finding[(*pair, row.finding)] for pair in pairs]
        rows.append((row.label, *(_difference_cell(one) for one in each)))
    columns = ("finding", *(f"{first} - {second}" for first, second in pairs))
    return Table("Differences of each finding (Holm over findings)", columns, tuple(rows))


def rare_findings_table(comparison: Comparison) -> Table:
    """Three rows per pair: over the rare findings, the common ones, and their difference."""
    columns = ("first minus second", "over", macro_name(comparison.metric), "p", "p after Holm")
    rarity = comparison.rarity
    differences = rarity.differences if rarity else ()
    rows = [
        (
            f"{each.first} - {each.second}",
            each.over,
            each.value.words(sign=True),
            p_value(each.p),
            p_value(each.p_holm),
            seeds_words(each.by_seed, sign=True),
            verdict_word(each),
        )
        for each in differences
    ]
    below = f" (in fewer than {rarity.below:.0%} of training)" if rarity else ""
    title = f"Rare{below} and common findings"
    return Table(title, (*columns, "by seed", "verdict"), tuple(rows))


def graphs(entry: Entry) -> str:
    """Fingerprint and control of the graph of an entry."""
    return ", ".join(graph.words for graph in entry.graphs) or "none"


def distances(entry: Entry) -> str:
    """Rank correlation of metric and distance, and the number of findings."""
    if entry.by_distance is None:
        return "-"
    return f"{entry.by_distance.words(sign=True)} of {entry.by_distance.findings} findings"


def printed(entry: Entry) -> str:
    """Published numbers in one cell, each with its place, mark and differences."""
    each = [
        f"{p.metric} {p.value:g} ({'; '.join(filter(None, (p.where, p.mark, p.differs)))})"
        for p in entry.published
    ]
    return "; ".join(each)


def _names(comparison: Comparison) -> list[str]:
    return [entry.name for entry in comparison.entries]


def _difference_cell(difference: Difference) -> str:
    if difference.verdict == "too few":
        return "too few"
    called = f" {difference.verdict}" if difference.verdict in ("higher", "lower") else ""
    return difference.value.words(sign=True) + called
