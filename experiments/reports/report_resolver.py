"""Resolver of report pages: finds the run, comparison or ablation named on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.ablate.result import FILE, AblationResult, read_result
from experiments.compare.records import Comparison
from experiments.records.folder import find_run
from experiments.reports.ablation_page import ablation_page
from experiments.reports.comparison_page import comparison_page
from experiments.reports.document import Page
from experiments.reports.html import render_html
from experiments.reports.markdown import render_markdown
from experiments.reports.run_files import read_run_files
from experiments.reports.run_page import run_page
from kg.errors import InputError
from kg.files.json_text import json_in

__all__ = ["check_ending", "page_of", "rendered"]

_WRITERS = {".html": render_html, ".md": render_markdown}


def check_ending(output: Path) -> None:
    """Raise for an unknown format before anything is computed.

    Raises:
        InputError: If pages are not written in this format.
    """
    if output.suffix not in _WRITERS:
        hint = "name a file ending in .html or .md"
        raise InputError(
            f"{output}: a page cannot be written as {output.suffix or 'a file without an ending'}",
            hint,
        )


def rendered(page: Page, output: Path) -> str:
    """Text of a page in the format of a file's ending."""
    return _WRITERS[output.suffix](page)


def page_of(subject: str, runs: Path) -> Page:
    """Page of a run (name or folder), an ablation (name) or a comparison (`.json` file).

    Raises:
        InputError: If there is none of that name, or it cannot be read.
    """
    path = Path(subject)
    for kept in (path / FILE, runs / "ablations" / subject / FILE):
        if kept.is_file():
            return ablation_page(read_result(kept))
    if path.suffix == ".json":
        values = _read_json(path)
        if "settings" in values:
            return ablation_page(AblationResult.from_json(values))
        return comparison_page(Comparison.from_json(values))
    return run_page(read_run_files(find_run(subject, runs).path))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json_in(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "name a file") from None
    except ValueError as error:
        raise InputError(f"{path} cannot be read: {error}", "make it again") from None
    if not isinstance(values, dict):
        raise InputError(f"{path} is neither a comparison nor an ablation", "make it again")
    return values
