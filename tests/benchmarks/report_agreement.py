"""CheXpert labels of Open-i's development reports: against readings by hand, and machine labels.

Not part of the default suite. Writes a table into `results`:

    python tests/benchmarks/report_agreement.py --root ../shared/data

Mention (said at all), negation, uncertainty and presence are scored apart on the reports labelled
by hand in `annotated`; `No Finding` follows from the others and is not scored. The machine labels
are 1 or 0. `--disagreements FILE` writes where kgdx and they differ, without text; what was read of
them stands in `annotated/openi_disagreements.tsv`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from label_kinds import ANNOTATED, Texts, Values, by_hand, labelers, read_by_hand, three_rows
from report_labels import PHRASES, RESULTS, SECTIONS, is_locked

from experiments.datasets._label_columns import CHEXPERT14
from experiments.labelling.agreement import KINDS, Agreement

FIRST_RUN = (
    "| kgdx, first run: before its misses here were looked at | 0.995 / 0.893 / 0.941 "
    "| 0.990 / 0.876 / 0.929 | 0.889 / 0.762 / 0.821 | 0.973 / 0.935 / 0.954 |"
)
"""Commit 222c261; later rules were mended by these very reports."""


def development(root: Path) -> dict[str, Texts]:
    """Sections of each report of the development part."""
    with (root / "openi" / "openi_reports.csv").open(encoding="utf-8", newline="") as lines:
        return {
            row["uid"]: {name: row[name] for name in SECTIONS if row[name]}
            for row in csv.DictReader(lines)
            if not is_locked(row["uid"])
        }


def machine_labels(root: Path) -> dict[str, dict[str, int]]:
    """Machine labels of the development part."""
    path = root / "openi" / "chexpert14_file2label.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    return {
        uid: dict(zip(CHEXPERT14, values, strict=True))
        for name, values in table.items()
        for uid in [f"CXR{Path(name).stem}"]
        if not is_locked(uid)
    }


def agreement(made: Mapping[str, Values], machine: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Markdown: for each label, how often both, one or the other say it is there."""
    lines = [
        "| label | both | kgdx alone | machine alone | agreement | kappa |",
        "|---|---|---|---|---|---|",
    ]
    for column in CHEXPERT14:
        cells = Counter((made[u][column] == 1, machine[u][column] == 1) for u in machine)
        both, ours, theirs = (cells[pair] for pair in ((True, True), (True, False), (False, True)))
        total = len(machine)
        same = 1 - (ours + theirs) / total
        p, q = (both + ours) / total, (both + theirs) / total
        chance = p * q + (1 - p) * (1 - q)
        kappa = (same - chance) / (1 - chance) if chance < 1 else float("nan")
        lines.append(f"| {column} | {both} | {ours} | {theirs} | {same:.3f} | {kappa:.3f} |")
    return lines


def disagreements(
    made: Mapping[str, Values], machine: Mapping[str, Mapping[str, int]]
) -> list[tuple[str, str, str, int]]:
    """Study, label, what kgdx and what the machine says, in an order made by hash."""
    found = [
        (uid, column, {1: "1", 0: "0", -1: "-1", None: "blank"}[made[uid][column]], value)
        for uid, values in machine.items()
        for column, value in values.items()
        if (made[uid][column] == 1) != (value == 1)
    ]
    return sorted(found, key=lambda row: hashlib.sha256(f"{row[0]}/{row[1]}".encode()).hexdigest())


def verdicts() -> Iterable[str]:
    """Markdown: who was right where they differ."""
    path = ANNOTATED / "openi_disagreements.tsv"
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    right = Counter(row["right"] for row in rows)
    said = ", ".join(f"{name} {count}" for name, count in right.most_common())
    yield f"Read by hand, {len(rows)} of the disagreements drawn by hash: right is {said}."
    why = Counter((row["right"], row["why"]) for row in rows)
    yield from ("", "| right | why | cases |", "|---|---|---|")
    yield from (f"| {who} | {reason} | {count} |" for (who, reason), count in why.most_common())


def main() -> None:
    """Score, compare and write."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--root", type=Path, required=True)
    asked.add_argument("--disagreements", type=Path)
    chosen = asked.parse_args()
    reports = development(chosen.root)
    systems = labelers(chosen.root / PHRASES)
    machine = {u: v for u, v in machine_labels(chosen.root).items() if u in reports}
    made = {uid: systems["kgdx"](reports[uid]) for uid in machine}
    differ = disagreements(made, machine)
    if chosen.disagreements:
        text = "".join("\t".join(map(str, row)) + "\n" for row in differ)
        chosen.disagreements.write_text(text, encoding="utf-8")
    scored = {name: by_hand(label, reports) for name, label in systems.items()}
    lines = [
        "# CheXpert labels of reports: Open-i, development part",
        "",
        f"## Against {len(read_by_hand())} reports labelled by hand",
        "",
        "| labeler | " + " | ".join(f"{kind} P / R / F1" for kind in KINDS) + " |",
        "|---|" + "---|" * len(KINDS),
        FIRST_RUN,
        *(hand_row(name, found) for name, found in scored.items()),
        "",
        *three_rows(scored, "labels by hand"),
        "",
        f"## Agreement with machine labels on {len(machine)} reports",
        "",
        *agreement(made, machine),
        "",
        f"They differ in {len(differ)} of {len(machine) * len(CHEXPERT14)} labels.",
        "",
        *verdicts(),
    ]
    (RESULTS / "report_agreement.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))  # noqa: T201


def hand_row(name: str, found: Sequence[Agreement]) -> str:
    """One labeler's row against the readings by hand."""
    cells = [
        " / ".join(f"{v:.3f}" for v in (one.micro.precision, one.micro.recall, one.micro.f1))
        for one in found
    ]
    return f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
