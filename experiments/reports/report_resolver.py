"""Resolver of report pages: finds the run, comparison, ablation or plan of a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.ablate.result import FILE as ABLATION
from experiments.ablate.result import AblationResult
from experiments.compare.records import Comparison
from experiments.plans.matrix_result import FILE as MATRIX
from experiments.plans.matrix_result import MatrixResult
from experiments.plans.result import FILE as PLAN
from experiments.plans.result import PlanResult
from experiments.records.folder import find_run
from experiments.reports.ablation_page import ablation_page
from experiments.reports.comparison_page import comparison_page
from experiments.reports.document import Page
from experiments.reports.html import render_html
from experiments.reports.markdown import render_markdown
from experiments.reports.matrix_page import matrix_page
from experiments.reports.plan_page import plan_page
from experiments.reports.run_files import read_run_files
from experiments.reports.run_page import run_page
from kg.errors import InputError, check_format
from kg.files.json_text import json_in

__all__ = ["check_ending", "page_of", "rendered"]

_WRITERS = {".html": render_html, ".md": render_markdown}


def check_ending(output: Path) -> None:
    """Raise for an unknown format before anything is computed.

    Raises:
        InputError: If pages are not written in this format.
    """
    check_format("a page", output.suffix, _WRITERS)


def rendered(page: Page, output: Path) -> str:
    """Text of a page in the format of a file's ending."""
    return _WRITERS[output.suffix](page)


def page_of(subject: str, runs: Path) -> Page:
    """Page of a run (name or folder), an ablation or a plan (name), or of a `.json` file of one.

    Raises:
        InputError: If there is none of that name, or it cannot be read.
    """
    path = Path(subject)
    if path.suffix == ".json":
        return _page_of_file(path)
    for folder in (path, runs / "ablations" / subject, runs / "plans" / subject):
        for name in (ABLATION, PLAN, MATRIX):
            if (folder / name).is_file():
                return _page_of_file(folder / name)
    return run_page(read_run_files(find_run(subject, runs).path))


def _page_of_file(path: Path) -> Page:
    values = _read_json(path)
    if "settings" in values:
        return ablation_page(AblationResult.from_json(values))
    if "time_reference" in values:
        return plan_page(PlanResult.from_json(values))
    if "mechanisms" in values:
        return matrix_page(MatrixResult.from_json(values))
    return comparison_page(Comparison.from_json(values))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json_in(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "name a file") from None
    except ValueError as error:
        raise InputError(f"{path} cannot be read: {error}", "make it again") from None
    if not isinstance(values, dict):
        raise InputError(f"{path} is no comparison, ablation or plan", "make it again")
    return values
