"""Dialogues to turns, and the published COVID-Dialogue formats."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from encoders.reading.dialogue import (
    Consultation,
    read_consultations,
    read_dialogue,
    read_dialogue_with_flags,
)
from kg.errors import InputError

DATA = Path(os.environ.get("KGDX_DATA", "../shared/data")) / "covid_dialogue"


def turns(text: str) -> list[tuple[str, str]]:
    return [(turn.name, turn.text) for turn in read_dialogue(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Doctor: Any fever?\nPatient: No.",
        "Doctor:\nAny fever?\nPatient:\nNo.",
        "DOCTOR : Any fever?\r\nPATIENT : No.",
        "Dr.: Any fever?\nPt: No.",
        "Doctor: Any fever? Patient: No.",
        "[Doctor] : Any fever?\n[Patient]: No.",
        "医生：Any fever?\n病人：No.",
        "大夫: Any fever?\n患者: No.",
    ],
)
def test_ways_to_name_speakers(text: str) -> None:
    assert turns(text) == [("doctor", "Any fever?"), ("patient", "No.")]


def test_turns_of_several_lines_and_interleaved_speakers() -> None:
    text = "Patient: I cough.\nSince Monday.\nPatient: And fever.\nDoctor: Rest.\nPatient: Ok."
    assert turns(text) == [
        ("patient", "I cough.\nSince Monday."),
        ("patient", "And fever."),
        ("doctor", "Rest."),
        ("patient", "Ok."),
    ]


def test_missing_speakers() -> None:
    read = read_dialogue_with_flags("Any fever?\nNo.")
    assert [(turn.name, turn.text) for turn in read.passages] == [("unknown", "Any fever?\nNo.")]
    assert read.flags == ("no_speakers",)
    assert turns("I cough.\nDoctor: Rest.") == [("unknown", "I cough."), ("doctor", "Rest.")]


def test_a_speaker_named_in_a_sentence_opens_no_turn() -> None:
    text = "Patient: My doctor: he said rest. The patient: me."
    assert turns(text) == [("patient", "My doctor: he said rest. The patient: me.")]


def test_description_comes_first() -> None:
    passages = read_dialogue("Patient: hello", description="I have a cough")
    assert [passage.name for passage in passages] == ["description", "patient"]


def test_empty_dialogue() -> None:
    assert read_dialogue_with_flags("").flags == ("empty",)
    assert read_dialogue("Patient:\nDoctor:\n") == ()


ENGLISH = """id=1
https://example.org/a

Description
Is a cough dangerous?

Dialogue
Patient:
I cough.
Doctor:
Rest.

id=7
https://example.org/b

Description
Fever.

Dialogue
Patient:
Fever since Monday.
Doctor:
Drink.
"""

CHINESE = """
id=1
https://example.org/a
Doctor faculty
某医院

Description
疾病： 肺炎相关
病情描述： 咳嗽三天

Dialogue
医生：
发烧吗？
病人：
没有

Dialogue
病人：
谢谢

Diagnosis and suggestions
病情摘要及初步印象： 感冒
"""


def test_english_file(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text(ENGLISH, encoding="utf-8")
    first, second = read_consultations(tmp_path / "en.txt")
    assert (first.id, second.id) == ("1", "7")
    assert first.url == "https://example.org/a"
    assert first.description == "Is a cough dangerous?"
    assert [(turn.name, turn.text) for turn in first.turns] == [
        ("patient", "I cough."),
        ("doctor", "Rest."),
    ]
    assert [passage.name for passage in second.passages] == ["description", "patient", "doctor"]
    assert first.diagnosis == ""


def test_chinese_file_with_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "zh.txt").write_bytes(CHINESE.replace("\n", "\r\n").encode("utf-8-sig"))
    (only,) = read_consultations(tmp_path / "zh.txt")
    assert isinstance(only, Consultation)
    assert [(turn.name, turn.text) for turn in only.turns] == [
        ("doctor", "发烧吗？"),
        ("patient", "没有"),
        ("patient", "谢谢"),
    ]
    assert only.diagnosis == "病情摘要及初步印象： 感冒"
    assert "感冒" not in "".join(passage.text for passage in only.passages)
    assert {passage.language for passage in only.passages} == {"zh"}


def test_a_heading_with_its_text_on_the_same_line_is_no_turn(tmp_path: Path) -> None:
    joined = CHINESE.replace("suggestions\n病情摘要及初步印象： ", "suggestions")
    (tmp_path / "zh.txt").write_text(joined, encoding="utf-8")
    (only,) = read_consultations(tmp_path / "zh.txt")
    assert only.diagnosis == "感冒"
    assert [turn.text for turn in only.turns] == ["发烧吗？", "没有", "谢谢"]


def test_not_a_dialogue_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_consultations(tmp_path / "none.txt"))
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(InputError, match="id="):
        list(read_consultations(tmp_path / "a.txt"))


@pytest.mark.skipif(not DATA.is_dir(), reason="the published files are not here")
def test_published_counts() -> None:
    english = list(read_consultations(DATA / "COVID-Dialogue-Dataset-English.txt"))
    speakers = Counter(turn.name for one in english for turn in one.turns)
    assert len(english) == 604
    assert speakers == {"patient": 616, "doctor": 616}
    chinese = list(read_consultations(DATA / "COVID-Dialogue-Dataset-Chinese.txt"))
    assert len(chinese) == 1393
    speakers = Counter(turn.name for one in chinese for turn in one.turns)
    assert speakers["patient"] == 9354
    assert speakers["unknown"] < 10
