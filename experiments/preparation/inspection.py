"""Inspection of a data set on disk: its folder, the state of its files, its studies."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from experiments.config.schema import Duplicates
from experiments.datasets import DATASETS, NeededFile
from experiments.datasets._layout import Layout, Reading, Rejected, Remark, log_warnings, present
from experiments.datasets._tables import read_header
from experiments.preparation.same_images import together_by_image
from kg.errors import InputError

State = Literal["found", "missing", "wrong", "warning"]


@dataclass(frozen=True)
class FileCheck:
    """State of one required file.

    Args:
        path: The file, relative to the root; its alternatives where it is missing.
        state: `found`, `missing`, `wrong`, or `warning` = usable, but.
        what: Its content, or its fault.
        giver: Provider of the file, or how it is made.
        columns_missing: Columns it lacks.
        optional: Whether the data set can be read without it.
        mend: Fix: the command that fetches or makes the file, or where to apply.
    """

    path: str
    state: State
    what: str
    giver: str
    columns_missing: tuple[str, ...] = ()
    optional: bool = False
    mend: str = ""

    @property
    def passes(self) -> bool:
        """Whether the data set can be used with the file in this state."""
        return self.state in ("found", "warning") or (self.state == "missing" and self.optional)


def locate(name: str, dataset: Any, root: Path, cache: Path | None = None) -> Path:
    """Folder of a data set: `root/name`, or `root` itself where it contains the files.

    Args:
        name: Name of the data set.
        dataset: The data set.
        root: Folder that holds data sets by name, or the data set's own.
        cache: Folder of caches, where a data set without files is generated unless `root/name`
            has a copy of it.

    Raises:
        InputError: If it is in neither folder.
    """
    if cache is not None and is_made(dataset):
        copied = any(present(root / name, file) for file in dataset.files)
        return root / name if copied else cache / "datasets" / name
    needed = [file for file in dataset.files if not _spared(dataset, file)]
    for folder in (root / name, root):
        if folder.is_dir() and all(present(folder, file) for file in needed):
            return folder
    if (root / name).is_dir():
        return root / name
    missing = next((file.path for file in needed if not present(root, file)), "")
    raise InputError(
        f"{name} is not under {root}: no folder {name!r} in it, and no {missing}",
        f"--root names the folder that holds {name!r}, or {name}'s own folder; "
        f"`kgdx data check {name}` lists its files and their providers",
    )


def data_root(root: Path | None, name: str) -> Path:
    """Folder of data sets; not needed for a data set that kgdx generates itself.

    Raises:
        InputError: If there is none for any other data set.
    """
    if root is not None:
        return root
    if not is_made(DATASETS.load(name)):
        raise InputError(
            f"no folder of data sets is named, and {name} needs files",
            f"--root DIR (or KGDX_DATA), where DIR/{name} holds it",
        )
    return Path()


def is_made(dataset: Any) -> bool:
    """Whether kgdx generates the data set itself, without files."""
    return all(file.optional for file in dataset.files)


def check(dataset: Any, root: Path, name: str = "NAME") -> list[FileCheck]:
    """State of each required file, every mistake in a user's own, and what the studies allow.

    Args:
        dataset: The data set.
        root: Its own folder.
        name: Name of the data set, for the suggested commands.
    """
    rows = [_check_file(root, file, name, dataset) for file in dataset.files]
    if isinstance(dataset, Layout):
        rows += map(_of_remark, dataset.remarks(root))
    if all(row.passes for row in rows):
        rows += _check_reading(dataset, root)
    return rows


def how_to_get(file: NeededFile, root: Path, name: str = "NAME") -> str:
    """One sentence on getting a required file: the command, or where to apply.

    Args:
        file: The file.
        root: The data set's own folder.
        name: Name of the data set.
    """
    if file.downloads:
        named = root.parent if root.name == name else root
        return f"kgdx data fetch {name} --root {named}"
    if file.command:
        return f"made by: {file.command.replace('{root}', str(root))}"
    return file.apply or f"from {file.giver}"


def read(dataset: Any, root: Path, labels: str, duplicates: Duplicates = "refuse") -> Reading:
    """Read the studies and what was left out; warnings are logged.

    A data set without `read` leaves nothing out.

    Args:
        dataset: The data set.
        root: Its own folder.
        labels: Label set.
        duplicates: Treatment of an image that several patients share.

    Raises:
        InputError: If a file is missing or wrong, or such an image has opposite labels.
    """
    if hasattr(dataset, "read"):
        reading: Reading = dataset.read(root, labels=labels)
    else:
        reading = Reading(tuple(dataset.studies(root, labels=labels)))
    locked_as = str(getattr(dataset, "locked_as", ""))
    reading = together_by_image(reading, root, duplicates, locked_as)
    log_warnings(root, reading.warnings)
    return reading


def reasons(rejected: Iterable[Rejected]) -> dict[str, int]:
    """Number of rejected rows and images by reason."""
    return _counted(item.reason for item in rejected)


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(sorted(words)).most_common())


def _spared(dataset: Any, file: NeededFile) -> bool:
    """Whether a data set can be read without a file under its options."""
    return file.optional or (isinstance(dataset, Layout) and dataset.spares(file))


def _check_file(root: Path, file: NeededFile, name: str, dataset: Any) -> FileCheck:
    paths = present(root, file)
    row = FileCheck(file.path, "found", file.what, file.giver, (), _spared(dataset, file))
    if not paths:
        instead = dataset.instead_of(file) if isinstance(dataset, Layout) else ""
        mend = how_to_get(file, root, name) + (f"; or {instead}" if instead else "")
        return replace(row, state="missing", mend=mend)
    row = replace(row, path=paths[0].relative_to(root).as_posix())
    try:
        wrong, missing = _wrong(paths[0], row.path, file), _lacking(paths[0], file)
    except InputError as error:
        wrong, missing = error.message, ()
    if not (wrong or missing):
        return row
    mend = f"remove it, then: {how_to_get(file, root, name)}" if wrong else ""
    return replace(row, state="wrong", what=wrong or file.what, columns_missing=missing, mend=mend)


def _lacking(path: Path, file: NeededFile) -> tuple[str, ...]:
    """Missing columns of a table."""
    if not (file.columns and path.is_file()):
        return ()
    header = read_header(path)
    return tuple(column for column in file.columns if column not in header)


def _wrong(path: Path, name: str, file: NeededFile) -> str:
    """Difference of a file from the published one in size or hash; empty = none."""
    if name != file.path.split("|")[0] or not path.is_file():
        return ""
    size = path.stat().st_size
    if file.size and size != file.size:
        return f"has {size:,} bytes, the published file {file.size:,}"
    algorithm, _, digest = file.checksum.partition(":")
    if digest:
        with path.open("rb") as opened:
            if hashlib.file_digest(opened, algorithm).hexdigest() != digest:
                return f"its {algorithm} is not that of the published file"
    return ""


def _check_reading(dataset: Any, root: Path) -> Iterator[FileCheck]:
    labels = dataset.label_choices[0].name
    try:
        reading = read(dataset, root, labels)
    except InputError as error:
        yield FileCheck("studies", "wrong", error.message, "", mend=error.hint)
        return
    if not reading.studies:
        yield FileCheck(
            "studies", "wrong", "no study could be read", "", mend="see what was left out"
        )
        return
    left = ", ".join(f"{count} {reason}" for reason, count in reasons(reading.rejected).items())
    what = f"{len(reading.studies)} studies" + (f"; left out: {left}" if left else "")
    yield FileCheck("studies", "found", what, "")


def _of_remark(remark: Remark) -> FileCheck:
    return FileCheck(remark.where, remark.state, remark.what, "", mend=remark.mend)
