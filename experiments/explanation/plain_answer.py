"""Answers as plain values: nested for JSON, a row for each finding, lines for print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from experiments.explanation.answer import (
    Certainty,
    EdgeShare,
    FactPath,
    FindingAnswer,
    ImageMap,
    StudyAnswer,
)

__all__ = [
    "USE",
    "answer_json",
    "answer_lines",
    "answer_rows",
    "certainty_words",
    "evidence_lines",
    "fact_words",
    "set_words",
    "warning_lines",
]

USE = "For research use only: not a medical device."
STRONGEST = 3
"""Words, statements and facts of a finding in a row or a few lines."""


def answer_json(answer: StudyAnswer) -> dict[str, Any]:
    """An answer as plain values, ready for JSON; shares are logits."""
    return {
        "use": USE,
        "study": answer.study,
        "models": [model._asdict() for model in answer.models],
        "images": [
            {
                "path": one.image.path,
                "modality": one.image.modality,
                "view": one.image.view,
                "frame": one.image.frame,
                "height": one.shape[0],
                "width": one.shape[1],
            }
            for one in answer.images
        ],
        "passages": [{"name": one.name, "text": one.text} for one in answer.passages],
        "findings": [_finding(one, answer) for one in answer.findings],
        "unusual": None if answer.unusual is None else _measured(answer.unusual._asdict()),
        "exposed": answer.exposed or None,
        "refused": [{"path": path, "reason": reason} for path, reason in answer.refused],
        "notes": list(answer.notes),
    }


def answer_rows(answers: Iterable[StudyAnswer]) -> list[dict[str, Any]]:
    """One row for each study and finding."""
    return [
        {
            "study": answer.study,
            "finding": one.finding,
            "label": one.label,
            "verdict": one.verdict,
            "probability": one.certainty.probability,
            "low": one.certainty.low,
            "high": one.certainty.high,
            "threshold": one.threshold,
            "basis": one.basis,
            "conformal": set_words(one.certainty),
            "boxes": "; ".join(_box_words(each) for each in one.maps if each.box),
            "words": "; ".join(_word_lines(one, answer)),
            "facts": "; ".join(fact_words(fact, answer.names) for fact in one.facts[:STRONGEST]),
            "known_from_training": answer.exposed,
            "unusual_picture": bool(answer.unusual and answer.unusual.flagged),
        }
        for answer in answers
        for one in answer.findings
    ]


def answer_lines(answer: StudyAnswer, most: int) -> Iterator[str]:
    """An answer in a few lines, the most important findings with their evidence."""
    yield f"{answer.study}:"
    yield from (f"  {line}" for line in warning_lines(answer))
    for one in answer.findings[:most]:
        yield f"  {one.label}: {one.verdict}{certainty_words(one)}"
        yield from (f"    {line}" for line in evidence_lines(one, answer))
    left = answer.findings[most:]
    if left:
        yield f"  {len(left)} more: " + ", ".join(f"{one.label} ({one.verdict})" for one in left)


def warning_lines(answer: StudyAnswer) -> Iterator[str]:
    """Reasons to trust an answer less: what training has seen, and what it has not."""
    if answer.exposed:
        yield f"training has seen this {answer.exposed}: the answer does not show how good it is"
    if answer.unusual is not None and answer.unusual.flagged:
        alarms = answer.unusual.false_alarms.words()
        yield f"a picture is unlike those of training (false alarms: {alarms})"


def evidence_lines(finding: FindingAnswer, answer: StudyAnswer) -> Iterator[str]:
    """The strongest evidence of a finding, each with its measured share."""
    yield from (f"{name} as a whole {share:+.2f}" for name, share in finding.inputs.items())
    for each in finding.maps:
        if each.method == "occlusion" and each.box:
            yield f"picture {each.image + 1}: {_box_words(each)}"
    yield from _word_lines(finding, answer)
    yield from (fact_words(fact, answer.names) for fact in finding.facts[:STRONGEST])


def certainty_words(answer: FindingAnswer) -> str:
    """Probability, its range over runs, threshold and conformal set."""
    sure = answer.certainty
    if sure.probability is None:
        return ""
    several = "" if sure.low is None else f" ({sure.low:.2f} to {sure.high:.2f} over {sure.runs})"
    threshold = "" if answer.threshold is None else f", threshold {answer.threshold:.2f}"
    held = f", {set_words(sure)}" if sure.conformal else ""
    basis = "" if answer.basis == "trained" else ", not trained on: zero-shot"
    return f", {sure.probability:.2f}{several}{threshold}{held}{basis}"


def set_words(certainty: Certainty) -> str:
    """The conformal set in words; empty where there is none."""
    conformal = certainty.conformal
    if conformal is None:
        return ""
    answers = " or ".join(sorted(conformal.answers, reverse=True)) or "neither"
    return f"{conformal.level:.0%} set: {answers}"


def edge_words(share: EdgeShare, names: Mapping[str, str]) -> str:
    """`edema is a lung opacity (paper Irvin 2019, chexpert)`."""
    edge = share.edge
    first = edge.evidence[0]
    source = first.source + (f", {first.dataset}" if first.dataset else "")
    relation = edge.relation.replace("_", " ")
    return f"{names[edge.subject]} {relation} {names[edge.object]} ({source})"


def fact_words(fact: FactPath, names: Mapping[str, str]) -> str:
    """A fact in one line, its share first; edges on the way of a statement have their own."""
    if fact.origin == "linked":
        (edge,) = fact.edges
        return f"{fact.share:+.2f} in the graph: {edge_words(edge, names)}"
    said = f"{fact.share:+.2f} {names[fact.concept]} {fact.assertion}"
    way = "; ".join(f"{one.share:+.2f} {edge_words(one, names)}" for one in fact.edges)
    return said + (f"; each edge on its way alone: {way}" if way else "")


def _finding(one: FindingAnswer, answer: StudyAnswer) -> dict[str, Any]:
    sure = one.certainty
    held = sure.conformal
    return {
        "finding": one.finding,
        "label": one.label,
        "verdict": one.verdict,
        "basis": one.basis,
        "threshold": one.threshold,
        "certainty": {
            **sure._asdict(),
            "conformal": None
            if held is None
            else {**_measured(held._asdict()), "answers": sorted(held.answers)},
        },
        "inputs": dict(one.inputs),
        "maps": [
            {
                "image": each.image,
                "method": each.method,
                "box": each.box,
                "values": each.values.round(4).tolist(),
            }
            for each in one.maps
        ],
        "words": [word._asdict() for word in one.words],
        "statements": [
            {"label": said.label, "share": said.share, **said.statement._asdict()}
            for said in one.statements
        ],
        "facts": [_fact(fact, answer) for fact in one.facts],
    }


def _fact(fact: FactPath, answer: StudyAnswer) -> dict[str, Any]:
    return {
        **fact._asdict(),
        "label": answer.names[fact.concept],
        "edges": [
            {
                "subject": one.edge.subject,
                "relation": one.edge.relation,
                "object": one.edge.object,
                "share": one.share,
                "evidence": [
                    {"source": item.source, "dataset": item.dataset, "status": item.status}
                    for item in one.edge.evidence
                ],
            }
            for one in fact.edges
        ],
    }


def _measured(values: dict[str, Any]) -> dict[str, Any]:
    """Values with measured numbers as mappings."""
    return {
        name: {"value": value.value, "low": value.low, "high": value.high}
        if hasattr(value, "low")
        else value
        for name, value in values.items()
    }


def _word_lines(one: FindingAnswer, answer: StudyAnswer) -> list[str]:
    """The strongest words, each with its share."""
    ranked = sorted(one.words, key=lambda word: -abs(word.share))[:STRONGEST]
    return [
        f"{word.share:+.2f} '{answer.passages[word.passage].text[word.start : word.end]}'"
        for word in ranked
    ]


def _box_words(each: ImageMap) -> str:
    """Where the strongest place of a map lies, in the viewer's words."""
    assert each.box is not None
    left, top, right, bottom = each.box
    across, down = (left + right) / 2, (top + bottom) / 2
    rows = "upper" if down < 1 / 3 else "lower" if down > 2 / 3 else "middle"
    sides = "left" if across < 1 / 3 else "right" if across > 2 / 3 else "middle"
    where = "centre" if rows == sides == "middle" else f"{rows} {sides}"
    return f"{where} of the picture ({left:.2f}, {top:.2f} to {right:.2f}, {bottom:.2f})"
