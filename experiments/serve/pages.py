"""Pages: the form for a study, its answer, the graph explorer, and the API's page."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from encoders.reading.kinds import kind_of
from encoders.study import MODALITIES, VIEWS
from experiments.explanation.answer import FindingAnswer, StudyAnswer
from experiments.reports.answer_page import render_answer_page
from experiments.reports.pages import page_style
from experiments.serve.api import described
from experiments.serve.exports import FORMATS
from experiments.serve.refused import Refused
from experiments.serve.replies import fragment, page
from experiments.serve.security import COOKIE, key_of, page_policy
from experiments.serve.state import State, asked, state_of
from experiments.serve.studies import Kept
from kg.model.graph import KnowledgeGraph
from kg.render.html import Page

__all__ = ["ROUTES", "style"]

CYTOSCAPE = ".__________cytoscape_container { position: relative; }"
"""Style that Cytoscape.js adds to its page."""
TOGETHER = 2
"""Studies side by side."""


class Added:
    """What the server adds to the page of answers.

    Args:
        kept: The studies of the page.
        state: State of the server.
    """

    def __init__(self, kept: Sequence[Kept], state: State) -> None:
        self._names = ",".join(one.name for one in kept)
        self._kept = {one.answer.study: one for one in kept}
        self.top = fragment("top", names=self._names, alone=len(kept) < TOGETHER, run=state.run)

    def tools(self, answer: StudyAnswer) -> Markup:
        """Another finding, exports, and the end of a study."""
        paths = [Path(one.image.path) for one in answer.images]
        dicom = bool(paths) and all(one.is_file() and kind_of(one) == "dicom" for one in paths)
        formats = [one for one in FORMATS if dicom or one != "dicom.zip"]
        kept = self._kept[answer.study]
        return fragment("answer_links", kept=kept, names=self._names, formats=formats)

    def evidence(self, answer: StudyAnswer, finding: FindingAnswer) -> Markup:
        """Link that measures the evidence of a finding, and its concepts in the graph."""
        asked_for = urlencode({"study": answer.study, "evidence": finding.finding})
        concepts = {finding.finding: finding.label}
        concepts |= {one.concept: answer.names[one.concept] for one in finding.facts}
        return fragment(
            "evidence",
            link=f"/answers/{self._names}?{asked_for}",
            measured=finding.finding in self._kept[answer.study].measured,
            possible=finding.basis != "not_possible",
            concepts={quote(name, safe=":"): label for name, label in concepts.items()},
        )


async def home(request: Request) -> Response:
    """The form for a study, or for one beside another."""
    state = state_of(request)
    beside = request.query_params.get("beside", "")
    if beside:
        state.studies.get(beside)
    return page(
        "home",
        run=state.run,
        loaded=state.loaded,
        limits=state.limits,
        beside=beside,
        modalities=MODALITIES,
        views=VIEWS,
    )


async def send(request: Request) -> Response:
    """Answer for the study of the form, and lead to its answer."""
    beside = request.query_params.get("beside", "")
    kept = await state_of(request).studies.answer(await asked(request))
    names = f"{beside},{kept.name}" if beside else kept.name
    return RedirectResponse(f"/answers/{names}", 303)


async def answers(request: Request) -> Response:
    """The answers of one or two studies; a finding's evidence is measured where it is asked for."""
    state = state_of(request)
    kept = _kept(request)
    asked_for = request.query_params
    opened: dict[str, str] = {}
    if "study" in asked_for:
        one = next((one for one in kept if one.answer.study == asked_for["study"]), kept[0])
        for key, evidence in (("finding", False), ("evidence", True)):
            if key in asked_for:
                (finding,) = state.concepts.resolve([asked_for[key]], 1)
                await state.studies.ask(one, [finding], evidence=evidence)
                opened[one.answer.study] = finding
    shown = [state.shown(one.answer) for one in kept]
    text = await asyncio.to_thread(render_answer_page, shown, Added(kept, state), opened)
    return HTMLResponse(text, headers={"Content-Security-Policy": page_policy(text)})


async def forget(request: Request) -> Response:
    """Remove the studies of a page at once."""
    for one in _kept(request):
        state_of(request).studies.remove(one.task.folder)
    return RedirectResponse("/", 303)


async def graph(request: Request) -> Response:
    """The graph explorer, which opens the concept behind `#` in its address."""
    text, policy = await asyncio.to_thread(_graph_page, state_of(request).concepts.graph)
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})


async def api(request: Request) -> Response:
    """The JSON API in words."""
    return page("api", document=described())


async def sign_in_form(request: Request) -> Response:
    """The form for the token."""
    return page("sign_in")


async def sign_in(request: Request) -> Response:
    """Take the token of a browser.

    Raises:
        Refused: If it is not the one of the server.
    """
    token = state_of(request).token
    async with request.form(max_files=0, max_fields=1) as form:
        given = str(form.get("token", ""))
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise Refused(401, "that is not the token of this server", "ask whoever started it")
    response = RedirectResponse("/", 303)
    response.set_cookie(COOKIE, key_of(token), httponly=True, samesite="strict")
    return response


async def icon(request: Request) -> Response:
    """No icon: browsers ask for one."""
    return Response(status_code=204)


async def style(request: Request) -> Response:
    """Style sheet of all pages."""
    return Response(page_style("dark"), media_type="text/css")


def _kept(request: Request) -> list[Kept]:
    """The studies of a page.

    Raises:
        Refused: If one is not kept, or they are too many.
    """
    names = list(dict.fromkeys(request.path_params["names"].split(",")))
    if len(names) > TOGETHER:
        raise Refused(422, f"{len(names)} studies are too many side by side", "name two")
    return [state_of(request).studies.get(name) for name in names]


@lru_cache(1)
def _graph_page(shown: KnowledgeGraph) -> tuple[str, str]:
    """The explorer of a graph, with its policy."""
    text = Page(Page.Options()).render(shown).decode()
    before, _, rest = text.partition('<meta http-equiv="Content-Security-Policy"')
    text = before + rest.partition(">")[2]
    return text, page_policy(text, (CYTOSCAPE,))


ROUTES = [
    Route("/", home),
    Route("/answers", send, methods=["POST"]),
    Route("/answers/{names}", answers),
    Route("/answers/{names}/forget", forget, methods=["POST"]),
    Route("/graph", graph),
    Route("/favicon.ico", icon),
    Route("/api", api),
    Route("/sign-in", sign_in_form),
    Route("/sign-in", sign_in, methods=["POST"]),
]
