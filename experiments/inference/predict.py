"""Prediction with a finished run, for images, study folders or whole data sets."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from encoders.contents import Contents
from encoders.reading.dialogue import read_dialogue
from encoders.reading.folder import ENDINGS, study_pictures
from encoders.reading.picture import look
from encoders.reading.plain import text_file
from encoders.reading.rejected import RejectedImage
from encoders.reading.report import read_report
from encoders.reading.stack import About
from encoders.study import Modality, Passage, Study, StudyImage, View
from experiments.datasets import DATASETS
from experiments.inference.answers import Answers, answer
from experiments.inference.finding_matching import match_findings
from experiments.loading.cohort import Cohort
from experiments.loading.mixture import with_whole_paths
from experiments.loading.tolerant import has_input, read_tolerantly
from experiments.preparation.open_dataset import OpenDataset, build_dataset
from experiments.privacy.pseudonyms import pseudonym
from experiments.records.folder import RunFolder
from experiments.runs.restore import RULE, Restored, restore
from fusion.system import Prediction
from kg.errors import InputError, did_you_mean
from kg.model.graph import KnowledgeGraph

__all__ = [
    "PredictionRequest",
    "Predicted",
    "ReadInputs",
    "predict_and_read",
    "predict_inputs",
    "predict_restored",
]

log = logging.getLogger(__name__)

INPUT = "input"
"""Data set of the studies that are given by their paths."""
NOT_KNOWN: tuple[Modality, View] = ("cxr", "frontal")


@dataclass(frozen=True)
class PredictionRequest:
    """Options of a prediction beside the inputs.

    Args:
        findings: Concepts (id, label or synonym) or names of label sets; empty = those trained.
        report: Text file with the report of the one input.
        dialogue: Text file with the dialogue of the one input.
        root: Folder of data sets.
        modality: Modality of images without a data set; default = the run's most frequent.
        view: Their view; default = the most frequent of the modality.
    """

    findings: tuple[str, ...] = ()
    report: Path | None = None
    dialogue: Path | None = None
    root: Path | None = None
    modality: Modality | None = None
    view: View | None = None


@dataclass(frozen=True)
class ReadInputs:
    """Inputs as a run has read them, for explanations of its predictions.

    Args:
        restored: The run.
        cohort: The studies.
        answered: Concept that the run predicts for each requested finding.
    """

    restored: Restored
    cohort: Cohort
    answered: tuple[str, ...]

    def exposed(self, study: Study) -> str:
        """How training or validation knows a study (`study`, `picture`, ...); empty = not."""
        _, reasons = self.restored.exposure.refuse(study.dataset, [study], Path(), Contents())
        return next(iter(reasons), "")


@dataclass(frozen=True)
class Predicted:
    """Predictions, with rejected images and studies.

    Args:
        prediction: Probabilities, each with its basis.
        labels: Preferred name of each finding.
        rejected: Study, path and reason of each unreadable image.
        lost: Studies left out, without any readable input.
        notes: Notes on the inputs.
    """

    prediction: Prediction
    labels: tuple[str, ...]
    rejected: tuple[tuple[str, str, str], ...] = ()
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def predict_inputs(
    inputs: Sequence[str], folder: RunFolder, request: PredictionRequest
) -> Predicted:
    """Predict the findings of each input with a finished run; see `predict_restored`."""
    return predict_and_read(inputs, folder, request)[0]


def predict_and_read(
    inputs: Sequence[str], folder: RunFolder, request: PredictionRequest
) -> tuple[Predicted, ReadInputs]:
    """Predict the findings of each input with a finished run; see `predict_restored`."""
    return predict_restored(inputs, restore(folder), request)


def predict_restored(
    inputs: Sequence[str], restored: Restored, request: PredictionRequest
) -> tuple[Predicted, ReadInputs]:
    """Predict the findings of each input with a restored run, and keep what it read.

    An input is an image, a volume, a clip, a folder of one study (its images, DICOM slices,
    `report*.txt`, `dialogue*.txt`), the name of a data set, or one study of it as `name:study`; a
    folder with the name of a data set is given as `./name`. Missing modalities stay missing, and
    are not imputed.

    Args:
        inputs: Paths or names.
        restored: The run.
        request: Requested findings, and further information on the inputs.

    Raises:
        InputError: If an input does not exist, or none is readable.
    """
    requested = _requested(restored, request.findings)
    studies, notes = _studies(restored, inputs, request)
    matches = match_findings(restored, requested)
    restored.preprocessor.text.redact_findings(requested)
    with_input = [study for study in studies if has_input(restored.preprocessor, study)]
    reasons_unread = [(study.study, _unread_text(restored, study)) for study in studies]
    unread = [f"{name}: {reason}" for name, reason in reasons_unread if reason]
    if not with_input:
        inputs_read = ", ".join(restored.record.inputs_at_test)
        raise InputError(
            unread[0] if unread else "none of the inputs has a modality that the run reads",
            f"{restored.folder.run} reads: {inputs_read}",
        )
    notes += unread
    cohort, refused = read_tolerantly(restored.preprocessor, with_input, Path())
    reasons = {str(error.path): error.reason for error in refused}
    rejected = tuple(
        (study.study, image.path, reasons[image.path])
        for study in studies
        for image in study.images
        if image.path in reasons
    )
    for _, path, reason in rejected:
        log.warning("rejected: %s: %s", path, reason)
    left = {study.study for study in cohort.studies}
    lost = tuple(study.study for study in studies if study.study not in left)
    answered = tuple(one.asked or one.finding for one in matches)
    answers = answer(restored.system, cohort, answered, restored.calibration)
    prediction = _prediction([study.study for study in cohort.studies], requested, answers)
    names = tuple(_name(restored.graph, finding) for finding in requested)
    read = ReadInputs(restored, cohort, answered)
    notes += [
        f"{study.study}: training has seen this {known}: the answer does not show how good it is"
        for study in cohort.studies
        if study.dataset == INPUT and (known := read.exposed(study))
    ]
    return Predicted(prediction, names, rejected, lost, tuple(notes)), read


def _unread_text(restored: Restored, study: Study) -> str:
    """Why nothing of a text that was given is read; empty where some is, or the run reads none."""
    text, policy = restored.preprocessor.text, restored.experiment.text.test

    def holds(passages: Sequence[Passage]) -> bool:
        return any(passage.text.strip() for passage in passages)

    if study.dataset != INPUT or policy == "none" or not holds((*study.report, *study.dialogue)):
        return ""
    if holds(text.passages(study, policy)):
        return ""
    if policy == "redacted" and holds(text.passages(study, "full")):
        return (
            "redaction left nothing of the report: each of its clauses is about a finding that "
            "the run answers"
        )
    return f"its text has nothing that the run's text policy reads ({policy})"


def _studies(
    restored: Restored, inputs: Sequence[str], request: PredictionRequest
) -> tuple[list[Study], list[str]]:
    """Studies of all inputs, and notes on them."""
    studies: list[Study] = []
    notes: list[str] = []
    for name in inputs:
        dataset, colon, wanted = name.partition(":")
        if dataset in DATASETS.names() and not (colon and Path(name).exists()):
            members, remarks = _of_dataset(restored, dataset, request.root)
            studies += _named(members, dataset, wanted) if colon else members
            remarks = [] if colon else remarks
        else:
            study, remarks = _of_path(restored, name, request)
            studies.append(study)
        notes += remarks
    counts = Counter(study.study for study in studies)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise InputError(f"two inputs are called {twice[0]}", "give each of them once")
    return studies, notes


def _named(studies: Sequence[Study], dataset: str, wanted: str) -> list[Study]:
    """The study of a data set with this id.

    Raises:
        InputError: If there is none that may be looked at.
    """
    found = [study for study in studies if study.study == wanted]
    if not found:
        raise InputError(
            f"{dataset}: no study is called {wanted}, or it is locked",
            did_you_mean(wanted, [study.study for study in studies]),
        )
    return found


def _prediction(studies: Sequence[str], findings: tuple[str, ...], answers: Answers) -> Prediction:
    """Predictions under the requested names."""
    return Prediction(
        studies=tuple(studies),
        findings=findings,
        probabilities=np.asarray(answers.probabilities, dtype=np.float64),
        basis=answers.basis,
        thresholds=answers.thresholds,
        threshold_rule=RULE,
        calibration=answers.temperatures,
    )


def _requested(restored: Restored, terms: Sequence[str]) -> tuple[str, ...]:
    """Concept ids of requested findings: label sets by name, concepts by id, label or synonym."""
    if not terms:
        return restored.preprocessor.findings
    sets = {one.name: one.findings for one in restored.graph.label_sets}
    chosen: dict[str, None] = {}
    for term in terms:
        members = sets[term] if term in sets else (restored.graph.resolve(term).id,)
        chosen |= dict.fromkeys(members)
    return tuple(chosen)


def _name(graph: KnowledgeGraph, finding: str) -> str:
    return graph.concept(finding).label if finding in graph.index else finding


def _of_path(restored: Restored, name: str, request: PredictionRequest) -> tuple[Study, list[str]]:
    """Study of an image, or of a folder of images and texts; and notes on it.

    Raises:
        InputError: If there is no such path, or the folder has no known file.
    """
    path = Path(name)
    if path.is_dir():
        pictures = study_pictures(path)
        texts = sorted(one for one in path.iterdir() if one.suffix.lower() == ".txt")
        texts = [one for one in texts if not one.name.startswith(".")]
    elif path.exists():
        pictures, texts = [path], []
    else:
        hint = did_you_mean(name, DATASETS.names())
        raise InputError(f"{name}: no such file or folder, and no data set", hint)
    reports = [one for one in texts if one.name.lower().startswith("report")]
    dialogues = [one for one in texts if one.name.lower().startswith("dialogue")]
    reports += [request.report] if request.report else []
    dialogues += [request.dialogue] if request.dialogue else []
    if not (pictures or reports or dialogues):
        raise InputError(
            f"{path}: holds no image, report*.txt or dialogue*.txt",
            f"images end in {', '.join(ENDINGS)}",
        )
    images, notes = _images(restored, pictures, request)
    called = pseudonym("file", name)
    study = Study(
        study=called,
        patient=called,
        images=tuple(images),
        report=tuple(part for one in reports for part in read_report(text_file(one))),
        dialogue=tuple(part for one in dialogues for part in read_dialogue(text_file(one))),
        dataset=INPUT,
    )
    return study, notes


def _images(
    restored: Restored, pictures: Sequence[Path], request: PredictionRequest
) -> tuple[list[StudyImage], list[str]]:
    """Images with modality and view, and notes from their headers.

    The modality is the requested one, else that of the file, else the most frequent of training
    images; the view is the requested one, or the most frequent of the modality.
    """
    usual = restored.preprocessor.usual
    first: Modality = next(iter(usual)) if usual else NOT_KNOWN[0]
    images, notes = [], []
    for path in pictures:
        try:
            about = look(path)
        except RejectedImage:
            about = About()
        notes += [f"{path}: {note}" for note in about.notes]
        modality = request.modality or about.modality or first
        if usual and modality not in usual:
            notes.append(f"{path}: taken as {modality}, which the run has not seen in training")
        view = request.view or usual.get(modality, NOT_KNOWN[1])
        images.append(StudyImage(str(path.absolute()), modality, view))
    return images, notes


def _of_dataset(restored: Restored, name: str, root: Path | None) -> tuple[list[Study], list[str]]:
    """Studies of a data set without locked ones, and notes on them."""
    own = restored.experiment.data
    options = own.options if name == own.name else {}
    dataset = build_dataset(name, options)
    choices = [choice.name for choice in dataset.label_choices]
    labels = own.labels if own.labels in choices else choices[0]
    cache = restored.folder.path.parent / "cache"
    opened = OpenDataset.find(name, dataset, root or Path(), cache, labels)
    opened = replace(opened, boxes=restored.preprocessor.needs.boxes)
    locked = opened.locked
    notes = [f"{name}: {len(locked)} locked studies are left out"] if locked else []
    learnt = {"train", "validation"}
    subsets = restored.manifest.assignments if name == own.name else {}
    exposed = sum(subsets.get(study.study) in learnt for study in opened.studies)
    if exposed:
        notes.append(
            f"{name}: {exposed} of the studies were seen in training or validation: "
            "their probabilities do not show how good the run is"
        )
    return [with_whole_paths(study, opened.root) for study in opened.development], notes
