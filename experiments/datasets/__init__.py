"""Catalog of data sets: studies read from a published layout on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from encoders.study import Modality, SplitSubset, Study
from kg.catalog import Catalog

__all__ = ["DATASETS", "DataSet", "Download", "LabelChoice", "NeededFile"]


@dataclass(frozen=True)
class Download:
    """A file that anyone may download without applying.

    Args:
        url: Address, `https`.
        checksum: `sha256:` or `md5:` and hex digits, as published; empty = none is published.
        size: Size in bytes; 0 = not known.
        to: Target file (of an archive: folder), relative to the data set's root; empty = the first
            path of the needed file, or the root for an archive.
        unpack: True if it is an archive (zip, tar, tar.gz).
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
        what: Its content.
        giver: Its provider, and how it is made.
        columns: Required columns of a table.
        optional: True if the data set can be read without it.
        size: Size of the published file in bytes; 0 = not known.
        checksum: `sha256:` or `md5:` and hex digits of the published file; empty = none is
            published, or copies rightly differ.
        command: Command that makes it if it is not published; `{root}` stands for the data set's
            root.
        apply: Where to apply for it, in one sentence, if it cannot be downloaded freely.
        downloads: Downloads that give it.
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
    """A labelling of a data set.

    Args:
        name: Name of the label set in the graph (`nih14`, `chexpert14`, `covid`, ...).
        origin: Origin of the labels: passages (`findings`, `impression`, ...), `mesh`, `image` for
            an expert reading of the image, `record` for a diagnosis in the record.
        blank: Meaning of a blank label in this data set's publication.
        ordered: True if the findings of the set are grades, from the lowest to the highest.
    """

    name: str
    origin: tuple[str, ...]
    blank: Literal["zero", "ignore"] = "zero"
    ordered: bool = False


@runtime_checkable
class DataSet(Protocol):
    """Published layout of a data set; parts are classes with these class attributes.

    `graph_names` are the names of this data set in the graph's evidence
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

    def official_split(self, root: Path) -> Mapping[str, SplitSubset]:
        """Subset of each study in the published split; empty if the publication has none.

        Raises:
            InputError: If a file of the split is missing or wrong.
        """

    def tiny(self, folder: Path) -> None:
        """Write a small made-up copy of the layout, for tests and trials."""


DATASETS: Catalog[Any] = Catalog(
    "experiments.datasets", "data set", ("Options", "files", "studies", "tiny")
)
