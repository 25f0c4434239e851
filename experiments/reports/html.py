"""A page as one HTML document without external references."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from experiments.reports.document import Page
from experiments.reports.pages import page_style, page_templates
from experiments.reports.wording import number

__all__ = ["render_html"]

_LONG = re.compile(r"\S{16,}")
_JOINT = re.compile(r"(?<=[._/])(?=\w)")


def render_html(page: Page) -> str:
    """The page as text: everything but drawings is escaped, and the bytes are reproducible."""
    environment = page_templates()
    environment.filters |= {"number": number, "breakable": breakable}
    return environment.get_template("document.html").render(page=page, style=page_style())


def breakable(text: str) -> Markup:
    """Escaped text whose long words (keys, run names, paths) may break at their separators."""
    pieces, end = [], 0
    for word in _LONG.finditer(text):
        breaks = [escape(piece) for piece in _JOINT.split(word.group())]
        pieces += [escape(text[end : word.start()]), Markup("<wbr>").join(breaks)]
        end = word.end()
    return Markup("").join([*pieces, escape(text[end:])])
