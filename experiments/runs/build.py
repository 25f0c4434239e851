"""Assemble a run: data set, graph, split, fitted reader, cohorts and the system, from a config."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoders.contents import Contents
from encoders.study import SplitPart, Study, plain
from experiments.config.schema import DataSection, Experiment
from experiments.datasets import DATASETS, LabelChoice
from experiments.loading.data_source import PARTS, Cohorts, StudySource, those
from experiments.loading.graphs import Graphs, choose_graph, concept_vectors, structure_of
from experiments.loading.holdout import NOTHING_HELD, Held, hold_out, without_mined
from experiments.loading.preprocessor import StudyReader
from experiments.loading.targets import choose_findings, label_set_of
from experiments.records.record import GraphUse
from experiments.splits.manifest import Manifest
from experiments.systems import SYSTEMS
from fusion.needs import Needs
from fusion.system import System
from kg.errors import InputError, did_you_mean
from kg.model.graph import KnowledgeGraph, LabelSet
from kg.options import parse_options

__all__ = [
    "Assembled",
    "assemble",
    "build_reader",
    "build_system",
    "choice_of",
    "needs_of",
    "open_dataset",
]

NO_HASHES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Assembled:
    """Everything a run needs, ready.

    Args:
        experiment: The configuration.
        root: Folder of the data set.
        choice: How the data set is labelled.
        label_set: Its label set.
        manifest: The split.
        graph_use: Which graph, and what was left out of it.
        reader: Fitted on the training studies.
        cohorts: Studies of each part; training ones hold what only training may see.
        system: The system, untrained.
        fingerprint: SHA-256 over the studies of all parts, their pictures included.
    """

    experiment: Experiment
    root: Path
    choice: LabelChoice
    label_set: LabelSet
    manifest: Manifest
    graph_use: GraphUse
    reader: StudyReader
    cohorts: Cohorts
    system: System
    fingerprint: str

    def identity(self) -> dict[str, Any]:
        """What the weights belong to."""
        return {
            "system": self.experiment.system.name,
            "findings": list(self.reader.findings),
            "graph": self.graph_use.fingerprint,
            "split": self.manifest.sha256,
        }


def assemble(experiment: Experiment, root: Path, *, cache: Path) -> Assembled:
    """Read the data, choose the graph, divide, fit the reader on training, build the system.

    Args:
        experiment: The configuration.
        root: Folder that holds data sets by name, or the data set's own.
        cache: Folder of feature caches.

    Raises:
        InputError: If data, graph or a part are not what the configuration says.
    """
    data = experiment.data
    dataset, choice = open_dataset(data)
    root = folder_of(dataset, data.name, root, cache)
    graph, use = choose_graph(experiment.graph, dataset.graph_names)
    source = StudySource.open(dataset, data, root, boxes=needs_of(experiment).boxes)
    locked = source.locked(dataset)
    manifest = source.manifest(dataset, data.name, experiment.split, locked)
    studies = wanted_studies(source.everyone, data)
    label_set = label_set_of(dataset, source.root, data.labels, graph)
    development = (study for study in studies if study.study not in locked)
    findings = choose_findings(label_set, development, data.at_least)
    held = hold_out(experiment.hold_out, findings, label_set, graph)
    graph, use = without_mined(graph, use, held.masked)
    structure, use = structure_of(experiment.graph, graph, use)
    findings = tuple(finding for finding in findings if finding not in held.findings)
    parts: dict[SplitPart, Sequence[Study]] = {
        part: _part(studies, manifest, part) for part in PARTS
    }
    reader = build_reader(
        experiment,
        graph,
        structure,
        findings,
        exclusive=label_set.exclusive,
        held=held,
        cache=cache,
    )
    source.fit(reader, parts["train"])
    return Assembled(
        experiment=experiment,
        root=source.root,
        choice=choice,
        label_set=label_set,
        manifest=manifest,
        graph_use=use,
        reader=reader,
        cohorts=source.cohorts(reader, parts),
        system=build_system(experiment, reader),
        fingerprint=source.fingerprint
        or fingerprint(
            [study for chosen in parts.values() for study in chosen],
            source.root,
            contents=reader.contents,
            known=source.hashes(experiment.image),
        ),
    )


def _part(studies: Sequence[Study], manifest: Manifest, part: SplitPart) -> Sequence[Study]:
    return those(studies, lambda study: manifest.assignments[study.study] == part)


def open_dataset(data: DataSection) -> tuple[Any, LabelChoice]:
    """The data set with its options, and how it is labelled.

    Raises:
        InputError: If there is no such data set or it is not labelled that way.
    """
    part = DATASETS.load(data.name)
    dataset = part(parse_options(part.Options, data.options, where="data.options"))
    return dataset, choice_of(dataset, data)


def choice_of(dataset: Any, data: DataSection) -> LabelChoice:
    """How a data set is labelled.

    Raises:
        InputError: If it is not labelled that way.
    """
    choices: dict[str, LabelChoice] = {choice.name: choice for choice in dataset.label_choices}
    if data.labels not in choices:
        raise InputError(
            f"{data.name} is not labelled with {data.labels!r}", did_you_mean(data.labels, choices)
        )
    return choices[data.labels]


def folder_of(dataset: Any, name: str, root: Path, cache: Path) -> Path:
    """The data set's own folder; one that needs no files is written beside the caches."""
    if all(file.optional for file in dataset.files):
        return cache / "datasets" / name
    return root / name if (root / name).is_dir() else root


def wanted_studies(studies: Sequence[Study], data: DataSection) -> Sequence[Study]:
    """Labelled studies that have what is required.

    Raises:
        InputError: If none is left.
    """
    has = {
        "image": lambda study: bool(study.images),
        "frontal": lambda study: any(image.view == "frontal" for image in study.images),
        "report": lambda study: any(passage.text.strip() for passage in study.report),
        "dialogue": lambda study: bool(study.dialogue),
    }
    kept = those(
        studies, lambda one: bool(one.stated) and all(has[thing](one) for thing in data.require)
    )
    if not kept:
        wanted = ", ".join(("a label", *data.require))
        raise InputError(f"no study of {data.name} has {wanted}", "see `kgdx data check`")
    return kept


def build_reader(
    experiment: Experiment,
    graph: KnowledgeGraph,
    structure: KnowledgeGraph,
    findings: tuple[str, ...],
    *,
    exclusive: bool,
    held: Held = NOTHING_HELD,
    cache: Path,
) -> StudyReader:
    """A reader that still has to be fitted or restored."""
    return StudyReader(
        experiment,
        Graphs(graph, structure, concept_vectors(experiment.graph, structure, cache)),
        findings,
        exclusive=exclusive,
        held=held,
        cache=cache,
        needs=needs_of(experiment),
    )


def needs_of(experiment: Experiment) -> Needs:
    """What the system of a configuration asks of its input."""
    return Needs(paired_report=any("contrast" in stage.objectives for stage in experiment.stages))


def build_system(experiment: Experiment, reader: StudyReader) -> System:
    """The system of a configuration for what the reader gives."""
    part = SYSTEMS.load(experiment.system.name)
    where = f"system.{experiment.system.name}"
    options = parse_options(part.Options, experiment.system.options, where=where)
    system: System = part(options, reader.setting(), experiment.stages)
    return system


def fingerprint(
    studies: Iterable[Study],
    root: Path,
    *,
    contents: Contents | None,
    known: Mapping[str, str] = NO_HASHES,
) -> str:
    """SHA-256 over studies as read: ids, groups, text, labels, and what is in their pictures.

    Args:
        studies: The studies, in any order.
        root: Folder their pictures' paths start from.
        contents: Gives hashes of pictures; None = a system that reads none, and does not hang on
            them.
        known: Hashes of pictures that are not read from their files.
    """
    digest = hashlib.sha256()
    for study in sorted(studies, key=lambda one: one.study):
        digest.update(json.dumps(plain(study), sort_keys=True).encode())
        if contents is not None:
            for image in study.images:
                found = known.get(image.path) or contents.hash(root / image.path)
                digest.update(found.encode())
    return digest.hexdigest()
