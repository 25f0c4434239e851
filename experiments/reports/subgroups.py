"""Subgroups on a run's page: sex, age, both crossed, view, origin and modality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.metrics.bootstrap import Estimate, Plan
from experiments.metrics.subgroups import FindingInSubgroup, Subgroup, measure_subgroup
from experiments.records.predictions import ScoredSubset
from experiments.records.studies import AGE_BANDS, ScoredStudy
from experiments.reports.document import Bar, Block, Folded, Heading, Paragraph, Row, Section, Table
from experiments.reports.wording import number, span

__all__ = ["GROUPINGS", "NO_FINDING", "subgroup_section", "unknown_groupings"]

GROUPINGS = {
    "sex": "Sex",
    "age_band": "Age band",
    "view": "View",
    "source": "Origin",
    "modality": "Modality",
}
"""Columns of `studies.parquet` that studies are grouped by, and their headings."""

MOST_VALUES = 10
"""Maximum number of subgroups shown of one grouping, largest first; web sites are hundreds."""
NOT_KNOWN = "not known"
TOO_FEW = "too few"
NO_FINDING = "ckg:no_finding"
_PLAN = Plan(resamples=1000)
_EXPLAINED = (
    "FNR is the share of positives missed, FPR that of negatives called positive, at the "
    "thresholds selected on validation, which are the same for every subgroup. "
    "Means are over the findings with at least 20 positives in a subgroup, so two rows may average "
    "different ones: compare them by finding below. Underdiagnosis needs 20 studies with a "
    "finding. Intervals are over patients."
)
_UNDER = "Underdiagnosed: share of studies labelled with a finding that were predicted No Finding."
_UNDER_ALL = (
    "Underdiagnosed: share of studies with a finding in which no finding reached its threshold."
)


def unknown_groupings(studies: Sequence[ScoredStudy]) -> list[str]:
    """Headings of groupings that are known of no study."""
    return [
        title.lower()
        for name, title in GROUPINGS.items()
        if not any(getattr(study, name) for study in studies)
    ]


def subgroup_section(
    scored: ScoredSubset | None,
    studies: Sequence[ScoredStudy],
    rows: Sequence[Mapping[str, Any]],
) -> Section:
    """Metrics of each subgroup.

    Args:
        scored: Probabilities on the reported subset.
        studies: Metadata of its studies, or nothing.
        rows: The findings of the record, with names and thresholds.
    """
    title, short = "Subgroups", "Subgroups"
    known = {study.study: study for study in studies}
    if scored is None or not known.keys() & set(scored.studies):
        reason = "No subgroups: the run kept no metadata of its studies."
        return Section("no-subgroups", title, (Paragraph(reason),), short)
    under = _UNDER if NO_FINDING in scored.findings else _UNDER_ALL
    blocks: list[Block] = [Paragraph(_EXPLAINED, "soft"), Paragraph(under, "soft")]
    details: list[Block] = []
    bare: list[str] = []
    for name, heading in GROUPINGS.items():
        values = [getattr(known.get(study), name, "") or NOT_KNOWN for study in scored.studies]
        if set(values) == {NOT_KNOWN}:
            continue
        if len(set(values)) == 1:
            blocks.append(Paragraph(f"{heading}: all {values[0]}.", "note"))
            continue
        groups = _measured(scored, values, rows)
        if not any(group.averaged for group in groups.values()):
            bare.append(f"{heading.lower()} ({_sizes(groups)})")
            continue
        blocks += [Heading(heading), *_table(groups, set(values))]
        details += [Heading(heading), *_by_finding(scored, groups, rows)]
    blocks += _crossed(scored, known, rows)
    if bare:
        blocks.append(Paragraph(f"Too few positives in every subgroup: {'; '.join(bare)}.", "note"))
    unknown = unknown_groupings(studies)
    if unknown:
        blocks.append(Paragraph(f"Not known of these studies: {', '.join(unknown)}.", "note"))
    if details:
        blocks.append(Folded("Metrics by finding", tuple(details)))
    return Section("subgroups", title, tuple(blocks), short)


def _crossed(
    scored: ScoredSubset, known: Mapping[str, ScoredStudy], rows: Sequence[Mapping[str, Any]]
) -> list[Block]:
    """Subgroups by sex and age band; nothing where either is constant or not known."""
    every = [known.get(study) for study in scored.studies]
    pairs = [
        (study.sex, study.age_band) if study and study.sex and study.age_band else ()
        for study in every
    ]
    kept = [place for place, pair in enumerate(pairs) if pair]
    if any(len({pairs[place][at] for place in kept}) < 2 for at in (0, 1)):
        return []
    values = [", ".join(pairs[place]) for place in kept]
    groups = _measured(scored.at(kept), values, rows)
    if not any(group.averaged for group in groups.values()):
        return []
    table = _table(dict(sorted(groups.items())), set(values))
    unknown = len(pairs) - len(kept)
    left = f"Studies left out, as one of the two is not known: {unknown}."
    return [Heading("Sex and age band"), *table, *[Paragraph(left, "note")] * (unknown > 0)]


def _measured(
    scored: ScoredSubset, values: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> dict[str, Subgroup]:
    """Metrics of each subgroup, largest first; age bands in their order."""
    column = np.asarray(values, dtype=object)
    sizes = {value: int((column == value).sum()) for value in sorted(set(values))}
    if set(sizes) <= {*AGE_BANDS, NOT_KNOWN}:
        kept = [value for value in (*AGE_BANDS, NOT_KNOWN) if value in sizes]
    else:
        kept = sorted(sizes, key=lambda value: (value == NOT_KNOWN, -sizes[value], value))
    cuts = {row["finding"]: row["threshold"] for row in rows}
    thresholds = np.array([cuts.get(name) for name in scored.findings], dtype=np.float64)
    none = scored.findings.index(NO_FINDING) if NO_FINDING in scored.findings else None
    patients = np.asarray(scored.patients, dtype=object)
    measured = {}
    for value in kept[:MOST_VALUES]:
        of = column == value
        measured[value] = measure_subgroup(
            scored.labels[of],
            scored.probabilities[of],
            thresholds,
            patients[of],
            no_finding=none,
            plan=_PLAN,
        )
    return measured


def _table(groups: Mapping[str, Subgroup], values: set[str]) -> list[Block]:
    """One row per subgroup with enough positives, and a sentence on the others."""
    heads = ("Subgroup", "Studies (patients)", "AUROC", "95% interval", "")
    rates = ("FNR", "FPR", "Underdiagnosed", "Findings")
    shown = {value: group for value, group in groups.items() if group.averaged}
    few = {value: group for value, group in groups.items() if not group.averaged}
    blocks: list[Block] = [Table((*heads, *rates), tuple(map(_row, shown, shown.values())))]
    if few:
        blocks.append(Paragraph(f"Too few positives: {_sizes(few)}.", "note"))
    if left := len(values - set(groups)):
        blocks.append(Paragraph(f"{left} smaller ones are not shown.", "note"))
    return blocks


def _sizes(groups: Mapping[str, Subgroup]) -> str:
    """`F 20, M 31`: the number of studies of each subgroup."""
    return ", ".join(f"{value} {group.studies}" for value, group in groups.items())


def _row(value: str, group: Subgroup) -> Row:
    under = group.underdiagnosis
    ill = TOO_FEW if under.ill < _PLAN.at_least else _interval(under.rate)
    counted = (value, f"{group.studies} ({group.patients})")
    bar: Bar | str = ""
    if np.isfinite(group.auroc.low):
        bar = Bar(group.auroc.value, group.auroc.low, group.auroc.high)
    rates = (_interval(group.missed), _interval(group.alarms), ill)
    return Row(
        (*counted, number(group.auroc), span(group.auroc), bar, *rates, str(len(group.averaged)))
    )


def _by_finding(
    scored: ScoredSubset, groups: Mapping[str, Subgroup], rows: Sequence[Mapping[str, Any]]
) -> Iterator[Block]:
    """Every finding in every subgroup with enough positives."""
    names = {row["finding"]: row["label"] for row in rows}
    heads = ("Finding", "Subgroup", "Positives", "AUROC", "95% interval")
    lines = []
    for place, finding in enumerate(scored.findings):
        for value, group in groups.items():
            one = group.findings[place]
            if not one.too_few:
                lines.append(_finding_row(names.get(finding, finding), value, one))
    yield Table((*heads, "FNR", "FPR"), tuple(lines), frozenset({1}))
    left = len(groups) * len(scored.findings) - len(lines)
    if left:
        yield Paragraph(f"{left} with too few positives are not shown.", "note")


def _finding_row(name: str, value: str, one: FindingInSubgroup) -> Row:
    counted = (name, value, f"{one.positives} of {one.studies}")
    rates = (_interval(one.missed), _interval(one.alarms))
    return Row((*counted, number(one.auroc), span(one.auroc), *rates))


def _interval(measured: Estimate) -> str:
    """`0.21 (0.15 to 0.28)`."""
    value = number(measured.value, 2)
    if not np.isfinite(measured.low):
        return value
    return f"{value} ({measured.low:.2f} to {measured.high:.2f})"
