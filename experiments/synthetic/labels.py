"""Labels of a made-up study by its ground truth."""

from __future__ import annotations

from encoders.study import Stated
from experiments.synthetic.repertoire import (
    COVID,
    DEVICES,
    LABELS,
    NO_FINDING,
    NORMAL_AIR,
    SUPPORT_DEVICES,
)
from experiments.synthetic.world import Case
from kg.model.graph import KnowledgeGraph


def true_concepts(case: Case, graph: KnowledgeGraph) -> frozenset[str]:
    """Every concept that holds for a study.

    A concept entails its broader concepts (`is_a`); `no_finding` holds without disease and
    abnormality, devices aside.
    """
    first = {finding.concept for finding in case.findings}
    holds = {*first, *case.symptoms, *([case.disease] if case.disease else [])}
    for concept in tuple(holds):
        holds.update(graph.ancestors(concept))
    if case.modality == "ultrasound" and "ckg:b_lines" not in first:
        holds.add(NORMAL_AIR)
    if first & set(DEVICES):
        holds.add(SUPPORT_DEVICES)
    if not case.disease and not first - set(DEVICES):
        holds.add(NO_FINDING)
    return frozenset(holds)


def stated_labels(case: Case, true: frozenset[str], labels: str) -> dict[str, Stated]:
    """The labels of one label set; a finding that is missing from it is not stated.

    Args:
        case: The sampled study.
        true: All concepts that hold.
        labels: Name of the label set.
    """
    if labels == "pocus4":
        return _one_of_four(case)
    if labels == "covid":
        return _covid(case)
    hedged = {f.concept for f in case.findings if f.hedged}
    unsaid = {f.concept for f in case.findings if not f.stated} | case.silent
    stated: dict[str, Stated] = {}
    for concept in LABELS[labels][1]:
        if concept in unsaid:
            continue
        if concept in hedged or concept in case.doubtful:
            stated[concept] = "uncertain"
        else:
            stated[concept] = "present" if concept in true else "absent"
    if case.suspected and "ckg:pneumonia" in true and "ckg:pneumonia" in stated:
        stated["ckg:pneumonia"] = "uncertain"
    return stated


def _covid(case: Case) -> dict[str, Stated]:
    if case.disease != COVID:
        return {COVID: "absent"}
    return {COVID: "uncertain" if case.suspected else "present"}


def _one_of_four(case: Case) -> dict[str, Stated]:
    """The class of an ultrasound study: its disease, or none."""
    classes = LABELS["pocus4"][1]
    held = case.disease if case.disease in classes else NO_FINDING
    return {concept: "present" if concept == held else "absent" for concept in classes}
