"""Score how far the English and the Chinese report of a COV-CTR picture state the same.

    python tests/benchmarks/bilingual.py --root ../shared/data
    python tests/benchmarks/bilingual.py --root ../shared/data --locked --why "..."

The locked fifth is opened once, when the lexicon is final; each use is a line of the ledger.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from encoders.study import Study
from experiments.datasets.cov_ctr import CovCTR
from experiments.records.ledger import note_use
from kg.files.store import load_shipped
from kg.mentions.evidence import study_evidence
from kg.mentions.linker import MentionLinker
from kg.model.graph import KnowledgeGraph

RESULTS = Path(__file__).parent / "results"
RESAMPLES = 2000
PREFIX = "cov_ctr:"
ASSERTIONS = {
    "all": ("present", "absent", "uncertain"),
    "present": ("present",),
    "absent": ("absent",),
}


def locked_part() -> tuple[frozenset[str], str]:
    """Pictures of the locked fifth, and the hash of its manifest."""
    text = (files("experiments.datasets.locked") / "covid_multi_imaging.json").read_text()
    manifest = json.loads(text)
    return frozenset(manifest["studies"]), manifest["sha256"]


def pairs(root: Path, *, locked: bool) -> list[Study]:
    """Studies of one part that have a report in both languages."""
    held, _ = locked_part()
    return [
        study
        for study in CovCTR().read(root / "cov_ctr", labels="covid").studies
        if (PREFIX + study.study in held) == locked
        and {passage.language for passage in study.report} == {"en", "zh"}
    ]


def counts(
    graph: KnowledgeGraph, linker: MentionLinker, studies: Sequence[Study], keep: Sequence[str]
) -> np.ndarray:
    """Per study: findings both languages state alike, and what each states, `[n, 3]`."""
    rows = []
    for study in studies:
        english, chinese = (
            {
                (concept, assertion)
                for concept, assertion in study_evidence(
                    linker.link([p for p in study.report if p.language == language]), graph
                ).items()
                if graph.concept(concept).kind == "finding" and assertion in keep
            }
            for language in ("en", "zh")
        )
        rows.append((len(english & chinese), len(english), len(chinese)))
    return np.array(rows)


def agreement(rows: np.ndarray) -> float:
    """F1 of one language against the other, over all statements."""
    both, english, chinese = rows.sum(axis=0)
    return float(2 * both / (english + chinese))


def interval(rows: np.ndarray, groups: Sequence[str]) -> tuple[float, float]:
    """95% of the agreement over resamples of patients."""
    generator = np.random.default_rng(0)
    names, place = np.unique(np.array(groups), return_inverse=True)
    per_group = np.zeros((len(names), 3))
    np.add.at(per_group, place, rows)
    drawn = generator.integers(len(names), size=(RESAMPLES, len(names)))
    values = [agreement(per_group[chosen]) for chosen in drawn]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def table(studies: Sequence[Study]) -> str:
    """The result as Markdown."""
    graph = load_shipped()
    lines = [
        "| phrases | assertions | F1 | both | English | Chinese |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for phrases, left_out in (("all", frozenset[str]()), ("without COV-CTR's", {"cov_ctr"})):
        linker = MentionLinker(graph, left_out=frozenset(left_out))
        for name, keep in ASSERTIONS.items():
            rows = counts(graph, linker, studies, keep)
            low, high = interval(rows, [study.patient for study in studies])
            both, english, chinese = rows.sum(axis=0)
            score = f"{agreement(rows):.3f} [{low:.3f}, {high:.3f}]"
            lines.append(f"| {phrases} | {name} | {score} | {both} | {english} | {chinese} |")
    groups = len({study.patient for study in studies})
    return f"{len(studies)} pairs of {groups} patient groups.\n\n" + "\n".join(lines)


def lexicon_hash() -> str:
    """Hash of the tables that decide what is stated."""
    folder = files("kg.mentions")
    names = ("english.tsv", "translated.tsv", "chinese.tsv", "cues.tsv")
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()


def main() -> None:
    """Print the table; of the locked part after it was noted in the ledger."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--locked", action="store_true")
    parser.add_argument("--why", default="")
    given = parser.parse_args()
    if given.locked:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        )
        note_use(
            RESULTS,
            {
                "run": f"bilingual at {head.stdout.strip()}",
                "config_hash": lexicon_hash(),
                "dataset": "cov_ctr",
                "labels": "statements of findings",
                "manifest": locked_part()[1],
                "why": given.why,
            },
        )
    sys.stdout.write(table(pairs(given.root, locked=given.locked)) + "\n")


if __name__ == "__main__":
    main()
