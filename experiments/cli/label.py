"""`kgdx data label`: what reports or dialogues state, as statements, a page, or a label table."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import talking
from kg.errors import InputError

if TYPE_CHECKING:
    from experiments.labelling.tables import Linked

__all__ = ["label"]

LONGEST_CELL = 2**24
LABELS = (
    *("chexpert14", "chexpert14_negbio", "nih14", "mesh", "covid"),
    *("padchest", "padchest_differential"),
)
SECTIONS = ("findings_impression", "impression", "all")
TABLES, PAGE = (".csv", ".jsonl"), ".html"


@click.command()
@talking
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--labels", type=click.Choice(LABELS),
              help="Write a label table in this set: a row a text, a column a label.")  # fmt: skip
@click.option("--sections", type=click.Choice(SECTIONS), default=None,
              help="Sections a report's labels are read from: findings and impression; impression, "
              "else findings; or all.  [default: findings_impression]")  # fmt: skip
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path),
              help="File to write: .csv or .jsonl, or .html for a page of the text.")  # fmt: skip
@click.option("--dialogue", is_flag=True, help="The texts are dialogues of patient and doctor.")
@click.option("--id", "id_column", default="", metavar="COLUMN", help="Column of a csv's ids.")
@click.option("--text", "text_column", default="", metavar="COLUMN",
              help="Column of a csv's text, instead of section columns.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True,
              help="Processes that read texts.")  # fmt: skip
def label(**given: Any) -> None:
    """Read what the texts of FILE state about the concepts of the graph.

    FILE is a text file, a folder of them, or a csv with an id column and either one text column or
    section columns (findings, impression, ...). Without --labels each statement is a row: concept,
    present, absent or uncertain, its section, span and rule, with site, side, severity and change.

    In a label table 1 is present, 0 absent, -1 uncertain and blank not mentioned; nih14, mesh and
    padchest have 1 and 0 alone. English, Chinese and, in reports, Spanish are read. Indication,
    comparison and technique do not count; a report without the sections asked for is read in what
    else describes the picture. A text of which nothing counts has a row of blanks.
    For research use only.
    """
    output, labels = given["output"], given["labels"]
    _check_output(output, labels)
    sections = _sections(given["sections"], labels, dialogue=given["dialogue"])
    from experiments.labelling.linking import link_texts
    from experiments.labelling.tables import STATEMENT_COLUMNS, label_rows, statement_rows
    from experiments.labelling.texts import Columns, counted, read_texts
    from kg.files.store import load_shipped

    # a cell may hold a report of some megabytes, which is cut and flagged like any other
    csv.field_size_limit(LONGEST_CELL)
    columns = Columns(given["id_column"], given["text_column"])
    texts = read_texts(given["file"], "dialogue" if given["dialogue"] else "report", columns)
    texts = counted(texts, sections)
    graph = load_shipped()
    linked = link_texts(texts, given["workers"])
    _tell(linked)
    if output is not None and output.suffix == PAGE:
        show.to_file(output, _page(linked, graph))
        return
    rows = label_rows(linked, graph, labels) if labels else statement_rows(linked, graph)
    if output is None:
        _print(rows, as_json=given["as_json"])
        return
    from experiments.labelling.tables import written

    show.to_file(output, written(rows, output.suffix, STATEMENT_COLUMNS))


def _check_output(output: Path | None, labels: str | None) -> None:
    """Refuse an ending that means nothing before anything is read."""
    if output is None:
        return
    known = TABLES if labels else (*TABLES, PAGE)
    if output.suffix not in known:
        raise InputError(
            f"{output}: cannot write {output.suffix or 'a file without an ending'}",
            f"write one of {', '.join(known)}",
        )


def _sections(chosen: str | None, labels: str | None, *, dialogue: bool) -> str:
    """Sections that are read: all of them where statements are asked for, or of a dialogue."""
    if chosen is None:
        return SECTIONS[0] if labels and not dialogue else "all"
    if not labels or dialogue:
        raise InputError(
            "--sections is for the label table of reports", "add --labels, or leave it out"
        )
    return chosen


def _tell(linked: Linked) -> None:
    """Say how many texts were read, and what was noticed in how many."""
    flags = Counter(flag for text, _ in linked for flag in text.flags if flag != "no_headers")
    noticed = "".join(f", {count} {flag.replace('_', ' ')}" for flag, count in flags.items())
    found = sum(len(statements) for _, statements in linked)
    show.note(f"{len(linked)} texts, {found} statements{noticed}")


def _page(linked: Linked, graph: Any) -> str:
    from experiments.reports.statements_page import LabelledText, render_statements_page

    texts = [LabelledText(text.id, text.passages, tuple(found)) for text, found in linked]
    return render_statements_page(texts, graph)


def _print(rows: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        show.json_result(rows)
    elif rows:
        cells = [
            ["; ".join(v) if isinstance(v, list) else "" if v is None else v for v in row.values()]
            for row in rows
        ]
        show.table(tuple(rows[0]), cells)
