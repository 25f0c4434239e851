"""`kgdx predict`: predicted findings of images, study folders or data sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from encoders.study import MODALITIES, VIEWS
from experiments.cli import show
from experiments.cli.answers import EVIDENCE_ALONE, Shown, answer_with_evidence, ending_of
from experiments.cli.arguments import free_text_option, output_options, root_option, runs_option
from experiments.cli.completion import complete_concepts, complete_runs
from kg.errors import InputError, check_format
from kg.files.shown import table_text

if TYPE_CHECKING:
    from experiments.inference.predict import Predicted

__all__ = ["predict"]

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_NOT_POSSIBLE = "not possible"


@click.command()
@output_options
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--run",
    "run_names",
    required=True,
    multiple=True,
    metavar="RUN",
    shell_complete=complete_runs,
    help="Finished run whose model is used (repeatable: with --evidence, probabilities get the "
    "range over the runs).",
)
@click.option("--report", type=_file, help="Text file with the report of a single INPUT.")
@click.option("--dialogue", type=_file, help="Text file with the dialogue of a single INPUT.")
@click.option(
    "--findings",
    multiple=True,
    metavar="TERM",
    shell_complete=complete_concepts,
    help="Finding or label set to predict (repeatable; default: the trained findings).",
)
@click.option("--modality", type=click.Choice(MODALITIES), help="Imaging modality.")
@click.option("--view", type=click.Choice(VIEWS), help="Projection or probe.")
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    help="File to write: .csv, .tsv, .json or .parquet; with evidence .html (a page), .fhir.json "
    "or .dcm (a structured report, and a picture of each map beside it).",
)
@click.option(
    "--evidence",
    is_flag=True,
    help="Measure the evidence for each answer, of at most 20 studies; as .html, .json or .csv.",
)
@free_text_option
@runs_option
@root_option
def predict(**arguments: Any) -> None:
    """Predict the findings of each INPUT.

    INPUT is an image, volume or clip, a study folder, a data set of the catalog, or a study of one
    (openi:CXR1). A study folder holds images, DICOM slices (or folders of them), report*.txt and
    dialogue*.txt.

    Findings that RUN was not trained on are predicted zero-shot where its system can, and printed
    as "not possible" elsewhere. For research use only.
    """
    from experiments.inference.predict import PredictionRequest

    inputs, output, names = arguments["inputs"], arguments["output"], arguments["run_names"]
    if (arguments["report"] or arguments["dialogue"]) and len(inputs) > 1:
        raise InputError(
            "--report and --dialogue need exactly one INPUT", f"there are: {', '.join(inputs)}"
        )
    alone = output is not None and ending_of(output) in EVIDENCE_ALONE
    evidence = arguments["evidence"] or alone
    if len(names) > 1 and not evidence:
        raise InputError("several runs are read with --evidence alone", "name one --run")
    request = PredictionRequest(
        findings=arguments["findings"],
        report=arguments["report"],
        dialogue=arguments["dialogue"],
        root=arguments["root"],
        modality=arguments["modality"],
        view=arguments["view"],
    )
    if evidence:
        answer_with_evidence(inputs, names, arguments["runs"], request, Shown.of(arguments))
        return
    if output is not None:
        check_format("a table of predictions", output.suffix, _ENDINGS)
    from experiments.inference.predict import predict_inputs
    from experiments.inference.prediction_rows import prediction_rows
    from experiments.records.folder import find_run

    folder = find_run(names[0], arguments["runs"])
    predicted = predict_inputs(inputs, folder, request)
    typed = prediction_rows(predicted)
    rows = _in_words(typed)
    if output is not None and output.suffix == ".parquet":
        _write_table(output, typed)
    elif output is not None:
        show.to_file(output, _as_text(rows, output.suffix))
    if arguments["as_json"]:
        show.json_result(rows)
    elif output is None:
        show.table(tuple(rows[0]) if rows else (), [tuple(row.values()) for row in rows])
    _print_notes(predicted)


def _in_words(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with `not possible` instead of a missing probability."""
    return [
        {**row, "probability": _NOT_POSSIBLE} if row["probability"] is None else row for row in rows
    ]


def _print_notes(predicted: Predicted) -> None:
    """Print notes to stderr, the research-use notice last."""
    for note in predicted.notes:
        show.note(f"note: {note}")
    if predicted.rejected:
        show.note(f"note: {len(predicted.rejected)} images could not be read and were left out")
    if "zero_shot" in predicted.prediction.basis:
        show.note("note: zero_shot findings were not trained on: not calibrated, no threshold")
    show.note("For research use only: not a medical device.")


_ENDINGS = (".csv", ".tsv", ".json", ".parquet")


def _write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as a typed table, atomically; missing probabilities are null."""
    import pyarrow
    from pyarrow import parquet

    from experiments.records.atomic import atomic_path

    with atomic_path(path) as temporary:
        parquet.write_table(pyarrow.Table.from_pylist(rows), temporary)
    show.note(f"written to {path}")


def _as_text(rows: list[dict[str, Any]], ending: str) -> str:
    if ending == ".json":
        return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    names = list(rows[0]) if rows else []
    lines = [names, *([row[name] for name in names] for row in rows)]
    return table_text(lines, "\t" if ending == ".tsv" else ",")
