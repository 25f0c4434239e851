"""Text alone on Open-i: every text encoder on the redacted report, and every text policy.

    python tests/benchmarks/text_baselines.py --root ../shared/data --runs runs

One development fold and one seed a row: a sketch of how far text goes, not a ranking of encoders.
What is finished in `--runs` is not run again; `--finished` writes the table of that alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from real_data import RESULTS, Job, finished, run_missing

from experiments.records.record import RunRecord

CONFIG = "text_baseline_openi_redacted"
SMALL = {"name": "tiny_transformer", "options": {"max_length": 128}}
MINILM = {"name": "minilm", "options": {"max_length": 128}}


def encoder(name: str, **options: Any) -> dict[str, Any]:
    """A text encoder with its options."""
    return {"name": name, "options": options}


ENCODERS: dict[str, tuple[dict[str, Any], str]] = {
    "small transformer": (SMALL, "mean"),
    "CNN on it": (encoder("cnn_transformer", encoder=SMALL), "max"),
    "BiLSTM on it": (encoder("bilstm_transformer", encoder=SMALL), "ends"),
    "BiLSTM": (encoder("bilstm", max_length=128), "ends"),
    "BiGRU": (encoder("bilstm", max_length=128, cell="gru"), "ends"),
    "TF-IDF, 256 directions": (encoder("tfidf", max_length=128, width=256), "mean"),
    "dialogue transformer": (encoder("dialogue_transformer", max_length=256), "mean"),
    "MiniLM, frozen": (MINILM, "mean"),
    "CNN on MiniLM, frozen": (encoder("cnn_transformer", encoder=MINILM), "max"),
    "BiLSTM on MiniLM, frozen": (encoder("bilstm_transformer", encoder=MINILM), "ends"),
}
"""Encoder and pooling of each row."""

POLICIES = ("indication", "redacted", "findings", "impression", "full")


def settings(text: dict[str, Any], pool: str, policy: str) -> tuple[str, ...]:
    """Overrides of one row."""
    return (
        f"text.encoder={json.dumps(text)}",
        f"text.train={policy}",
        f"text.test={policy}",
        f"system.options.pool={pool}",
    )


def row(name: str, policy: str, record: RunRecord) -> str:
    """One line of the table."""
    value = record.metrics["test"]["auroc_macro"].words()
    return f"| {name} | {policy} | {record.leakage} | {value} |"


def main() -> None:
    """Run what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--finished", action="store_true")
    given = parser.parse_args()
    arms = [(name, "redacted") for name in ENCODERS]
    arms += [("BiLSTM", policy) for policy in POLICIES if policy != "redacted"]
    jobs = [Job(CONFIG, settings(*ENCODERS[name], policy)) for name, policy in arms]
    if not given.finished:
        run_missing(jobs, given.root, given.runs, workers=1)
    folders = finished(given.runs)
    rows = [
        row(name, policy, RunRecord.load(folders[job.digest] / "record.json"))
        for (name, policy), job in zip(arms, jobs, strict=True)
        if job.digest in folders
    ]
    head = "| encoder | text policy | leakage | macro AUROC |\n| --- | --- | --- | --- |\n"
    about = __doc__.split("\n\n")[2].split("\n")[0]
    missing = [
        f"{name} ({policy})"
        for (name, policy), job in zip(arms, jobs, strict=True)
        if job.digest not in folders
    ]
    note = f"\nNot run yet: {', '.join(missing)}.\n" if missing else ""
    text = f"# Open-i from text alone\n\n{about}\n\n{head}" + "\n".join(rows) + f"\n{note}"
    (RESULTS / "text_baselines.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
