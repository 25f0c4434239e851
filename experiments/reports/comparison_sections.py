"""Sections of a comparison's page: differences, entries, findings, settings and notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.compare.records import METRICS, Comparison, Difference, Entry, FindingScore
from experiments.compare.tables import published_table
from experiments.compare.wording import (
    macro_name,
    p_value,
    seeds_words,
    signed,
    verdict_sentence,
    verdict_word,
)
from experiments.metrics.bootstrap import ALL
from experiments.records.record import Measured
from experiments.reports.comparing import forest, judged, macro_differences, short
from experiments.reports.comparison_curves import curve_blocks
from experiments.reports.document import (
    Bar,
    Block,
    Bullets,
    Code,
    Folded,
    Heading,
    Pair,
    Pairs,
    Paragraph,
    Row,
    Section,
    Table,
)
from experiments.reports.rare_findings import rare_findings_blocks
from experiments.reports.run_elsewhere import ledger_block
from experiments.reports.wording import LEAKAGE, metric_name, number, span

__all__ = ["comparison_sections"]

MOST_PAIRS = 3
"""Number of pairs whose findings are drawn, primary ones first; all are in a table."""
RESEARCH = "Research use only. Not a medical device; no output may guide the care of a patient."


def comparison_sections(comparison: Comparison, *, drawn: str = "") -> Iterator[Section]:
    """All sections of one comparison.

    Args:
        comparison: The comparison.
        drawn: Prefix of the names of drawings, where a page has several comparisons.
    """
    yield Section(
        "differences", "Differences", tuple(_difference_blocks(comparison, drawn)), "Differences"
    )
    yield Section("entries", "Metrics of each entry", tuple(_entries(comparison)), "Entries")
    findings = tuple(_findings(comparison, drawn))
    if findings:
        yield Section("findings", "Metrics by finding, rarest first", findings, "Findings")
    curves = tuple(curve_blocks(comparison, drawn))
    if curves:
        yield Section("curves", "ROC and precision-recall curves", curves, "Curves")
    if comparison.rarity:
        halves = tuple(rare_findings_blocks(comparison, comparison.rarity, drawn))
        yield Section("rarity", "Rare and common findings", halves, "Rare")
    if any(entry.parts for entry in comparison.entries):
        modalities = (_modalities(comparison),)
        yield Section("parts", "Within each modality", modalities, "Modalities")
    yield Section("settings", "Settings that differ", tuple(_settings(comparison)), "Settings")
    yield Section("notes", "Notes and limits", (_notes(comparison),), "Notes")
    if comparison.ledger:
        ledger = (ledger_block(comparison.ledger),)
        yield Section("ledger", "Uses of the locked test set by these runs", ledger, "Locked")
    yield Section("repeat", "Data and runs", tuple(_provenance(comparison)), "Provenance")


def _difference_blocks(comparison: Comparison, drawn: str = "") -> Iterator[Block]:
    """Verdicts in words, the forest plot, and the table of macro differences.

    Args:
        comparison: The comparison.
        drawn: Prefix of the names of drawings.
    """
    macros = macro_differences(comparison)
    if not macros:
        yield Paragraph("No entries were paired.")
        return
    primary = [one for one in macros if one.family == "primary"]
    yield Bullets(tuple(verdict_sentence(one, comparison.level) for one in primary or macros[:5]))
    labels = [f"{short(one.first, 40)} − {short(one.second, 40)}" for one in macros]
    yield from forest(macros, labels, f"{drawn}differences")
    yield _difference_table(macros)
    if comparison.over_all:
        every = list(comparison.over_all)
        yield Heading(
            f"Over all findings, also those with fewer than {comparison.at_least} positives"
        )
        yield Bullets(tuple(verdict_sentence(one, comparison.level) for one in every[:5]))
        names = [f"{short(one.first, 40)} − {short(one.second, 40)}" for one in every]
        yield from forest(every, names, f"{drawn}differences over all findings")
        yield _difference_table(every)
    yield Paragraph(
        f"Paired on the same patients: {comparison.resamples} resamples of {comparison.groups} "
        f"patient groups, {comparison.level:.0%} intervals, scores averaged over seeds first. A "
        "difference has a verdict only where its interval excludes zero and p after Holm agrees.",
        "note",
    )


def _difference_table(differences: Sequence[Difference]) -> Table:
    """One row per pair."""
    delong = any(one.p_delong is not None for one in differences)
    seeded = any(one.by_seed.sd is not None for one in differences)
    ranked = all(one.metric.removesuffix(ALL) in METRICS for one in differences)
    heads: tuple[str, ...] = (
        "First minus second",
        "Difference",
        "p",
        "p after Holm",
        "Verdict",
    )
    heads += ("p, DeLong",) * delong + ("Over seeds",) * seeded
    heads += ("Positives",) * ranked + ("Endpoint",)
    rows = (
        Row(
            (
                f"{one.first} − {one.second}",
                *judged(one),
                verdict_word(one),
                *((p_value(one.p_delong),) if delong else ()),
                *((seeds_words(one.by_seed, sign=True),) if seeded else ()),
                *((str(one.positives),) if ranked else ()),
                one.family,
            ),
            faint=one.verdict == "too few",
            strong=one.family == "primary",
        )
        for one in differences
    )
    return Table(heads, tuple(rows), frozenset({4, len(heads) - 1}))


def _entries(comparison: Comparison) -> Iterator[Block]:
    """Table of entries with their inputs and metrics."""
    compared = [
        entry.metrics.get(comparison.metric, Measured(None)) for entry in comparison.entries
    ]
    others = [name for name in comparison.entries[0].metrics if name != comparison.metric]
    edges = [end for one in compared for end in (one.low, one.high, one.value) if end is not None]
    left, right = (min(edges) - 0.02, max(edges) + 0.02) if edges else (0.0, 1.0)
    seeded = any(entry.by_seed.sd is not None for entry in comparison.entries)
    heads: tuple[str, ...] = (
        "Entry",
        macro_name(comparison.metric, start=True),
        "95% interval",
        "",
    )
    heads += ("Over seeds",) * seeded
    heads += tuple(metric_name(name) for name in others)
    heads += ("Inputs at test", "Leakage", "Parameters") * comparison.of_runs
    rows = []
    for entry, value in zip(comparison.entries, compared, strict=True):
        bar: Bar | str = ""
        if value.value is not None and value.low is not None and value.high is not None:
            mark = compared[0].value if compared[0].value is not None else left
            bar = Bar(value.value, value.low, value.high, left, right, mark)
        measured = (number(value), span(value), bar)
        alone = (seeds_words(entry.by_seed),) if seeded else ()
        rest = (number(entry.metrics.get(name)) for name in others)
        reads = " + ".join(entry.inputs_at_test) or "nothing"
        leakage = LEAKAGE.get(entry.leakage, ("", entry.leakage, ""))[1]
        described = (reads, leakage, f"{entry.parameters:,}")
        rows.append(Row((entry.name, *measured, *alone, *rest, *described * comparison.of_runs)))
    words = frozenset({len(heads) - 3, len(heads) - 2} if comparison.of_runs else ())
    yield Table(heads, tuple(rows), words)
    yield Paragraph("The dashed line of each bar stands at the first entry.", "note")
    printed = published_table(comparison)
    if printed.rows:
        yield Heading("Published numbers")
        yield Paragraph(
            "Not measured here, and not comparable with ours. Notes and limits explain the marks.",
            "note",
        )
        heads = tuple(head.capitalize() for head in printed.columns)
        yield Table(heads, tuple(map(Row, printed.rows)), frozenset({1, 4, 5}))


def _findings(comparison: Comparison, drawn: str) -> Iterator[Block]:
    """Metric of each finding by entry, and the differences of each pair."""
    first = sorted(comparison.entries[0].findings, key=lambda one: (one.positives, one.finding))
    if not first:
        return
    names = tuple(entry.name for entry in comparison.entries)
    by_entry = [{one.finding: one for one in entry.findings} for entry in comparison.entries]
    far = any(one.distance is not None for one in first)
    rows = []
    for one in first:
        cells = ("too few" if one.too_few else _score(each.get(one.finding)) for each in by_entry)
        counted = f"{one.positives} of {one.studies}"
        away = "" if one.distance is None else f"{one.distance:.2f}"
        rows.append(Row((one.label, counted, *[away] * far, *cells), faint=one.too_few))
    yield Table(("Finding", "With it", *["Distance"] * far, *names), tuple(rows))
    if far:
        yield from _by_distance(comparison)
    pairs = [(one.first, one.second) for one in macro_differences(comparison)]
    for place, pair in enumerate(pairs):
        name = f"{drawn}findings of {pair[0]} minus {pair[1]}" if place < MOST_PAIRS else ""
        title, blocks = " − ".join(pair), tuple(_finding_blocks(comparison, pair, name))
        if blocks and place:
            yield Folded(title, blocks)
        elif blocks:
            yield from (Heading(title), *blocks)


def _by_distance(comparison: Comparison) -> Iterator[Block]:
    """Rank correlation of zero-shot metrics with graph distance to the trained findings."""
    yield Paragraph(
        "Distance: cost of the path in the graph to the nearest trained finding. Spearman's rho of "
        "metric and distance; below zero, more distant findings are predicted worse. The interval "
        "is over resampled findings.",
        "note",
    )
    rows = (
        Row((entry.name, signed(entry.by_distance), str(entry.by_distance.findings)))
        for entry in comparison.entries
        if entry.by_distance is not None
    )
    yield Table(("Entry", "Rank correlation with distance", "Findings"), tuple(rows))


def _score(one: FindingScore | None) -> str:
    return "" if one is None else f"{number(one.value)} ({span(one.value)})"


def _finding_blocks(comparison: Comparison, pair: tuple[str, str], drawn: str) -> Iterator[Block]:
    """Differences of the findings of a pair, rarest first; drawn only where a name is given."""
    labels = {one.finding: one.label for one in comparison.entries[0].findings}
    differences = [one for one in comparison.between(*pair) if one.finding]
    differences.sort(key=lambda one: (one.positives, one.finding))
    if not differences:
        return
    named = [(labels.get(one.finding, one.finding), f" (n={one.positives})") for one in differences]
    if drawn:
        captions = [short(label, 44) + count for label, count in named]
        yield from forest(differences, captions, drawn)
    rows = (
        Row(
            (
                label + count,
                *judged(one),
                verdict_word(one),
            ),
            faint=one.verdict == "too few",
        )
        for one, (label, count) in zip(differences, named, strict=True)
    )
    heads = ("Finding, rarest first", "Difference", "p", "p after Holm", "Verdict")
    yield Table(heads, tuple(rows), frozenset({4}))


def _modalities(comparison: Comparison) -> Table:
    """One row per entry and modality."""
    rows = (
        Row(
            (
                entry.name,
                part.part,
                str(part.studies),
                str(part.positives),
                "too few" if part.too_few else number(part.value),
                "" if part.too_few else span(part.value),
            ),
            faint=part.too_few,
        )
        for entry in comparison.entries
        for part in entry.parts
    )
    heads = ("Entry", "Modality", "Studies", "Positives", macro_name(comparison.metric))
    return Table((*heads, "95% interval"), tuple(rows), frozenset({1}))


def _settings(comparison: Comparison) -> Iterator[Block]:
    """Settings that differ, one column per entry."""
    keys = list(dict.fromkeys(key for entry in comparison.entries for key in entry.settings))
    if not keys:
        yield Paragraph("No other settings differ.")
        return
    names = tuple(entry.name for entry in comparison.entries)
    rows = (
        Row((key, *(entry.settings.get(key, "") for entry in comparison.entries))) for key in keys
    )
    words = frozenset(range(1, len(names) + 1))
    yield Table(("Setting", *names), tuple(rows), words)


def _notes(comparison: Comparison) -> Bullets:
    entry = comparison.entries[0]
    synthetic = "The data are synthetic: nothing here is a claim about patients."
    notes = [RESEARCH, *comparison.notes]
    if entry.dataset == "synthetic":
        notes.insert(1, synthetic)
    notes.append(
        "Numbers hold for these studies, labels and splits; no other hospital was tested here."
    )
    return Bullets(tuple(notes))


def _provenance(comparison: Comparison) -> Iterator[Block]:
    """Data, splits, graphs, commits and runs of the entries; of tables their hashes."""
    if not comparison.of_runs:
        files = {name: sha for one in comparison.entries for name, sha in one.manifests.items()}
        yield Pairs(tuple(Pair(name, sha, exact=True) for name, sha in files.items()))
        return
    first = comparison.entries[0]
    manifests = {
        key: value for entry in comparison.entries for key, value in entry.manifests.items()
    }
    yield Pairs(
        (
            Pair("Predictions", comparison.told),
            Pair("Data set", first.dataset),
            Pair("Labels", f"{first.labels}, read from {', '.join(first.label_source)}"),
            Pair("Studies tested", f"{comparison.studies} of {comparison.groups} patient groups"),
            Pair("Split", first.split_kind),
            *(
                Pair(f"Split manifest, fold {fold}", digest, exact=True)
                for fold, digest in manifests.items()
            ),
            Pair("Commits", ", ".join(sorted({c for e in comparison.entries for c in e.commits}))),
        )
    )
    rows = (_source(entry) for entry in comparison.entries)
    heads = ("Entry", "Runs", "Seeds", "Folds", "Seconds", "System", "Graph")
    yield Table(heads, tuple(rows), frozenset({5, 6}))
    runs = "\n".join(run for entry in comparison.entries for run in entry.runs)
    yield Folded("Runs", (Code(runs),))


def _source(entry: Entry) -> Row:
    graphs = ", ".join(f"{graph.name} {graph.words}" for graph in entry.graphs)
    counted = (len(entry.runs), len(entry.seeds), len(entry.folds), round(entry.seconds))
    return Row((entry.name, *map(str, counted), entry.system, graphs or "none"))
