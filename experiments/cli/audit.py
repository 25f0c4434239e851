"""`kgdx data audit`: what tells the labels of a data set that must not be able to diagnose."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import options_option, root_option, runs_option, talking
from experiments.cli.copies import load_dataset, open_copy
from kg.errors import CheckFailed, InputError

if TYPE_CHECKING:
    from experiments.audit.record import Audit

__all__ = ["audit"]

ENDINGS = (".html", ".md", ".json")


@click.command()
@talking
@click.argument("name")
@root_option
@options_option
@runs_option
@click.option("--labels", default="", help="Label set to audit; the first where not given.")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True,
              help="Grouped folds of the development part.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the folds.")
@click.option("--at-least", type=click.IntRange(1), default=20, show_default=True,
              help="Findings with fewer positives are left out.")  # fmt: skip
@click.option("--resamples", type=click.IntRange(1), default=1000, show_default=True,
              help="Bootstrap resamples of an interval.")  # fmt: skip
@click.option("--run", "run_names", multiple=True, metavar="RUN",
              help="Finished run to set beside the probes, one a fold (repeatable).")  # fmt: skip
@click.option("--experiment", "experiments", multiple=True, metavar="NAME",
              help="All finished runs of an experiment, likewise (repeatable).")  # fmt: skip
@click.option("--encoder", default="", metavar="NAME",
              help="Image encoder for the borders, instead of thumbnails (slow).")  # fmt: skip
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path),
              help="File to write: .html, .md or .json.")  # fmt: skip
def audit(**given: Any) -> None:
    """Audit data set NAME for shortcuts: probes that must not be able to diagnose.

    Source, picture files, view, sex and age, length of text, text without its finding words,
    borders of pictures and the like are each given to a logistic regression on the grouped folds
    of the development part; the locked part is not looked at. Near-duplicates, shared texts and
    ties of labels to sources are counted. Ends with 1 where shuffled labels are learnt, since then
    patients leak between the folds.
    """
    output = given["output"]
    if output is not None and output.suffix not in ENDINGS:
        raise InputError(
            f"{output}: cannot write {output.suffix or 'a file without an ending'}",
            f"write one of {', '.join(ENDINGS)}",
        )
    from experiments.audit.audit import audit as make
    from experiments.audit.subject import Asked
    from experiments.compare.gather import named_runs

    name = given["name"]
    part = load_dataset(name, given["options"])
    asked = ("folds", "seed", "at_least", "resamples")
    made = make(
        Asked(**{key: given[key] for key in asked}),
        open_copy(name, part, given["root"], given["labels"]),
        cache=given["runs"] / "cache",
        encoder=given["encoder"],
        runs=named_runs(given["runs"], given["run_names"], given["experiments"]),
    )
    if output is not None:
        show.to_file(output, _written(made, output.suffix))
    if given["as_json"]:
        show.json_result(asdict(made))
    elif output is None:
        _print(made)
    if made.shuffled is not None and not made.shuffled.passes:
        raise CheckFailed(
            f"{name}: shuffled labels are learnt: patients leak between the folds",
            "check how the data set names its patients",
        )


def _written(made: Audit, ending: str) -> str:
    from experiments.reports.audit_page import audit_page
    from experiments.reports.html import render_html
    from experiments.reports.markdown import render_markdown

    if ending == ".json":
        return json.dumps(asdict(made), indent=2, ensure_ascii=False) + "\n"
    page = audit_page(made)
    return render_html(page) if ending == ".html" else render_markdown(page)


def _print(made: Audit) -> None:
    from experiments.reports.audit_page import likeness_rows, shuffled_words, where

    rows = [
        (
            probe.name,
            probe.judged.words() if probe.places else "-",
            where(probe.places[0].where) if probe.places else "-",
            f"not possible: {probe.impossible}" if probe.impossible else probe.verdict,
        )
        for probe in made.probes
    ]
    rows.append(("labels shuffled", "", "", shuffled_words(made)))
    show.table(("probe", "AUROC", "judged on", "verdict"), rows)
    for run in made.explained:
        show.result("")
        show.result(f"{run.system} {run.run_auroc.words()}: {run.verdict}")
    show.result("")
    show.table(("what recurs", ""), likeness_rows(made))
