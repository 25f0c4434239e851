"""Targets from stated labels, and passages that a text policy allows.

Leakage is computed from the text policy and the text the labels were read from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from encoders.study import Passage, Stated, Study
from experiments.config.schema import DataSection, TextPolicy
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph, LabelSet

Leakage = Literal["none", "partial", "label_source_read"]
Uncertain = Literal["ignore", "zero", "one"]
Blank = Literal["ignore", "zero"]
Redactor = Callable[[Passage], Passage]
"""Cuts the clauses of a passage that state a requested finding."""

READ: dict[TextPolicy, tuple[str, ...]] = {
    "none": (),
    "indication": ("indication",),
    "findings": ("findings",),
    "impression": ("impression",),
}
"""Sections a policy reads; `full` and `redacted` read every passage of the report."""

CODED_FROM = {"mesh": ("findings", "impression")}
"""Sections that an indexing was read from."""


def label_set_of(dataset: object, root: Path, labels: str, graph: KnowledgeGraph) -> LabelSet:
    """Label set of a data set: its own where it has one, else the graph's.

    Raises:
        InputError: If neither has a label set of that name.
    """
    bring: Callable[[Path, str], LabelSet | None] | None = getattr(dataset, "label_set", None)
    own = bring(root, labels) if bring is not None else None
    return own if own is not None else graph.label_set(labels)


def choose_findings(
    label_set: LabelSet, studies: Iterable[Study], at_least: int
) -> tuple[str, ...]:
    """Findings of a label set with enough positives, in the set's order.

    Args:
        label_set: The label set; of an exclusive one every class with a positive stays, because
            its softmax is over all of them.
        studies: The development studies, never locked ones.
        at_least: Smallest number of studies in which a finding is present.

    Raises:
        InputError: If no finding has that many.
    """
    counts = positives(studies)
    fewest = 1 if label_set.exclusive else at_least
    chosen = tuple(name for name in label_set.findings if counts.get(name, 0) >= fewest)
    if not chosen:
        raise InputError(
            f"no finding of {label_set.name} is present in {fewest} or more studies",
            "lower data.at_least, or check that the labels were read",
        )
    return chosen


def check_classes(studies: Iterable[Study], findings: Sequence[str], data: DataSection) -> None:
    """Refuse training studies of one class only: every finding is present in all, or in none.

    Args:
        studies: The training studies.
        findings: Concept ids of the findings trained on.
        data: Label policy.

    Raises:
        InputError: If no finding is present in one study and absent in another.
    """
    truth = targets(tuple(studies), findings, data.uncertain, data.blank)
    present, absent = (truth == 1).sum(0), (truth == 0).sum(0)
    if len(findings) and not ((present > 0) & (absent > 0)).any():
        counts = zip(findings, present.tolist(), absent.tolist(), strict=True)
        listed = ", ".join(f"{name} present {yes}, absent {no}" for name, yes, no in counts)
        raise InputError(
            f"{data.name}: one class only in the training studies: {listed}",
            "add studies of the other class; where what is not stated is absent, "
            "set data.blank: zero",
        )


def positives(studies: Iterable[Study]) -> dict[str, int]:
    """Number of studies in which each concept is stated present."""
    counts: dict[str, int] = {}
    for study in studies:
        for concept, stated in study.stated.items():
            counts[concept] = counts.get(concept, 0) + (stated == "present")
    return counts


def targets(
    studies: Sequence[Study], findings: Sequence[str], uncertain: Uncertain, blank: Blank
) -> NDArray[np.float32]:
    """Stated labels as targets `[B, C]`: 1 present, 0 absent, NaN = not stated.

    A study that states nothing at all was not labelled: its row is NaN whatever `blank` says.
    For an exclusive set the rows are one-hot where the class is stated, because a data set that
    states one class present states the others absent.

    Args:
        studies: The studies (`B`).
        findings: Concept ids of the targets (`C`).
        uncertain: Target of an uncertain label.
        blank: Target of a finding that a labelled study does not state.
    """
    values: dict[Stated | None, float] = {
        "present": 1.0,
        "absent": 0.0,
        "uncertain": {"ignore": np.nan, "zero": 0.0, "one": 1.0}[uncertain],
        None: {"ignore": np.nan, "zero": 0.0}[blank],
    }
    array = np.full((len(studies), len(findings)), np.nan, dtype=np.float32)
    for row, study in enumerate(studies):
        if study.stated:
            array[row] = [values[study.stated.get(finding)] for finding in findings]
    return array


def leakage(policy: TextPolicy, label_source: Sequence[str]) -> Leakage:
    """Leakage of labels through the text that a policy allows.

    `label_source_read` where a passage the labels were read from is read; `partial` where only
    its stating clauses were cut (`redacted`), or where the label is a recorded diagnosis and the
    text was written by people who knew it; else `none`.

    Args:
        policy: The text policy at test.
        label_source: `LabelChoice.origin` of the labels.
    """
    if policy in ("none", "indication"):
        return "none" if not set(READ[policy]) & set(label_source) else "label_source_read"
    origins = set(label_source).union(*(CODED_FROM.get(name, ()) for name in label_source))
    if policy == "dialogue":
        return "label_source_read" if "dialogue" in origins else "none"
    passages = origins - {"mesh", "image", "record", "dialogue"}
    read = passages & set(READ[policy]) if policy in READ else passages
    if read:
        return "partial" if policy == "redacted" else "label_source_read"
    return "partial" if "record" in origins else "none"


def passages_for(
    study: Study,
    policy: TextPolicy,
    language: Literal["en", "zh", "es", "any"],
    redactor: Redactor | None = None,
) -> tuple[Passage, ...]:
    """Passages of a study that a text policy allows.

    `indication`, `findings` and `impression` read the sections of that name; clinical notes and
    expert comments are read by `full` and `redacted` alone, since they may name the diagnosis.

    Args:
        study: The study.
        policy: The text policy.
        language: Language to read; `any` reads all.
        redactor: Cuts stating clauses; needed for `redacted`, unused otherwise.

    Raises:
        ValueError: If the policy is `redacted` and there is no redactor.
    """
    if policy == "dialogue":
        chosen: Iterable[Passage] = study.dialogue
    elif policy in READ:
        chosen = (passage for passage in study.report if passage.name in READ[policy])
    else:
        chosen = study.report
    kept = tuple(p for p in chosen if language in ("any", p.language))
    if policy != "redacted":
        return kept
    if redactor is None:
        raise ValueError("the text policy `redacted` needs a redactor")
    cut = (redactor(passage) for passage in kept)
    return tuple(passage for passage in cut if passage.text.strip())
