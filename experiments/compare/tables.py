"""A comparison as tables of words, for the terminal and for TeX."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.compare.records import Comparison, Difference, Entry, Seeds
from experiments.records.record import Measured

__all__ = [
    "Table",
    "about",
    "difference_table",
    "entry_table",
    "finding_difference_table",
    "finding_table",
    "p_value",
    "settings_table",
    "tables",
    "verdict",
]

METRIC_NAMES = {"auroc_macro": "macro AUROC", "auprc_macro": "macro AUPRC", "brier_macro": "Brier"}


@dataclass(frozen=True)
class Table:
    """One table.

    Args:
        title: What it shows.
        columns: Heads of its columns.
        rows: Cells, a row as long as `columns`.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def about(comparison: Comparison) -> str:
    """What was compared on what, and how intervals were made, in a few sentences."""
    entry = comparison.entries[0]
    source = f" (read from {', '.join(entry.label_source)})" if entry.label_source else ""
    tested = f"{len(entry.folds)} {'sources' if entry.split_kind == 'sources' else 'folds'}"
    own = entry.split_kind not in ("external", "locked")
    split = tested if own and len(entry.folds) > 1 else entry.split_kind
    answers = "" if comparison.on == "test" else f"Answers compared: {comparison.told}. "
    counted = entry.metrics[comparison.metric].findings
    commits = sorted({each[:12] for one in comparison.entries for each in one.commits})
    within = "mean of folds" if own else "studies ranked together"
    within = "within modalities, mean of modalities" if comparison.parts else within
    return (
        f"{answers}{comparison.studies} studies of {comparison.groups} patients tested; data set "
        f"{entry.dataset}, labels {entry.labels}{source}, split {split}. Macro means are over the "
        f"{counted} of {len(entry.findings)} findings with at least {comparison.at_least} "
        f"positives, {within}; "
        f"{100 * comparison.level:g}% intervals from {comparison.resamples} bootstrap resamples of "
        "patients within folds, scores averaged over seeds first, differences on the same "
        f"patients. kgdx at {', '.join(commits)}."
    )


def tables(comparison: Comparison) -> list[Table]:
    """All tables of a comparison that have rows."""
    made = [
        entry_table(comparison),
        difference_table(comparison),
        settings_table(comparison),
        finding_table(comparison),
        finding_difference_table(comparison),
    ]
    return [table for table in made if table.rows]


def entry_table(comparison: Comparison) -> Table:
    """One row a configuration: what it was given, what it scored."""
    published = any(entry.published for entry in comparison.entries)
    far = any(entry.by_distance for entry in comparison.entries)
    names = [comparison.metric, *(m for m in METRIC_NAMES if m != comparison.metric)]
    heads = [METRIC_NAMES[name] for name in names]
    if comparison.parts:
        heads[0] += ", together"
    columns = (
        *("entry", "system", "inputs at test", "text policy", "leakage", "graph", "parameters"),
        *("seeds", "folds", *comparison.parts, *heads, "one seed alone"),
        *["rank correlation with distance"] * far,
        *["published"] * published,
    )
    rows = [
        (
            entry.name,
            entry.system,
            " + ".join(entry.inputs_at_test) or "nothing",
            entry.text_policy,
            entry.leakage,
            graphs(entry),
            str(entry.parameters),
            str(len(entry.seeds)),
            str(len(entry.folds)),
            *("too few" if part.too_few else part.value.words() for part in entry.parts),
            *(entry.metrics[name].words() for name in names),
            seeds(entry.by_seed),
            *([distances(entry)] if far else []),
            *([printed(entry)] if published else []),
        )
        for entry in comparison.entries
    ]
    return Table("Configurations", columns, tuple(rows))


def difference_table(comparison: Comparison) -> Table:
    """One row a pair: the difference of the macro means, and what can be said of it."""
    macros = [each for each in comparison.differences if not each.finding]
    delong = any(each.p_delong is not None for each in macros)
    columns = (
        *("first minus second", METRIC_NAMES[comparison.metric], "p", "p after Holm"),
        *["p DeLong"] * delong,
        *("each seed alone", "tests", "verdict"),
    )
    rows = [
        (
            f"{each.first} - {each.second}",
            each.value.words(sign=True),
            p_value(each.p),
            p_value(each.p_holm),
            *([p_value(each.p_delong)] if delong else []),
            seeds(each.by_seed, sign=True),
            each.family,
            verdict(each),
        )
        for each in macros
    ]
    return Table("Differences", columns, tuple(rows))


def settings_table(comparison: Comparison) -> Table:
    """The settings kept in the entries, a column a configuration."""
    keys = dict.fromkeys(key for entry in comparison.entries for key in entry.settings)
    rows = [(key, *(e.settings.get(key, "-") for e in comparison.entries)) for key in keys]
    return Table("Settings", ("setting", *_names(comparison)), tuple(rows))


def finding_table(comparison: Comparison) -> Table:
    """The statistic of each finding, a column a configuration."""
    rows = []
    far = any(row.distance is not None for row in comparison.entries[0].findings)
    for place, first in enumerate(comparison.entries[0].findings):
        each = [entry.findings[place] for entry in comparison.entries]
        cells = ["too few" if row.too_few else row.value.words() for row in each]
        away = "-" if first.distance is None else f"{first.distance:.2f}"
        counted = f"{first.positives}/{first.studies}"
        rows.append((first.label, counted, *[away] * far, *cells))
    metric = METRIC_NAMES[comparison.metric].removeprefix("macro ")
    columns = ("finding", "positives", *["distance to the nearest taught"] * far)
    columns += tuple(_names(comparison))
    return Table(f"{metric} of each finding", columns, tuple(rows))


def finding_difference_table(comparison: Comparison) -> Table:
    """The difference of each finding, a column a pair; the verdict where one is called."""
    pairs = [(d.first, d.second) for d in comparison.differences if not d.finding]
    found = {(d.first, d.second, d.finding): d for d in comparison.differences if d.finding}
    rows = []
    for row in comparison.entries[0].findings if pairs else ():
        each = [found[(*pair, row.finding)] for pair in pairs]
        rows.append((row.label, *(_difference_cell(one) for one in each)))
    columns = ("finding", *(f"{first} - {second}" for first, second in pairs))
    return Table("Differences of each finding (Holm over findings)", columns, tuple(rows))


def verdict(difference: Difference) -> str:
    """What can be said of a difference, in words."""
    said = {
        "higher": f"{difference.first} is higher",
        "lower": f"{difference.first} is lower",
        "not shown": "no difference shown",
        "too few": "too few positives",
    }
    return said[difference.verdict]


def p_value(p: float | None) -> str:
    """A p-value with three decimals; `-` where there is none."""
    if p is None:
        return "-"
    return "<0.001" if p < 0.0005 else f"{p:.3f}"


def seeds(found: Seeds, *, sign: bool = False) -> str:
    """`0.771 ± 0.004 (5 seeds)`; `-` with one seed, whose value stands elsewhere."""
    if found.mean is None or found.sd is None:
        return "-"
    test = f", p {p_value(found.p)}" if found.p is not None else ""
    mean = Measured(found.mean).words(sign=sign)
    return f"{mean} ± {found.sd:.3f} ({len(found.values)} seeds{test})"


def graphs(entry: Entry) -> str:
    """Fingerprint and control of the graph of an entry."""
    said = [
        graph.fingerprint[:12] + (f" ({graph.control})" if graph.control != "none" else "")
        for graph in entry.graphs
    ]
    return ", ".join(said) or "none"


def distances(entry: Entry) -> str:
    """Rank correlation of the findings' values with their distance, and of how many."""
    if entry.by_distance is None:
        return "-"
    return f"{entry.by_distance.words(sign=True)} of {entry.by_distance.findings} findings"


def printed(entry: Entry) -> str:
    """Numbers printed elsewhere, each with where and its mark."""
    each = [f"{p.metric} {p.value:.3f} ({p.where}; {p.mark})" for p in entry.published]
    return "; ".join(each)


def _names(comparison: Comparison) -> list[str]:
    return [entry.name for entry in comparison.entries]


def _difference_cell(difference: Difference) -> str:
    if difference.verdict == "too few":
        return "too few"
    called = f" {difference.verdict}" if difference.verdict in ("higher", "lower") else ""
    return difference.value.words(sign=True) + called
