"""Triples from files: a folder with three splits, a table, or a benchmark shipped with PyKEEN."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from experiments.link_prediction.triples import SPLITS, Row, Triples, from_rows, held_out_of
from kg.errors import InputError, did_you_mean
from kg.files.regular import bytes_of

__all__ = ["BENCHMARKS", "benchmark_folder", "read_table", "read_triples"]

BENCHMARKS = ("kinships", "nations", "umls")
"""Small graphs shipped with PyKEEN as text, with their published splits."""

ENDINGS = (".tsv", ".txt")


def benchmark_folder(name: str) -> Path:
    """Folder of a benchmark inside the installed PyKEEN, which is not imported.

    Raises:
        InputError: If there is no such benchmark, or PyKEEN is not installed.
    """
    if name not in BENCHMARKS:
        raise InputError(f"there is no benchmark {name!r}", did_you_mean(name, BENCHMARKS))
    found = importlib.util.find_spec("pykeen")
    if found is None or not found.submodule_search_locations:
        raise InputError(
            f"{name}: its files come with PyKEEN, which is not installed",
            "pip install 'kgdx[benchmark]'",
        )
    return Path(found.submodule_search_locations[0], "datasets", name)


def read_triples(path: Path, *, seed: int) -> Triples:
    """Triples from a folder that holds `train`, `valid` and `test`, or from one table.

    Args:
        path: The folder, or a tab-separated table of subject, relation and object.
        seed: Seed of the split of a table; a folder has its own.

    Raises:
        InputError: If a file is missing or malformed; names file and line.
    """
    if path.is_dir():
        return from_rows([list(read_table(_file(path, split))) for split in SPLITS])
    return held_out_of(read_table(path), seed=seed)


def read_table(path: Path) -> Iterator[Row]:
    """Subject, relation and object of each line; empty lines are skipped.

    Raises:
        InputError: If the file cannot be read or a line has not three cells.
    """
    try:
        text = bytes_of(path).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8", "save it as UTF-8") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != 3 or not all(cells):
            raise InputError(
                f"{path}, line {number}: {len(cells)} cells where three are needed",
                "write subject, relation and object, separated by tabs",
            )
        yield cells[0], cells[1], cells[2]


def _file(folder: Path, split: str) -> Path:
    for ending in ENDINGS:
        if (folder / f"{split}{ending}").is_file():
            return folder / f"{split}{ending}"
    raise InputError(
        f"{folder}: has no {split}.txt", f"a folder of triples holds {', '.join(SPLITS)}"
    )
