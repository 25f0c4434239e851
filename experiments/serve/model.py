"""Model in a worker process: the run is restored once, then answers one study after the other."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from encoders.study import Modality, View
from experiments.workers import end_with_parent
from fusion.system import Basis
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph

if TYPE_CHECKING:
    from experiments.explanation.answer import StudyAnswer
    from experiments.explanation.explain import Background
    from experiments.runs.restore import Restored

__all__ = ["Loaded", "Reply", "Task", "serve_model"]


@dataclass(frozen=True)
class Task:
    """A study to answer for.

    Args:
        folder: Folder of the study.
        findings: Findings asked for; empty = those trained.
        evidence: Whether their evidence is measured.
        modality: Modality of its images; None = that of the file or the usual one.
        view: Their view; None = the usual one.
    """

    folder: Path
    findings: tuple[str, ...] = ()
    evidence: bool = False
    modality: Modality | None = None
    view: View | None = None


@dataclass(frozen=True)
class Loaded:
    """A worker is ready.

    Args:
        basis: Basis of an answer for each concept of the graph.
        inputs: Inputs that the run reads.
        system: Name of its system.
        dataset: Data set it was trained on.
        weights: SHA-256 of its weights.
        graph: Its graph.
    """

    basis: dict[str, Basis]
    inputs: tuple[str, ...]
    system: str
    dataset: str
    weights: str
    graph: KnowledgeGraph


@dataclass(frozen=True)
class Reply:
    """Reply to a task: the answer, or why there is none.

    Args:
        answer: The answer.
        message: What is wrong with the study.
        hint: What to do about it.
        bug: Whether the fault is ours.
    """

    answer: StudyAnswer | None = None
    message: str = ""
    hint: str = ""
    bug: bool = False


def serve_model(run: str, runs: Path, connection: Connection) -> None:
    """Answer the tasks of a connection until it is closed.

    Args:
        run: Name of the finished run.
        runs: Folder of runs.
        connection: Tasks come in; `Loaded`, then a `Reply` for each task, go out; where the run
            cannot be restored, a `Reply` that says why.
    """
    end_with_parent()
    os.umask(0o077)
    logging.disable()  # what is logged while a study is read is of the study
    from experiments.explanation.explain import Background
    from experiments.records.folder import find_run
    from experiments.runs.restore import restore

    try:
        restored = restore(find_run(run, runs))
        background, loaded = Background.of(restored), _loaded(restored)
    except InputError as error:
        connection.send(Reply(None, error.message, error.hint))
        return
    connection.send(loaded)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(_reply(task, restored, background))


def _loaded(restored: Restored) -> Loaded:
    from fusion.capabilities import Classifies, able

    record = restored.record
    classifier = able(restored.system, Classifies)
    return Loaded(
        {one.id: classifier.basis(one.id) for one in restored.graph.concepts},
        tuple(record.inputs_at_test),
        record.system,
        record.dataset,
        restored.weights,
        restored.graph,
    )


def _reply(task: Task, restored: Restored, background: Background) -> Reply:
    """Reply to a task; a fault of ours is one, and the worker goes on."""
    try:
        return Reply(_answer(task, restored, background))
    except InputError as error:
        return Reply(None, _neutral(error.message, task.folder), _neutral(error.hint, task.folder))
    except Exception as error:  # logged by its kind: its words may be those of a study
        return Reply(None, type(error).__name__, bug=True)


def _answer(task: Task, restored: Restored, background: Background) -> StudyAnswer:
    from experiments.explanation.explain import Wanted, explain
    from experiments.inference.predict import PredictionRequest, predict_restored

    request = PredictionRequest(task.findings, modality=task.modality, view=task.view)
    predicted, read = predict_restored([str(task.folder)], restored, request)
    named = predicted.prediction.findings if task.findings else ()
    wanted = Wanted(named, measured=task.evidence)
    (answer,) = explain([(predicted, read)], wanted, background)
    return dataclasses.replace(
        answer,
        study=f"study-{sha256(task.folder.name.encode()).hexdigest()[:8]}",
        refused=tuple((_neutral(path, task.folder), why) for path, why in answer.refused),
        notes=_all_neutral(answer.notes, task.folder),
    )


def _all_neutral(texts: Sequence[str], folder: Path) -> tuple[str, ...]:
    return tuple(_neutral(text, folder) for text in texts)


def _neutral(text: str, folder: Path) -> str:
    """Text without the folder of the study."""
    return text.replace(f"{folder}/", "").replace(str(folder), "the study")
