"""Responses: pages from the templates, and refusals as a page or as JSON."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

from experiments.reports.pages import page_templates
from experiments.serve.refused import Refused

__all__ = ["FOLDER", "fragment", "page", "refusal"]

FOLDER = Path(__file__).parent


@cache
def _templates() -> Environment:
    environment = page_templates()
    environment.loader = FileSystemLoader(FOLDER / "templates")
    return environment


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of the server."""
    return HTMLResponse(_templates().get_template(f"{name}.html").render(values), status)


def fragment(name: str, **values: Any) -> Markup:
    """A part of a page."""
    return Markup(_templates().get_template(f"{name}.html").render(values))


def refusal(scope: Scope, refused: Refused) -> Response:
    """A refusal: JSON to the API, else a page; a page asks to sign in where that is missing."""
    headers = {"Retry-After": "60"} if refused.status == 503 else {}
    if scope["path"].startswith("/api/"):
        content = {"error": refused.message, "hint": refused.hint}
        return JSONResponse(content, refused.status, headers)
    made = page("refused", refused.status, refused=refused)
    made.headers.update(headers)
    return made
