"""Quality of evidence of trained runs on their real test sets, as a table.

    python -m tests.benchmarks.evidence RUNS DATA RUN [RUN ...]

Measured are comprehensiveness and sufficiency of places, words and statements against random ones,
likeness of maps to those of untrained weights, the coverage of conformal sets, and the pictures
that are flagged as unusual: those of the run's own test set (false alarms), and of other data.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from experiments.explanation.conformal import conformal_sets, subsets_of
from experiments.explanation.faithfulness import evidence_of
from experiments.records.folder import find_run
from experiments.records.predictions import read_predictions


def main(runs: Path, data: Path, names: list[str]) -> None:
    made = {}
    for name in names:
        folder = find_run(name, runs)
        found = evidence_of(folder, data)
        subsets = subsets_of(read_predictions(folder.predictions))
        sets = {} if subsets is None else conformal_sets(*subsets)
        made[name] = {
            "evidence": found,
            "conformal": {
                finding: {
                    "covered": one.covered.words(),
                    "covered_present": one.covered_present.words(),
                    "abstained": one.abstained.words(),
                    "studies": one.studies,
                }
                for finding, one in sets.items()
            },
        }
        sys.stdout.write(json.dumps({name: made[name]}, indent=1) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
