"""De-identification: what it replaces, what stays, and a language without a model."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import spacy

from encoders.study import Passage
from experiments.privacy import deidentify
from experiments.privacy.deidentify import deidentified
from kg.errors import InputError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An English model that knows one name; what a real one knows is measured by the benchmark."""
    model = spacy.blank("en")
    known = model.add_pipe("entity_ruler")
    known.add_patterns([{"label": "PERSON", "pattern": "John Smith"}])  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("model") / "en"
    model.to_disk(folder)
    return folder


@pytest.fixture(autouse=True)
def models(model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """English is the one language with a model."""
    monkeypatch.setattr(deidentify, "installed_models", lambda: {"en": str(model)})
    deidentify._engine.cache_clear()
    yield
    deidentify._engine.cache_clear()


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names that are looked up in the network: none."""
    names: list[object] = []

    def refuse(*address: object, **options: object) -> None:
        names.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert not names


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Patient John Smith, MRN 12345678.", ("John", "Smith", "12345678")),
        ("Seen by Dr. Watson on 03/12/2021.", ("Watson", "03/12/2021")),
        ("Compared with the exam of March 3, 2020.", ("March", "2020")),
        ("Accession ACC0012345, call 555-123-4567.", ("ACC0012345", "4567")),
        ("Transferred from St. Mary's Hospital.", ("Mary",)),
        ("Write to j.smith@example.org.", ("smith", "example")),
    ],
)
def test_names_dates_and_numbers_are_replaced(text: str, gone: tuple[str, ...]) -> None:
    (passage,) = deidentified([Passage("findings", text)])
    assert not [word for word in gone if word in passage.text]
    assert deidentify.MARK in passage.text


@pytest.mark.parametrize(
    "text",
    [
        "The heart is mildly enlarged, cardiothoracic ratio 0.62.",
        "Kerley B lines are present.",
        "A 3.5 x 2.1 cm nodule may be pneumonia. 12 mm granuloma.",
        "",
    ],
)
def test_what_is_clinical_stays(text: str) -> None:
    assert [one.text for one in deidentified([Passage("findings", text)])] == [text]


def test_text_of_a_language_without_a_model_is_left_out() -> None:
    kept = deidentified([Passage("findings", "张伟", "zh"), Passage("findings", "Clear lungs.")])
    assert [one.text for one in kept] == ["Clear lungs."]


def test_without_a_model_of_any_language_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(deidentify, "MODELS", {"en": ("no_such_model",)})
    deidentify.installed_models.cache_clear()
    with pytest.raises(InputError, match="no spaCy model is installed"):
        list(deidentified([Passage("findings", "Clear lungs.")]))
    deidentify.installed_models.cache_clear()
