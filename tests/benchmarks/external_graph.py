"""Whether the graph helps on other hospitals' pictures: arms of the COVID ablation on `figure1`.

    python tests/benchmarks/external_graph.py --root ../shared/data --runs runs

Run `kgdx experiment ablate ablate_graph_covid` first; the arms whose runs are finished are tested.
The five models of an arm (one a fold) answer for the same external studies and are averaged; the
interval is a bootstrap over patients.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from experiments.ablate.plan import make_plan
from experiments.ablate.schema import read_ablation
from experiments.compare.compare import compare
from experiments.compare.records import Comparison
from experiments.evaluation.evaluate import evaluate_run
from experiments.plans.jobs import stand

RESULT = Path(__file__).parent / "results" / "external_graph.md"
ABLATION, EXTERNAL = "ablate_graph_covid", "figure1"


def compared(root: Path, runs: Path) -> Comparison:
    """The finished arms on the external data, on which runs are tested now if they were not."""
    plan = make_plan(read_ablation(ABLATION))
    standing = stand(plan.jobs, runs)
    arms = {}
    for arm in plan.file.arms:
        found = [standing[job.digest] for job in plan.of("", arm)]
        if all(state == "finished" for state, _ in found):
            arms[arm] = [folder for _, folder in found if folder is not None]
    for folder in (folder for each in arms.values() for folder in each):
        if not any(one["dataset"] == EXTERNAL for one in folder.load_record().evaluations):
            evaluate_run(folder, EXTERNAL, root)
    reference = plan.file.ablation.reference
    return compare(arms, on=EXTERNAL, pairs=[(reference, arm) for arm in arms if arm != reference])


def rows(made: Comparison) -> Iterator[str]:
    """The table in Markdown, a row an arm."""
    yield "| arm | AUROC | full minus this | p |"
    yield "|---|---|---|---|"
    gaps = {each.second: each for each in made.differences if not each.finding}
    for entry in made.entries:
        said = f"| {entry.name} | {entry.metrics[made.metric].words()} |"
        gap = gaps.get(entry.name)
        yield f"{said} {gap.value.words(sign=True)} | {gap.p:.3f} |" if gap else f"{said} | |"


def main() -> None:
    """Test every finished arm and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    given = parser.parse_args()
    made = compared(given.root, given.runs)
    (covid,) = made.entries[0].findings
    text = [
        f"# The graph on external data: {EXTERNAL}",
        "",
        " ".join((__doc__ or "").split("\n\n")[2].split()),
        "",
        f"{covid.studies} studies, {covid.positives} with {covid.label}.",
        "",
        *rows(made),
        "",
        *(f"- {note}" for note in made.notes),
    ]
    RESULT.write_text("\n".join(text) + "\n", encoding="utf-8")
    sys.stdout.write(RESULT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
