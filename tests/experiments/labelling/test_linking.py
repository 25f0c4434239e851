"""Texts shared out among processes state the same, in the same order."""

from __future__ import annotations

import pytest

from encoders.study import Passage
from experiments.labelling import linking
from experiments.labelling.texts import LabelText

SAID = ("No effusion.", "Small nodule.", "Possible pneumonia.", "Mild edema, no fracture.", "")


def test_processes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "SHARE", 2)
    texts = [
        LabelText(f"{place}", (Passage("findings", said),) if said else (), ())
        for place, said in enumerate(SAID)
    ]
    alone, shared = linking.link_texts(texts), linking.link_texts(texts, 2)
    assert alone == shared
    assert [text.id for text, _ in shared] == ["0", "1", "2", "3", "4"]
    assert [len(found) for _, found in shared] == [1, 1, 1, 2, 0]
