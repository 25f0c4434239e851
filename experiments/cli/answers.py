"""Answers with evidence on the command line: predicted by one or more runs, printed or written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cli import show
from kg.errors import InputError, check_format
from kg.files.shown import table_text

if TYPE_CHECKING:
    from experiments.explanation.answer import StudyAnswer
    from experiments.inference.predict import PredictionRequest
    from kg.model.graph import KnowledgeGraph

__all__ = ["EVIDENCE_ALONE", "METHODS", "Shown", "answer_with_evidence", "ending_of"]

EVIDENCE_ALONE = (".html", ".fhir.json", ".dcm")
"""Endings of files that are written of answers with evidence alone."""
ENDINGS = (*EVIDENCE_ALONE, ".json", ".csv")
METHODS = ("occlusion", "integrated_gradients", "grad_cam")
MOST_STUDIES = 20
"""Studies whose evidence is measured at a time."""
PRINTED = 5
"""Findings of a study that are printed with their evidence."""


@dataclass(frozen=True)
class Shown:
    """How answers are shown.

    Args:
        output: File to write; None = they are printed.
        as_json: Print them as JSON.
        methods: Methods of image maps.
        free_text: Choice of text that is written; None = all, or none under a key of pseudonyms.
    """

    output: Path | None = None
    as_json: bool = False
    methods: tuple[str, ...] = METHODS[:1]
    free_text: Any = None

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Shown:
        """From the arguments of a command; a file with another ending is refused.

        Raises:
            InputError: If answers cannot be written as the file.
        """
        output = arguments["output"]
        if output is not None:
            check_format("an answer with evidence", ending_of(output), ENDINGS)
        methods = tuple(arguments.get("methods") or METHODS[:1])
        return cls(output, arguments["as_json"], methods, arguments["free_text"])


def answer_with_evidence(
    inputs: Sequence[str],
    runs: Sequence[str],
    folder: Path,
    request: PredictionRequest,
    shown: Shown,
) -> None:
    """Answer for some inputs, with the evidence of the first run, and show the answers.

    Args:
        inputs: Paths, names of data sets, or studies of them.
        runs: Names of runs.
        folder: Folder of runs.
        request: Requested findings, and further information on the inputs.
        shown: How answers are shown.

    Raises:
        InputError: If an input or a run is not as it must be, or there are too many studies.
    """
    from experiments.explanation.explain import Wanted, explain
    from experiments.explanation.plain_answer import USE, answer_json
    from experiments.explanation.private_answer import kept_answer
    from experiments.inference.predict import predict_and_read
    from experiments.records.folder import find_run

    predictions = [predict_and_read(inputs, find_run(run, folder), request) for run in runs]
    first, read = predictions[0]
    count = len(read.cohort)
    if count > MOST_STUDIES:
        raise InputError(
            f"{count} studies are too many to measure evidence of (at most {MOST_STUDIES})",
            "name studies, as in openi:CXR1, or predict without evidence",
        )
    named = first.prediction.findings if request.findings else ()
    found = explain(predictions, Wanted(named, shown.methods))  # type: ignore[arg-type]
    answers = [kept_answer(answer, shown.free_text) for answer in found]
    if shown.output is not None:
        _write(answers, shown.output, read.restored.graph)
    if shown.as_json:
        show.json_result([answer_json(answer) for answer in answers])
    else:
        _print(answers)
    show.note(USE)


def ending_of(path: Path) -> str:
    """Ending of a file, `.fhir.json` being one."""
    return ".fhir.json" if path.name.endswith(".fhir.json") else path.suffix


def _write(answers: Sequence[StudyAnswer], path: Path, graph: KnowledgeGraph) -> None:
    """Write answers as a page, as JSON, as a table, as FHIR resources or as DICOM objects."""
    from experiments.explanation.plain_answer import answer_json, answer_rows

    if ending_of(path) == ".fhir.json":
        from experiments.clinic.fhir_report import fhir_bundle

        show.to_file(path, fhir_bundle(answers, graph))
    elif path.suffix == ".dcm":
        _write_dicom(answers, path, graph)
    elif path.suffix == ".json":
        plain = [answer_json(answer) for answer in answers]
        show.to_file(path, json.dumps(plain, indent=1, ensure_ascii=False) + "\n")
    elif path.suffix == ".csv":
        rows = answer_rows(answers)
        lines = [list(rows[0]), *([*row.values()] for row in rows)]
        show.to_file(path, table_text(lines, ","))
    else:
        from experiments.reports.answer_page import render_answer_page

        show.to_file(path, render_answer_page(answers))


def _write_dicom(answers: Sequence[StudyAnswer], path: Path, graph: KnowledgeGraph) -> None:
    """Write the structured report of one study, and its map pictures beside it.

    Raises:
        InputError: If there are several studies.
    """
    from experiments.clinic.dicom_report import dicom_report
    from experiments.records.atomic import atomic_path

    if len(answers) > 1:
        raise InputError(
            f"{path}: a DICOM report is of one study, and there are {len(answers)}",
            "give one INPUT, or write .fhir.json",
        )
    for place, made in enumerate(dicom_report(answers[0], graph)):
        file = path.with_stem(f"{path.stem}-map{place}") if place else path
        with atomic_path(file) as temporary:
            made.save_as(temporary)
        show.note(f"written to {file}")


def _print(answers: Sequence[StudyAnswer]) -> None:
    """Print answers in a few lines each."""
    from experiments.explanation.plain_answer import answer_lines

    for answer in answers:
        for line in answer_lines(answer, PRINTED):
            show.result(line)
        for path, reason in answer.refused:
            show.note(f"note: refused: {path}: {reason}")
        for note in answer.notes:
            show.note(f"note: {note}")
