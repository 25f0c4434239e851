"""DICOM objects of an answer: a structured report (TID 1500) and a picture of each map.

A report holds a measurement group for every finding that was answered: its probability, whether it
is called present, and, where a map has a maximum, the box around it as SCOORD on the picture. The
maps are Secondary Capture images of the same DICOM study.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from encoders.reading.picture import read_picture
from experiments.clinic.codes import OWN_SCHEME, USE, codes_of
from experiments.clinic.nameless import mark_nameless, nameless
from experiments.explanation.answer import FindingAnswer, ImageMap, Model, ShownImage, StudyAnswer
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph

__all__ = ["dicom_report"]

SIDE = 1024
"""Longest side of a map's picture."""
_SERIES = "kgdx: research use only"
_SERIES_NUMBER = 9100
_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName"),
)
"""Attributes of a study that may be empty, but not missing."""
_KNOWN = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True)
class _Source:
    """Picture that was read, with the header of its DICOM file."""

    shown: ShownImage
    header: Any

    @property
    def frames(self) -> list[int] | None:
        """Number of its frame; None in a file of one."""
        frame = self.shown.image.frame
        several = int(self.header.get("NumberOfFrames") or 1) > 1
        return [frame + 1] if several and frame is not None else None

    @property
    def names(self) -> tuple[str, str]:
        """Class and instance of the file."""
        return self.header.SOPClassUID, self.header.SOPInstanceUID


def dicom_report(answer: StudyAnswer, graph: KnowledgeGraph, *, named: bool = True) -> list[Any]:
    """The structured report of an answer, then a picture of each map of a finding called present.

    Args:
        answer: The answer of a study whose pictures are DICOM files.
        graph: Graph with the identifiers of other terminologies.
        named: Whether they belong to the patient and study of the pictures, as an archive needs it.

    Raises:
        InputError: If the package is missing, or a picture is no DICOM file.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise InputError(f"{error.name} is not installed", "pip install 'kgdx[clinic]'") from None
    sources = [_source(shown, named) for shown in answer.images]
    if not sources:
        raise InputError(
            f"{answer.study}: a DICOM report needs the DICOM pictures it is about",
            "give a DICOM file, or write .fhir.json",
        )
    pictures = list(_map_pictures(answer, sources))
    made = [_report(answer, sources, pictures, graph), *pictures]
    if not named:
        mark_nameless(made)
    return made


def _source(shown: ShownImage, named: bool) -> _Source:
    """Header of a picture, with what a study must have.

    Raises:
        InputError: If it is no DICOM file, or does not name itself.
    """
    import pydicom

    path = Path(shown.image.path)
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
    except (pydicom.errors.InvalidDicomError, IsADirectoryError):
        raise InputError(
            f"{path.name}: a DICOM report needs pictures that are DICOM files",
            "give DICOM files one by one, or write .fhir.json",
        ) from None
    missing = [name for name in _KNOWN if not header.get(name)]
    if missing:
        raise InputError(f"{path.name} has no {missing[0]}", "a DICOM report cannot refer to it")
    if not named:
        header = nameless(header)
    for name in _EMPTY:
        if name not in header:
            setattr(header, name, "")
    return _Source(shown, header)


def _report(
    answer: StudyAnswer, sources: Sequence[_Source], pictures: Sequence[Any], graph: KnowledgeGraph
) -> Any:
    """The structured report."""
    import highdicom as hd
    from highdicom import sr
    from pydicom.sr.codedict import codes

    model = answer.models[0]
    observer = sr.ObserverContext(
        codes.DCM.Device,
        sr.DeviceObserverIdentifyingAttributes(
            uid=hd.UID(),
            name=f"kgdx {model.run}"[:64],
            manufacturer_name="kgdx",
            model_name=model.system,
            serial_number=model.weights,
        ),
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=sr.CodedConcept("363679005", "SCT", "Imaging procedure"),
        imaging_measurements=[
            _group(one, model, sources, graph)
            for one in answer.findings
            if one.certainty.probability is not None
        ],
        title=codes.DCM.ImagingMeasurementReport,
    )
    comment = sr.TextContentItem(
        codes.DCM.Comment, USE, relationship_type=sr.RelationshipTypeValues.CONTAINS
    )
    content[0].ContentSequence.append(comment)
    # the same file may have given several pictures
    headers = {source.header.SOPInstanceUID: source.header for source in sources}
    made = sr.ComprehensiveSR(
        evidence=[*headers.values(), *pictures],
        content=content,
        series_instance_uid=hd.UID(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="kgdx",
    )
    made.SeriesDescription = _SERIES
    return made


def _group(
    answer: FindingAnswer, model: Model, sources: Sequence[_Source], graph: KnowledgeGraph
) -> Any:
    """Measurement group of a finding."""
    import highdicom as hd
    from highdicom import sr

    code = codes_of(answer.finding, answer.label, graph)[0]
    facts: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(hd.UID(), answer.finding),
        "finding_type": sr.CodedConcept(code.value, code.scheme, code.meaning[:64]),
        "algorithm_id": sr.AlgorithmIdentification(f"kgdx {model.system}", model.version),
        "measurements": list(_measurements(answer)),
        "qualitative_evaluations": list(_verdict(answer)),
    }
    boxed = next((one for one in answer.maps if one.box is not None), None)
    if boxed is None:
        images = [sr.SourceImageForMeasurementGroup(*one.names, one.frames) for one in sources]
        return sr.MeasurementsAndQualitativeEvaluations(source_images=images, **facts)
    source = sources[boxed.image]
    region = sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=_corners(boxed, source.header),
        source_image=sr.SourceImageForRegion(*source.names, source.frames),
    )
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(referenced_region=region, **facts)


def _measurements(answer: FindingAnswer) -> Iterator[Any]:
    """Probability, its range over the runs, and the threshold."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    certainty, unit = answer.certainty, codes.UCUM.NoUnits
    ends = (
        (certainty.probability, None),
        (certainty.low, codes.SCT.Minimum),
        (certainty.high, codes.SCT.Maximum),
    )
    for value, derivation in ends:
        if value is not None:
            yield sr.Measurement(codes.DCM.Probability, value, unit, derivation=derivation)
    if answer.threshold is not None:
        threshold = sr.CodedConcept("threshold", OWN_SCHEME, "Decision threshold")
        yield sr.Measurement(threshold, answer.threshold, unit)


def _verdict(answer: FindingAnswer) -> Iterator[Any]:
    """Whether the finding is called present; nothing where there is no threshold."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    values = {
        "present": codes.DCM.Present,
        "absent": codes.DCM.Absent,
        "uncertain": codes.SCT.Indeterminate,
    }
    if answer.verdict in values:
        name = sr.CodedConcept("presence", OWN_SCHEME, "Presence of the finding")
        yield sr.QualitativeEvaluation(name, values[answer.verdict])


def _corners(one: ImageMap, header: Any) -> np.ndarray[Any, Any]:
    """Corners of a map's box in pixels of the file, closed, `[5, 2]`."""
    left, top, right, bottom = one.box or (0.0, 0.0, 1.0, 1.0)
    shares = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    sides = np.array([header.Columns, header.Rows], dtype=np.float64)
    return np.asarray(shares, dtype=np.float64) * sides


def _map_pictures(answer: StudyAnswer, sources: Sequence[_Source]) -> Iterator[Any]:
    """A picture of the first map of each finding that is called present."""
    import highdicom as hd

    series, number = hd.UID(), 0
    for finding in answer.findings:
        drawn = next((one for one in finding.maps if one.box is not None), None)
        if drawn is None or finding.verdict != "present":
            continue
        number += 1
        source = sources[drawn.image]
        made = hd.sc.SCImage.from_ref_dataset(
            ref_dataset=source.header,
            pixel_array=_overlaid(drawn, source.shown),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=("L", "F"),
            series_instance_uid=series,
            series_number=_SERIES_NUMBER + 1,
            sop_instance_uid=hd.UID(),
            instance_number=number,
            manufacturer="kgdx",
        )
        for name in ("PatientOrientation", "Laterality"):  # as the file has it, or not known
            setattr(made, name, source.header.get(name))
        made.SeriesDescription = _SERIES
        made.ImageComments = f"{finding.label}: {drawn.method} map. {USE}"
        yield made


def _overlaid(one: ImageMap, shown: ShownImage) -> np.ndarray[Any, Any]:
    """The picture in grey with what speaks for the finding in red, `[H, W, 3]` of bytes."""
    grey = read_picture(shown.image.path, part=shown.image.frame)
    picture = Image.fromarray((np.clip(grey, 0, 1) * 255).round().astype(np.uint8))
    picture.thumbnail((SIDE, SIDE))
    share = np.clip(one.values / max(float(one.values.max()), 1e-12), 0, 1)
    map_ = Image.fromarray(share.astype(np.float32)).resize(picture.size, Image.Resampling.BILINEAR)
    opacity = 0.6 * np.asarray(map_)[..., None]
    below = np.repeat(np.asarray(picture)[..., None], 3, axis=2)
    red = np.array([213, 94, 0])
    return np.asarray(below * (1 - opacity) + red * opacity).round().astype(np.uint8)
