"""Seconds of the processor for answers with the evidence of all findings, before and after.

    python tests/benchmarks/evidence_speed.py RUNS DATA --before CHECKOUT RUN:STUDY [RUN:STUDY ...]

A study is one of the run's data set. CHECKOUT is a folder with an older version of the project;
both versions answer in processes of their own, by one thread, the run being loaded already. All
numbers of both answers are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
RESULT = HERE.parent / "results" / "evidence_speed.md"
COLUMNS = ("run", "inputs", "pictures", "words", "findings", "before, s", "after, s",
           "before / after", "largest difference")  # fmt: skip


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("answers", nargs="+", metavar="RUN:STUDY")
    parser.add_argument("--before", type=Path)
    given = parser.parse_args()
    if given.before is None:
        for one in given.answers:
            sys.stdout.write(json.dumps(answered(given, *one.split(":"))) + "\n")
        return
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for old, new in zip(by(given.before, given), by(HERE.parents[2], given), strict=True):
        row = [*new["about"], f"{old['seconds']:.1f}", f"{new['seconds']:.1f}",
               f"{old['seconds'] / new['seconds']:.1f}",
               f"{difference(old['answer'], new['answer']):.1e}"]  # fmt: skip
        lines.append(f"| {' | '.join(map(str, row))} |")
    RESULT.write_text("\n".join(lines) + "\n")
    sys.stdout.write(RESULT.read_text())


def by(version: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Answers of one version of the project."""
    path = {"PYTHONPATH": str(version), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, HERE, given.runs, given.data, *given.answers]
    done = subprocess.run(
        command, env=os.environ | path, cwd=version, stdout=subprocess.PIPE, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def answered(given: argparse.Namespace, run: str, study: str) -> dict[str, Any]:
    """Answer for a study with the evidence of all findings, and the seconds that it took."""
    from experiments.explanation.explain import Wanted, explain
    from experiments.explanation.plain_answer import answer_json
    from experiments.inference.predict import PredictionRequest, predict_restored
    from experiments.records.folder import find_run
    from experiments.runs.restore import restore

    restored = restore(find_run(run, given.runs))
    name = f"{restored.record.dataset}:{study}"
    predicted, read = predict_restored([name], restored, PredictionRequest(root=given.data))
    begun = time.process_time()
    (answer,) = explain([(predicted, read)], Wanted(predicted.prediction.findings))
    seconds = time.process_time() - begun
    words = sum(len(passage.text.split()) for passage in answer.passages)
    inputs = " + ".join(restored.record.inputs_at_test)
    about = (run, inputs, len(answer.images), words, len(answer.findings))
    plain = answer_json(answer)
    for one, of in zip(plain["findings"], answer.findings, strict=True):
        one["maps"] = [each.values.tolist() for each in of.maps]  # not rounded
    return {"seconds": seconds, "about": about, "answer": plain}


def difference(first: Any, second: Any) -> float:
    """Largest difference of two plain values of the same form; infinite where they differ."""
    if isinstance(first, float) and isinstance(second, float):
        return abs(first - second)
    parts = list(pairs(first, second))
    if not parts:
        return 0.0 if first == second else float("inf")
    return max(difference(one, other) for one, other in parts)


def pairs(first: Any, second: Any) -> Iterator[tuple[Any, Any]]:
    """Parts of two plain values."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        yield from ((first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        yield from zip(first, second, strict=True)


if __name__ == "__main__":
    main()
