"""An audit as Markdown: one page, what follows first, then the tables it follows from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.audit.record import Audit, LabelCount, Value
from experiments.audit.verdicts import MODALITY, spoken

__all__ = [
    "finding_most_tied",
    "likeness_rows",
    "place_columns",
    "render_audit_text",
    "shuffled_words",
    "where",
]

TIES = 10
"""Most associations that are shown."""
SOURCES = 20
"""Most sources that are shown."""


def render_audit_text(audit: Audit) -> str:
    """The audit as Markdown; the same audit gives the same text."""
    return "\n".join(_lines(audit)) + "\n"


def where(name: str) -> str:
    """What a place is called."""
    return MODALITY.get(name, name)


def place_columns(audit: Audit) -> tuple[str, ...]:
    """Places that any probe was judged at, in order."""
    return tuple(dict.fromkeys(place.where for probe in audit.probes for place in probe.places))


def likeness_rows(audit: Audit) -> list[tuple[str, str]]:
    """What would let a test study be known from training, in words and counts."""
    like = audit.likeness
    rows = [
        ("pictures looked at", f"{like.pictures}, {like.unreadable} unreadable"),
        (
            "pictures that nearly equal another",
            f"{like.duplicates} in {like.duplicate_groups} groups",
        ),
        ("such groups with several patients", str(like.across_patients)),
        ("such groups parted by the folds", str(like.across_folds)),
    ]
    if like.across_official is not None:
        rows += [
            ("such groups parted by the published split", str(like.across_official)),
            ("patients on both sides of the published split", str(like.official_patients)),
        ]
    told = f"{like.same_text}, in {like.same_text_studies} of {like.texts} studies with text"
    return [*rows, ("texts that several patients share word for word", told)]


def finding_most_tied(audit: Audit) -> LabelCount:
    """The finding most tied to the source; the first where none is."""
    tied = [tie.finding for tie in audit.associations if tie.fact == "source"]
    return next((row for row in audit.counts if row.finding in tied[:1]), audit.counts[0])


def _lines(audit: Audit) -> Iterator[str]:
    yield f"# Audit of {audit.dataset} ({audit.labels})"
    yield ""
    yield (
        f"{audit.studies} labelled development studies of {audit.patients} patient groups"
        f"{_modalities(audit)}; {audit.unlabelled} without any label left out. Labels were read "
        f"from: {', '.join(audit.label_source)}. {audit.folds} grouped folds of seed {audit.seed}; "
        f"95% intervals from {audit.resamples} resamples of patients; findings with at least "
        f"{audit.at_least} positives. The locked part was not looked at. kgdx {audit.version}."
    )
    yield ""
    yield from (f"- {remark}" for remark in audit.remarks)
    yield "## Verdicts"
    yield ""
    for probe in audit.probes:
        said = f"not possible: {probe.impossible}" if probe.impossible else probe.verdict
        yield f"- **{probe.name}**: {said}{f' ({probe.remark})' if probe.remark else ''}"
    yield f"- **labels shuffled**: {shuffled_words(audit)}"
    yield ""
    yield "## Probes"
    yield ""
    yield from _probe_table(audit)
    if len(audit.counts) > 1:
        yield from _finding_table(audit)
    yield from _label_table(audit)
    yield from _tables(audit)


def shuffled_words(audit: Audit) -> str:
    """What came of the check of the audit itself."""
    check = audit.shuffled
    if check is None:
        return "not possible: no fact differs between studies, or no modality has both classes"
    found = f"{check.mean:.3f} [{check.low:.3f}, {check.high:.3f}] over {check.times} shuffles"
    if check.passes:
        return f"at chance as it must be: {found}"
    return f"NOT at chance: {found}; patients leak between the folds, nothing here can be believed"


def _modalities(audit: Audit) -> str:
    named = [f"{count} {where(name)}" for name, count in audit.modalities.items()]
    return f" ({', '.join(named)})" if len(named) > 1 else ""


def _probe_table(audit: Audit) -> Iterator[str]:
    columns = place_columns(audit)
    yield from _head(("probe", "reads", *(f"AUROC {where(one)}" for one in columns), "seconds"))
    for probe in audit.probes:
        if not probe.impossible:
            at = {place.where: place.macro for place in probe.places}
            cells = [_cell(at.get(column)) for column in columns]
            yield _row((probe.name, probe.reads, *cells, f"{probe.seconds:.1f}"))
    yield ""


def _finding_table(audit: Audit) -> Iterator[str]:
    run = [probe for probe in audit.probes if not probe.impossible]
    yield "## Findings"
    yield ""
    yield from _head(("finding", *(probe.name for probe in run)))
    for count in audit.counts:
        values = [probe.places[0].findings[count.finding] for probe in run]
        yield _row((count.label, *map(_cell, values)))
    yield ""


def _label_table(audit: Audit) -> Iterator[str]:
    yield "## Labels"
    yield ""
    parts = tuple(name for name in audit.modalities) if len(audit.modalities) > 1 else ()
    yield from _head(
        ("finding", "present", "absent", "not stated", *(f"{where(one)} +/-" for one in parts))
    )
    for row in audit.counts:
        split = ["{}/{}".format(*row.by_modality[part]) for part in parts]
        yield _row((row.label, row.present, row.absent, row.not_stated, *split))
    yield ""


def _tables(audit: Audit) -> Iterator[str]:
    if audit.associations:
        yield "## What the labels hang together with (Cramer's V, bias-corrected)"
        yield ""
        yield from _head(("fact", "finding", "where", "V", "categories", "studies"))
        for tie in audit.associations[:TIES]:
            said = (tie.fact, tie.label, where(tie.where), f"{tie.cramers_v:.2f}")
            yield _row((*said, tie.categories, tie.studies))
        yield ""
    if len(audit.sources) > 1:
        yield "## Sources"
        yield ""
        finding = finding_most_tied(audit)
        yield from _head(("source", "studies", "patients", f"{finding.label} +/-"))
        for one in audit.sources[:SOURCES]:
            classes = f"{one.present[finding.finding]}/{one.absent[finding.finding]}"
            yield _row((one.source, one.studies, one.patients, classes))
        if len(audit.sources) > SOURCES:
            yield ""
            yield f"{len(audit.sources) - SOURCES} smaller sources are not shown."
        yield ""
    yield "## Likeness between studies"
    yield ""
    yield from _head(("", "count"))
    yield from map(_row, likeness_rows(audit))


def _head(names: Sequence[str]) -> Iterator[str]:
    yield _row(names)
    yield "|" + "---|" * len(names)


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _cell(value: Value | None) -> str:
    if value is None:
        return ""
    return "too few" if value.value is None else spoken(value)
