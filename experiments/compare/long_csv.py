"""A comparison as one long csv: one row per number, with its inputs, labels and leakage."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.compare.records import (
    METRICS,
    Comparison,
    Entry,
    FindingScore,
    ModalityScore,
    Seeds,
)
from experiments.compare.tables import printed
from experiments.records.record import Measured
from kg.files.shown import table_text

__all__ = ["long_csv"]

Row = dict[str, str | int | None]
_COLUMNS = (
    *("entry", "against", "family", "metric", "finding", "part", "value", "low", "high"),
    *("p", "p_holm", "p_delong", "seed_mean", "seed_sd", "seeds", "folds", "studies", "positives"),
    *(
        "verdict",
        "answers",
        "inputs_at_test",
        "text_policy",
        "leakage",
        "label_source",
        "published",
    ),
)


def long_csv(comparison: Comparison) -> str:
    """One row per number: of an entry, a finding, a modality, or a difference."""
    rows = (
        [row.get(name) for name in _COLUMNS] for row in (*_values(comparison), *_gaps(comparison))
    )
    return table_text([_COLUMNS, *rows])


def _values(comparison: Comparison) -> Iterator[Row]:
    """Rows of every entry: its metrics, its modalities, its findings."""
    statistic = METRICS.get(comparison.metric, "")
    for entry in comparison.entries:
        shared = _context(comparison, entry)
        for name, value in entry.metrics.items():
            alone = _seeds(entry.by_seed) if name == comparison.metric else {}
            row = shared | {"metric": name, "studies": comparison.studies} | alone
            yield row | _numbers(value)
        for part in entry.parts:
            row = shared | {"metric": comparison.metric, "part": part.part}
            yield row | _scored(part)
        for found in entry.findings:
            row = shared | {"metric": statistic, "finding": found.finding}
            yield row | _scored(found)
        if entry.by_distance is not None:
            yield shared | {"metric": f"{statistic} by distance"} | _numbers(entry.by_distance)


def _scored(one: ModalityScore | FindingScore) -> Row:
    return {
        "studies": one.studies,
        "positives": one.positives,
        "verdict": "too few" if one.too_few else None,
        **_numbers(one.value),
    }


def _gaps(comparison: Comparison) -> Iterator[Row]:
    """Rows of every difference."""
    over_rare_and_common = comparison.rarity.differences if comparison.rarity else ()
    for each in (*comparison.differences, *comparison.over_all, *over_rare_and_common):
        yield {
            **_context(comparison, comparison.entry(each.first)),
            "against": each.second,
            "family": each.family,
            "metric": each.metric,
            "finding": each.finding,
            "part": each.over,
            "studies": comparison.studies,
            "positives": each.positives if comparison.ranked else None,
            "p": _three(each.p),
            "p_holm": _three(each.p_holm),
            "p_delong": _three(each.p_delong),
            "verdict": each.verdict,
            **_seeds(each.by_seed),
            **_numbers(each.value),
        }


def _context(comparison: Comparison, entry: Entry) -> Row:
    """Columns repeated on every row of an entry: inputs, labels and leakage."""
    return {
        "entry": entry.name,
        "seeds": len(entry.seeds),
        "folds": len(entry.folds),
        "answers": comparison.on,
        "inputs_at_test": " + ".join(entry.inputs_at_test),
        "text_policy": entry.text_policy,
        "leakage": entry.leakage,
        "label_source": ", ".join(entry.label_source),
        "published": printed(entry),
    }


def _numbers(value: Measured) -> Row:
    return {name: _three(getattr(value, name)) for name in ("value", "low", "high")}


def _seeds(by_seed: Seeds) -> Row:
    return {"seed_mean": _three(by_seed.mean), "seed_sd": _three(by_seed.sd)}


def _three(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"
