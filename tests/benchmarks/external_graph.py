"""Whether the graph helps on other hospitals' pictures: arms of the COVID ablation on `figure1`.

    python tests/benchmarks/external_graph.py --root ../shared/data --runs runs

Run `kgdx experiment ablate ablate_graph_covid` first; the arms whose runs are finished are tested.
The five models of an arm (one a fold) answer for the same external studies and are averaged; the
interval is a bootstrap over patients.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from experiments.ablate.plan import make_plan, stand
from experiments.ablate.schema import read_ablation
from experiments.metrics.bootstrap import Plan, bootstrap, paired
from experiments.records.predictions import ScoredPart, read_predictions
from experiments.training.evaluate import evaluate_run

RESULT = Path(__file__).parent / "results" / "external_graph.md"
ABLATION, EXTERNAL = "ablate_graph_covid", "figure1"


def answers(folder, root: Path) -> ScoredPart:
    """What a run answers for the external studies, tested now where it was not yet."""
    known = {part.part: part for part in read_predictions(folder.predictions)}
    if not any(EXTERNAL in name for name in known):
        evaluate_run(folder, EXTERNAL, root)
        known = {part.part: part for part in read_predictions(folder.predictions)}
    return next(part for name, part in known.items() if EXTERNAL in name)


def main() -> None:
    """Test every finished arm and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    given = parser.parse_args()
    plan = make_plan(read_ablation(ABLATION))
    standing = stand(plan, given.runs)
    arms: dict[str, list[ScoredPart]] = {}
    for arm in plan.file.arms:
        found = [standing[job.digest] for job in plan.of("", arm)]
        if all(state == "finished" for state, _ in found):
            arms[arm] = [answers(folder, given.root) for _, folder in found]
    every = [part for each in arms.values() for part in each]
    shared = sorted(set.intersection(*(set(part.studies) for part in every)))
    seen = max(len(part.studies) for part in every) - len(shared)
    place = {study: row for row, study in enumerate(every[0].studies)}
    rows = [place[study] for study in shared]
    labels = every[0].labels[rows]
    patients = [every[0].patients[row] for row in rows]

    def of_shared(part: ScoredPart) -> np.ndarray:
        at = {study: row for row, study in enumerate(part.studies)}
        return part.probabilities[[at[study] for study in shared]]

    scores = {arm: np.stack([of_shared(part) for part in each]) for arm, each in arms.items()}
    reference = plan.file.ablation.reference
    resampling = Plan(resamples=2000, at_least=1)
    lines = ["| arm | AUROC | full minus this | p |", "|---|---|---|---|"]
    for arm, values in scores.items():
        rng = np.random.default_rng(0)
        area = bootstrap(labels, values, patients, rng=rng, plan=resampling).macro
        row = f"| {arm} | {area.value:.3f} [{area.low:.3f}, {area.high:.3f}] |"
        if arm == reference:
            lines.append(f"{row} | |")
            continue
        rng = np.random.default_rng(0)
        both = (scores[reference], values)
        gap = paired(labels, both, patients, rng=rng, plan=resampling).macro
        said = f"{gap.delta:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] | {gap.p:.3f}"
        lines.append(f"{row} {said} |")
    positives = int(np.nansum(labels[:, 0]))
    fewer = min(positives, len(shared) - positives)
    few = f"; {fewer} of the rarer kind are too few to decide anything" if fewer < 20 else ""
    about = " ".join((__doc__ or "").split("\n\n")[2].split())
    text = [
        f"# The graph on external data: {EXTERNAL}",
        "",
        about,
        "",
        f"{len(shared)} studies, {positives} with COVID-19{few}; {seen} more were seen in "
        "training by some fold and are left out.",
        "",
        *lines,
    ]
    RESULT.write_text("\n".join(text) + "\n", encoding="utf-8")
    sys.stdout.write(RESULT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
