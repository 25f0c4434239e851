"""Stored studies keep their keys: prepared copies stay readable, fingerprints the same."""

from __future__ import annotations

import json

import pytest

from encoders.study import Passage, Study, StudyImage, plain, study_of

STORED = {
    "study": "s1",
    "patient": "p1",
    "images": [
        {"path": "a.gif", "modality": "ultrasound", "view": "convex", "part": 8},
        {
            "path": "b.png",
            "modality": "ct",
            "view": "axial",
            "part": None,
            "box": [0.1, 0.2, 0.3, 0.4],
        },
    ],
    "report": [{"name": "findings", "text": "No effusion.", "language": "en"}],
    "dialogue": [],
    "stated": {"ckg:effusion": "absent"},
    "coded": {},
    "source": "openi",
    "facts": {"sex": "F", "age": "61"},
}

STUDY = Study(
    "s1",
    "p1",
    images=(
        StudyImage("a.gif", "ultrasound", "convex", frame=8),
        StudyImage("b.png", "ct", "axial", box=(0.1, 0.2, 0.3, 0.4)),
    ),
    report=(Passage("findings", "No effusion."),),
    stated={"ckg:effusion": "absent"},
    dataset="openi",
    metadata={"sex": "F", "age": "61"},
)


def test_a_study_is_stored_under_the_keys_of_earlier_copies() -> None:
    assert json.dumps(plain(STUDY)) == json.dumps(STORED)


@pytest.mark.parametrize("study", [STUDY, Study("s2", "p2"), Study("s3", "p3", dataset="jsrt")])
def test_a_stored_study_is_read_back(study: Study) -> None:
    assert study_of(json.loads(json.dumps(plain(study)))) == study
