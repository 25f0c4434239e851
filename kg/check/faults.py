"""Faults of a graph: every rule with its stable id, severity and remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "info"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""Worst first."""


class Rule(NamedTuple):
    """A rule of integrity.

    Args:
        severity: `error` where the graph must not be used so, `warning` where it is probably
            wrong, `info` where it is poorer than it might be.
        holds: The rule as a sentence.
        mend: Remedy where it is broken.
    """

    severity: Severity
    holds: str
    mend: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One breach of a rule.

    Args:
        rule: Stable id of the rule, for example `is_a_cycle`.
        severity: Severity of the rule.
        about: The concept, edge or label set at fault.
        message: The fault.
        mend: Its remedy.
    """

    rule: str
    severity: Severity
    about: str
    message: str
    mend: str


RULES: dict[str, Rule] = {
    # Rules of the file, without which there is no graph.
    "duplicate_id": Rule("error", "Two concepts do not have one id.", "merge them"),
    "dangling_id": Rule(
        "error", "Both ends of an edge are concepts.", "add the concept or take out the edge"
    ),
    "duplicate_edge": Rule("error", "An edge is written once.", "merge the evidence into one"),
    "unknown_relation": Rule(
        "error", "A relation is one of the project's or a CURIE.", "name it so, or add a prefix"
    ),
    "no_evidence": Rule("error", "Every edge has evidence.", "name its source, or take it out"),
    "malformed_record": Rule(
        "error", "Every value of a record is of its field's type.", "correct it or take it out"
    ),
    "edited_after_build": Rule(
        "warning",
        "The content is that of the fingerprint it was saved with.",
        "change the recipe and build again; or load and save it to accept the edit",
    ),
    # Rules of edges.
    "self_loop": Rule("error", "No edge leads from a concept to itself.", "take the edge out"),
    "is_a_cycle": Rule("error", "is_a is acyclic.", "take out the wrong edge"),
    "part_of_cycle": Rule("error", "part_of is acyclic.", "take out the wrong edge"),
    "grouping_cycle": Rule(
        "error",
        "A label set's grouping is acyclic, also with what is entailed.",
        "take out the wrong edge",
    ),
    "double_edge": Rule(
        "error", "A symmetric edge is written in one direction.", "merge their evidence"
    ),
    "inverse_edge": Rule(
        "warning", "A fact and its inverse are not both stated.", "keep one and merge evidence"
    ),
    "both_ways": Rule(
        "warning", "A relation with a direction is not stated both ways.", "take out the wrong one"
    ),
    "domain": Rule(
        "error", "The subject is of a kind the relation has.", "correct the kind or the edge"
    ),
    "range": Rule(
        "error", "The object is of a kind the relation has.", "correct the kind or the edge"
    ),
    "disjoint_kin": Rule(
        "error", "Disjoint concepts are not one below the other.", "take one edge out"
    ),
    "is_a_with_label_set": Rule(
        "error", "Entailment belongs to no label set.", "make it grouped_under"
    ),
    "unknown_convention": Rule(
        "error", "A grouping names a label set of the graph.", "name a label set"
    ),
    # Rules of label sets.
    "label_set_incomplete": Rule(
        "error",
        "Findings of a label set are its members, one column each.",
        "correct the label set",
    ),
    "label_set_twice": Rule("error", "A label set is declared once.", "give it another name"),
    "no_finding_not_disjoint": Rule(
        "error",
        "No Finding excludes every abnormality of its label set.",
        "add disjoint_with, or list it in with_no_finding",
    ),
    "is_a_against_labels": Rule(
        "warning",
        "In a label table at most 5% of a child's positives lack its parent.",
        "make it grouped_under, or look at the labels",
    ),
    "shapes_not_checked": Rule(
        "info",
        "The project's shapes are checked where the graph is not very large.",
        "name them with --shapes kg/shapes/clinical.ttl to check them all the same",
    ),
    # Rules of concepts.
    "no_label": Rule("error", "Every concept has a label and a kind.", "give it both"),
    "duplicate_label": Rule(
        "error", "Two concepts do not have one label.", "merge them or rename one"
    ),
    "shared_name": Rule("warning", "A name means one concept.", "take it from one of them"),
    "shared_xref": Rule(
        "warning", "A foreign identifier belongs to one concept.", "compare labels and keep one"
    ),
    "malformed_xref": Rule(
        "warning", "A foreign identifier is a CURIE.", "write it as PREFIX:local"
    ),
    "xref_label_mismatch": Rule(
        "warning",
        "A foreign identifier's own label is a name of the concept.",
        "look the identifier up and correct it, or add the name",
    ),
    "xref_unknown": Rule(
        "info", "A foreign identifier is in its vocabulary.", "look it up; it may be obsolete"
    ),
    "orphan": Rule("info", "Every concept has an edge.", "connect it or take it out"),
    # Rules of provenance.
    "no_source": Rule("error", "Every item of evidence names a source.", "name it"),
    "no_licence": Rule("info", "Every item of evidence names a licence.", "name its terms"),
    "no_concept_source": Rule("info", "Every concept names a source.", "name it"),
    "mined_without_dataset": Rule(
        "error", "Mined evidence, and no other, names its data set.", "name the data set"
    ),
}


def fault(rule: str, about: str, message: str, *, mend: str = "") -> Fault:
    """A fault of a rule, with the remedy of the rule unless another is given."""
    known = RULES[rule]
    return Fault(rule, known.severity, about, message, mend or known.mend)


def at_least(faults: list[Fault], severity: Severity) -> list[Fault]:
    """The faults that are as bad as `severity` or worse."""
    worst = SEVERITIES[: SEVERITIES.index(severity) + 1]
    return [one for one in faults if one.severity in worst]
