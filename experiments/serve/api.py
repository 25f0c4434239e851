"""JSON API: answers of studies, further findings, exports and concepts; `openapi.yaml` says it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from experiments.serve.exports import FORMATS, export, plain
from experiments.serve.refused import Refused
from experiments.serve.replies import FOLDER
from experiments.serve.state import asked, state_of
from experiments.serve.studies import Kept

__all__ = ["ROUTES", "described"]

MOST_BODY = 1 << 20


@cache
def described() -> dict[str, Any]:
    """The API as an OpenAPI document."""
    text = (FOLDER / "openapi.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(described())


async def model(request: Request) -> Response:
    """The run that answers, and its trained findings."""
    state = state_of(request)
    loaded, graph = state.loaded, state.concepts.graph
    trained = [name for name, how in loaded.basis.items() if how == "trained"]
    return JSONResponse(
        {
            "run": state.run,
            "system": loaded.system,
            "dataset": loaded.dataset,
            "inputs": loaded.inputs,
            "weights": loaded.weights,
            "graph": graph.fingerprint,
            "findings": [{"id": one, "label": graph.concept(one).label} for one in trained],
            "workers": len(state.pool.processes),
            "waiting": state.pool.waiting,
        }
    )


async def concepts(request: Request) -> Response:
    """Concepts by the beginning of a name."""
    return JSONResponse(state_of(request).concepts.complete(request.query_params.get("term", "")))


async def predict(request: Request) -> Response:
    """Answer for a study that is gone when the answer is."""
    state = state_of(request)
    kept = await state.studies.answer(await asked(request))
    try:
        return JSONResponse(plain(state.shown(kept.answer)))
    finally:
        state.studies.remove(kept.task.folder)


async def create(request: Request) -> Response:
    """Answer for a study that is kept for further questions."""
    kept = await state_of(request).studies.answer(await asked(request))
    where = {"Location": f"/api/answers/{kept.name}"}
    return JSONResponse(_plain(request, kept), 201, where)


async def read(request: Request) -> Response:
    """The answer of a kept study."""
    return JSONResponse(_plain(request, _kept(request)))


async def remove(request: Request) -> Response:
    """Remove a kept study."""
    state_of(request).studies.remove(_kept(request).task.folder)
    return Response(status_code=204)


async def ask(request: Request) -> Response:
    """Ask a kept study for further findings, or for their evidence."""
    state, kept = state_of(request), _kept(request)
    findings, evidence = _question(await request.body())
    named = state.concepts.resolve(findings, state.limits.findings)
    await state.studies.ask(kept, named, evidence=evidence)
    return JSONResponse(_plain(request, kept))


async def exported(request: Request) -> Response:
    """A file of an answer."""
    state, kept, kind = state_of(request), _kept(request), request.path_params["kind"]
    if kind not in FORMATS:
        raise Refused(404, f"there is no export as {kind}", f"choose of: {', '.join(FORMATS)}")
    return export(state.shown(kept.answer), kind, state.concepts.graph)


def _kept(request: Request) -> Kept:
    return state_of(request).studies.get(request.path_params["study"])


def _plain(request: Request, kept: Kept) -> dict[str, object]:
    answer = plain(state_of(request).shown(kept.answer))
    return {"id": kept.name, "measured": sorted(kept.measured), **answer}


def _question(body: bytes) -> tuple[list[str], bool]:
    """Findings asked for, and whether their evidence is.

    Raises:
        Refused: If the body is not such a question.
    """
    wrong = Refused(
        422, "the question cannot be read", 'send {"findings": ["edema"], "evidence": true}'
    )
    try:
        value = json.loads(body if len(body) <= MOST_BODY else b"")
        findings, evidence = value["findings"], value.get("evidence", False)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise wrong from None
    listed = isinstance(findings, list) and all(isinstance(one, str) for one in findings)
    if not (listed and findings and isinstance(evidence, bool)):
        raise wrong
    return findings, evidence


ROUTES = [
    Route("/openapi.json", openapi),
    Route("/model", model),
    Route("/concepts", concepts),
    Route("/predict", predict, methods=["POST"]),
    Route("/answers", create, methods=["POST"]),
    Route("/answers/{study}", read),
    Route("/answers/{study}", remove, methods=["DELETE"]),
    Route("/answers/{study}/findings", ask, methods=["POST"]),
    Route("/answers/{study}/export/{kind}", exported),
]
