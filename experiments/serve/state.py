"""State of a running server, and the reading of a request for an answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, get_args

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from encoders.study import Modality, View
from experiments.explanation.answer import StudyAnswer
from experiments.explanation.private_answer import kept_answer
from experiments.serve.concepts import Concepts
from experiments.serve.limits import Limits
from experiments.serve.model import Loaded, Task
from experiments.serve.pool import Pool
from experiments.serve.refused import Refused
from experiments.serve.studies import Studies
from experiments.serve.upload import Upload

__all__ = ["State", "asked", "state_of"]

FIELDS = 60
TRUE = ("1", "true", "on", "yes")


@dataclass(frozen=True)
class State:
    """What the requests of a server share.

    Args:
        run: Name of the run.
        token: Token of the server; empty = none.
        free_text: Whether answers show reports, dialogues and pictures.
        pool: Workers.
        studies: Studies with their answers.
        concepts: Concepts of the run's graph.
        loaded: What is known of the model.
        limits: Limits of the server.
    """

    run: str
    token: str
    free_text: bool
    pool: Pool
    studies: Studies
    concepts: Concepts
    loaded: Loaded
    limits: Limits

    def shown(self, answer: StudyAnswer) -> StudyAnswer:
        """An answer as it may be shown."""
        return kept_answer(answer, "all" if self.free_text else "none")


def state_of(request: Request) -> State:
    """State of the server of a request."""
    state: State = request.app.state.served
    return state


async def asked(request: Request) -> Task:
    """The study of a form, in a folder of its own.

    Raises:
        Refused: If it is no such form, or holds too much.
    """
    state = state_of(request)
    async with request.form(
        max_files=state.limits.files, max_fields=FIELDS, max_part_size=4 * state.limits.letters
    ) as form:
        upload = state.studies.upload()
        try:
            return await _task(form, upload, state)
        except BaseException:
            state.studies.remove(upload.folder)
            raise


async def _task(form: FormData, upload: Upload, state: State) -> Task:
    for kind in ("report", "dialogue"):
        upload.add_text(kind, _text(form, kind))
    for value in form.getlist("pictures"):
        if isinstance(value, UploadFile) and value.size:
            await asyncio.to_thread(upload.add_file, value.filename or "", value.file)
    if not upload.files:
        raise Refused(422, "nothing was sent", "give a picture, a report or a dialogue")
    terms = [one for one in _text(form, "findings").replace("\n", ";").split(";") if one.strip()]
    return Task(
        upload.folder,
        state.concepts.resolve(terms, state.limits.findings),
        _text(form, "evidence").lower() in TRUE,
        _choice(form, "modality", Modality),
        _choice(form, "view", View),
    )


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    if not isinstance(value, str):
        raise Refused(422, f"{name} is a text, and a file was sent", "send files as pictures")
    return value


def _choice(form: FormData, name: str, kind: Any) -> Any:
    """One of the values of a literal type; None where the field is empty."""
    given, known = _text(form, name), get_args(kind)
    if given and given not in known:
        raise Refused(422, f"{name} {given[:40]!r} is not known", f"choose of: {', '.join(known)}")
    return given or None
