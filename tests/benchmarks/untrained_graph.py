"""What the graph says of a finding before anything is trained: evidence carried over its edges.

    python tests/benchmarks/untrained_graph.py --root ../shared/data

Statements of the allowed text are propagated two steps over the edges with the initial weights of
`EvidencePropagation`; the result is a finding's score. Beside it the same on shuffled graphs (every
degree in every relation kept), and on no graph (what the text states of the finding itself).
Nothing is fitted, so there are no seeds and no folds: all development studies are tested.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from experiments.config.load import resolve
from experiments.loading.graphs import choose_graph
from experiments.loading.targets import choose_findings, label_set_of, targets
from experiments.loading.text import TextLoader
from experiments.metrics.arrays import FloatArray
from experiments.metrics.bootstrap import Plan, bootstrap, paired
from experiments.metrics.ranking import auroc
from experiments.preparation.open_dataset import open_dataset
from experiments.runs.build import labelled_studies
from fusion.evidence_propagation import EvidencePropagation
from kg.controls.graph_controls import shuffled
from kg.model.graph import KnowledgeGraph

RESULT = Path(__file__).parent / "results" / "untrained_graph.md"
POLICIES = ("indication", "redacted", "impression", "findings")
SHUFFLES = 100
STEPS = 2
CARRIERS = 3


def influence(graph: KnowledgeGraph, steps: int, asked: list[int]) -> torch.Tensor:
    """What one statement on each concept brings to the findings asked for, `[N, C]`.

    With the gains it starts from, what is carried is linear in what is stated.
    """
    one = torch.eye(len(graph.concepts))
    with torch.no_grad():
        return EvidencePropagation(graph, steps)(one, torch.zeros_like(one))[:, asked]


def carriers(
    graph: KnowledgeGraph, stated: FloatArray, brought: FloatArray, truth: FloatArray
) -> str:
    """The statements that part studies with a finding from others most, as a table's cell.

    Args:
        graph: The graph.
        stated: What studies state of each concept, `[n, N]`.
        brought: What a statement on each concept brings to the finding, `[N]`.
        truth: Labels of the finding, `[n]`.
    """
    ill, well = stated[truth == 1], stated[truth == 0]
    part = (ill.mean(0) - well.mean(0)) * brought
    return ", ".join(
        f"{graph.concepts[place].label} ({(ill[:, place] > 0).sum()} of {len(ill)}, "
        f"{(well[:, place] > 0).sum()} of {len(well)})"
        for place in np.argsort(-part)[:CARRIERS]
        if part[place] > 0
    )


def main() -> None:
    """Measure each policy and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--shuffles", type=int, default=SHUFFLES)
    given = parser.parse_args()
    experiment = resolve("graph_fusion_openi")
    opened = open_dataset(experiment.data, given.root, Path("runs") / "cache")
    graph, use = choose_graph(experiment.graph, opened.dataset.graph_names)
    studies = list(labelled_studies(opened.development, experiment.data))
    label_set = label_set_of(opened.dataset, opened.root, experiment.data.labels, graph)
    findings = choose_findings(label_set, studies, experiment.data.at_least)
    truth = targets(studies, findings, "ignore", "zero")
    groups = [study.patient for study in studies]
    asked = [graph.index[finding] for finding in findings]
    untouched, whole = influence(graph, 0, asked), influence(graph, STEPS, asked)
    others = [
        influence(shuffled(graph, np.random.default_rng(seed)).graph, STEPS, asked)
        for seed in range(given.shuffles)
    ]
    lines = [
        "| text | no graph | the graph | shuffled, mean (lowest to highest) | share of shuffles "
        "at least as good | the graph minus the median shuffle |",
        "|---" * 6 + "|",
    ]
    each = [
        "| text | graph | " + " | ".join(graph.concept(f).label for f in findings) + " |",
        "|---" * (len(findings) + 2) + "|",
    ]
    told_by = [
        "| text | finding | what is stated: of studies with it, of others |",
        "|---" * 3 + "|",
    ]
    plan, rng = Plan(resamples=2000), np.random.default_rng
    for policy in POLICIES:
        words = TextLoader(experiment.text, graph, findings, Path())
        stated = words.evidence(studies, policy)
        nothing, told = (stated @ untouched).numpy(), (stated @ whole).numpy()
        drawn = [(stated @ other).numpy() for other in others]
        values = np.array([np.nanmean(auroc(truth, scores)) for scores in drawn])
        middle = drawn[int(np.argsort(values)[len(values) // 2])]
        area = bootstrap(truth, told, groups, rng=rng(0), plan=plan).macro
        gap = paired(truth, (told, middle), groups, rng=rng(0), plan=plan).macro
        beaten = (1 + (values >= area.value).sum()) / (1 + len(values))
        lines.append(
            f"| {policy} | {np.nanmean(auroc(truth, nothing)):.3f} "
            f"| {area.value:.3f} [{area.low:.3f}, {area.high:.3f}] "
            f"| {values.mean():.3f} ({values.min():.3f} to {values.max():.3f}) | {beaten:.3f} "
            f"| {gap.delta:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] |"
        )
        for said, scores in (("none", nothing), ("the graph", told), ("shuffled", middle)):
            cells = " | ".join(f"{value:.3f}" for value in auroc(truth, scores))
            each.append(f"| {policy} | {said} | {cells} |")
        for place, finding in enumerate(findings):
            cell = carriers(graph, stated.numpy(), whole[:, place].numpy(), truth[:, place])
            told_by.append(f"| {policy} | {graph.concept(finding).label} | {cell} |")
        sys.stdout.write(lines[-1] + "\n")
        sys.stdout.flush()
    about = (__doc__ or "").split("\n\n")[2].strip()
    text = [
        "# What the graph says before anything is trained",
        "",
        about,
        "",
        f"Open-i, NIH-14, {len(studies)} studies of the development part, graph "
        f"{use.fingerprint[:12]} without {', '.join(use.left_out)}, {given.shuffles} shuffles.",
        "",
        *lines,
        "",
        "AUROC by finding (`shuffled` is the shuffle of median macro AUROC):",
        "",
        *each,
        "",
        "What parts studies with a finding from others most, statements times what the edges make",
        "of them, with the number of studies that state each as present:",
        "",
        *told_by,
    ]
    RESULT.write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
