"""Study: the record of one examination before any file is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from encoders.reading.tiles import Tile

Modality = Literal["cxr", "ct", "ultrasound", "pathology"]
View = Literal["frontal", "lateral", "axial", "convex", "linear", "unknown"]
Stated = Literal["present", "absent", "uncertain"]
Language = Literal["en", "zh", "es"]
SplitSubset = Literal["train", "validation", "test", "locked", "unused"]

RADIOLOGY: tuple[Modality, ...] = ("cxr", "ct", "ultrasound")
MODALITIES: tuple[Modality, ...] = (*RADIOLOGY, "pathology")
VIEWS: tuple[View, ...] = ("frontal", "lateral", "axial", "convex", "linear", "unknown")

SECTIONS = (
    "indication",
    "comparison",
    "technique",
    "findings",
    "impression",
    "recommendation",
    "addendum",
    "note",
    "comment",
    "other",
)
"""Names a report's passages may have; `note` is a clinical note, `comment` an expert's remark."""

DESCRIBING = ("findings", "impression")
"""Sections that say what the images show."""

SPEAKERS = ("patient", "doctor", "description", "unknown")
"""Names a dialogue's passages may have; `description` is the patient's opening summary."""


@dataclass(frozen=True, slots=True)
class StudyImage:
    """One image of a study, or a volume, series or clip of several.

    Args:
        path: Path relative to the data set's root, of a file or of a folder of DICOM slices.
        modality: Imaging modality.
        view: Projection or probe.
        frame: Index of the slice or frame in question; None = all of the file.
        box: Box of the lesion in question: left, top, right and bottom in shares of the image's
            sides, from its upper left corner; None = no lesion in question.
        tile: Tile of the image that is shown; None = all of it, as in every data set.
    """

    path: str
    modality: Modality
    view: View = "unknown"
    frame: int | None = None
    box: tuple[float, float, float, float] | None = None
    tile: Tile | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A section of a report (named from `SECTIONS`) or a turn of a dialogue (`SPEAKERS`)."""

    name: str
    text: str
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class Study:
    """One examination of one patient.

    A missing modality is an empty tuple; no placeholder ever stands for it.

    Args:
        study: Identifier within the data set.
        patient: Group key: all studies of one patient (or one source document) share it.
        images: Images, in the order of the data set.
        report: Sections of the report or note, in order.
        dialogue: Turns of the doctor-patient dialogue, in order.
        stated: Assertion for each concept the data set's labels state; a concept that is not
            in it was not stated.
        coded: Concepts coded for the study beside its labels (indexing terms), for training.
        dataset: Name of the data set.
        metadata: Sex, age, width, document and the like, for probes and subgroups.
    """

    study: str
    patient: str
    images: tuple[StudyImage, ...] = ()
    report: tuple[Passage, ...] = ()
    dialogue: tuple[Passage, ...] = ()
    stated: Mapping[str, Stated] = field(default_factory=dict)
    coded: Mapping[str, Stated] = field(default_factory=dict)
    dataset: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


STORED_KEYS = {"dataset": "source", "metadata": "facts", "frame": "part"}
"""Keys of stored studies that differ from the name of the field; fingerprints hash them."""

FIELDS = {key: name for name, key in STORED_KEYS.items()}
"""Field of each of these keys."""


def plain(study: Study) -> dict[str, Any]:
    """A study as plain values, ready for JSON; an image without a box has no such key."""
    record = _renamed(asdict(study), STORED_KEYS)
    record["images"] = tuple(_renamed(image, STORED_KEYS) for image in record["images"])
    for image in record["images"]:
        del image["tile"]
        if image["box"] is None:
            del image["box"]
    return record


def study_of(record: Mapping[str, Any]) -> Study:
    """A study from what `plain` gave."""
    values = _renamed(record, FIELDS)
    images = (_renamed(image, FIELDS) for image in record["images"])
    values["images"] = tuple(
        StudyImage(**(image | {"box": tuple(image["box"])} if "box" in image else image))
        for image in images
    )
    for name in ("report", "dialogue"):
        values[name] = tuple(Passage(**passage) for passage in record[name])
    return Study(**values)


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in values.items()}
