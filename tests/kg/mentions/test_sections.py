"""Which sections of a report its labels are read from."""

from __future__ import annotations

import pytest

from encoders.study import Passage
from kg.errors import InputError
from kg.mentions.sections import labelled_passages


def read(sections: str, **written: str) -> list[tuple[str, str]]:
    passages = [Passage(name, text) for name, text in written.items()]
    return [(one.name, one.text) for one in labelled_passages(passages, sections)]


def test_findings_and_impression_are_read_together() -> None:
    report = {"indication": "i", "comparison": "c", "findings": "f", "impression": "m", "note": "n"}
    assert read("findings_impression", **report) == [("findings", "f"), ("impression", "m")]
    assert read("impression", **report) == [("impression", "m")]
    assert [name for name, _ in read("all", **report)] == list(report)


@pytest.mark.parametrize("sections", ["findings_impression", "impression"])
@pytest.mark.parametrize(
    ("written", "chosen"),
    [
        ({"technique": "t", "findings": "f", "recommendation": "r"}, [("findings", "f")]),
        ({"indication": "i", "impression": "m"}, [("impression", "m")]),
        # neither: notes and comments, else what stands before the first heading
        ({"note": "n", "comment": "c"}, [("note", "n"), ("comment", "c")]),
        ({"other": "o", "indication": "i", "addendum": "a"}, [("addendum", "a")]),
        ({"other": "o", "technique": "t", "recommendation": "r"}, [("other", "o")]),
        # a body without a heading, below the context
        (
            {"other": "FINAL REPORT", "indication": "i", "comparison": "None.\n \nBody.\n\nEnd."},
            [("findings", "Body.\n\nEnd.")],
        ),
        # nothing says what the picture shows
        ({"indication": "i", "comparison": "c\nd"}, []),
        ({}, []),
    ],
)
def test_what_else_describes_the_picture(
    sections: str, written: dict[str, str], chosen: list[tuple[str, str]]
) -> None:
    assert read(sections, **written) == chosen


def test_a_body_without_a_heading_stands_beside_the_impression() -> None:
    report = {"comparison": "None.\n\nThe body.", "impression": "m"}
    assert read("findings_impression", **report) == [("findings", "The body."), ("impression", "m")]
    assert read("impression", **report) == [("impression", "m")]
    # where the findings have their heading, a paragraph of the context is context
    report |= {"findings": "f"}
    assert read("findings_impression", **report) == [("impression", "m"), ("findings", "f")]


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(InputError, match="impressions"):
        read("impressions", findings="f")
