"""What pages share: templates that escape everything and refuse what is undefined, one style."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["page_style", "page_templates"]

FOLDER = Path(__file__).parent / "templates"


def page_templates() -> Environment:
    """The templates of pages."""
    return Environment(
        autoescape=True,
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page_style() -> Markup:
    """The style sheet, to stand within a page."""
    return Markup((FOLDER / "page.css").read_text(encoding="utf-8"))
