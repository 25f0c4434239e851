"""Restoring of a finished run from its folder: graph, preprocessor, system and calibration.

The training data are not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments.config.load import resolve
from experiments.config.mistakes import check_values
from experiments.config.schema import Experiment
from experiments.loading.graphs import choose_graph, concepts_of, structure_of
from experiments.loading.holdout import NOTHING_HELD, Held, without_mined
from experiments.loading.preprocessor import StudyPreprocessor
from experiments.metrics.calibration import Calibration
from experiments.metrics.decisions import Thresholds
from experiments.preparation.open_dataset import build_dataset
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import RunFolder
from experiments.records.record import RunRecord
from experiments.runs.build import build_preprocessor, build_system
from experiments.runs.exposure import Exposure
from experiments.splits.manifest import Manifest
from fusion.system import System
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph

__all__ = ["Restored", "restore"]

RULE = "chosen on validation"


@dataclass(frozen=True)
class Restored:
    """A finished run, ready for prediction.

    Args:
        folder: Its folder.
        experiment: Its configuration.
        graph: Graph for reading text and matching findings; the system's structure is the
            preprocessor's.
        preprocessor: Preprocessor fitted in training.
        system: The trained system, in evaluation mode.
        calibration: Temperatures and thresholds of the findings trained on, in their order; None
            where the run was not measured by classification.
        record: Its record.
        manifest: Its split.
        weights: SHA-256 of the file of its weights.
    """

    folder: RunFolder
    experiment: Experiment
    graph: KnowledgeGraph
    preprocessor: StudyPreprocessor
    system: System
    calibration: Calibration | None
    record: RunRecord
    manifest: Manifest
    weights: str

    @cached_property
    def exposure(self) -> Exposure:
        """Studies and pictures that training or validation has seen."""
        return Exposure.of(self.folder, self.manifest)

    @property
    def thresholds(self) -> Thresholds:
        """Thresholds chosen on validation; none where classification was not measured."""
        empty = Thresholds((), RULE, frozenset())
        return empty if self.calibration is None else self.calibration.thresholds


def restore(folder: RunFolder, cache: Path | None = None) -> Restored:
    """Restore a finished run.

    Args:
        folder: The run's folder.
        cache: Folder of feature caches; default = beside the runs.

    Raises:
        InputError: If the run is not finished, its configuration was changed, the graph is no
            longer the one it was trained with, or a checkpoint is damaged.
    """
    record = folder.load_record()
    if record.status != "finished":
        raise InputError(f"{folder.run} is {record.status}, not finished", record.way_on)
    experiment = _experiment(folder, record)
    manifest = Manifest.load(folder.splits)
    kept = load_checkpoint(folder.checkpoints / "reader")
    held = _held(kept.state)
    graph, structure = _graphs(experiment, record, held)
    findings = tuple(kept.identity["findings"])
    preprocessor = build_preprocessor(
        experiment,
        (graph, structure),
        findings,
        exclusive=_exclusive(kept.state, experiment, graph),
        held=held,
        cache=cache or folder.path.parent / "cache",
        runs=folder.path.parent,
    )
    preprocessor.restore(kept.tensors, kept.state)
    system = build_system(experiment, preprocessor)
    identity = {
        "system": experiment.system.name,
        "findings": list(findings),
        "graph": structure.fingerprint,
        "split": manifest.sha256,
    }
    best = load_checkpoint(folder.checkpoints / "best", like=system.state_dict(), identity=identity)
    system.load_state_dict(dict(best.tensors))
    system.eval()
    calibration = _calibration(record, manifest, preprocessor)
    return Restored(
        folder,
        experiment,
        graph,
        preprocessor,
        system,
        calibration,
        record,
        manifest,
        best.sha256,
    )


def _experiment(folder: RunFolder, record: RunRecord) -> Experiment:
    """The run's configuration, checked to be unchanged since its start."""
    experiment = resolve(str(folder.config))
    started = check_values(Experiment, dict(record.experiment), places={(): str(folder.record)})
    if experiment != started:
        raise InputError(
            f"{folder.config} was changed since the run was started",
            "put it back as record.json has it, or run the changed configuration as a new run",
        )
    return experiment


def _graphs(
    experiment: Experiment, record: RunRecord, held: Held
) -> tuple[KnowledgeGraph, KnowledgeGraph]:
    """The run's graph and its structure, rebuilt and checked by fingerprint."""
    dataset = build_dataset(experiment.data.name, experiment.data.options)
    graph, use = choose_graph(experiment.graph, dataset.graph_names, concepts_of(dataset))
    graph, use = without_mined(graph, use, held.masked)
    structure, _ = structure_of(experiment.graph, graph, use)
    if record.graph is None or structure.fingerprint != record.graph.fingerprint:
        was = record.graph.fingerprint[:12] if record.graph else "none"
        raise InputError(
            f"{record.run}: its graph was {was}, graph.source {experiment.graph.source} now gives "
            f"{structure.fingerprint[:12]}",
            "install the version of kgdx that made the run, or put the graph file back",
        )
    return graph, structure


def _held(state: Any) -> Held:
    """Findings held out of training."""
    kept = state.get("held")
    if not kept:
        return NOTHING_HELD
    return Held(tuple(kept["findings"]), frozenset(kept["masked"]))


def _exclusive(state: Any, experiment: Experiment, graph: KnowledgeGraph) -> bool:
    """Whether the findings exclude each other, from the preprocessor's state."""
    if "exclusive" in state:
        return bool(state["exclusive"])
    sets = {one.name: one for one in graph.label_sets}
    return experiment.data.labels in sets and sets[experiment.data.labels].exclusive


def _calibration(
    record: RunRecord, manifest: Manifest, preprocessor: StudyPreprocessor
) -> Calibration | None:
    """Temperatures and thresholds from the record's rows; None where it has none.

    Raises:
        InputError: If the record has rows of some findings trained on, but not of all.
    """
    rows = {row.finding: row for row in record.findings if row.basis == "trained"}
    if not rows:
        return None
    missing = [finding for finding in preprocessor.findings if finding not in rows]
    if missing:
        raise InputError(
            f"{record.run}: its record has no threshold of {missing[0]}", "run it again"
        )
    chosen = [rows[finding] for finding in preprocessor.findings]
    temperatures = tuple(1.0 if row.temperature is None else row.temperature for row in chosen)
    undefined = float("nan")
    return Calibration(
        temperatures=temperatures[:1] if preprocessor.exclusive else temperatures,
        thresholds=Thresholds(
            tuple(undefined if row.threshold is None else row.threshold for row in chosen),
            RULE,
            frozenset(manifest.groups[study] for study in manifest.studies("validation")),
        ),
        exclusive=preprocessor.exclusive,
    )
