"""Studies and findings of a run, chosen before any image or text of them is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from encoders.study import SplitSubset, Study
from experiments.config.schema import Experiment
from experiments.loading.data_source import SUBSETS, those
from experiments.loading.graphs import choose_graph, concepts_of, structure_of
from experiments.loading.holdout import Held, hold_out, without_mined
from experiments.loading.targets import check_classes, choose_findings, label_set_of
from experiments.preparation.open_dataset import OpenDataset
from experiments.records.record import GraphUse
from experiments.splits.manifest import Manifest
from kg.model.graph import KnowledgeGraph, LabelSet

__all__ = ["RunStudies", "Supervision", "choose_studies", "spread"]


class Supervision(NamedTuple):
    """Supervision of a run: graph, label set, and findings trained on or held out.

    Args:
        graph: The graph for reading text.
        structure: The graph for the system, a control where one is configured.
        use: Record of the graph and of what was left out of it.
        label_set: The label set.
        findings: Concept ids trained on.
        held: Findings held out of training.
    """

    graph: KnowledgeGraph
    structure: KnowledgeGraph
    use: GraphUse
    label_set: LabelSet
    findings: tuple[str, ...]
    held: Held


class RunStudies(NamedTuple):
    """Studies and findings of a run, before any image or text of them is read.

    Args:
        opened: The data set.
        manifest: The split.
        subsets: Labelled studies of each subset.
        supervision: Graph and findings.
    """

    opened: OpenDataset
    manifest: Manifest
    subsets: Mapping[SplitSubset, Sequence[Study]]
    supervision: Supervision


def choose_studies(
    experiment: Experiment, opened: OpenDataset, studies: Sequence[Study]
) -> RunStudies:
    """Split labelled studies, and choose graph and findings.

    Raises:
        InputError: If graph or labels are not what the configuration says, or the training studies
            have one class only.
    """
    manifest = opened.manifest(experiment.split)
    supervision = _supervision(experiment, opened, studies)
    subsets: dict[SplitSubset, Sequence[Study]] = {
        name: _subset(studies, manifest, name) for name in SUBSETS
    }
    if "classification" in experiment.tasks:
        check_classes(subsets["train"], supervision.findings, experiment.data)
    return RunStudies(opened, manifest, subsets, supervision)


def _supervision(
    experiment: Experiment, opened: OpenDataset, studies: Sequence[Study]
) -> Supervision:
    """Choose graph, findings, and those held out of training."""
    data = experiment.data
    graph, use = choose_graph(
        experiment.graph, opened.dataset.graph_names, concepts_of(opened.dataset)
    )
    label_set = label_set_of(opened.dataset, opened.root, data.labels, graph)
    development = (study for study in studies if study.study not in opened.locked)
    findings = choose_findings(label_set, development, data.at_least)
    held = hold_out(experiment.hold_out, findings, label_set, graph)
    graph, use = without_mined(graph, use, held.masked)
    structure, use = structure_of(experiment.graph, graph, use)
    findings = tuple(finding for finding in findings if finding not in held.findings)
    return Supervision(graph, structure, use, label_set, findings, held)


def spread(studies: Sequence[Study], count: int) -> list[Study]:
    """So many studies, evenly spaced; those with images where there are enough."""
    pictured = those(studies, lambda study: bool(study.images))
    some = pictured if len(pictured) >= count else studies
    kept = {some[place * len(some) // count].study for place in range(count)} if some else set()
    return [study for study in some if study.study in kept]


def _subset(studies: Sequence[Study], manifest: Manifest, name: SplitSubset) -> Sequence[Study]:
    return those(studies, lambda study: manifest.assignments[study.study] == name)
