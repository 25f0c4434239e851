"""`kgdx data label`: statements of reports or dialogues, as a table, a page or labels."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import free_text_option, output_options
from experiments.privacy.free_text import TextChoice, chosen_text
from kg.errors import InputError, check_format

if TYPE_CHECKING:
    from experiments.labelling.linking import Share
    from experiments.labelling.texts import LabelText
    from kg.mentions.statement import Statement

__all__ = ["label"]

LONGEST_CELL = 2**24
LABELS = (
    *("chexpert14", "chexpert14_negbio", "nih14", "mesh", "covid"),
    *("padchest", "padchest_differential"),
)
SECTIONS = ("findings_impression", "impression", "all")
TABLES, PAGE = (".csv", ".jsonl"), ".html"


@click.command()
@output_options
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--labels", type=click.Choice(LABELS),
              help="Label set of the table: one row per text, one column per label.")  # fmt: skip
@click.option("--sections", type=click.Choice(SECTIONS), default=None,
              help="Report sections the labels are read from: findings and impression; impression, "
              "else findings; or all.  [default: findings_impression]")  # fmt: skip
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path),
              help="File to write: .csv, .jsonl, or .html for the marked text.")  # fmt: skip
@click.option("--dialogue", is_flag=True, help="Texts are dialogues of patient and doctor.")
@click.option("--id", "id_column", default="", metavar="COLUMN", help="Id column of a csv file.")
@click.option("--text", "text_column", default="", metavar="COLUMN",
              help="Text column of a csv file (default: section columns).")  # fmt: skip
@free_text_option
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True,
              help="Number of processes.")  # fmt: skip
def label(**arguments: Any) -> None:
    """Extract the findings stated in the texts of FILE.

    FILE is a text file, a folder of them, or a csv with an id column and either one text column or
    section columns (findings, impression, ...). Without --labels, each row is one statement:
    concept, present, absent or uncertain, section, span and rule, site, side, severity and change.

    In a label table 1 is present, 0 absent, -1 uncertain and blank not mentioned; nih14, mesh and
    padchest have only 1 and 0. English, Chinese and, in reports, Spanish are supported.
    Indication, comparison and technique do not count; of a report without the chosen sections,
    its other descriptive sections are used. A text without any of them gets an empty row.
    For research use only.
    """
    output, labels = arguments["output"], arguments["labels"]
    free_text = chosen_text(arguments["free_text"])
    _check_output(output, labels, free_text)
    sections = _sections(arguments["sections"], labels, dialogue=arguments["dialogue"])
    from experiments.labelling.linking import link_texts, rows_of_texts
    from experiments.labelling.tables import table_columns, written
    from experiments.labelling.texts import Columns, Reading, raw_texts
    from kg.files.store import load_shipped

    # a cell may hold a report of some megabytes, which is cut and flagged like any other
    csv.field_size_limit(LONGEST_CELL)
    texts = raw_texts(arguments["file"], Columns(arguments["id_column"], arguments["text_column"]))
    reading = Reading("dialogue" if arguments["dialogue"] else "report", sections, free_text)
    if output is not None and output.suffix == PAGE:
        linked = list(link_texts(texts, reading, arguments["workers"]))
        found = Counter(flag for text, _ in linked for flag in text.flags)
        _note_counts(len(linked), sum(len(statements) for _, statements in linked), found)
        show.to_file(output, _page(linked, load_shipped()))
        return
    shares = _counted(rows_of_texts(texts, reading, labels, arguments["workers"]))
    if output is None:
        _print([row for rows in shares for row in rows], as_json=arguments["as_json"])
    else:
        columns = table_columns(load_shipped(), labels)
        show.to_file(output, written(shares, output.suffix, columns))


def _check_output(output: Path | None, labels: str | None, free_text: TextChoice) -> None:
    """Raise for an unknown file ending, or a page without its text, before anything is read."""
    if output is None:
        return
    if output.suffix == PAGE and free_text == "none":
        raise InputError(
            f"{output}: the page shows the texts, and none are to be written",
            "--free-text deidentified or all writes them; a .csv or .jsonl has the statements",
        )
    known = TABLES if labels else (*TABLES, PAGE)
    check_format("a table of labels" if labels else "statements", output.suffix, known)


def _sections(chosen: str | None, labels: str | None, *, dialogue: bool) -> str:
    """Report sections to read; all of them for statements and for dialogues."""
    if chosen is None:
        return SECTIONS[0] if labels and not dialogue else "all"
    if not labels or dialogue:
        raise InputError(
            "--sections is for the label table of reports", "add --labels, or leave it out"
        )
    return chosen


def _counted(shares: Iterable[Share]) -> Iterator[list[dict[str, object]]]:
    """The rows of each share; after the last one the texts, statements and flags are noted."""
    texts = statements = 0
    flags: Counter[str] = Counter()
    for share in shares:
        texts += share.texts
        statements += share.statements
        flags += share.flags
        yield share.rows
    _note_counts(texts, statements, flags)


def _note_counts(texts: int, statements: int, flags: Counter[str]) -> None:
    """Note the number of texts, statements and flagged texts."""
    flagged = "".join(
        f", {count} {flag.replace('_', ' ')}"
        for flag, count in flags.items()
        if flag != "no_headers"
    )
    show.note(f"{texts} texts, {statements} statements{flagged}")


def _page(linked: Sequence[tuple[LabelText, Sequence[Statement]]], graph: Any) -> str:
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
