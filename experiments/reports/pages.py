"""What pages share: templates that escape everything and refuse what is undefined, one style."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["page_style", "page_templates", "without_control"]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
FOLDER = Path(__file__).parent / "templates"


def page_templates() -> Environment:
    """The templates of pages."""
    return Environment(
        autoescape=True,
        finalize=_readable,
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def without_control(text: str) -> str:
    """Text without control characters: none of them can be seen, and some are commands."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _readable(value: object) -> object:
    """What a template prints of a value."""
    return without_control(value) if type(value) is str else value


def page_style() -> Markup:
    """The style sheet, to stand within a page."""
    return Markup((FOLDER / "page.css").read_text(encoding="utf-8"))
