"""Sealed names: read back with their key alone, and equal for equal names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from experiments.privacy.pseudonyms import KEY, pseudonym_of_path, sealed, unsealed
from kg.errors import InputError

NAMES = (
    "Smith John.dcm",
    "ward 7/García, Ana/2021-03-02/front.png",
    "张伟.png",
    "a",
    "x" * 300,
    "=cmd|' /C calc'!A0",
    os.fsdecode(b"not utf-8 \xff\xfe.png"),
)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "a key of some length")


@pytest.mark.parametrize("name", NAMES)
def test_a_sealed_name_is_read_back_and_shows_nothing(name: str) -> None:
    written = sealed(name)
    assert unsealed(written) == name
    assert sealed(name) == written
    assert len(name) < 5 or name[:5] not in written
    assert written.isascii()


def test_other_names_are_sealed_otherwise() -> None:
    assert len({sealed(name) for name in NAMES}) == len(NAMES)
    assert sealed("") == ""


def test_only_the_key_opens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    written = sealed("Smith John.dcm")
    for damaged in (written[:-8], written[:-6] + "AAAAAA", "sealed:", "sealed:?"):
        with pytest.raises(InputError, match="another key"):
            unsealed(damaged)
    monkeypatch.setenv(KEY, "another key of some length")
    with pytest.raises(InputError, match="another key"):
        unsealed(written)
    monkeypatch.setenv(KEY, "short")
    with pytest.raises(InputError, match="fewer than 16 characters"):
        sealed("Smith John.dcm")
    monkeypatch.delenv(KEY)
    with pytest.raises(InputError, match="set KGDX_PSEUDONYM_KEY"):
        unsealed(written)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_key_a_name_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY)
    assert sealed(name) == name == unsealed(name)
    assert str(pseudonym_of_path(Path("a.png"))) == "a.png"


def test_a_path_has_a_pseudonym_and_other_values_stay() -> None:
    assert "Smith" not in str(pseudonym_of_path(Path("Smith.png")))
    assert pseudonym_of_path("Smith") == "Smith"
    assert pseudonym_of_path(3) == 3
