"""Labelers on Open-i: kgdx beside CheXpert's published rules and negspacy, on the same reports.

Not part of the default suite. Writes a table into `results`:

    python tests/benchmarks/report_labels.py --root ../shared/data
    python tests/benchmarks/report_labels.py --root ../shared/data --locked --why "..."

The locked quarter is opened once, when the rules are final; each use is a line of the ledger.
negspacy needs the extra `benchmark`; the CheXpert phrases are read from the data root.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import psutil
from label_kinds import kinds_of, labelers
from numpy.typing import NDArray
from rival_labelers import CheXpertRules, NegSpacy

import experiments.datasets.locked as locked_parts
import kg.mentions as kg_mentions
from encoders.study import Passage
from experiments.cli.label import SECTIONS as SECTION_CHOICES
from experiments.cli.label import label as label_command
from experiments.records.ledger import note_use
from kg.files.store import load_shipped
from kg.mentions.labels import labeler
from kg.mentions.linker import MentionLinker

RESULTS = Path(__file__).parent / "results"
PHRASES = Path("ontologies") / "stanfordmlgroup__chexpert-labeler"
SECTIONS = ("findings", "impression")
WHOLE = ("indication", "comparison", *SECTIONS)
EMPTY = "Hernia"
"""The one NIH finding without a single gold positive."""

Values = Mapping[str, int | None]
Made = TypeVar("Made")


class Report(NamedTuple):
    """A report with its gold labels.

    Args:
        uid: Its id.
        whole: Its text with every section and their headings.
        texts: Findings and impression, which the other labelers are given.
        gold: Its labels.
    """

    uid: str
    whole: str
    texts: dict[str, str]
    gold: dict[str, int]


def is_locked(uid: str) -> bool:
    """Whether a study belongs to the locked quarter."""
    return int(hashlib.sha256(uid.encode()).hexdigest()[:8], 16) / 2**32 < 0.25


def reports(root: Path, *, locked: bool) -> list[Report]:
    """Reports with gold labels of one part; the other part is not kept."""
    gold = {
        row["filename"]: {k: int(v) for k, v in row.items() if k != "filename"}
        for row in _rows(root / "openi" / "openi_gld_std14.csv")
        if is_locked(row["filename"]) == locked
    }
    return [
        Report(
            uid=row["uid"],
            whole="\n".join(f"{name.upper()}: {row[name]}" for name in WHOLE if row[name]),
            texts={name: row[name] for name in SECTIONS if row[name]},
            gold=gold[row["uid"]],
        )
        for row in _rows(root / "openi" / "openi_reports.csv")
        if row["uid"] in gold
    ]


def through_the_command(read: Sequence[Report], sections: str) -> list[Values]:
    """Labels of whole reports as `kgdx data label` writes them."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "reports.csv", Path(folder) / "labels.csv"
        with given.open("w", encoding="utf-8", newline="") as lines:
            table = csv.writer(lines)
            table.writerow(("id", "report"))
            table.writerows((report.uid, report.whole) for report in read)
        arguments = [str(given), "--labels", "nih14", "--sections", sections, "-o", str(made)]
        label_command.main(arguments, standalone_mode=False)
        return [
            {column: int(value or 0) for column, value in row.items() if column != "id"}
            for row in _rows(made)
        ]


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


Label = Callable[[Report], Values]


def systems(root: Path) -> tuple[dict[str, Label], dict[str, float]]:
    """Each labeler as a function of a report, and the MiB the process grew by to make it."""
    graph = load_shipped()
    nih = labeler(graph, "nih14")
    linker, ours_grew = _grown(lambda: MentionLinker(graph))
    rules, rules_grew = _grown(lambda: CheXpertRules(root / PHRASES, nih=True))
    spacy, spacy_grew = _grown(lambda: NegSpacy(graph))

    def ours(report: Report) -> Values:
        return nih.label(linker.link([Passage(k, text) for k, text in report.texts.items()]))

    def negspacy(report: Report) -> Values:
        return nih.label(spacy.link(list(report.texts.values())))

    def chexpert(report: Report) -> Values:
        return rules.label(list(report.texts.values()))

    def chexpert_ones(report: Report) -> Values:
        return {k: 1 if v == -1 else v for k, v in chexpert(report).items()}

    named = {
        "kgdx": ours,
        CHEXPERT: chexpert,
        "CheXpert rules, uncertain = 1": chexpert_ones,
        NEGSPACY: negspacy,
    }
    return named, {"kgdx": ours_grew, CHEXPERT: rules_grew, NEGSPACY: spacy_grew}


CHEXPERT, NEGSPACY = "CheXpert rules, uncertain = 0", "negspacy on our lexicon"


def _grown(build: Callable[[], Made]) -> tuple[Made, float]:
    """What is built, and by how many MiB the process grew."""
    process = psutil.Process()
    before = process.memory_info().rss
    made = build()
    return made, (process.memory_info().rss - before) / 2**20


Counts = NDArray[np.int64]
"""Per report and finding: hit, extra, missed, `[n, C, 3]`."""


def count(found: Sequence[Values], read: Sequence[Report], columns: Sequence[str]) -> Counts:
    """What each labeler got right and wrong."""
    made = np.array([[values.get(c) == 1 for c in columns] for values in found])
    gold = np.array([[report.gold[c] == 1 for c in columns] for report in read])
    return np.stack([made & gold, made & ~gold, ~made & gold], axis=-1).astype(np.int64)


def scores(counts: Counts) -> tuple[float, float, float]:
    """Precision, recall and F1 of hit, extra, missed, `[3]`."""
    hit, extra, missed = counts
    precision = hit / (hit + extra) if hit + extra else float("nan")
    recall = hit / (hit + missed) if hit + missed else float("nan")
    return precision, recall, 2 * hit / (2 * hit + extra + missed)


def micro_interval(first: Counts, second: Counts | None = None) -> tuple[float, float]:
    """95% interval of the micro F1, or of its difference, over reports (one a patient)."""
    draw = np.random.default_rng(0)
    values = []
    for _ in range(2000):
        rows = draw.integers(0, len(first), len(first))
        value = scores(first[rows].sum((0, 1)))[2]
        values.append(value - scores(second[rows].sum((0, 1)))[2] if second is not None else value)
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def table(all_counts: Mapping[str, Counts], columns: Sequence[str]) -> list[str]:
    """Markdown: micro over the non-empty findings, then each finding."""
    kept = [place for place, c in enumerate(columns) if c not in (EMPTY, "normal")]
    ours = all_counts["kgdx"][:, kept]
    positives = ours[..., [0, 2]].sum((0, 2))
    scored = [place for place, count in zip(kept, positives, strict=True) if count]
    lines = [
        "| labeler | precision | recall | micro F1 [95% interval] | macro F1 | kgdx minus this |",
        "|---|---|---|---|---|---|",
    ]
    for name, counts in all_counts.items():
        p, r, f = scores(counts[:, kept].sum((0, 1)))
        macro = np.nanmean([scores(counts[:, place].sum(0))[2] for place in scored])
        low, high = micro_interval(counts[:, kept])
        gap = ""
        if name != "kgdx":
            less, more = micro_interval(ours, counts[:, kept])
            gap = f"{scores(ours.sum((0, 1)))[2] - f:+.3f} [{less:+.3f}, {more:+.3f}]"
        span = f"{f:.3f} [{low:.3f}, {high:.3f}]"
        lines.append(f"| {name} | {p:.3f} | {r:.3f} | {span} | {macro:.3f} | {gap} |")
    names = list(all_counts)
    lines += ["", "| finding | positives | " + " | ".join(f"{n}: P / R / F1" for n in names) + " |"]
    lines.append("|---|---|" + "---|" * len(names))
    for place, column in enumerate(columns):
        gold = all_counts["kgdx"][:, place].sum(0)
        cells = [
            " / ".join(_short(value) for value in scores(counts[:, place].sum(0)))
            for counts in all_counts.values()
        ]
        lines.append(f"| {column} | {gold[0] + gold[2]} | " + " | ".join(cells) + " |")
    return lines


def by_sections(read: Sequence[Report], columns: Sequence[str]) -> list[str]:
    """Markdown: the command with each choice of `--sections`, which the usual one was chosen by."""
    kept = [place for place, c in enumerate(columns) if c not in (EMPTY, "normal")]
    lines = ["| --sections | precision | recall | micro F1 | extra |", "|---|---|---|---|---|"]
    for sections in SECTION_CHOICES:
        made = count(through_the_command(read, sections), read, columns)[:, kept].sum((0, 1))
        cells = " | ".join(f"{value:.3f}" for value in scores(made))
        lines.append(f"| {sections} | {cells} | {made[1]} |")
    return lines


def _short(value: float) -> str:
    return "n/a" if np.isnan(value) else f"{value:.3f}"


def main() -> None:
    """Run every labeler on one part and write the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--root", type=Path, required=True)
    asked.add_argument("--locked", action="store_true")
    asked.add_argument("--why", default="")
    chosen = asked.parse_args()
    if chosen.locked:
        note(chosen.why)
    read = reports(chosen.root, locked=chosen.locked)
    columns = [*read[0].gold]
    counts, seconds = {}, {}
    named, grew = systems(chosen.root)
    for name, label in named.items():
        label(read[0])
        start = time.process_time()
        found = [label(report) for report in read]
        seconds[name] = time.process_time() - start
        counts[name] = count(found, read, columns)
    counts["kgdx"] = count(through_the_command(read, SECTION_CHOICES[0]), read, columns)
    part = "locked quarter" if chosen.locked else "development part"
    lines = [
        f"# Labelers of reports: Open-i, {part}",
        "",
        f"{len(read)} reports with gold NIH-14 labels. kgdx is `kgdx data label --labels nih14` on "
        "whole reports; the others are given findings and impression. Micro over the 13 findings "
        f"with gold positives in the whole set ({EMPTY} has none; `normal` apart), macro over "
        "those with positives in this part.",
        "",
        *table(counts, columns),
        "",
        *([] if chosen.locked else by_sections(read, columns)),
        "",
        *kinds_of({one.uid: one.texts for one in read}, labelers(chosen.root / PHRASES)),
        "",
        "| labeler | reports per second of one core | kgdx is faster by | MiB |",
        "|---|---|---|---|",
        *(
            f"| {name} | {len(read) / took:.0f} | {took / seconds['kgdx']:.1f} "
            f"| {f'{grew[name]:.0f}' if name in grew else ''} |"
            for name, took in seconds.items()
        ),
    ]
    name = "report_labels_locked.md" if chosen.locked else "report_labels_development.md"
    (RESULTS / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))  # noqa: T201


def head_of_committed_rules() -> str:
    """The commit that is checked out, which the rules must not differ from."""
    git = ["git", "-C", str(RESULTS)]
    kg = str(Path(kg_mentions.__file__).parents[1])
    if subprocess.run([*git, "diff", "--quiet", "HEAD", "--", kg], check=False).returncode:
        raise SystemExit("commit the rules first: kg differs from the last commit")
    head = subprocess.run(
        [*git, "rev-parse", "--short=12", "HEAD"], check=True, capture_output=True, text=True
    )
    return head.stdout.strip()


def note(why: str) -> None:
    """Note the opening of the locked quarter in the ledger; only with committed rules."""
    manifest = Path(locked_parts.__path__[0]) / "openi.json"
    note_use(
        RESULTS,
        {
            "run": f"report_labels at {head_of_committed_rules()}",
            "config_hash": tables_hash(),
            "dataset": "openi",
            "labels": "nih14",
            "manifest": json.loads(manifest.read_text(encoding="utf-8"))["sha256"],
            "why": why,
        },
    )


def tables_hash() -> str:
    """Hash of the tables that decide what is stated and labelled."""
    tables = sorted(Path(kg_mentions.__file__).parent.glob("*.tsv"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in tables)).hexdigest()


if __name__ == "__main__":
    main()
