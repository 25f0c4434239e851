"""Test the finished runs of a plan on another data set, and write one table of its systems there.

    python tests/benchmarks/external_systems.py --root ../shared/data/nih_chestxray14_64px \
        --runs runs --dataset nih_chestxray14 --labels nih14 --seed 0 --fold 0

Runs that were not tested there yet are tested first, as `kgdx experiment evaluate` does, which adds
to their folders. Findings are matched through the graph, and nothing is fitted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from real_data import RESULTS

from experiments.compare.compare import compare
from experiments.compare.records import Comparison
from experiments.compare.tables import about
from experiments.compare.wording import p_value
from experiments.evaluation.evaluate import evaluate_run
from experiments.plans.jobs import stand
from experiments.plans.plan import make_plan
from experiments.plans.schema import PlanFile, read_plan
from experiments.records.folder import RunFolder
from experiments.records.predictions import evaluation_subset
from kg.errors import InputError


def finished_rows(
    file: PlanFile, runs: Path, given: argparse.Namespace
) -> dict[str, list[RunFolder]]:
    """Finished runs by row, the reference first; rows without all of theirs are left out."""
    rows = make_plan(file).rows
    standing = stand([job for jobs in rows.values() for job in jobs], runs)
    found = {}
    for label in (file.reference, *(label for label in rows if label != file.reference)):
        chosen = [
            standing[job.digest]
            for job in rows[label]
            if job.experiment.seed in given.seed and job.experiment.split.fold in given.fold
        ]
        own = [folder for state, folder in chosen if state == "finished" and folder is not None]
        if own and len(own) == len(chosen):
            found[label] = own
    return found


def test_there(own: Sequence[RunFolder], given: argparse.Namespace) -> None:
    """Test the runs of a row on the data, where they were not."""
    for folder in own:
        tested = {(one["dataset"], one["labels"]) for one in folder.load_record().evaluations}
        if (given.dataset, given.labels) not in tested:
            evaluate_run(folder, given.dataset, given.root, labels=given.labels)


def lines(made: Comparison, reference: str) -> Iterator[str]:
    """The table in Markdown, with a column for each modality where there are several."""
    parts = [part.part for part in made.entries[0].parts]
    heads = ["row", "macro AUROC", *parts, f"minus {reference}", "p after Holm"]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for entry in made.entries:
        gap = next(iter(made.between(entry.name, reference)), None)
        cells = [entry.name, entry.metrics[made.metric].words()]
        cells += [part.value.words() for part in entry.parts]
        cells += [gap.value.words(sign=True), p_value(gap.p_holm)] if gap else ["", ""]
        yield f"| {' | '.join(cells)} |"
    yield ""
    names = {f"{name}: " for entry in made.entries for name in entry.runs}
    # a warning that every run has is said once
    notes = [
        next((note[len(n) :] for n in names if note.startswith(n)), note) for note in made.notes
    ]
    yield from (f"- {note}" for note in dict.fromkeys((about(made), *notes)))


def main() -> None:
    """Test every finished row and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--plan", default="report_in_training_openi")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--fold", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    file = read_plan(given.plan)
    rows, refused = finished_rows(file, given.runs, given), dict[str, str]()
    for label, own in rows.items():
        try:
            test_there(own, given)
        except InputError as error:
            refused[label] = error.message
        sys.stderr.write(f"{label}: {refused.get(label, 'tested')}\n")
    groups = {label: own for label, own in rows.items() if label not in refused}
    made = compare(
        groups,
        on=evaluation_subset(given.dataset, given.labels, "trained"),
        pairs=[(label, file.reference) for label in groups if label != file.reference],
    )
    said = f"--plan {given.plan} --dataset {given.dataset} --labels {given.labels}"
    picked = f"--seed {' '.join(map(str, given.seed))} --fold {' '.join(map(str, given.fold))}"
    text = [
        f"# {given.plan} on {given.dataset}",
        "",
        f"`python tests/benchmarks/external_systems.py {said} {picked}`: findings trained on, "
        "matched through the graph.",
        "",
        *lines(made, file.reference),
        *(f"- {label} was not tested: {reason}" for label, reason in refused.items()),
    ]
    path = RESULTS / f"external_{given.dataset}.md"
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
