"""Audit a data set: run every probe it has the inputs for, and tell what follows."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from experiments.audit.associations import associations, label_counts, source_rows
from experiments.audit.explained import Rival, explain
from experiments.audit.judging import judge, shuffled_check
from experiments.audit.picture_probe import BordersProbe, LungsMaskedProbe
from experiments.audit.probes import FACT_PROBES, BearsOn, FactProbe, NotPossible, Probed
from experiments.audit.record import Audit, ProbeResult, Shuffled
from experiments.audit.subject import AuditOptions, Subject, open_subject
from experiments.audit.text_probe import CutProbe, Redacted, RedactedProbe
from experiments.audit.train_test_overlap import likeness
from experiments.audit.verdicts import probe_verdict
from experiments.config.schema import GraphSection
from experiments.loading.graphs import choose_graph
from experiments.metrics.arrays import FloatArray
from experiments.preparation.open_dataset import OpenDataset
from experiments.records.folder import RunFolder
from experiments.splits.origins import FEWEST, count_origins
from kg.model.graph import KnowledgeGraph

__all__ = ["audit"]

log = logging.getLogger(__name__)


class Probe(Protocol):
    """A model that must not be able to diagnose."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def about(self) -> str: ...  # noqa: D102

    @property
    def bears_on(self) -> BearsOn: ...  # noqa: D102

    def run(self, subject: Subject, labels: FloatArray) -> Probed:
        """Scores of the probe, taught these labels."""


def audit(
    asked: AuditOptions,
    opened: OpenDataset,
    *,
    cache: Path,
    encoder: str = "",
    runs: Sequence[RunFolder] = (),
) -> Audit:
    """Audit the development set of a data set.

    Args:
        asked: Folds, and what is asked for.
        opened: The data set.
        cache: Folder of feature caches.
        encoder: Image encoder of the probe of borders; empty = thumbnails.
        runs: Finished runs to set beside the probes.

    Raises:
        InputError: If the data set is wrong, has no labels to audit, or a run is not of its folds.
    """
    dataset = opened.dataset
    graph, _ = choose_graph(GraphSection(), dataset.graph_names)
    subject = open_subject(asked, opened, graph)
    names = finding_names(subject, graph)
    results = []
    rivals: list[Rival] = []
    for probe in _probes(subject, graph, cache, encoder):
        result, given = _run(probe, subject, names)
        results.append(result)
        if given is not None:
            rivals.append(Rival(probe.name, probe.bears_on, given))
    return Audit(
        dataset=opened.name,
        labels=subject.opened.choice.name,
        label_source=subject.opened.choice.origin,
        version=version("kgdx"),
        studies=len(subject.studies),
        patients=len(set(subject.groups)),
        unlabelled=subject.unlabelled,
        modalities=dict(sorted(Counter(subject.modalities).items())),
        folds=asked.folds,
        manifests=tuple(one.sha256 for one in subject.manifests),
        seed=asked.seed,
        resamples=asked.resamples,
        at_least=asked.at_least,
        counts=label_counts(subject, names),
        probes=tuple(results),
        shuffled=_shuffled(subject),
        associations=associations(subject, names),
        sources=source_rows(subject),
        likeness=likeness(subject, opened.official, cache / "audit" / opened.name),
        explained=explain(subject, rivals, runs),
        remarks=_remarks(subject),
        options={
            name: str(value)
            for name, value in dataset.options.model_dump(exclude_defaults=True).items()
        },
    )


def finding_names(subject: Subject, graph: KnowledgeGraph) -> dict[str, str]:
    """Name of each finding asked for: the graph's, else that of its label set."""
    columns = dict(zip(subject.label_set.findings, subject.label_set.columns, strict=True))
    return {
        finding: graph.concept(finding).label if finding in graph.index else columns[finding]
        for finding in subject.findings
    }


def _remarks(subject: Subject) -> tuple[str, ...]:
    """What was not asked for, and what cannot be tested."""
    labels = subject.label_set.findings
    silent = len(labels) - len(subject.findings)
    counts = count_origins(subject.studies)
    able = [row.source for row in counts if row.can_be_tested]
    remarks = []
    if silent:
        fewest = subject.asked.at_least
        remarks.append(
            f"{silent} of {len(labels)} findings of {subject.opened.choice.name} have fewer than "
            f"{fewest} positives here and were not asked for."
        )
    rare = [
        finding
        for finding, column in zip(subject.findings, subject.labels.T, strict=True)
        if (column == 0).sum() < subject.asked.at_least
    ]
    if rare:
        remarks.append(
            f"{len(rare)} of the {len(subject.findings)} findings asked for are stated absent in "
            f"fewer than {subject.asked.at_least} studies: they have no AUROC."
        )
    if len(counts) > 1:
        named = f": {', '.join(able)}" if able else ""
        remarks.append(
            f"{len(able)} of {len(counts)} sources have {FEWEST} studies with and {FEWEST} without "
            f"a finding, so that they can be left out and tested{named}."
        )
    return tuple(remarks)


def _probes(subject: Subject, graph: KnowledgeGraph, cache: Path, encoder: str) -> list[Probe]:
    """Every probe there is, cheap ones first."""
    marks: Callable[[Path], Any] | None = getattr(subject.opened.dataset, "lungs", None)
    texts = Redacted(graph, subject)
    return [
        *FACT_PROBES,
        CutProbe(texts, "report"),
        RedactedProbe(texts, "report"),
        CutProbe(texts, "dialogue"),
        RedactedProbe(texts, "dialogue"),
        BordersProbe(cache, encoder),
        LungsMaskedProbe(marks(subject.opened.root) if marks is not None else {}),
    ]


def _run(
    probe: Probe, subject: Subject, names: Mapping[str, str]
) -> tuple[ProbeResult, FloatArray | None]:
    """What came of a probe, and its scores."""
    begun = time.monotonic()
    log.info("probe: %s", probe.name)
    try:
        probed = probe.run(subject, subject.labels)
    except NotPossible as error:
        return ProbeResult(probe.name, probe.about, impossible=str(error)), None
    places = judge(subject, probed.scores, across=getattr(probe, "across", False))
    result = ProbeResult(
        name=probe.name,
        about=probe.about,
        reads=probed.reads,
        places=places,
        remark=probed.remark,
        verdict=probe_verdict(probe.name, places, names, probe.bears_on),
        seconds=time.monotonic() - begun,
    )
    return result, probed.scores


def _shuffled(subject: Subject) -> Shuffled | None:
    """The check of the audit itself, with one probe that reads every fact."""
    facts = tuple(dict.fromkeys(fact for probe in FACT_PROBES for fact in probe.facts))
    everything = FactProbe("all facts", "every fact", facts)

    def scores(labels: FloatArray) -> FloatArray:
        return everything.run(subject, labels).scores

    try:
        return shuffled_check(subject, scores)
    except NotPossible:
        return None
