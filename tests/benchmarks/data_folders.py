"""`data check` and `data prepare` on each real folder, its counts beside those its README states.

    python tests/benchmarks/data_folders.py [--root ../shared/data] [--work DIR]

What the README and SOURCE files of the folders state stands here; what kgdx finds is taken from the
copies that `data prepare` writes. Five damaged copies of Open-i follow (see `broken_folders.py`).
Writes `results/data_folders.md`; ends with 1 where a count is not what is stated and nothing here
says why, or a damage goes unsaid.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broken_folders import broken_rows

from experiments.datasets import DATASETS
from experiments.datasets.nih_chestxray14 import LABELS
from experiments.preparation.copy import PreparedCopy
from experiments.preparation.inventory import Inventory, take_inventory
from experiments.preparation.open_dataset import OpenDataset

RESULTS = Path(__file__).parent / "results" / "data_folders.md"


@dataclass(frozen=True)
class Said:
    """One count that a README or SOURCE file states.

    Args:
        what: What is counted.
        published: The count, as it stands there.
        found: The count of what is here.
        why: Why the two rightly differ; empty = they must be equal.
    """

    what: str
    published: int
    found: Callable[[Inventory, OpenDataset], int]
    why: str = ""


@dataclass(frozen=True)
class Folder:
    """A folder of real data.

    Args:
        name: Data set.
        path: Folder, relative to the root.
        said: What its README and SOURCE state.
        options: Options of the data set.
    """

    name: str
    path: str
    said: tuple[Said, ...]
    options: Mapping[str, str]


def studies(inventory: Inventory, _: OpenDataset) -> int:
    return inventory.studies


def groups(inventory: Inventory, _: OpenDataset) -> int:
    return inventory.groups


def pictures(inventory: Inventory, _: OpenDataset) -> int:
    return inventory.pictures


def passage(name: str) -> Callable[[Inventory, OpenDataset], int]:
    return lambda inventory, _: inventory.passages.get(name, 0)


def fact(name: str, value: str) -> Callable[[Inventory, OpenDataset], int]:
    return lambda _, held: sum(study.metadata.get(name) == value for study in held.studies)


def stating(concept: str) -> Callable[[Inventory, OpenDataset], int]:
    return lambda _, held: sum(s.stated.get(concept) == "present" for s in held.studies)


def with_left_out(*reasons: str) -> Callable[[Inventory, OpenDataset], int]:
    return lambda inventory, _: inventory.pictures + sum(inventory.left_out[r] for r in reasons)


def frontal_with_report(_: Inventory, held: OpenDataset) -> int:
    named = {"findings", "impression"}
    return sum(
        any(image.view == "frontal" for image in study.images)
        and bool(named & {passage.name for passage in study.report})
        and bool(study.stated)
        for study in held.studies
    )


def boxes(_: Inventory, held: OpenDataset) -> int:
    return len(held.dataset.boxes(held.root))


def boxed(_: Inventory, held: OpenDataset) -> int:
    return len({box.study for box in held.dataset.boxes(held.root)})


def reread(_: Inventory, held: OpenDataset) -> int:
    studies = held.dataset.studies(held.root, labels="nih_google4")
    return sum(bool(study.stated) for study in studies)


NIH14_HERE = {
    "No Finding": 499,
    "Effusion": 170,
    "Infiltration": 162,
    "Atelectasis": 95,
    "Cardiomegaly": 83,
    "Consolidation": 42,
    "Pneumothorax": 40,
    "Nodule": 39,
    "Emphysema": 37,
    "Mass": 35,
    "Fibrosis": 32,
    "Edema": 31,
    "Pleural_Thickening": 29,
    "Pneumonia": 11,
    "Hernia": 9,
}
FOLDERS = (
    Folder(
        "openi",
        "openi",
        (
            Said("pictures", 6672, pictures),
            Said("studies (about)", 3440, studies, "'about'; 112 of the 3,548 reports here have "
                 "no picture"),
            Said("with a frontal view, report and gold label", 3296, frontal_with_report,
                 "the tables alone, counted without kgdx, give 3,297 too"),
        ),
        {},
    ),
    Folder(
        "covid_chestxray",
        "covid_chestxray",
        (
            Said("pictures, with those left out as `todo` or without a row", 638,
                 with_left_out("finding is todo", "no row in metadata.csv")),
            Said("patients (about)", 315, groups,
                 "'about'; the table has 317 with a picture, 34 of them in `todo` rows alone"),
        ),
        {},
    ),
    Folder(
        "cov_ctr",
        "cov_ctr",
        (
            Said("slices", 636, pictures),
            Said("groups (about)", 340, groups, "'about'; patients.derived.csv holds 333 keys"),
        ),
        {},
    ),
    Folder(
        "pocus",
        "pocus",
        (
            Said("frames and stills", 711, pictures),
            Said("files (about)", 140, studies, "'about'"),
            Said("patients (about)", 92, groups),
        ),
        {},
    ),
    Folder("figure1", "figure1", (Said("pictures", 55, pictures), Said("rows", 55, studies)), {}),
    Folder(
        "covid_dialogue",
        "covid_dialogue",
        (
            Said("English consultations", 604, fact("language", "en")),
            Said("Chinese consultations", 1393, fact("language", "zh")),
            Said("of these with diagnosis and suggestions", 670, passage("impression zh")),
        ),
        {},
    ),
    Folder(
        "nih_chestxray14",
        "nih_chestxray14_64px",
        (
            Said("pictures", 1000, pictures),
            Said("patients", 264, groups),
            Said("PA", 637, fact("view", "PA")),
            Said("AP", 363, fact("view", "AP")),
            *(Said(name, count, stating(LABELS[name])) for name, count in NIH14_HERE.items()),
        ),
        {},
    ),
    Folder(
        "nih_chestxray14",
        "nih_chestxray14_labels",
        (
            Said("rows", 112_120, studies),
            Said("patients", 30_805, groups),
            Said("boxes", 984, boxes),
            Said("pictures with a box", 880, boxed),
            Said("pictures radiologists read again", 4375, reread, "the table here has 4,376 rows"),
        ),
        {"pictures": "optional"},
    ),
    Folder(
        "padchest",
        "padchest_labels",
        (Said("rows labelled by physicians", 39_053, studies,
              "the 39,053 pictures are of 26,413 studies (StudyID of the table)"),),
        {"pictures": "optional"},
    ),
    Folder(
        "covid_multi_imaging",
        "",
        (
            Said("studies of its three folders", 488 + 636 + 141, studies),
            Said("pictures of its three folders", 558 + 636 + 711, pictures),
        ),
        {},
    ),
)  # fmt: skip


def kgdx(*words: str) -> tuple[int, Any, str]:
    """Exit code, JSON result and what is said of one command in a process of its own."""
    command = [sys.executable, "-m", "experiments.cli.main", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def listed(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{count:,} {reason}" for reason, count in counts.items()) or "-"


def check_folder(folder: Folder, root: Path, out: Path) -> tuple[str, list[str], bool]:
    """The folder's row, the rows of what is said of it, and whether all of it holds."""
    options = [word for pair in folder.options.items() for word in ("--set", "=".join(pair))]
    words = [folder.name, "--root", str(root / folder.path), *options]
    code, files, _ = kgdx("data", "check", *words)
    told, made, problem = kgdx("data", "prepare", *words, "-o", str(out), "--duplicates", "list")
    name = f"{folder.name}" + (f" ({folder.path})" if folder.path not in (folder.name, "") else "")
    if made is None:
        return f"| {name} | {code} | {told}: {problem.strip()} | - | - | - | - |", [], False
    part = DATASETS.load(folder.name)
    copy = PreparedCopy.find(out)
    assert copy is not None
    held = OpenDataset.open(folder.name, part(part.Options(**folder.options)), out)
    inventory = take_inventory(held)
    assert (inventory.studies, inventory.pictures) == (made["studies"], made["pictures"])
    row = (
        f"| {name} | {code} | {files[-1]['what']} | {told} | {made['studies']:,} | "
        f"{made['pictures']:,} | {listed(inventory.left_out)} |"
    )
    lines, holds = [], code == 0 and told == 0
    for one in folder.said:
        found = one.found(inventory, held)
        equal = found == one.published
        holds &= equal or bool(one.why)
        verdict = "equal" if equal else f"not equal: {one.why or 'NOT EXPLAINED'}"
        lines.append(f"| {name} | {one.what} | {one.published:,} | {found:,} | {verdict} |")
    return row, lines, holds


def main() -> int:
    """Write the tables, and say whether they hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=None)
    given = parser.parse_args()
    first = ["| data set | check ends | it says | prepare ends | studies | pictures | left out |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    second = ["| data set | what | README or SOURCE | here | |", "|---|---|---|---|---|"]
    holds = True
    with tempfile.TemporaryDirectory(dir=given.work) as work:
        for number, folder in enumerate(FOLDERS):
            row, lines, good = check_folder(folder, given.root, Path(work) / f"out{number}")
            first.append(row)
            second.extend(lines)
            holds &= good
        third, good = broken_rows(given.root / "openi", Path(work), kgdx)
    how = "Prepared with `--duplicates list`; the damaged copies as a user would, without options."
    lines = ["# Real folders: checked, prepared, counted", "", how, "", *first, ""]
    lines += ["## Counts beside those the folders state", "", *second, ""]
    lines += ["## Damaged copies of Open-i", "", *third, ""]
    RESULTS.write_text("\n".join(lines), encoding="utf-8")
    return int(not (holds and good))


if __name__ == "__main__":
    sys.exit(main())
