"""Stored form of studies in a prepared copy: no text but the requested, no file name in clear.

Names of files are sealed where a key of pseudonyms is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from encoders.study import Study, plain, study_of
from experiments.datasets._layout import Reading
from experiments.privacy.free_text import TextChoice, kept_study
from experiments.privacy.pseudonyms import KEY, sealed, unsealed

__all__ = ["NO_TEXT", "kept_reading", "stored", "stored_study"]

NO_TEXT = (
    "reports and dialogues are left out of this copy, so no text is read from it and concept "
    f"targets come from coding alone; prepare with --free-text deidentified or all ({KEY} is "
    "set, or --free-text none)"
)
"""Warning of a copy without the text that its studies have."""


def kept_reading(reading: Reading, choice: TextChoice) -> Reading:
    """The studies with the text that is written; left out text is a warning.

    Raises:
        InputError: If text is to be de-identified, and the packages for it are not installed.
    """
    studies = tuple(kept_study(study, choice) for study in reading.studies)
    had_text = any(study.report or study.dialogue for study in reading.studies)
    left_out = (NO_TEXT,) if choice == "none" and had_text else ()
    return replace(reading, studies=studies, warnings=(*reading.warnings, *left_out))


def stored(study: Study) -> dict[str, Any]:
    """A study as plain values, ready for JSON."""
    record = plain(study)
    for image in record["images"]:
        image["path"] = sealed(image["path"])
    return record


def stored_study(record: Mapping[str, Any]) -> Study:
    """A study from what `stored` gave.

    Raises:
        InputError: If its names are sealed, and there is no key or another one.
    """
    images = [image | {"path": unsealed(image["path"])} for image in record["images"]]
    return study_of({**record, "images": images})
