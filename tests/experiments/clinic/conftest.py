"""An answer about a made-up DICOM picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from encoders.study import StudyImage
from experiments.explanation.answer import (
    Certainty,
    FindingAnswer,
    ImageMap,
    Model,
    ShownImage,
    StudyAnswer,
)
from kg.files.store import load_shipped

WEIGHTS = "ab" * 32


def dicom_file(path: Path, rows: int = 60, columns: int = 80) -> Path:
    """A small computed radiograph."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

    picture = Dataset()
    picture.SOPClassUID = ComputedRadiographyImageStorage
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(picture, name, generate_uid())
    picture.PatientID, picture.PatientName = "made-up", "Made^Up"
    picture.PatientBirthDate, picture.PatientSex = "", ""
    picture.StudyDate, picture.StudyTime, picture.StudyID = "20200101", "120000", "1"
    picture.AccessionNumber, picture.ReferringPhysicianName = "", ""
    picture.Modality, picture.SeriesNumber, picture.InstanceNumber = "CR", 1, 1
    picture.PatientOrientation = ["L", "F"]
    picture.Rows, picture.Columns = rows, columns
    picture.SamplesPerPixel, picture.PhotometricInterpretation = 1, "MONOCHROME2"
    picture.BitsAllocated = picture.BitsStored = 8
    picture.HighBit, picture.PixelRepresentation = 7, 0
    pixels = np.linspace(20, 200, rows * columns).reshape(rows, columns).astype(np.uint8)
    picture.PixelData = pixels.tobytes()
    picture.file_meta = FileMetaDataset()
    picture.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pydicom.dcmwrite(path, picture, enforce_file_format=True)
    return path


@pytest.fixture
def answer(tmp_path: Path) -> StudyAnswer:
    """Cardiomegaly with a map, an effusion without one, and a finding that was not possible."""
    image = StudyImage(str(dicom_file(tmp_path / "film.dcm")), "cxr", "frontal")
    values = np.zeros((4, 4))
    values[2:, 2:] = 1.0
    heart = FindingAnswer(
        "ckg:cardiomegaly",
        "Cardiomegaly",
        "trained",
        0.4,
        Certainty(0.81, True, 0.7, 0.9, 3),
        maps=(ImageMap(0, "occlusion", values),),
    )
    fluid = FindingAnswer(
        "ckg:pleural_effusion", "Pleural Effusion", "trained", 0.3, Certainty(0.1, True)
    )
    hernia = FindingAnswer("ckg:hernia", "Hernia", "not_possible", None, Certainty(None, False))
    model = Model("run-0", "graph_fusion", "synthetic", ("image",), WEIGHTS, "cd" * 32, "0.1.0")
    shown = ShownImage(image, (60, 80))
    return StudyAnswer("study-1", (model,), (shown,), (), (heart, fluid, hernia))


@pytest.fixture(scope="session")
def shipped():
    """The shipped graph."""
    return load_shipped()


@pytest.fixture
def saved():
    """A DICOM object as it is read back from its file."""

    def read_back(made):
        import pydicom

        file = io.BytesIO()
        made.save_as(file)
        file.seek(0)
        return pydicom.dcmread(file)

    return read_back
