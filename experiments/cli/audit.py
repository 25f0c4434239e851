"""`kgdx data audit`: shortcut probes, duplicates and label associations of a data set."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import options_option, output_options, root_option, runs_option
from experiments.cli.completion import complete_datasets
from experiments.cli.copies import load_dataset, open_copy
from kg.errors import CheckFailed, check_format

if TYPE_CHECKING:
    from experiments.audit.record import Audit

__all__ = ["audit"]

ENDINGS = (".html", ".md", ".json")


@click.command()
@output_options
@click.argument("name", shell_complete=complete_datasets)
@root_option
@options_option
@runs_option
@click.option("--labels", default="", help="Label set to audit (default: the first).")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True,
              help="Grouped folds of the development set.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the folds.")
@click.option("--at-least", type=click.IntRange(1), default=20, show_default=True,
              help="Fewest positives of a finding that is audited.")  # fmt: skip
@click.option("--resamples", type=click.IntRange(1), default=1000, show_default=True,
              help="Bootstrap resamples of an interval.")  # fmt: skip
@click.option(
    "--run",
    "run_names",
    multiple=True,
    metavar="RUN",
    help="Finished run to compare with the probes, one per fold (repeatable).",
)
@click.option("--experiment", "experiments", multiple=True, metavar="NAME",
              help="All finished runs of an experiment, likewise (repeatable).")  # fmt: skip
@click.option(
    "--encoder",
    default="",
    metavar="NAME",
    help="Image encoder of the image-border probe (default: thumbnails, which are fast).",
)
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path),
              help="File to write: .html, .md or .json.")  # fmt: skip
def audit(**arguments: Any) -> None:
    """Audit data set NAME for shortcuts.

    Probes are logistic regressions on inputs that must not be able to diagnose: origin, image
    files, view, sex and age, text length, text without finding words, image borders and the like.
    They are fitted and tested on the grouped folds of the development set; the locked test set is
    not used. Near-duplicates, shared texts and labels tied to an origin are counted.

    Exit code 1 means that shuffled labels can be predicted: patients leak between the folds.
    """
    output = arguments["output"]
    if output is not None:
        check_format("an audit", output.suffix, ENDINGS)
    from experiments.audit.audit import audit as audit_dataset
    from experiments.audit.subject import AuditOptions
    from experiments.compare.gather import named_runs

    name = arguments["name"]
    dataset = load_dataset(name, arguments["options"])
    audited = ("folds", "seed", "at_least", "resamples")
    record = audit_dataset(
        AuditOptions(**{key: arguments[key] for key in audited}),
        open_copy(name, dataset, arguments["root"], arguments["labels"]),
        cache=arguments["runs"] / "cache",
        encoder=arguments["encoder"],
        runs=named_runs(arguments["runs"], arguments["run_names"], arguments["experiments"]),
    )
    if output is not None:
        show.to_file(output, _written(record, output.suffix))
    if arguments["as_json"]:
        show.json_result(asdict(record))
    elif output is None:
        _print(record)
    if record.shuffled is not None and not record.shuffled.passes:
        raise CheckFailed(
            f"{name}: shuffled labels can be predicted: patients leak between the folds",
            "check how the data set names its patients",
        )


def _written(record: Audit, ending: str) -> str:
    from experiments.reports.audit_page import audit_page
    from experiments.reports.html import render_html
    from experiments.reports.markdown import render_markdown

    if ending == ".json":
        return json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n"
    page = audit_page(record)
    return render_html(page) if ending == ".html" else render_markdown(page)


def _print(record: Audit) -> None:
    from experiments.reports.audit_page import overlap_rows, shuffled_words, where

    rows = [
        (
            probe.name,
            probe.judged.words() if probe.places else "-",
            where(probe.places[0].where) if probe.places else "-",
            f"not possible: {probe.impossible}" if probe.impossible else probe.verdict,
        )
        for probe in record.probes
    ]
    rows.append(("labels shuffled", "", "", shuffled_words(record)))
    show.table(("probe", "AUROC", "judged on", "verdict"), rows)
    for run in record.explained:
        show.result("")
        show.result(f"{run.system} {run.run_auroc.words()}: {run.verdict}")
    show.result("")
    show.table(("train/test overlap", ""), overlap_rows(record))
