"""Page of a graph's validation: its faults by severity and rule, each with its fix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.reports.document import (
    Badge,
    Block,
    Folded,
    Heading,
    Page,
    Paragraph,
    Row,
    Section,
    Table,
    Tile,
    Tiles,
)
from experiments.reports.html import render_html
from kg.check.fault_report import counted
from kg.check.faults import RULES, SEVERITIES, Fault

__all__ = ["render_validation_page"]

_NAMES = {"error": "Errors", "warning": "Warnings", "info": "Information"}
_MEANINGS = {
    "error": "The graph must not be used like this.",
    "warning": "The graph is probably wrong here.",
    "info": "The graph could say more here.",
}


def render_validation_page(about: str, faults: Sequence[Fault]) -> str:
    """The page as one HTML document without external references.

    Args:
        about: Name of the validated graph or file.
        faults: Its faults.
    """
    counts = counted(faults)
    valid = not counts["error"]
    tiles = Tiles(tuple(Tile(_NAMES[name], str(counts[name]), "") for name in SEVERITIES))
    by_severity = {name: [one for one in faults if one.severity == name] for name in SEVERITIES}
    sections = (
        Section(
            name, _NAMES[name], tuple(_by_rule(name, found)), _NAMES[name], folded=name == "info"
        )
        for name, found in by_severity.items()
        if found
    )
    return render_html(
        Page(
            title=f"Validation of {about}",
            kicker="kgdx graph validate",
            heading=about,
            lead=_lead(len(faults), len({fault.rule for fault in faults})),
            badges=(Badge("valid", "calm") if valid else Badge("not valid", "alarm"),),
            sections=(Section("counts", "Faults", (tiles,)), *sections),
            foot="Made by kgdx from the graph and its rules.",
        )
    )


def _lead(faults: int, rules: int) -> str:
    if not faults:
        return f"No fault was found: all {len(RULES)} rules hold."
    return f"{faults} fault{'s' * (faults != 1)} of {rules} rule{'s' * (rules != 1)}."


def _by_rule(severity: str, faults: Sequence[Fault]) -> Iterator[Block]:
    """The faults of each rule, most frequent rule first."""
    yield Paragraph(_MEANINGS[severity], "soft")
    rules: dict[str, list[Fault]] = {}
    for fault in faults:
        rules.setdefault(fault.rule, []).append(fault)
    for rule, found in sorted(rules.items(), key=lambda item: -len(item[1])):
        holds = f": {RULES[rule].holds}" if rule in RULES else ""
        rows = (Row((fault.about, fault.message, fault.mend)) for fault in found)
        table = Table(("About", "Fault", "Fix"), tuple(rows), frozenset({1, 2}))
        title = f"{rule} ({len(found)}){holds}"
        yield from (Folded(title, (table,)),) if severity == "info" else (Heading(title), table)
