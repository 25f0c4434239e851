"""Tabulate generated reports of finished runs beside three controls: words and clinical efficacy.

    kgdx experiment run graph_fusion_openi_template --root DIR --runs RUNS
    kgdx experiment run wang2018_tienet_openi --root DIR --runs RUNS
    python tests/benchmarks/written_reports.py --runs RUNS RUN ... > results/written_reports.md

Of COV-CTR the configurations are those named `*_cov_ctr*`, run with `--set text.language=zh` for
Chinese; each language is a table of its own.

The controls are the most common training report, the report of the training study with the nearest
images, and a report by template from the probabilities of the run that measured one. A system
counts where its efficacy is higher than that of all three, by a paired bootstrap of patients.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.metrics.bootstrap import Estimate
from experiments.metrics.sums import MetricsOf, measure, measure_difference
from experiments.records.folder import RunFolder
from experiments.records.scores import ScoredStudies, read_scores
from experiments.tasks.generation import WRITERS, Generation
from experiments.tasks.template_generation import TemplateGeneration

PRIMARY = "chexpert14_f1_micro"
"""Efficacy that decides, named before the runs."""

COLUMNS = {
    "bleu_1": "BLEU-1",
    "bleu_4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "meteor": "METEOR",
    "cider_d": "CIDEr-D",
    PRIMARY: "CheXpert-14 F1",
    "nih14_f1_micro": "NIH-14 F1",
    "finding_f1": "statement F1",
    "abnormal_f1": "abnormal F1",
    "site_f1": "site F1",
    "denied_per_report": "denied a report",
}
CONTROLS = {
    "most_common_": "most common report",
    "nearest_": "nearest study's report",
    "template_": "template report",
}
ROWS: Mapping[str, MetricsOf] = {**Generation.sums, **TemplateGeneration.sums}


def main() -> None:
    """Print the table of some runs, which must have tested the same studies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("run", nargs="+", help="ids of runs that measured reports")
    given = parser.parse_args()
    systems: dict[str, ScoredStudies] = {}
    controls: dict[str, ScoredStudies] = {}
    for run in given.run:
        folder = RunFolder(given.runs / run)
        name = str(folder.load_record().experiment["name"])
        for scored in read_scores(folder.scores):
            writer = scored.task.removesuffix("generation")
            if writer == "":
                systems[name] = scored
            elif writer in (*WRITERS, "template_"):
                controls.setdefault(writer, scored)
    _check([*systems.values(), *controls.values()])
    shown = {CONTROLS[one]: controls[one] for one in CONTROLS if one in controls} | systems
    sys.stdout.write(_table(shown) + "\n" + _verdicts(systems, controls))


def _check(scored: Sequence[ScoredStudies]) -> None:
    """Refuse runs that tested other studies."""
    if any(one.studies != scored[0].studies for one in scored):
        raise SystemExit("the runs tested other studies: name runs of one fold")


def _table(shown: Mapping[str, ScoredStudies]) -> str:
    """Every metric of each row with its interval."""
    lines = [
        "| reports | " + " | ".join(COLUMNS.values()) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for name, scored in shown.items():
        found = _measured(scored)
        cells = [_cell(found[metric]) for metric in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _measured(scored: ScoredStudies) -> dict[str, Estimate]:
    """Metrics of a row by their names without the writer."""
    writer = scored.task.removesuffix("generation")
    metrics = ROWS[scored.task](scored.numbers.names)
    plain = {name.removeprefix(writer): metric for name, metric in metrics.items()}
    chosen = {name: plain[name] for name in COLUMNS}
    return measure(scored.numbers, chosen, scored.patients, rng=np.random.default_rng(0))


def _cell(one: Estimate) -> str:
    """A metric with its interval; a dash where no report has what it counts."""
    if math.isnan(one.value):
        return "-"
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"


def _verdicts(systems: Mapping[str, ScoredStudies], controls: Mapping[str, ScoredStudies]) -> str:
    """Paired differences of the primary metric to each control, and whether all are beaten."""
    named = [one for one in CONTROLS if one in controls]
    lines = [
        f"| {COLUMNS[PRIMARY]}, minus that of | "
        + " | ".join(CONTROLS[one] for one in named)
        + " | beats all three |",
        "|---" * (len(named) + 2) + "|",
    ]
    for name, scored in systems.items():
        metric = Generation.sums["generation"](scored.numbers.names)[PRIMARY]
        cells, better = [], len(named) == len(CONTROLS)
        for one in named:
            gap = measure_difference(
                (scored.numbers, controls[one].numbers),
                {PRIMARY: metric},
                scored.patients,
                rng=np.random.default_rng(0),
            )[PRIMARY]
            cells.append(f"{gap.delta:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]")
            better &= gap.low is not None and gap.low > 0
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {'yes' if better else 'no'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
