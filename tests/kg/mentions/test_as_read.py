"""A text as it is read: of the same length, in one script, with its marks written."""

from __future__ import annotations

import pytest

from kg.mentions.as_read import as_read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("未見胸腔積液（－）", "未见胸腔积液(-)"),
        ("無氣胸：無。", "无气胸:无。"),
        ("no effusion period small nodule", "no effusion .      small nodule"),
        ("no edema full stop", "no edema .        "),
        ("no edema COMMA nodule", "no edema ,     nodule"),
        ("r.o. pneumonia", "r/o  pneumonia"),
        ("Neg. for effusion. Neg.", "Neg  for effusion. Neg."),
        ("Effusion? No.", "Effusion: No."),
        ("Effusion ..... none", "Effusion :     none"),
        # what stays
        ("over the period of observation", "over the period of observation"),
        ("in the postoperative period.", "in the postoperative period."),
        ("No comma pneumothorax", "No comma pneumothorax"),
        ("Pneumonia? Not likely.", "Pneumonia? Not likely."),
        ("No effusion... no edema is seen", "No effusion... no edema is seen"),
    ],
)
def test_signs(written: str, read: str) -> None:
    assert as_read(written) == read
    assert len(read) == len(written)


def test_a_question_of_a_dialogue_waits_for_its_answer() -> None:
    assert as_read("Fever? No.", spoken=True) == "Fever? No."
