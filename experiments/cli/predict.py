"""`kgdx predict`: the findings of a picture, a study folder, or a whole data set."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import root_option, runs_option, talking
from kg.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from fusion.system import Prediction

__all__ = ["predict", "prediction_rows"]

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@talking
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--run", "run_name", required=True, metavar="RUN", help="Finished run to use.")
@click.option("--report", type=_file, help="Text file with the report of the one INPUT.")
@click.option("--dialogue", type=_file, help="Text file with the dialogue of the one INPUT.")
@click.option("-o", "output", type=click.Path(path_type=Path), help="Write .csv, .tsv or .json.")
@runs_option
@root_option
def predict(**given: Any) -> None:
    """Predict the findings of each INPUT: a picture, a folder of one study, or a data set.

    A finding that RUN cannot answer is printed as "not possible". For research use only.
    """
    from experiments.records.folder import find_run

    inputs, output = given["inputs"], given["output"]
    if (given["report"] or given["dialogue"]) and len(inputs) > 1:
        raise InputError("a report or dialogue belongs to one input", f"given: {', '.join(inputs)}")
    if output is not None:
        _check_ending(output)
    folder = find_run(given["run_name"], given["runs"])
    from experiments.training.predict import predict_inputs

    prediction = predict_inputs(
        inputs,
        folder,
        report=given["report"],
        dialogue=given["dialogue"],
        root=given["root"],
    )
    rows = prediction_rows(prediction)
    if output is not None:
        show.to_file(output, _as_text(rows, output.suffix))
    if given["as_json"]:
        show.json_result(rows)
    elif output is None:
        show.table(tuple(rows[0]) if rows else (), [tuple(row.values()) for row in rows])
    show.note("For research use only: not a medical device.")


def prediction_rows(prediction: Prediction) -> list[dict[str, Any]]:
    """One row a study and finding; `not possible` in the place of a number where there is none."""
    rows = []
    calibration = prediction.calibration or (None,) * len(prediction.findings)
    for place, study in enumerate(prediction.studies):
        for column, finding in enumerate(prediction.findings):
            possible = prediction.basis[column] != "not_possible"
            value = float(prediction.probabilities[place, column])
            threshold = prediction.thresholds[column]
            row = {
                "study": study,
                "finding": finding,
                "probability": value if possible and value == value else "not possible",
                "basis": prediction.basis[column],
                "threshold": threshold,
                "above": None if threshold is None or not possible else value >= threshold,
                "calibrated": calibration[column] is not None,
            }
            rows.append(row)
    return rows


_ENDINGS = (".csv", ".tsv", ".json")


def _check_ending(path: Path) -> None:
    if path.suffix not in _ENDINGS:
        raise InputError(
            f"{path}: no predictions are written as {path.suffix or 'a file without ending'}",
            did_you_mean(path.suffix, _ENDINGS),
        )


def _as_text(rows: list[dict[str, Any]], ending: str) -> str:
    if ending == ".json":
        return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    text = io.StringIO()
    delimiter = "\t" if ending == ".tsv" else ","
    names = list(rows[0]) if rows else []
    writer = csv.DictWriter(text, names, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
