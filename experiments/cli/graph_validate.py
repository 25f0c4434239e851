"""`kgdx graph validate`: faults of a graph with their severity and fix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import output_options
from kg.errors import CheckFailed, check_format

if TYPE_CHECKING:
    from kg.check.faults import Fault

__all__ = ["validate"]

_FILE = click.Path(path_type=Path)
_NEVER = "never"


@click.command()
@output_options
@click.argument("file", type=_FILE, required=False)
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the report: .tsv, .json or .html.")  # fmt: skip
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info", _NEVER]),
    default="error",
    show_default=True,
    help="Least severity that ends with exit code 1.",
)
@click.option(
    "--show",
    "shown",
    type=click.Choice(["error", "warning", "info"]),
    default="warning",
    show_default=True,
    help="Least severity that is printed.",
)
@click.option("--shapes", multiple=True, type=_FILE, help="Further SHACL shapes (.ttl).")
@click.option("--no-shapes", is_flag=True, help="Do not check the project's SHACL shapes.")
@click.option("--labels", multiple=True, type=_FILE,
              help="YAML description of a label table to compare is_a edges with.")  # fmt: skip
@click.option("--vocabulary", multiple=True, type=_FILE,
              help="Ontology or graph to compare identifiers and labels with.")  # fmt: skip
@click.option("--rules", is_flag=True, help="List the rules instead.")
def validate(**arguments: Any) -> None:
    r"""Validate a graph FILE, or the shipped graph.

    \b
    kgdx graph validate mine.jsonl --fail-on warning -o report.html
    kgdx graph validate --vocabulary hp.obo --labels nih.yaml

    The report is written whether or not the graph is valid.
    """
    if arguments["rules"]:
        _print_rules(arguments["as_json"])
        return
    from kg.check.fault_report import counted
    from kg.check.faults import at_least
    from kg.check.validate import Validation, validate_file
    from kg.files.store import SHIPPED

    file, output = arguments["file"] or SHIPPED, arguments["output"]
    if output is not None:
        check_format("a validation", output.suffix, _WRITERS)
    checks = Validation(
        not arguments["no_shapes"],
        arguments["shapes"],
        arguments["labels"],
        arguments["vocabulary"],
    )
    faults = validate_file(file, checks)
    if output is not None:
        show.to_file(output, _WRITERS[output.suffix](file.name, faults))
    counts = counted(faults)
    if arguments["as_json"]:
        listed = [asdict(fault) for fault in faults]
        show.json_result({"graph": file.name, "counts": counts, "faults": listed})
    else:
        _print_faults(at_least(faults, arguments["shown"]))
        show.note(", ".join(f"{count} {severity}" for severity, count in counts.items()))
    if arguments["fail_on"] != _NEVER and (bad := at_least(faults, arguments["fail_on"])):
        kinds = ", ".join(dict.fromkeys(fault.rule for fault in bad))
        raise CheckFailed(
            f"{file.name}: {len(bad)} faults of {kinds}", "each fault is listed with its fix"
        )


def _tsv(about: str, faults: Sequence[Fault]) -> str:
    from kg.check.fault_report import faults_as_tsv

    return faults_as_tsv(about, faults)


def _json(about: str, faults: Sequence[Fault]) -> str:
    from kg.check.fault_report import faults_as_json

    return faults_as_json(about, faults)


def _html(about: str, faults: Sequence[Fault]) -> str:
    from experiments.reports.validation_page import render_validation_page

    return render_validation_page(about, faults)


_WRITERS: dict[str, Callable[[str, Sequence[Fault]], str]] = {
    ".tsv": _tsv,
    ".json": _json,
    ".html": _html,
}


def _print_faults(faults: Sequence[Fault]) -> None:
    columns = ("severity", "rule", "about", "message", "fix")
    rows = [(f.severity, f.rule, f.about, f.message, f.mend) for f in faults]
    if rows:
        show.table(columns, rows)


def _print_rules(as_json: bool) -> None:
    from kg.check.faults import RULES

    if as_json:
        show.json_result({name: rule._asdict() for name, rule in RULES.items()})
    else:
        rows = [(name, *rule) for name, rule in RULES.items()]
        show.table(("rule", "severity", "requirement", "fix"), rows)
