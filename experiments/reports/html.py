"""A page as HTML: one document, no reference to anything outside it."""

from __future__ import annotations

from experiments.reports.document import Page
from experiments.reports.pages import page_style, page_templates
from experiments.reports.wording import number

__all__ = ["render_html"]


def render_html(page: Page) -> str:
    """The page as text; everything but drawings is escaped, the same page gives the same bytes."""
    environment = page_templates()
    environment.filters["number"] = number
    return environment.get_template("document.html").render(page=page, style=page_style())
