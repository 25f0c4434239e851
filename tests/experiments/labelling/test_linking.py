"""Texts shared out among processes state the same, in the same order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from experiments.labelling import linking
from experiments.labelling.texts import RawText, Reading, whole

SAID = ("No effusion.", "Small nodule.", "Possible pneumonia.", "Mild edema, no fracture.", "")


READING = Reading("report", "findings_impression")


def reports() -> list[RawText]:
    return [
        whole(f"{place}", f"HISTORY: pneumothorax. FINDINGS: {said}" if said else "")
        for place, said in enumerate(SAID)
    ]


def test_processes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "SHARE", 2)
    alone = list(linking.link_texts(reports(), READING))
    assert alone == list(linking.link_texts(reports(), READING, 2))
    assert [text.id for text, _ in alone] == ["0", "1", "2", "3", "4"]
    assert [len(found) for _, found in alone] == [1, 1, 1, 2, 0]


@pytest.mark.parametrize("labels", [None, "chexpert14"])
def test_rows_are_made_where_the_text_is_read(
    monkeypatch: pytest.MonkeyPatch, labels: str | None
) -> None:
    monkeypatch.setattr(linking, "SHARE", 2)
    alone = list(linking.rows_of_texts(reports(), READING, labels))
    assert alone == list(linking.rows_of_texts(reports(), READING, labels, 2))
    assert [share.texts for share in alone] == [2, 2, 1]
    assert sum(share.statements for share in alone) == 5
    assert alone[2].flags == {"empty": 1}


def test_sections_are_read_by_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that reads the file cuts no text."""
    monkeypatch.setattr(linking, "SHARE", 2)
    monkeypatch.setattr(linking, "read_text", None)
    assert len(list(linking.link_texts(reports(), READING, 2))) == len(SAID)


def test_few_texts_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "SHARE", 10)
    read = 0

    def many() -> Iterator[RawText]:
        nonlocal read
        for place in range(10_000):
            read += 1
            yield whole(str(place), "No effusion.")

    linked = linking.link_texts(many(), READING)
    assert next(linked)[0].id == "0"
    assert read <= 20


def test_a_share_of_long_texts_holds_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "LARGEST_SHARE", 100)
    texts = [whole(str(place), "No effusion. " * 5) for place in range(6)]
    assert [share.texts for share in linking.rows_of_texts(texts, READING, None)] == [2, 2, 2]
