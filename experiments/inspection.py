"""What of a data set is on disk: where it is, which files are there, and what they hold."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from encoders.study import Study
from experiments.config.schema import SplitSection
from experiments.datasets import NeededFile
from experiments.datasets._layout import Reading, Rejected, present
from experiments.datasets._tables import read_header
from experiments.splits import locked_studies, make_manifest, official_parts
from kg.errors import InputError, did_you_mean

State = Literal["found", "missing", "wrong"]


@dataclass(frozen=True)
class FileCheck:
    """Whether one needed file is there and right.

    Args:
        path: The file, relative to the root; its alternatives where none is there.
        state: `found`, `missing` or `wrong`.
        what: What it holds, or what is wrong with it.
        giver: Who gives it and how it is made.
        columns_missing: Columns it lacks.
        optional: Whether the data set can be read without it.
        mend: What to do where it is not right: the command that fetches or makes it, or where to
            apply.
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
        return self.state == "found" or (self.state == "missing" and self.optional)


@dataclass(frozen=True)
class FindingCount:
    """How often a finding is stated in the development part."""

    finding: str
    present: int
    absent: int
    uncertain: int
    not_stated: int


@dataclass(frozen=True)
class Inventory:
    """Counts of a data set; those of findings are of the development part alone.

    Args:
        dataset: Its name.
        labels: The label choice counted.
        studies: Studies, locked ones included.
        groups: Groups (patients, or source documents).
        pictures: Pictures of these studies.
        parts: Studies in `development` and `locked`.
        splits: Studies in each part of the splits a run can ask for by kind.
        findings: Counts of each finding stated anywhere, most frequent first.
        views: Pictures by view.
        modalities: Studies by modality.
        passages: Studies by passage and language (`findings en`).
        left_out: Rows and pictures left out, by reason.
        published: Counts the publication states.
    """

    dataset: str
    labels: str
    studies: int
    groups: int
    pictures: int
    parts: dict[str, int]
    splits: dict[str, dict[str, int]]
    findings: tuple[FindingCount, ...]
    views: dict[str, int]
    modalities: dict[str, int]
    passages: dict[str, int]
    left_out: dict[str, int]
    published: dict[str, int]


def locate(name: str, dataset: Any, root: Path) -> Path:
    """The data set's own folder: `root/name`, or `root` itself where its files are in it.

    Raises:
        InputError: If it is in neither.
    """
    needed = [file for file in dataset.files if not file.optional]
    for folder in (root / name, root):
        if folder.is_dir() and all(present(folder, file) for file in needed):
            return folder
    if (root / name).is_dir():
        return root / name
    missing = next((file.path for file in needed if not present(root, file)), "")
    raise InputError(
        f"{name} is not under {root}: no folder {name!r} in it, and no {missing}",
        f"--root names the folder that holds {name!r}, or {name}'s own folder; "
        f"`kgdx data check {name}` lists its files and their givers",
    )


def check(dataset: Any, root: Path, name: str = "NAME") -> list[FileCheck]:
    """Each needed file's state, and at the end whether the studies can be read.

    Args:
        dataset: The data set.
        root: Its own folder.
        name: Its name, for the commands that mend it.
    """
    rows = [_check_file(root, file, name) for file in dataset.files]
    if all(row.passes for row in rows):
        rows.append(_check_reading(dataset, root))
    return rows


def how_to_get(file: NeededFile, root: Path, name: str = "NAME") -> str:
    """In one sentence, how a needed file is to be had.

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


def read(dataset: Any, root: Path, labels: str) -> Reading:
    """The studies and what was left out; a data set without such a record left nothing out."""
    if hasattr(dataset, "read"):
        reading: Reading = dataset.read(root, labels=labels)
        return reading
    return Reading(tuple(dataset.studies(root, labels=labels)))


def show(name: str, dataset: Any, root: Path, labels: str = "") -> Inventory:
    """Count what a data set holds.

    Args:
        name: Its name.
        dataset: The data set.
        root: Its own folder.
        labels: Label choice; empty = its first.

    Raises:
        InputError: If a file is missing or wrong, or there is no such label choice.
    """
    labels = labels or dataset.label_choices[0].name
    reading = read(dataset, root, labels)
    studies = reading.studies
    locked = locked_studies(dataset, studies)
    development = [study for study in studies if study.study not in locked]
    return Inventory(
        dataset=name,
        labels=labels,
        studies=len(studies),
        groups=len({study.patient for study in studies}),
        pictures=sum(len(study.images) for study in studies),
        parts={"development": len(development), "locked": len(locked)},
        splits=_splits(name, dataset, root, studies, locked),
        findings=_findings(development),
        views=_counted(image.view for study in studies for image in study.images),
        modalities=_counted(m for s in studies for m in {i.modality for i in s.images}),
        passages=_counted(
            part for s in studies for part in {f"{p.name} {p.language}" for p in s.report}
        ),
        left_out=reasons(reading.rejected),
        published=dict(dataset.expected),
    )


def find_study(name: str, dataset: Any, root: Path, study: str, labels: str = "") -> Study:
    """One study of the development part.

    Raises:
        InputError: If there is none of that id, or it is locked.
    """
    reading = read(dataset, root, labels or dataset.label_choices[0].name)
    found = {one.study: one for one in reading.studies}
    if study not in found:
        raise InputError(f"{name} has no study {study!r}", did_you_mean(study, found))
    if study in locked_studies(dataset, reading.studies):
        raise InputError(
            f"{name}: study {study!r} is in the locked part, which is not looked at",
            "choose a study of the development part",
        )
    return found[study]


def _splits(
    name: str, dataset: Any, root: Path, studies: Sequence[Study], locked: frozenset[str]
) -> dict[str, dict[str, int]]:
    """Parts of each split; one that cannot be made (of too few patients) is not there."""
    official = official_parts(dataset, root)
    kinds: list[Literal["locked", "fixed", "official"]] = ["locked" if locked else "fixed"]
    found = {}
    for kind in (*kinds, *(("official",) if official else ())):
        split = SplitSection(kind=kind)
        try:
            manifest = make_manifest(studies, split, dataset=name, locked=locked, official=official)
        except InputError:
            continue
        found[manifest.name] = _counted(manifest.assignments.values())
    return found


def reasons(rejected: Iterable[Rejected]) -> dict[str, int]:
    """What was left out, counted by reason."""
    return _counted(item.reason for item in rejected)


def _findings(studies: Sequence[Study]) -> tuple[FindingCount, ...]:
    counts = Counter(pair for study in studies for pair in study.stated.items())
    findings = {finding for finding, _ in counts}
    rows = []
    for finding in findings:
        positive, negative = counts[finding, "present"], counts[finding, "absent"]
        uncertain = counts[finding, "uncertain"]
        silent = len(studies) - positive - negative - uncertain
        rows.append(FindingCount(finding, positive, negative, uncertain, silent))
    return tuple(sorted(rows, key=lambda row: (-row.present, row.finding)))


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(sorted(words)).most_common())


def _check_file(root: Path, file: NeededFile, name: str) -> FileCheck:
    found = present(root, file)
    row = FileCheck(file.path, "found", file.what, file.giver, (), file.optional)
    if not found:
        return replace(row, state="missing", mend=how_to_get(file, root, name))
    row = replace(row, path=found[0].relative_to(root).as_posix())
    try:
        wrong, missing = _wrong(found[0], row.path, file), _lacking(found[0], file)
    except InputError as error:
        wrong, missing = error.message, ()
    if not (wrong or missing):
        return row
    mend = f"remove it, then: {how_to_get(file, root, name)}" if wrong else ""
    return replace(row, state="wrong", what=wrong or file.what, columns_missing=missing, mend=mend)


def _lacking(path: Path, file: NeededFile) -> tuple[str, ...]:
    """Columns a table should have and has not."""
    if not (file.columns and path.is_file()):
        return ()
    header = read_header(path)
    return tuple(column for column in file.columns if column not in header)


def _wrong(path: Path, name: str, file: NeededFile) -> str:
    """How a file differs from the published one in size or hash; empty = in nothing."""
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


def _check_reading(dataset: Any, root: Path) -> FileCheck:
    try:
        reading = read(dataset, root, dataset.label_choices[0].name)
    except InputError as error:
        return FileCheck("studies", "wrong", error.message, error.hint)
    if not reading.studies:
        return FileCheck("studies", "wrong", "no study could be made", "see what was left out")
    left = ", ".join(f"{count} {reason}" for reason, count in reasons(reading.rejected).items())
    what = f"{len(reading.studies)} studies" + (f"; left out: {left}" if left else "")
    return FileCheck("studies", "found", what, "")
