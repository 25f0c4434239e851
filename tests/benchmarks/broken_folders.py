"""Damaged copies of Open-i, and what `data check` and `data prepare` say of each.

Pictures are links into the raw folder, the damaged ones copies; nothing is written into it.
"""

from __future__ import annotations

import csv
import gzip
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["broken_rows"]

Run = Callable[..., tuple[int, Any, str]]
SEED = 0
HEADERS = "nlmcxr_dicom_metadata.csv.gz"
PROJECTIONS = "indiana_projections.csv"


@dataclass(frozen=True)
class Damage:
    """One damage done to a copy, and what must come of it.

    Args:
        what: What is damaged.
        do: Damages the copy in a folder.
        codes: Exit codes of `data check` and `data prepare`.
        said: Words that one of them must say; of what is prepared, in its counts.
    """

    what: str
    do: Callable[[Path], None]
    codes: tuple[int, int]
    said: tuple[str, ...]


def copy_of(raw: Path, folder: Path) -> Path:
    """A copy of the tables with links to the pictures."""
    (folder / "images").mkdir(parents=True)
    for picture in (raw / "images").iterdir():
        (folder / "images" / picture.name).symlink_to(picture.resolve())
    for table in raw.iterdir():
        if table.is_file():
            shutil.copy(table, folder)
    return folder


def some(folder: Path, count: int) -> list[Path]:
    """Pictures drawn by a fixed seed; each becomes a file of its own."""
    chosen = random.Random(SEED).sample(sorted((folder / "images").iterdir()), count)
    for picture in chosen:
        content = picture.read_bytes()
        picture.unlink()
        picture.write_bytes(content)
    return chosen


def spoil_pictures(folder: Path) -> None:
    """30 cut in half, 10 empty, 10 pages of text called .jpg."""
    chosen = some(folder, 50)
    for picture in chosen[:30]:
        picture.write_bytes(picture.read_bytes()[: picture.stat().st_size // 2])
    for picture in chosen[30:40]:
        picture.write_bytes(b"")
    for picture in chosen[40:]:
        picture.write_text("<html><body>404 not found</body></html>")


def lose_column(folder: Path) -> None:
    path = folder / PROJECTIONS
    path.write_text(path.read_text(encoding="utf-8").replace("projection", "view", 1))


def move_ids(folder: Path) -> None:
    """The column of report numbers shuffled against the column of pictures."""
    header, rows = _read(folder / PROJECTIONS)
    at = header.index("uid")
    numbers = [row[at] for row in rows]
    random.Random(SEED).shuffle(numbers)
    for row, number in zip(rows, numbers, strict=True):
        row[at] = number
    _write(folder / PROJECTIONS, header, rows)


def repeat_ids(folder: Path) -> None:
    """Twenty reports stand in the table twice."""
    header, rows = _read(folder / "openi_reports.csv")
    _write(folder / "openi_reports.csv", header, [*rows, *rows[:20]])


def change_headers(folder: Path) -> None:
    """One header value changed by hand: the table's hash is no longer the published one."""
    text = gzip.decompress((folder / HEADERS).read_bytes())
    (folder / HEADERS).write_bytes(gzip.compress(text.replace(b"2048", b"2049", 1), mtime=0))


def swap_pictures(folder: Path) -> None:
    """Twenty pictures hold what another patient's picture shows."""
    chosen = some(folder, 40)
    for place in range(0, 40, 2):
        chosen[place].write_bytes(chosen[place + 1].read_bytes())


def lose_pictures(folder: Path) -> None:
    """Every second picture is gone."""
    for picture in sorted((folder / "images").iterdir())[::2]:
        picture.unlink()


DAMAGES = (
    Damage("30 pictures cut in half, 10 empty, 10 are web pages", spoil_pictures, (0, 0),
           ("30 truncated", "10 empty", "10 not_an_image")),
    Damage("a column of the table of projections is gone", lose_column, (1, 3), ("projection",)),
    Damage("report numbers shuffled against pictures", move_ids, (1, 3), ("is of report",)),
    Damage("20 reports twice in the table", repeat_ids, (1, 3), ("is in rows",)),
    Damage("the table of headers changed by hand", change_headers, (1, 0),
           ("published file",)),
    Damage("20 pictures show another patient's film", swap_pictures, (0, 3), ("leakage",)),
    Damage("half the pictures are gone", lose_pictures, (0, 0), ("picture not found",)),
)  # fmt: skip


def broken_rows(raw: Path, work: Path, run: Run) -> tuple[list[str], bool]:
    """A table of the damages, and whether each ends as it must and is said.

    Args:
        raw: The whole copy; nothing is written into it.
        work: Folder for the damaged copies.
        run: Runs a command; gives exit code, JSON result and what was said.
    """
    lines = [
        "| damage | check ends | it says | prepare ends | it says | |",
        "|---|---|---|---|---|---|",
    ]
    good = True
    for number, damage in enumerate(DAMAGES):
        folder = copy_of(raw, work / f"broken{number}")
        damage.do(folder)
        out = work / f"broken{number}-out"
        code, rows, _ = run("data", "check", "openi", "--root", str(folder))
        checked = "; ".join(
            _checked(row) for row in rows if row["state"] == "wrong" or row["path"] == "studies"
        )
        told, made, problem = run("data", "prepare", "openi", "--root", str(folder), "-o", str(out))
        prepared = _prepared(made, out) if made else " ".join(problem.split("error: ")[-1].split())
        both = f"{checked} {prepared}".replace(f"{work}/", "")
        holds = (code, told) == damage.codes and all(word in both for word in damage.said)
        good &= holds
        said = [text.replace(f"{work}/", "").replace("|", "/") for text in (checked, prepared)]
        verdict = "as it must" if holds else f"MUST BE {damage.codes} {damage.said}"
        lines.append(f"| {damage.what} | {code} | {said[0]} | {told} | {said[1]} | {verdict} |")
    return lines, good


def _checked(row: dict[str, Any]) -> str:
    lacking = ", ".join(row["columns_missing"])
    return f"{row['path']}: " + (f"columns missing: {lacking}" if lacking else row["what"])


def _prepared(made: dict[str, Any], out: Path) -> str:
    with (out / "rejected.csv").open(encoding="utf-8", newline="") as lines:
        found = [row["reason"] for row in csv.DictReader(lines)]
    left = "; ".join(f"{found.count(reason)} {reason}" for reason in sorted(set(found)))
    return f"{made['studies']:,} studies, {made['pictures']:,} pictures; left out: {left}"


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    return header, rows


def _write(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([header, *rows])
