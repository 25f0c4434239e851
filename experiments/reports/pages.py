"""Shared templates of pages, with escaping and undefined names as errors, and their style sheet."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["page_style", "page_templates", "without_control"]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
FOLDER = Path(__file__).parent / "templates"


def page_templates() -> Environment:
    """Template environment of pages."""
    return Environment(
        autoescape=True,
        finalize=_printable,
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def without_control(text: str) -> str:
    """Text with control characters replaced; they are invisible, and some are commands."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _printable(value: object) -> object:
    """Value as printed by a template."""
    return without_control(value) if type(value) is str else value


def page_style(*further: str) -> Markup:
    """Style sheet for embedding in a page, with further ones of the folder by their names."""
    files = [FOLDER / f"{name}.css" for name in ("page", *further)]
    return Markup("").join(Markup(file.read_text(encoding="utf-8")) for file in files)
