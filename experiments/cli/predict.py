"""`kgdx predict`: the findings of a picture, a study folder, or a whole data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from encoders.study import MODALITIES, VIEWS
from experiments.cli import show
from experiments.cli.arguments import root_option, runs_option, talking
from kg.errors import InputError, did_you_mean
from kg.files.shown import table_text

if TYPE_CHECKING:
    from experiments.inference.predict import Predicted

__all__ = ["predict"]

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_NOT_POSSIBLE = "not possible"


@click.command()
@talking
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--run", "run_name", required=True, metavar="RUN", help="Finished run to use.")
@click.option("--report", type=_file, help="Text file with the report of the one INPUT.")
@click.option("--dialogue", type=_file, help="Text file with the dialogue of the one INPUT.")
@click.option(
    "--findings",
    multiple=True,
    metavar="TERM",
    help="Concept of the graph or label set to ask for (repeatable); those trained otherwise.",
)
@click.option("--modality", type=click.Choice(MODALITIES), help="How pictures were taken.")
@click.option("--view", type=click.Choice(VIEWS), help="Projection or probe of pictures.")
@click.option(
    "-o", "output", type=click.Path(path_type=Path), help="Write .csv, .tsv, .json or .parquet."
)
@runs_option
@root_option
def predict(**given: Any) -> None:
    """Predict the findings of each INPUT: a picture, volume or clip, a study folder, a data set.

    A study folder holds pictures, DICOM slices (or folders of them), report*.txt, dialogue*.txt.

    A finding that RUN was not trained on is answered zero-shot where it can be, and printed as
    "not possible" where it cannot. For research use only.
    """
    from experiments.records.folder import find_run

    inputs, output = given["inputs"], given["output"]
    if (given["report"] or given["dialogue"]) and len(inputs) > 1:
        raise InputError("a report or dialogue belongs to one input", f"given: {', '.join(inputs)}")
    if output is not None:
        _check_ending(output)
    folder = find_run(given["run_name"], given["runs"])
    from experiments.inference.predict import PredictionRequest, predict_inputs
    from experiments.inference.prediction_rows import prediction_rows

    asked = PredictionRequest(
        findings=given["findings"],
        report=given["report"],
        dialogue=given["dialogue"],
        root=given["root"],
        modality=given["modality"],
        view=given["view"],
    )
    made = predict_inputs(inputs, folder, asked)
    found = prediction_rows(made)
    rows = _in_words(found)
    if output is not None and output.suffix == ".parquet":
        _write_table(output, found)
    elif output is not None:
        show.to_file(output, _as_text(rows, output.suffix))
    if given["as_json"]:
        show.json_result(rows)
    elif output is None:
        show.table(tuple(rows[0]) if rows else (), [tuple(row.values()) for row in rows])
    _tell(made)


def _in_words(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with `not possible` in the place of a number where there is none."""
    return [
        {**row, "probability": _NOT_POSSIBLE} if row["probability"] is None else row for row in rows
    ]


def _tell(made: Predicted) -> None:
    """Notes on stderr, the last of them always the same."""
    for note in made.notes:
        show.note(f"note: {note}")
    if made.rejected:
        show.note(f"note: {len(made.rejected)} pictures could not be read and were left out")
    if "zero_shot" in made.prediction.basis:
        show.note("note: zero_shot findings were not trained on: no threshold, not calibrated")
    show.note("For research use only: not a medical device.")


_ENDINGS = (".csv", ".tsv", ".json", ".parquet")


def _check_ending(path: Path) -> None:
    if path.suffix not in _ENDINGS:
        raise InputError(
            f"{path}: no predictions are written as {path.suffix or 'a file without ending'}",
            did_you_mean(path.suffix, _ENDINGS),
        )


def _write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as a typed table, whole or not at all; what is not possible is null there."""
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
