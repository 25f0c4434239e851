"""Channels through which the graph reaches a prediction, read from a configuration."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.config.schema import Experiment
from fusion.classifier import ClassifierOptions
from kg.errors import InputError

__all__ = ["CHANNELS", "GRAPH_SYSTEM", "channels", "of_arms", "table"]

GRAPH_SYSTEM = "graph_fusion"
"""The system with these channels."""

CHANNELS = (
    "vectors",
    "message passing",
    "neighbourhood",
    "evidence",
    "concept supervision",
    "hierarchy",
    "link prediction",
    "lexicon",
)
"""Channels through which the graph can reach a prediction."""

CLOSED = "-"
OPEN = "yes"
VECTORS = {
    "names": "names",
    "random": "random, fixed",
    "complex": "ComplEx",
    "transe": "TransE",
}


def channels(experiment: Experiment) -> dict[str, str]:
    """State of each channel: `-` = closed, else its content.

    Raises:
        InputError: If the system has no such channels.
    """
    if experiment.system.name != GRAPH_SYSTEM:
        raise InputError(
            f"{experiment.name}: {experiment.system.name} has no channels of the graph",
            "an ablation of the graph is one of the system graph_fusion",
        )
    values = experiment.system.options
    known = {name: values[name] for name in ClassifierOptions.model_fields if name in values}
    options = ClassifierOptions.model_validate(known)
    weights = {
        name: weight for stage in experiment.stages for name, weight in stage.objectives.items()
    }
    structure = _structure(experiment)
    passes = options.messages and options.message_passing.name != "identity"
    reads = experiment.text.test != "none" or experiment.text.train not in ("none", "same")
    learned = options.vectors == "learned"

    def through(is_open: bool) -> str:
        return structure if is_open else CLOSED

    return {
        "vectors": "learned, equal size" if learned else VECTORS[experiment.graph.vectors],
        "message passing": through(passes),
        "neighbourhood": through(options.neighbourhood > 0),
        "evidence": _evidence(options, structure, reads=reads),
        "concept supervision": _supervision(weights, structure),
        "hierarchy": through(bool(weights.get("hierarchy"))),
        "link prediction": through(bool(weights.get("link_prediction"))),
        "lexicon": OPEN if experiment.graph.lexicon == "all" else "labels",
    }


def of_arms(arms: Mapping[str, Experiment]) -> dict[str, dict[str, str]]:
    """Channels of each arm; none where the systems have no such channels."""
    if any(experiment.system.name != GRAPH_SYSTEM for experiment in arms.values()):
        return {}
    return {arm: channels(experiment) for arm, experiment in arms.items()}


def table(arms: Mapping[str, Experiment]) -> list[str]:
    """Lines of a Markdown table, one row per arm."""
    lines = ["| arm | " + " | ".join(CHANNELS) + " |", "|---" * (len(CHANNELS) + 1) + "|"]
    for arm, experiment in arms.items():
        lines.append(f"| {arm} | " + " | ".join(channels(experiment).values()) + " |")
    return lines


def _structure(experiment: Experiment) -> str:
    """Content of the channels that carry the structure of the graph."""
    graph = experiment.graph
    if graph.control == "emptied":
        return CLOSED
    control = {"none": "", "shuffled": "shuffled", "noisy": f"noise {graph.noise:.0%}"}[
        graph.control
    ]
    left = [f"without {name}" for name in (*graph.drop_relations, *graph.drop_sources)]
    return ", ".join(filter(None, (control, *left))) or OPEN


def _supervision(weights: Mapping[str, float], structure: str) -> str:
    """Content of concept supervision: statements of reports, and what propagates them."""
    stated = [OPEN] if weights.get("concept_supervision") else []
    if weights.get("propagated_targets"):
        stated.append("propagated" if structure == OPEN else f"propagated {structure}")
    return ", ".join(stated) or CLOSED


def _evidence(options: ClassifierOptions, structure: str, *, reads: bool) -> str:
    """Content of the evidence channel: mentions and their propagation."""
    mentions = "mentions" if options.evidence and reads else ""
    propagated = options.propagation_steps > 0 and structure != CLOSED
    word = "prior" if options.propagation == "prior" else "propagated"
    content = {True: word if structure == OPEN else f"{word} {structure}", False: ""}[propagated]
    if mentions and not propagated:
        content = "not propagated"
    return ", ".join(filter(None, (mentions, content))) or CLOSED
