"""COVID-BLUeS: lung ultrasound clips of patients suspected of COVID-19, one study, one device.

For the label choice `covid` a study is a patient with the clips of up to six BLUE points; for
`lines` and `severity`, which an expert read from each clip, a study is a clip. Clinical variables
(`covid_blues_variables.tsv`: symptoms, diseases, vital signs, blood count) are metadata, and a note
in the section `indication`: what was known before the examination, so neither test nor diagnosis,
therapy, outcome or vaccination. The expert's remark on a clip is a comment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.study import Modality, Passage, Stated, Study, StudyImage
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._covid_labels import covid
from experiments.datasets._layout import Layout, Reading, Rejected
from experiments.datasets._made_up import draw_clip, write_table
from experiments.datasets._pictures import Pictures, stem
from experiments.datasets._tables import Row, read_table, unique
from kg.errors import InputError
from kg.model.graph import LabelSet

__all__ = ["CovidBlues"]

CLINICAL, READINGS = "clinical_variables.csv", "severity.csv"
CLIPS = "lus_videos"
SCORE, REMARK = "Severity Score", "comments"
LINES = {"A-lines": "ckg:a_lines", "B-lines": "ckg:b_lines"}
GRADES = {str(grade): f"ckg:lus_score_{grade}" for grade in range(4)}
MISSING = ("", "-99")
TINY = ("patient_symp#Fever", "PCR_CT")
"""Columns of a made-up copy beside the needed ones."""
ANSWERS: Mapping[str, Stated] = {"yes": "present", "no": "absent"}


@dataclass(frozen=True)
class _Variable:
    """A clinical variable that is measured, or present (1) or not, and its words in a note."""

    column: str
    field: str
    measured: bool
    words: str


class CovidBlues(Layout):
    """The repository's folder `data`: clips, clinical variables, readings of the clips."""

    licence = "CC BY-NC-ND 4.0"
    citation = (
        "Wiedemann N, et al. COVID-BLUeS: A prospective study on the value of AI in lung "
        "ultrasound analysis. IEEE Journal of Biomedical and Health Informatics 2025; "
        "arXiv 2509.10556."
    )
    homepage = "https://github.com/NinaWie/COVID-BLUES"
    modalities: ClassVar[tuple[Modality, ...]] = ("ultrasound",)
    label_choices = (
        LabelChoice("covid", ("record",), "ignore"),
        LabelChoice("lines", ("image", "comment"), "ignore"),
        LabelChoice("severity", ("image", "comment"), "ignore", ordered=True),
    )
    files = (
        NeededFile(CLIPS, "clips: patient_<id>_<BLUE point>.mp4", "in the repository"),
        NeededFile(
            CLINICAL,
            "one row for each patient: test, symptoms, vital signs, blood count",
            "in the repository",
            ("patient_id", "cov_test", "pat_sex", "pat_age"),
        ),
        NeededFile(
            READINGS,
            "one row for each clip: severity, A-lines, B-lines, remark",
            "in the repository",
            ("video_file", SCORE, *LINES, REMARK),
        ),
    )
    expected: ClassVar[dict[str, int]] = {"patients": 63, "clips": 362}

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; clips and rows that do not belong together are rejected."""
        self.choice(labels)
        self.need(root)
        patients = unique(read_table(root / CLINICAL, self.files[1].columns), "patient_id")
        readings = unique(read_table(root / READINGS, self.files[2].columns), "video_file")
        clips: dict[str, list[str]] = {}
        pictures = Pictures(root, (CLIPS,))
        rejected = [
            Rejected(READINGS, reading.number, "no clip", name)
            for name, reading in readings.items()
            if pictures.find(name) is None
        ]
        for path in pictures.all():
            name = stem(path.rpartition("/")[2])
            patient = name.removeprefix("patient_").partition("_")[0]
            table = _missing_from(patient in patients, labels == "covid" or name in readings)
            if table:
                rejected.append(Rejected(path, 0, f"no row in {table}", name))
            else:
                clips.setdefault(patient, []).append(path)
        rejected += [
            Rejected(CLINICAL, row.number, "no clip of the patient", patient)
            for patient, row in patients.items()
            if patient not in clips
        ]
        studies: list[Study] = []
        for patient, row in patients.items():
            own = _examined(row, clips.get(patient, []), readings)
            studies += _of_patient(own) if labels == "covid" else _of_clips(own, labels)
        return Reading(tuple(studies), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet | None:
        """A-lines and B-lines, or the four grades of severity; the graph has the test."""
        name = self.choice(labels).name
        if name == "covid":
            return None
        found = LINES if name == "lines" else GRADES
        concepts = tuple(found.values())
        return LabelSet(name, "", concepts, tuple(found), exclusive=name == "severity")

    def tiny(self, folder: Path) -> None:
        """Write 12 made-up patients with two short clips each; two clips of one point."""
        rng = np.random.default_rng(44)
        readings = []
        for number in range(24):
            patient, grade = number // 2, number % 4
            point = ("L1", "L1_2" if patient == 5 else "R2")[number % 2]
            name = f"patient_{patient}_{point}"
            draw_clip(folder / CLIPS / f"{name}.mp4", rng, bright=grade > 1)
            lines = ("yes", "no") if grade == 0 else ("no", "yes ")
            readings.append((name, f"{grade}.0", *lines, "broken pleura line" * (grade > 2)))
        write_table(folder / READINGS, self.files[2].columns, readings)
        columns = ("patient_id", "cov_test", "pat_sex", "pat_age", "pulse", *TINY)
        rows = [
            (n, n % 2, n % 3 % 2, 40 + n, -99 if n == 3 else 60 + n, n % 2, 20 if n % 2 else "")
            for n in range(12)
        ]
        write_table(folder / CLINICAL, columns, rows)


@dataclass(frozen=True)
class _Examination:
    """A patient's row, metadata and note, and the clips with their readings."""

    row: Row
    metadata: Mapping[str, str]
    note: Passage
    clips: Sequence[tuple[str, Row | None]]

    def study(self, study: str, clips: Sequence[tuple[str, Row | None]]) -> Study:
        """A study of some of the clips, not labelled yet."""
        remarks = [reading[REMARK] for _, reading in clips if reading and reading[REMARK]]
        return Study(
            study=study,
            patient=self.row["patient_id"],
            images=tuple(StudyImage(path, "ultrasound") for path, _ in clips),
            report=(self.note, *(Passage("comment", remark) for remark in remarks)),
            dataset="covid_blues",
            metadata=self.metadata,
        )


def _missing_from(patient: bool, reading: bool) -> str:
    if not patient:
        return CLINICAL
    return "" if reading else READINGS


@cache
def _variables() -> tuple[_Variable, ...]:
    rows = read_table(Path(__file__).with_name("covid_blues_variables.tsv"), separator="\t")
    return tuple(
        _Variable(row["column"], row["field"], row["kind"] == "value", row["words"]) for row in rows
    )


def _examined(row: Row, paths: Sequence[str], readings: Mapping[str, Row]) -> _Examination:
    """Clinical variables, note and clips of one patient."""
    known = {
        one: cell
        for one in _variables()
        if (cell := row.get(one.column).removesuffix(".0")) not in MISSING
    }
    sex = {"0": "F", "1": "M"}.get(row["pat_sex"].removesuffix(".0"), "")
    person = {"sex": sex, "age": row["pat_age"].removesuffix(".0")}
    metadata = {one.field: cell for one, cell in known.items()} | person
    metadata |= {"modality": "ultrasound", "pictures": str(len(paths))}
    return _Examination(
        row=row,
        metadata={name: value for name, value in metadata.items() if value},
        note=Passage("indication", _note(person, known)),
        clips=[(path, readings.get(stem(path.rpartition("/")[2]))) for path in paths],
    )


def _note(person: Mapping[str, str], known: Mapping[_Variable, str]) -> str:
    """Sentences on the person, on what is present, and on what was measured."""
    who = {"F": "Woman", "M": "Man"}.get(person["sex"], "Patient")
    if person["age"]:
        who += f", {person['age']} years"
    held = [one.words for one, cell in known.items() if not one.measured and cell == "1"]
    values = [one.words.format(cell) for one, cell in known.items() if one.measured]
    return " ".join(f"{', '.join(part)}." for part in ([who], held, values) if part)


def _of_patient(own: _Examination) -> Iterator[Study]:
    """The patient as one study, by the result of the test; none without a clip."""
    result = own.row.label("cov_test")
    if own.clips:
        study = own.study(own.row["patient_id"], own.clips)
        yield replace(study, stated=covid(result) if result else {})


def _of_clips(own: _Examination, labels: str) -> Iterator[Study]:
    """Each clip as one study, by its reading."""
    for path, reading in own.clips:
        if reading is None:
            continue
        point = reading["video_file"].removeprefix(f"patient_{own.row['patient_id']}_")
        study = own.study(f"{own.row['patient_id']}/{point}", [(path, reading)])
        yield replace(study, stated=_lines(reading) if labels == "lines" else _grade(reading))


def _lines(reading: Row) -> dict[str, Stated]:
    for column in LINES:
        if reading[column].casefold() not in (*ANSWERS, ""):
            raise InputError(
                f"{reading.file}: row {reading.number}, column {column!r}: {reading[column]!r}",
                "write yes or no, or leave it empty (not stated)",
            )
    return {
        concept: ANSWERS[reading[column].casefold()]
        for column, concept in LINES.items()
        if reading[column]
    }


def _grade(reading: Row) -> dict[str, Stated]:
    grade = reading[SCORE].removesuffix(".0")
    if grade and grade not in GRADES:
        raise InputError(
            f"{reading.file}: row {reading.number}, column {SCORE!r}: {reading[SCORE]!r}",
            "write 0, 1, 2 or 3, or leave it empty (not stated)",
        )
    held = GRADES.get(grade)
    return {one: "present" if one == held else "absent" for one in GRADES.values() if held}
