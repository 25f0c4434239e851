"""Catalog of data sets: a published layout on disk in, studies out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from encoders.study import Modality, SplitPart, Study
from kg.catalog import Catalog

__all__ = ["DATASETS", "DataSet", "Download", "LabelChoice", "NeededFile"]


@dataclass(frozen=True)
class Download:
    """A file that its licence lets anyone fetch without asking.

    Args:
        url: Where it is; `https`.
        checksum: `sha256:` or `md5:` and hex digits, as published; empty = none is published.
        size: Bytes; 0 = not known.
        to: File it becomes or, of an archive, folder it is unpacked into, relative to the data
            set's root; empty = the first path of the needed file, or the root for an archive.
        unpack: Whether it is an archive (zip, tar, tar.gz).
    """

    url: str
    checksum: str = ""
    size: int = 0
    to: str = ""
    unpack: bool = False


@dataclass(frozen=True)
class NeededFile:
    """A file or folder a data set needs.

    Args:
        path: Relative to the data set's root; alternatives separated by `|`, the published one
            first.
        what: What it holds.
        giver: Who gives it and how it is made.
        columns: Columns a table must have.
        optional: Whether the data set can be read without it.
        size: Bytes of the published file; 0 = not known.
        checksum: `sha256:` or `md5:` and hex digits of the published file; empty = none is
            published, or copies rightly differ.
        command: Command that makes it, where it is not published but made; `{root}` stands for
            the data set's root.
        apply: Where to apply, in one sentence, where it cannot be fetched without asking.
        downloads: What may be fetched to get it.
    """

    path: str
    what: str
    giver: str
    columns: tuple[str, ...] = ()
    optional: bool = False
    size: int = 0
    checksum: str = ""
    command: str = ""
    apply: str = ""
    downloads: tuple[Download, ...] = ()


@dataclass(frozen=True)
class LabelChoice:
    """One way a data set is labelled.

    Args:
        name: Name of the label set in the graph (`nih14`, `chexpert14`, `covid`, ...).
        source: What the labels were read from: passages (`findings`, `impression`, ...), `mesh`,
            or `image` where an expert read the picture, `record` where the source states a
            diagnosis.
        blank: What a label that is not written means in this data set's publication.
        ordered: Whether the findings of the set are grades, from the lowest to the highest.
    """

    name: str
    source: tuple[str, ...]
    blank: Literal["zero", "ignore"] = "zero"
    ordered: bool = False


@runtime_checkable
class DataSet(Protocol):
    """A data set's published layout; parts are classes with these as class attributes.

    `graph_names` are the names under which the graph's evidence items carry this data set
    (`OpenI`, `OpenI-MeSH`): they are left out of the graph a run on it uses.
    """

    Options: Any
    licence: str
    citation: str
    homepage: str
    graph_names: tuple[str, ...]
    modalities: tuple[Modality, ...]
    label_choices: tuple[LabelChoice, ...]
    files: tuple[NeededFile, ...]
    expected: dict[str, int]

    def studies(self, root: Path, *, labels: str) -> list[Study]:
        """Every study under `root`, labelled by one of `label_choices`, in a fixed order.

        Raises:
            InputError: If a needed file is missing or wrong.
        """

    def official_split(self, root: Path) -> Mapping[str, SplitPart]:
        """Part of each study in the published split; empty where the publication gives none.

        Raises:
            InputError: If a file of the split is missing or wrong.
        """

    def tiny(self, folder: Path) -> None:
        """Write a small made-up copy of the layout, for tests and trials."""


DATASETS: Catalog[Any] = Catalog(
    "experiments.datasets", "data set", ("Options", "files", "studies", "tiny")
)
