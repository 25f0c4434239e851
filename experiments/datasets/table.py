r"""Your own studies: one csv or Excel sheet, a folder of images, reports as text or files.

Columns of the table (.csv in UTF-8, separated by commas, semicolons or tabs, or a sheet of .xlsx),
one row for each study, in any order:

    study       an id, unique                                        required
    patient     group key; all studies of one patient share it       default: the study
    image       image path under the table's folder, with / or \; several with ;
    report      the report's text, or the path of a .txt file
    dialogue    the dialogue's text, or the path of a .txt file
    indication, comparison, findings, impression, note, comment      sections, instead of report
    modality    cxr, ct or ultrasound; one, or one an image with ;  default: cxr
    view        frontal (PA, AP), lateral (LL), axial, convex, linear, unknown; default: unknown
    sex, age    metadata, for subgroups and probes
    source      hospital or collection the study is from, which can be left out and tested

Every other column is a finding, named as a concept of the graph (id, label or synonym), with the
values 1 present, 0 absent, -1 uncertain, empty not stated. The option `ignore` (`--ignore COLUMN`)
leaves out columns.

Files outside the table's folder (absolute paths, `..`, links) are refused unless the option
`outside` allows them (`--outside`).

Where the environment has `KGDX_PSEUDONYM_KEY`, studies, patients and sources are named by a keyed
hash of their ids in everything that is written, and so is a sex or age that is not written as one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, cast, get_args

import numpy as np

import kg.options
from encoders.study import Modality
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._layout import Layout, Reading, Remark
from experiments.datasets._own_check import remarks_on
from experiments.datasets._own_file import OwnFile, find_own_file
from experiments.datasets._own_rows import Places, findings_of, patient_of, study_of
from experiments.datasets._patients import warnings_on
from experiments.datasets._pictures import draw
from experiments.datasets._tables import Row, unique
from kg.errors import InputError
from kg.model.graph import LabelSet

__all__ = ["Table"]


class Table(Layout):
    """A user's table, with the columns above."""

    class Options(kg.options.Options):
        """Options of a user's table.

        Args:
            file: The table under the root; empty = the only one that holds studies.
            sheet: Sheet of an Excel workbook; empty = the only one with a column `study`.
            ignore: Columns to leave out.
            label_source: Origin of the labels, which decides the leakage of a text policy.
            outside: Whether files may lie outside the root, behind links as well.
        """

        file: str = ""
        sheet: str = ""
        ignore: tuple[str, ...] = ()
        outside: bool = False
        label_source: tuple[str, ...] = ("findings", "impression")

    licence = "your own"
    citation = "your own"
    homepage = ""
    modalities: ClassVar[tuple[Modality, ...]] = get_args(Modality)
    label_choices = (LabelChoice("own", ("findings", "impression"), "ignore"),)
    files = (
        NeededFile(
            "*.csv|*.xlsx",
            "one row for each study",
            "you: columns study, patient, image, report, and one for each finding by its name",
        ),
    )

    def __init__(self, options: kg.options.Options | None = None) -> None:
        super().__init__(options)
        self._chosen = cast(Table.Options, self.options)
        self.label_choices = (LabelChoice("own", self._chosen.label_source, "ignore"),)

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies of the table; a malformed row is an error, never left out."""
        self.choice(labels)
        rows = list(unique(self._rows(root), "study").values())
        concepts, places = findings_of(rows), self._places(root)
        return Reading(
            tuple(study_of(places, row, concepts) for row in rows),
            warnings=warnings_on(map(patient_of, rows)),
        )

    def remarks(self, root: Path) -> Iterator[Remark]:
        """Everything that is wrong with the table at once, each with its mend."""
        try:
            file = self._file(root)
        except InputError as error:
            yield Remark("table", "wrong", error.message, error.hint)
            return
        yield from remarks_on(file, self._places(root), self._chosen.ignore)

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """The table's finding columns as a label set."""
        self.choice(labels)
        concepts = findings_of(self._rows(root))
        normal = "ckg:no_finding"
        return LabelSet(
            name=labels,
            concept="",
            findings=tuple(concepts.values()),
            columns=tuple(concepts),
            no_finding=normal if normal in concepts.values() else None,
        )

    def tiny(self, folder: Path) -> None:
        """Write 16 made-up studies of 12 patients, some with a report in its own file."""
        rng = np.random.default_rng(3)
        (folder / "reports").mkdir(parents=True, exist_ok=True)
        with (folder / "studies.csv").open("w", encoding="utf-8", newline="") as lines:
            writer = csv.writer(lines)
            writer.writerow(
                ("study", "patient", "image", "report", "modality", "view", "sex")
                + ("Cardiomegaly", "Pleural Effusion")
            )
            for number in range(16):
                image, ill = f"pictures/{number}.png", number % 3 == 0
                draw(folder / image, rng, bright=ill)
                report = f"Findings: {'Enlarged heart.' if ill else 'Clear lungs.'}"
                if number % 2:
                    (folder / "reports" / f"{number}.txt").write_text(report, encoding="utf-8")
                    report = f"reports/{number}.txt"
                state = ("-1", "", "1", "0")[number % 4]
                writer.writerow(
                    (f"s{number}", f"p{number % 12}", image, report, "cxr", "frontal", "F")
                    + (int(ill), state)
                )

    def _rows(self, root: Path) -> list[Row]:
        """Rows of the table, without the columns to ignore."""
        return self._file(root).rows(self._chosen.ignore)

    def _places(self, root: Path) -> Places:
        return Places(root, self._chosen.outside)

    def _file(self, root: Path) -> OwnFile:
        """The table under the root."""
        named = self._chosen.file
        path = root / self._places(root).at(named, f"{root}: the option `file`") if named else None
        return find_own_file(root, path, self._chosen.sheet)
