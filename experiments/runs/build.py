"""Build a run from a configuration: data, graph, split, preprocessor, cohorts and system."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from encoders.contents import Contents
from encoders.study import SplitSubset, Study, plain
from experiments.config.schema import DataSection, Experiment
from experiments.datasets import LabelChoice
from experiments.loading.cohort import Cohort
from experiments.loading.data_source import (
    Cohorts,
    fit_preprocessor,
    image_hashes,
    read_cohorts,
    those,
)
from experiments.loading.graphs import Graphs, concept_vectors
from experiments.loading.holdout import NOTHING_HELD, Held
from experiments.loading.mixture import Further, further_studies
from experiments.loading.preprocessor import StudyPreprocessor
from experiments.preparation.open_dataset import open_dataset
from experiments.records.record import GraphUse
from experiments.runs.exposure import check_unseen
from experiments.runs.run_studies import RunStudies, choose_studies, spread
from experiments.runs.start import (
    Parent,
    hand_over_reading,
    open_parents,
    take_weights,
    with_encoder_file,
)
from experiments.splits.manifest import Manifest
from experiments.systems import SYSTEMS
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import System
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph, LabelSet
from kg.options import parse_options

__all__ = [
    "RunContext",
    "build_context",
    "build_preprocessor",
    "build_system",
    "needs_of",
    "open_studies",
]

NO_HASHES: Mapping[str, str] = {}


@dataclass(frozen=True)
class RunContext:
    """A run that is ready to train: data, graph, split, preprocessor, cohorts and system.

    Args:
        experiment: The configuration.
        root: Folder of the data set.
        choice: Labels of the data set.
        label_set: Its label set.
        manifest: The split.
        graph_use: Record of the graph and of what was left out of it.
        preprocessor: Preprocessor fitted on the training studies.
        cohorts: Studies of each subset; those of training with training-only targets and text.
        system: The system, untrained.
        fingerprint: SHA-256 over the studies of all subsets, their images included.
        parents: Finished runs whose weights it starts with.
        further: Training studies of further data sets.
        chosen: All studies of each subset, of which `cohorts` may be a sample.
    """

    experiment: Experiment
    root: Path
    choice: LabelChoice
    label_set: LabelSet
    manifest: Manifest
    graph_use: GraphUse
    preprocessor: StudyPreprocessor
    cohorts: Cohorts
    system: System
    fingerprint: str
    parents: tuple[Parent, ...] = ()
    further: tuple[Further, ...] = ()
    chosen: RunStudies | None = None

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks to measure: as configured, and zero-shot where findings are held out."""
        named = self.experiment.tasks
        held = bool(self.preprocessor.held.findings) and "zero_shot" not in named
        return (*named, "zero_shot") if held else named

    def with_training_text(self, subset: Literal["validation", "test"]) -> Cohort:
        """Studies of a subset with training-only targets and text, for losses and retrieval."""
        if subset not in self._with_training_text:
            studies = self.cohorts[subset].studies
            self._with_training_text[subset] = self.preprocessor.read(
                studies, self.root, extras=True
            )
        return self._with_training_text[subset]

    @cached_property
    def _with_training_text(self) -> dict[str, Cohort]:
        """Cache of these subsets, since a stage is validated many times."""
        return {}

    def identity(self) -> dict[str, Any]:
        """Identity of the weights: system, findings, graph and split."""
        return {
            "system": self.experiment.system.name,
            "findings": list(self.preprocessor.findings),
            "graph": self.graph_use.fingerprint,
            "split": self.manifest.sha256,
        }


def build_context(
    experiment: Experiment,
    root: Path,
    *,
    cache: Path,
    runs: Path | None = None,
    sample: int = 0,
) -> RunContext:
    """Build a run: read the data, choose graph and split, fit the preprocessor, build the system.

    Args:
        experiment: The configuration.
        root: Folder that holds data sets by name, or the data set's own.
        cache: Folder of feature caches.
        runs: Folder of the runs whose weights it may start with; default = beside the caches.
        sample: Number of studies of each subset that are read, to try a run; 0 = all.

    Raises:
        InputError: If data, graph or a component are not what the configuration says, or a run it
            starts with has seen a test study.
    """
    runs = cache.parent if runs is None else runs
    parents = open_parents(experiment, runs)
    data = experiment.data
    opened, manifest, subsets, supervision = chosen = open_studies(experiment, root, cache)
    preprocessor = build_preprocessor(
        experiment,
        (supervision.graph, supervision.structure),
        supervision.findings,
        exclusive=supervision.label_set.exclusive,
        held=supervision.held,
        cache=cache,
        runs=runs,
    )
    if preprocessor.reads_text:
        opened.check_text()
    seen = {parent.folder.run: parent.exposure for parent in parents}
    check_unseen(seen, data.name, subsets["test"], opened.root)
    hand_over_reading(parents, preprocessor)
    if sample:
        subsets = {name: spread(some, sample) for name, some in subsets.items()}
    further = _further(experiment, root, cache, preprocessor, (subsets, opened.root))
    fit_preprocessor(preprocessor, opened, subsets["train"], further)
    if sample and preprocessor.learns_words:  # its size is that of all words
        preprocessor.text.fit(list(chosen.subsets["train"]), paired=preprocessor.pairs)
    return RunContext(
        experiment=experiment,
        root=opened.root,
        choice=opened.choice,
        label_set=supervision.label_set,
        manifest=manifest,
        graph_use=supervision.use,
        preprocessor=preprocessor,
        cohorts=read_cohorts(preprocessor, opened, subsets, further),
        system=build_system(experiment, preprocessor, parents),
        parents=parents,
        further=further,
        chosen=chosen,
        fingerprint=opened.fingerprint
        or fingerprint(
            [study for chosen in subsets.values() for study in chosen],
            opened.root,
            contents=preprocessor.contents,
            known=image_hashes(opened, experiment.image),
            further=further,
        ),
    )


def open_studies(experiment: Experiment, root: Path, cache: Path) -> RunStudies:
    """Open the data set of an experiment, split its studies, and choose graph and findings.

    Args:
        experiment: The configuration.
        root: Folder that holds data sets by name, or the data set's own.
        cache: Folder of caches.

    Raises:
        InputError: If data, graph or labels are not what the configuration says.
    """
    opened = open_dataset(experiment.data, root, cache, boxes=needs_of(experiment).boxes)
    return choose_studies(experiment, opened, labelled_studies(opened.studies, experiment.data))


def _further(
    experiment: Experiment,
    root: Path,
    cache: Path,
    preprocessor: StudyPreprocessor,
    data: tuple[Mapping[SplitSubset, Sequence[Study]], Path],
) -> tuple[Further, ...]:
    """Training studies of the further data sets, without validation and test images."""
    if not experiment.also:
        return ()
    if experiment.data.name in {section.name for section in experiment.also}:
        raise InputError(
            f"also: {experiment.data.name} is the run's own data set", "name other data sets"
        )
    subsets, own = data
    contents = preprocessor.contents or Contents()
    closed = frozenset(
        contents.hash(own / image.path)
        for name in ("validation", "test")
        for study in subsets[name]
        for image in study.images
        if (own / image.path).exists()
    )
    boxes = preprocessor.needs.boxes
    return further_studies(
        experiment.also,
        lambda section: open_dataset(section, root, cache, boxes=boxes),
        preprocessor.graph,
        preprocessor.findings,
        closed,
    )


def labelled_studies(studies: Sequence[Study], data: DataSection) -> Sequence[Study]:
    """Labelled studies with the required modalities.

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
        required = ", ".join(("a label", *data.require))
        counts = {"a label": sum(bool(one.stated) for one in studies)}
        counts |= {thing: sum(map(has[thing], studies)) for thing in data.require}
        counted = ", ".join(f"{thing} {count}" for thing, count in counts.items())
        raise InputError(
            f"no study of {data.name} has {required}",
            f"of {len(studies)} studies have {counted}; data.require says what they must have",
        )
    return kept


def build_preprocessor(
    experiment: Experiment,
    graphs: tuple[KnowledgeGraph, KnowledgeGraph],
    findings: tuple[str, ...],
    *,
    exclusive: bool,
    held: Held = NOTHING_HELD,
    cache: Path,
    runs: Path,
) -> StudyPreprocessor:
    """A preprocessor that is not yet fitted or restored."""
    graph, structure = graphs
    return StudyPreprocessor(
        with_encoder_file(experiment, runs),
        Graphs(graph, structure, concept_vectors(experiment.graph, structure, cache)),
        findings,
        exclusive=exclusive,
        held=held,
        needs=needs_of(experiment),
        cache=cache,
    )


def needs_of(experiment: Experiment) -> Needs:
    """Inputs that the system of a configuration requires."""
    system, options, stages = chosen_system(experiment)
    return system.needs(options, stages)


def chosen_system(experiment: Experiment) -> tuple[type[System], Any, tuple[Stage, ...]]:
    """System class, options and stages of a configuration."""
    part: Any = SYSTEMS.load(experiment.system.name)
    where = f"system.{experiment.system.name}"
    options = parse_options(part.Options, experiment.system.options, where=where)
    return part, options, experiment.stages or part.default_stages(options)


def build_system(
    experiment: Experiment, preprocessor: StudyPreprocessor, parents: Sequence[Parent] = ()
) -> System:
    """System of a configuration for preprocessed studies, with the weights of its parents."""
    part: Any
    part, options, stages = chosen_system(experiment)
    system: System = part(options, preprocessor.setting(), stages)
    take_weights(parents, system)
    return system


def fingerprint(
    studies: Iterable[Study],
    root: Path,
    *,
    contents: Contents | None,
    known: Mapping[str, str] = NO_HASHES,
    further: Sequence[Further] = (),
) -> str:
    """SHA-256 over studies as read: ids, groups, text, labels and contents of their images.

    Args:
        studies: The studies, in any order.
        root: Folder their image paths are relative to.
        contents: Gives hashes of images; None = the system reads none.
        known: Hashes of images that are not read from their files.
        further: Training studies of further data sets.
    """
    digest = hashlib.sha256()
    for one in further:
        digest.update(fingerprint(one.studies, one.root, contents=contents).encode())
    for study in sorted(studies, key=lambda one: one.study):
        digest.update(json.dumps(plain(study), sort_keys=True).encode())
        if contents is not None:
            for image in study.images:
                hashed = known.get(image.path) or contents.hash(root / image.path)
                digest.update(hashed.encode())
    return digest.hexdigest()
