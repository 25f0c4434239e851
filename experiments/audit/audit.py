"""Audit of a data set: runs every probe that its inputs allow and collects the results."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from experiments.audit.associations import associations, label_counts, origin_rows
from experiments.audit.explained import BaselineProbe, explain
from experiments.audit.image_probe import BordersProbe, LungsMaskedProbe
from experiments.audit.judging import judge, shuffled_check
from experiments.audit.probes import METADATA_PROBES, BearsOn, MetadataProbe, NotPossible, Probed
from experiments.audit.record import Audit, ProbeResult, Shuffled
from experiments.audit.subject import AuditOptions, Subject, open_subject
from experiments.audit.text_probe import CutProbe, Redacted, RedactedProbe
from experiments.audit.train_test_overlap import train_test_overlap
from experiments.audit.verdicts import probe_verdict
from experiments.config.schema import GraphSection
from experiments.loading.graphs import choose_graph, concepts_of
from experiments.metrics.arrays import FloatArray
from experiments.preparation.open_dataset import OpenDataset
from experiments.records.folder import RunFolder
from experiments.splits.origins import FEWEST, count_origins
from kg.model.graph import KnowledgeGraph

__all__ = ["audit"]

log = logging.getLogger(__name__)


class Probe(Protocol):
    """Model of inputs that must not be able to diagnose."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def about(self) -> str: ...  # noqa: D102

    @property
    def bears_on(self) -> BearsOn: ...  # noqa: D102

    def run(self, subject: Subject, labels: FloatArray) -> Probed:
        """Scores of the probe when trained on these labels."""


def audit(
    options: AuditOptions,
    opened: OpenDataset,
    *,
    cache: Path,
    encoder: str = "",
    runs: Sequence[RunFolder] = (),
) -> Audit:
    """Audit the development set of a data set.

    Args:
        options: Folds, resamples and the fewest positives of a finding.
        opened: The data set.
        cache: Folder of feature caches.
        encoder: Image encoder of the image-border probe; empty = thumbnails.
        runs: Finished runs to compare with the probes.

    Raises:
        InputError: If the data set is wrong or unlabelled, or a run was tested on other folds.
    """
    dataset = opened.dataset
    graph, _ = choose_graph(GraphSection(), dataset.graph_names, concepts_of(dataset))
    subject = open_subject(options, opened, graph)
    names = finding_names(subject, graph)
    results = []
    baselines: list[BaselineProbe] = []
    for probe in _probes(subject, graph, cache, encoder):
        result, scores = _run(probe, subject, names)
        results.append(result)
        if scores is not None:
            baselines.append(BaselineProbe(probe.name, probe.bears_on, scores))
    return Audit(
        dataset=opened.name,
        labels=subject.opened.choice.name,
        label_source=subject.opened.choice.origin,
        version=version("kgdx"),
        studies=len(subject.studies),
        patients=len(set(subject.groups)),
        unlabelled=subject.unlabelled,
        modalities=dict(sorted(Counter(subject.modalities).items())),
        folds=options.folds,
        manifests=tuple(one.sha256 for one in subject.manifests),
        seed=options.seed,
        resamples=options.resamples,
        at_least=options.at_least,
        counts=label_counts(subject, names),
        probes=tuple(results),
        shuffled=_shuffled(subject),
        associations=associations(subject, names),
        sources=origin_rows(subject),
        likeness=train_test_overlap(subject, opened.official, cache / "audit" / opened.name),
        explained=explain(subject, baselines, runs),
        remarks=_remarks(subject),
        options={
            name: str(value)
            for name, value in dataset.options.model_dump(exclude_defaults=True).items()
        },
    )


def finding_names(subject: Subject, graph: KnowledgeGraph) -> dict[str, str]:
    """Name of each audited finding: the graph's, else that of its label set."""
    columns = dict(zip(subject.label_set.findings, subject.label_set.columns, strict=True))
    return {
        finding: graph.concept(finding).label if finding in graph.index else columns[finding]
        for finding in subject.findings
    }


def _remarks(subject: Subject) -> tuple[str, ...]:
    """Remarks on findings that were not audited and origins that cannot be left out."""
    labels = subject.label_set.findings
    excluded = len(labels) - len(subject.findings)
    counts = count_origins(subject.studies)
    testable = [row.source for row in counts if row.can_be_tested]
    remarks = []

    if excluded:
        fewest = subject.options.at_least
        remarks.append(
            f"{excluded} of {len(labels)} findings of {subject.opened.choice.name} have fewer than "
            f"{fewest} positives and were not audited."
        )
    rare = [
        finding
        for finding, column in zip(subject.findings, subject.labels.T, strict=True)
        if (column == 0).sum() < subject.options.at_least
    ]
    if rare:
        remarks.append(
            f"{len(rare)} of the {len(subject.findings)} audited findings are stated absent in "
            f"fewer than {subject.options.at_least} studies: they have no AUROC."
        )
    if len(counts) > 1:
        named = f": {', '.join(testable)}" if testable else ""
        remarks.append(
            f"{len(testable)} of {len(counts)} origins have {FEWEST} studies with and {FEWEST} "
            f"without a finding, so that they can be left out and tested{named}."
        )
    return tuple(remarks)


def _probes(subject: Subject, graph: KnowledgeGraph, cache: Path, encoder: str) -> list[Probe]:
    """All probes, cheap ones first."""
    lungs: Callable[[Path], Any] | None = getattr(subject.opened.dataset, "lungs", None)
    texts = Redacted(graph, subject)
    return [
        *METADATA_PROBES,
        CutProbe(texts, "report"),
        RedactedProbe(texts, "report"),
        CutProbe(texts, "dialogue"),
        RedactedProbe(texts, "dialogue"),
        BordersProbe(cache, encoder),
        LungsMaskedProbe(lungs(subject.opened.root) if lungs is not None else {}),
    ]


def _run(
    probe: Probe, subject: Subject, names: Mapping[str, str]
) -> tuple[ProbeResult, FloatArray | None]:
    """Result of a probe, and its scores; None where it cannot be run."""
    start = time.monotonic()
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
        seconds=time.monotonic() - start,
    )
    return result, probed.scores


def _shuffled(subject: Subject) -> Shuffled | None:
    """Check of the audit itself, with one probe of all metadata on shuffled labels."""
    fields = tuple(dict.fromkeys(name for probe in METADATA_PROBES for name in probe.facts))
    everything = MetadataProbe("all metadata", "every metadata field", fields)

    def scores(labels: FloatArray) -> FloatArray:
        return everything.run(subject, labels).scores

    try:
        return shuffled_check(subject, scores)
    except NotPossible:
        return None
