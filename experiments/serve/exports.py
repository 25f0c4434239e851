"""Files of an answer: page, JSON, FHIR resources, and a zip of DICOM objects."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

from starlette.responses import JSONResponse, Response

from experiments.clinic.dicom_report import dicom_report
from experiments.clinic.fhir_report import fhir_bundle
from experiments.explanation.answer import StudyAnswer
from experiments.explanation.plain_answer import answer_json
from experiments.reports.answer_page import render_answer_page
from kg.model.graph import KnowledgeGraph

__all__ = ["FORMATS", "export", "plain"]

FORMATS = ("html", "json", "fhir.json", "dicom.zip")


def plain(answer: StudyAnswer) -> dict[str, object]:
    """An answer as JSON values, pictures by their neutral names."""
    images = tuple(
        one._replace(image=replace(one.image, path=Path(one.image.path).name))
        for one in answer.images
    )
    return answer_json(replace(answer, images=images))


def export(answer: StudyAnswer, kind: str, graph: KnowledgeGraph) -> Response:
    """A file of an answer.

    Args:
        answer: The answer.
        kind: One of `FORMATS`.
        graph: Graph with the identifiers of other terminologies.

    Raises:
        InputError: If the pictures are no DICOM files, or a package is missing.
    """
    saved = {"Content-Disposition": f'attachment; filename="answer.{kind}"'}
    if kind == "json":
        return JSONResponse(plain(answer), headers=saved)
    if kind == "fhir.json":
        return Response(fhir_bundle([answer], graph), 200, saved, "application/fhir+json")
    if kind == "dicom.zip":
        return Response(_zip(answer, graph), 200, saved, "application/zip")
    return Response(render_answer_page([answer]), 200, saved, "text/html")


def _zip(answer: StudyAnswer, graph: KnowledgeGraph) -> bytes:
    """The structured report, and a picture of each map; they name no patient."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, made in enumerate(dicom_report(answer, graph, named=False)):
            file = io.BytesIO()
            made.save_as(file)
            archive.writestr(f"map{place}.dcm" if place else "report.dcm", file.getvalue())
    return buffer.getvalue()
