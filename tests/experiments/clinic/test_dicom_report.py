"""Structured reports and map pictures: what is said, where it points, and what is refused."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from encoders.study import StudyImage
from experiments.clinic.codes import USE, codes_of
from experiments.clinic.dicom_report import dicom_report
from experiments.explanation.answer import ShownImage
from kg.errors import InputError

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")


def groups(report):
    """Measurement groups of a report by the name of the finding."""
    content = highdicom.sr.ComprehensiveSR.from_dataset(report).content
    found = content.get_planar_roi_measurement_groups() + content.get_image_measurement_groups()
    return {group.finding_type.meaning: group for group in found}


def test_each_answered_finding_is_a_group_with_its_probability(answer, shipped, saved) -> None:
    report, *_ = map(saved, dicom_report(answer, shipped))
    found = groups(report)
    assert set(found) == {"Cardiomegaly", "Pleural Effusion"}
    big, fluid = found["Cardiomegaly"], found["Pleural Effusion"]
    values = [one.value for one in big.get_measurements()]
    assert values == pytest.approx([0.81, 0.7, 0.9, 0.4])
    assert big.get_qualitative_evaluations()[0].value.meaning == "Present"
    assert fluid.get_qualitative_evaluations()[0].value.meaning == "Absent"
    assert [one.value for one in fluid.get_measurements()] == pytest.approx([0.1, 0.3])


def test_the_box_lies_on_the_pixels_of_the_file(answer, shipped, saved) -> None:
    report, *_ = map(saved, dicom_report(answer, shipped))
    region = groups(report)["Cardiomegaly"].roi
    assert region.GraphicType == "POLYLINE"
    # the map's lower right quarter, of 60 rows and 80 columns
    corners = np.asarray(region.GraphicData).reshape(-1, 2).tolist()
    assert corners == [[40, 30], [80, 30], [80, 60], [40, 60], [40, 30]]
    named = region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named == pydicom.dcmread(answer.images[0].image.path).SOPInstanceUID


def test_the_map_is_a_picture_of_the_same_study(answer, shipped, saved) -> None:
    report, picture = map(saved, dicom_report(answer, shipped))
    source = pydicom.dcmread(answer.images[0].image.path)
    assert picture.SOPClassUID == pydicom.uid.SecondaryCaptureImageStorage
    assert {picture.StudyInstanceUID, report.StudyInstanceUID} == {source.StudyInstanceUID}
    pixels = picture.pixel_array
    assert pixels.shape == (60, 80, 3)
    # grey where the map says nothing, red where it says most
    assert (pixels[5, 5] == pixels[5, 5][0]).all()
    assert pixels[55, 75, 0] > pixels[55, 75, 2] + 60
    assert USE in picture.ImageComments


CANARY = "CANARY"
OWN_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def telling(path):
    """Write into a file all that it can say of a patient, a study and a device; its header."""
    header = pydicom.dcmread(path)
    for element in ("PatientName", "PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID"):
        setattr(header, element, CANARY)
    for element in ("StudyDescription", "InstitutionName", "StationName", "DeviceSerialNumber"):
        setattr(header, element, CANARY)
    for element in ("PatientBirthDate", "StudyDate", "AcquisitionDate"):
        setattr(header, element, "19370615")
    header.PatientAge, header.StudyTime = "086Y", "112233"
    for place, name in enumerate(OWN_UIDS):
        setattr(header, name, f"1.2.19370615.{place}")
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.private_block(0x0011, CANARY, create=True).add_new(1, "LO", CANARY)
    header.save_as(path)
    return header


@pytest.mark.parametrize("named", [True, False])
def test_the_patient_is_named_where_an_archive_needs_it_alone(
    answer, shipped, saved, named: bool
) -> None:
    header = telling(answer.images[0].image.path)
    made = [saved(one) for one in dicom_report(answer, shipped, named=named)]
    again = [saved(one) for one in dicom_report(answer, shipped, named=named)]
    said = "\n".join(f"{one.file_meta}\n{one}" for one in made)
    assert [mark in said for mark in (CANARY, "19370615", "086Y", "112233")] == [named] * 4
    assert {one.get("PatientIdentityRemoved") for one in made} == {None if named else "YES"}
    studies = {one.StudyInstanceUID for one in (*made, *again)}
    assert len(studies) == 1
    assert (studies == {header.StudyInstanceUID}) is named
    # the box still lies on the picture that the report is about
    region = groups(made[0])["Cardiomegaly"].roi
    assert np.asarray(region.GraphicData).max() == 80


def test_it_says_what_it_is_for_and_which_model_made_it(answer, shipped, saved) -> None:
    report, *_ = map(saved, dicom_report(answer, shipped))
    said = {item.get("TextValue") for item in report.ContentSequence}
    assert {USE, answer.models[0].weights} <= said
    assert report.VerificationFlag == "UNVERIFIED"
    assert report.CompletionFlag == "PARTIAL"


def test_codes_are_of_shared_terminologies_where_the_graph_has_them(shipped) -> None:
    (first, *_, last) = codes_of("ckg:pleural_effusion", "Pleural Effusion", shipped)
    assert (first.value, first.scheme) == ("RID34539", "RADLEX")
    assert (last.value, last.scheme) == ("pleural_effusion", "99KGDX")
    (only,) = codes_of("x:unknown", "Unknown", shipped)
    assert only[:2] == ("unknown", "99KGDX")


def test_a_picture_that_is_no_dicom_file_is_refused(answer, shipped, tmp_path) -> None:
    path = tmp_path / "film.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    shown = ShownImage(StudyImage(str(path), "cxr", "frontal"), (8, 8))
    with pytest.raises(InputError, match=r"film\.png: a DICOM report needs"):
        dicom_report(replace(answer, images=(shown,)), shipped)
    with pytest.raises(InputError, match="needs the DICOM pictures"):
        dicom_report(replace(answer, images=()), shipped)


def test_a_missing_package_is_named_with_its_extra(answer, shipped, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "highdicom", None)
    with pytest.raises(InputError) as error:
        dicom_report(answer, shipped)
    assert error.value.hint == "pip install 'kgdx[clinic]'"


@pytest.mark.parametrize("named", [True, False])
def test_a_validator_finds_no_error(answer, shipped, tmp_path, processes, named: bool) -> None:
    validator = shutil.which("dciodvfy")
    if validator is None:
        pytest.skip("dciodvfy is not installed (Debian package dicom3tools)")
    for place, made in enumerate(dicom_report(answer, shipped, named=named)):
        path = tmp_path / f"{place}.dcm"
        made.save_as(path)
        told = processes.run(validator, "-new", path)
        # it names the kind of object where it could read it
        assert ("SCImage" if place else "ComprehensiveSR") in told.stdout + told.stderr
        assert not [line for line in told.stderr.splitlines() if line.startswith("Error")]
