"""Page of a shortcut audit: probes, verdicts, label associations and train/test overlap."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.audit.record import Audit, LabelCount, ProbeResult
from experiments.audit.verdicts import MARKED, MODALITY, STRONG, above_chance
from experiments.records.record import Measured
from experiments.reports.document import (
    Badge,
    Bar,
    Block,
    Bullets,
    Cell,
    Folded,
    Page,
    Pair,
    Pairs,
    Paragraph,
    Row,
    Section,
    Table,
)

__all__ = ["audit_page", "overlap_rows", "shuffled_words", "where"]

MOST_ASSOCIATIONS = 12
"""Maximum number of associations that are shown."""
MOST_ORIGINS = 25
"""Maximum number of origins that are shown."""


def audit_page(audit: Audit) -> Page:
    """Page of an audit; the same audit gives the same page."""
    heading = f"Shortcuts in {audit.dataset} ({audit.labels})"
    return Page(
        title=heading,
        kicker=f"kgdx data audit {audit.dataset}",
        heading=heading,
        lead=_lead(audit),
        badges=_badges(audit),
        summary=_summary(audit),
        sections=tuple(_sections(audit)),
        foot="Made by kgdx from the development set; the locked test set was not used.",
    )


def where(name: str) -> str:
    """Displayed name of a modality or mean."""
    return MODALITY.get(name, name)


def shuffled_words(audit: Audit) -> str:
    """Result of the check on shuffled labels."""
    check = audit.shuffled
    if check is None:
        return "not possible: no metadata differ between studies, or no modality has both classes"
    value = f"{check.mean:.3f} [{check.low:.3f}, {check.high:.3f}] over {check.times} shuffles"
    if check.passes:
        return f"at chance, as required: {value}"
    return f"NOT at chance: {value}; patients leak between the folds, no result is valid"


def overlap_rows(audit: Audit) -> list[tuple[str, str]]:
    """Rows of the table of train/test overlap."""
    overlap = audit.likeness
    rows = [
        ("images compared", f"{overlap.pictures} ({overlap.unreadable} unreadable)"),
        (
            "images with a near-duplicate",
            f"{overlap.duplicates} ({overlap.duplicate_groups} groups)",
        ),
        ("groups with several patients", str(overlap.across_patients)),
        ("groups divided by the folds", str(overlap.across_folds)),
    ]
    if overlap.across_official is not None:
        rows += [
            ("groups divided by the published split", str(overlap.across_official)),
            ("patients on both sides of the published split", str(overlap.official_patients)),
        ]

    shared = (
        f"{overlap.same_text} (in {overlap.same_text_studies} of {overlap.texts} studies with text)"
    )
    return [*rows, ("identical texts of several patients", shared)]


def _lead(audit: Audit) -> str:
    """The strongest shortcut in a sentence."""
    successful = [one for one in _possible(audit) if above_chance(one.judged)]
    if not successful:
        return "No probe predicts the labels above chance (macro AUROC)."
    best = max(successful, key=lambda one: one.judged.value or 0.0)
    at = where(best.places[0].where)
    return (
        f"{len(successful)} of {len(_possible(audit))} probes that must not be able to diagnose "
        f"predict the labels above chance. The strongest is {best.name}: macro AUROC "
        f"{best.judged.words()} "
        f"({at})."
    )


def _badges(audit: Audit) -> tuple[Badge, ...]:
    badges = [Badge("research use only")]
    strongest = max((one.judged.value or 0.0 for one in _possible(audit)), default=0.0)
    if strongest >= STRONG:
        badges.append(Badge("labels can be predicted from shortcuts", "alarm"))
    elif strongest >= MARKED:
        badges.append(Badge("shortcuts are strong", "warn"))
    if audit.shuffled is not None and not audit.shuffled.passes:
        badges.append(Badge("the check on shuffled labels fails", "alarm"))
    return tuple(badges)


def _summary(audit: Audit) -> Pairs:
    modalities = ", ".join(f"{count} {where(name)}" for name, count in audit.modalities.items())
    return Pairs(
        (
            Pair("Labels", f"{audit.labels}, read from {', '.join(audit.label_source)}"),
            Pair("Studies", f"{audit.studies} of {audit.patients} patient groups ({modalities})"),
            Pair("Without any label", str(audit.unlabelled or "")),
            Pair("Folds", f"{audit.folds}, grouped by patient, seed {audit.seed}"),
            Pair("Intervals", f"95%, {audit.resamples} resamples of patients within folds"),
            Pair("Findings", f"{len(audit.counts)}, with at least {audit.at_least} positives"),
        )
    )


def _sections(audit: Audit) -> Iterator[Section]:
    if audit.remarks:
        yield Section("before", "Warnings", (Bullets(audit.remarks),))
    yield Section("verdicts", "Verdicts", (_verdicts(audit),), "Verdicts")
    yield Section("probes", "Probes", tuple(_probes(audit)), "Probes")
    if audit.explained:
        yield Section(
            "systems", "Systems compared with the probes", tuple(_systems(audit)), "Systems"
        )
    if len(audit.counts) > 1:
        yield Section("findings", "AUROC by finding", tuple(_findings(audit)), "Findings")
    yield Section("labels", "Labels", tuple(_labels(audit)), "Labels")
    yield Section("likeness", "Train/test overlap", (_overlap(audit),), "Overlap")
    yield Section("repeat", "Reproduction", (_repeat(audit),), "Repeat")


def _verdicts(audit: Audit) -> Table:
    rows = [
        Row((one.name, one.verdict + (f" ({one.remark})" if one.remark else "")))
        for one in _possible(audit)
    ]
    rows += [
        Row((one.name, f"not possible: {one.impossible}"), faint=True)
        for one in audit.probes
        if one.impossible
    ]
    check = Row(("labels shuffled", shuffled_words(audit)), strong=True)
    return Table(("Probe", "Verdict"), (*rows, check), frozenset({1}))


def _probes(audit: Audit) -> Iterator[Block]:
    yield Paragraph(
        "Each probe is a logistic regression on its input, trained and tested on the same grouped "
        "folds as the runs. AUROC is the mean over findings; with several modalities it is "
        "computed within each, and their mean is in the column together. A probe at chance proves "
        "nothing: a stronger model of the same input may do better. The bar spans 0.3 to 1; the "
        "dashed line is chance.",
        "soft",
    )
    places = tuple(dict.fromkeys(place.where for one in audit.probes for place in one.places))
    rows = []
    for one in _possible(audit):
        at = {place.where: place.macro for place in one.places}
        values = [_value(at[place]) if place in at else "" for place in places]
        rows.append(Row((one.name, _bar(one.judged), *values, f"{one.seconds:.0f} s")))
    columns = ("Probe", "", *(f"AUROC, {where(place)}" for place in places), "Time")
    yield Table(columns, tuple(rows))
    yield Bullets(
        tuple(
            f"{one.name}: {one.about}" + (f"; here {one.reads}" if one.reads else "")
            for one in audit.probes
        )
    )


def _systems(audit: Audit) -> Iterator[Block]:
    yield Paragraph(
        "Finished runs on the same folds, each compared with the best probe of an input that it "
        "reads itself. "
        "Within: the run's AUROC among studies with about the same probe score, in fifths of each "
        "fold (covariate-adjusted AUROC, Janes and Pepe 2009). Comparable: share of positives that "
        "have a negative in the same fifth.",
        "soft",
    )
    rows = tuple(
        Row(
            (
                one.system,
                " + ".join(one.inputs),
                one.run_auroc.words(),
                f"{one.probe} {one.probe_auroc.words()}",
                one.difference.words(sign=True),
                one.within.words(),
                f"{100 * one.comparable:.0f}%",
                one.verdict,
            )
        )
        for one in audit.explained
    )
    columns = ("System", "Inputs", "AUROC", "Best probe", "Difference", "Within", "Comparable")
    yield Table((*columns, "Verdict"), rows, frozenset({7}))


def _findings(audit: Audit) -> Iterator[Block]:
    run = _possible(audit)
    rows = []
    for count in audit.counts:
        values = [one.places[0].findings[count.finding] for one in run]
        rows.append(Row((count.label, str(count.present), *map(_value, values))))
    yield Table(("Finding", "With it", *(one.name for one in run)), tuple(rows))


def _labels(audit: Audit) -> Iterator[Block]:
    modalities = tuple(audit.modalities) if len(audit.modalities) > 1 else ()
    rows = tuple(
        Row(
            (
                row.label,
                *map(str, (row.present, row.absent, row.not_stated)),
                *("{} / {}".format(*row.by_modality[name]) for name in modalities),
            )
        )
        for row in audit.counts
    )
    columns = ("Finding", "Present", "Absent", "Not stated")
    yield Table((*columns, *(f"{where(name)} with / without" for name in modalities)), rows)
    if audit.associations:
        yield Paragraph(
            "Association of the labels with metadata: Cramer's V, corrected for bias, from 0 "
            "(none) to 1 (full).",
            "soft",
        )
        yield Table(
            ("Metadata", "Finding", "Modality", "V", "Categories", "Studies"),
            tuple(
                Row(
                    (
                        *(_field(tie.fact), tie.label, where(tie.where)),
                        *(f"{tie.cramers_v:.2f}", str(tie.categories), str(tie.studies)),
                    )
                )
                for tie in audit.associations[:MOST_ASSOCIATIONS]
            ),
        )
    if len(audit.sources) > 1:
        yield Folded(f"The {len(audit.sources)} origins", tuple(_origins(audit)))


def _origins(audit: Audit) -> Iterator[Block]:
    finding = _most_tied(audit)
    rows = []
    for one in audit.sources[:MOST_ORIGINS]:
        present, absent = one.present[finding.finding], one.absent[finding.finding]
        tested = "yes" if one.can_be_tested else "too few of a class"
        rows.append(
            Row((one.source, *map(str, (one.studies, one.patients, present, absent)), tested))
        )
    columns = ("Origin", "Studies", "Patients", f"With {finding.label}", "Without")
    yield Table((*columns, "Can be left out and tested"), tuple(rows), frozenset({5}))
    if len(audit.sources) > MOST_ORIGINS:
        yield Paragraph(
            f"{len(audit.sources) - MOST_ORIGINS} smaller origins are not shown.", "note"
        )


def _overlap(audit: Audit) -> Table:
    return Table(("", "Count"), tuple(Row(row) for row in overlap_rows(audit)))


def _repeat(audit: Audit) -> Pairs:
    words = [f"kgdx data audit {audit.dataset} --labels {audit.labels} --folds {audit.folds}"]
    words += [f"--seed {audit.seed} --at-least {audit.at_least} --resamples {audit.resamples}"]
    words += [f"--set {name}={value}" for name, value in audit.options.items()]
    manifests = ", ".join(digest[:12] for digest in audit.manifests)
    return Pairs(
        (
            Pair("Command", " ".join([*words, "--root DIR"]), exact=True),
            Pair("Split manifests", manifests, exact=True),
            Pair("kgdx", audit.version),
        )
    )


def _most_tied(audit: Audit) -> LabelCount:
    """Finding most associated with the origin; the first where none is."""
    tied = [tie.finding for tie in audit.associations if tie.fact == "source"]
    return next((row for row in audit.counts if row.finding in tied[:1]), audit.counts[0])


def _field(name: str) -> str:
    """Displayed name of a metadata field."""
    return "origin" if name == "source" else name.replace("_", " ")


def _possible(audit: Audit) -> list[ProbeResult]:
    return [one for one in audit.probes if not one.impossible]


def _value(measured: Measured) -> str:
    return measured.words() if measured.value is not None else "too few"


def _bar(measured: Measured) -> Cell:
    if measured.value is None or measured.low is None or measured.high is None:
        return ""
    return Bar(measured.value, measured.low, measured.high)
