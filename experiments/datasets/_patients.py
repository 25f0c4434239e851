"""Patients named in two ways in a user's data, whom a split could separate."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from experiments.privacy.pseudonyms import pseudonym

__all__ = ["warnings_on"]

MOST = 20
"""Largest number of patients named in a warning."""


def warnings_on(patients: Iterable[str]) -> tuple[str, ...]:
    """A warning about patients whose ids differ only in spelling, or none.

    Args:
        patients: Patients as the data name them; the warning names pseudonyms if a key is
            given.
    """
    spellings: dict[str, list[str]] = defaultdict(list)
    for patient in dict.fromkeys(patients):
        spellings[_plain(patient)].append(pseudonym("patient", patient))
    alike = [names for names in spellings.values() if len(names) > 1]
    if not alike:
        return ()
    named = "; ".join(" and ".join(map(repr, names)) for names in alike[:MOST])
    more = f"; and {len(alike) - MOST} more" if len(alike) > MOST else ""
    return (
        "patient ids that differ only in how they are written count as different patients: "
        f"{named}{more}; write one patient one way",
    )


def _plain(patient: str) -> str:
    """An id without case, spaces and number formats of spreadsheets (`3.0` and `003` are `3`)."""
    text = re.sub(r"\s", "", unicodedata.normalize("NFKC", patient).casefold())
    text = re.sub(r"(?<=\d)\.0*$", "", text)
    return text.lstrip("0") if text.isdecimal() else text
