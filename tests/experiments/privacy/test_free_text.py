"""Which text is written: by default all, with a key none, and what is asked for by name."""

from __future__ import annotations

import sys

import pytest

from encoders.study import Passage, Study
from experiments.privacy import deidentify
from experiments.privacy.free_text import (
    Examples,
    TextChoice,
    check_text,
    chosen_examples,
    chosen_text,
    kept_study,
    text_of_examples,
)
from experiments.privacy.pseudonyms import KEY
from kg.errors import InputError

STUDY = Study(
    "s", "p", report=(Passage("findings", "Clear."),), dialogue=(Passage("patient", "I cough."),)
)


@pytest.fixture
def keyed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setenv(KEY, "a key of some length")
    else:
        monkeypatch.delenv(KEY, raising=False)


@pytest.mark.parametrize(
    ("keyed", "requested", "expected"),
    [
        (False, None, "all"),
        (False, "none", "none"),
        (True, None, "none"),
        (True, "deidentified", "deidentified"),
        (True, "all", "all"),
    ],
    indirect=["keyed"],
)
@pytest.mark.usefixtures("keyed")
def test_text_of_a_file(requested: TextChoice | None, expected: TextChoice) -> None:
    assert chosen_text(requested) == expected


@pytest.mark.parametrize(
    ("keyed", "requested", "examples", "text"),
    [
        (False, None, "all", "all"),
        (False, "text", "text", "all"),
        (False, "none", "none", "none"),
        (True, None, "none", "none"),
        (True, "text", "text", "deidentified"),
        (True, "all", "all", "deidentified"),
    ],
    indirect=["keyed"],
)
@pytest.mark.usefixtures("keyed")
def test_examples_of_a_run(
    requested: Examples | None, examples: Examples, text: TextChoice
) -> None:
    assert chosen_examples(requested) == examples
    assert text_of_examples(requested) == text


def test_a_study_keeps_the_text_that_is_written() -> None:
    assert kept_study(STUDY, "all") is STUDY
    bare = kept_study(STUDY, "none")
    assert (bare.report, bare.dialogue) == ((), ())
    assert (bare.study, bare.patient) == ("s", "p")


def test_text_that_cannot_be_deidentified_is_refused_and_never_written_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    for cached in (deidentify.installed_models, deidentify._engine):
        cached.cache_clear()
    for refused in (lambda: check_text("deidentified"), lambda: kept_study(STUDY, "deidentified")):
        with pytest.raises(InputError, match="Presidio is not installed") as caught:
            refused()
        assert "kgdx[deidentify]" in caught.value.hint
    check_text("none")
    check_text("all")
