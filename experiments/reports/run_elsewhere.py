"""External evaluations of a run, and its uses of the locked test set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.reports.document import Folded, Paragraph, Row, Section, Table
from experiments.reports.wording import LEAKAGE, exact, listed, number, span

__all__ = ["elsewhere_section", "ledger_block", "ledger_section"]

MOST_OPEN = 6
"""Number of uses of a locked test set that are shown unfolded."""

_LEDGER = ("date", "run", "dataset", "labels", "why")


def elsewhere_section(record: Mapping[str, Any]) -> Iterator[Section]:
    """Evaluations of a finished run on other data or labels; nothing where there are none."""
    tests = record.get("evaluations") or ()
    rows = [row for test in tests for row in _rows(test)]
    if not rows:
        return
    about = Paragraph(
        "The system as trained, with its thresholds and calibration; studies that share an id, a "
        "patient or an image with its training data were left out.",
        "soft",
    )
    heads = ("Data set", "Labels", "Subset", "Studies", "Findings", "Basis", "AUROC, macro")
    table = Table((*heads, "95% interval", "Leakage", "Left out"), tuple(rows), frozenset({9}))
    yield Section("elsewhere", "Evaluations on other data", (about, table), "Other data")


def _rows(test: Mapping[str, Any]) -> Iterator[Row]:
    """One row each for trained and zero-shot findings."""
    subset = f"{test.get('part') or ''}{', external' if test.get('external') else ''}"
    subset += "".join(f", without {modality}" for modality in test.get("without") or ())
    skipped = ", ".join(f"{n} {why}" for why, n in (test.get("skipped") or {}).items())
    leakage = str(test.get("leakage") or "none")
    for basis, metrics in (test.get("metrics") or {}).items():
        area = metrics.get("auroc_macro")
        findings = area.get("findings") if isinstance(area, Mapping) else None
        counted = (listed(test.get("studies")), listed(findings))
        named = (str(test.get("dataset") or ""), str(test.get("labels") or ""), subset)
        value = number(area) if exact(area) is not None else "n/a"
        measured = (basis.replace("_", " "), value, span(area), _badge(leakage), skipped)
        yield Row((*named, *counted, *measured))


def _badge(leakage: str) -> str:
    known = LEAKAGE.get(leakage)
    return known[1] if known else leakage


def ledger_section(ledger: Sequence[Mapping[str, Any]]) -> Iterator[Section]:
    """Uses of a locked test set by a run; nothing where there are none."""
    if ledger:
        title = "Uses of the locked test set by this run"
        yield Section("ledger", title, (ledger_block(ledger),), "Locked")


def ledger_block(ledger: Sequence[Mapping[str, Any]]) -> Table | Folded:
    """Lines of the ledger, folded where there are many."""
    rows = (Row(tuple(str(use.get(name) or "") for name in _LEDGER)) for use in ledger)
    heads = tuple(name.capitalize() for name in _LEDGER)
    table = Table(heads, tuple(rows), frozenset({1, 2, 3, 4}))
    if len(ledger) <= MOST_OPEN:
        return table
    dates = sorted(str(use.get("date") or "")[:10] for use in ledger)
    return Folded(f"{len(ledger)} uses from {dates[0]} to {dates[-1]}", (table,))
