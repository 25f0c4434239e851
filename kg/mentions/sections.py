"""Sections of a report that its labels are read from.

What was asked, how the picture was taken, what an earlier one showed and what should follow are no
findings of this picture: indication, technique, comparison and recommendation never count.
`findings_impression` reads these two together; `impression` reads the impression, else the
findings, as MIMIC-CXR-JPG does. A report that has none of them is read in its notes, comments and
addenda, else in what stands before its first heading.

Where a writer left out the heading of the findings, they stand below the last section of context:
what follows its first blank line is read as findings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeVar, cast

from kg.errors import InputError, did_you_mean
from kg.mentions.linker import PassageLike

Sections = Literal["findings_impression", "impression", "all"]

DEFAULT_SECTIONS: Sections = "findings_impression"

READ: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "findings_impression": (("findings", "impression"),),
    "impression": (("impression",), ("findings",)),
    "all": (),
}
"""Names that are read together; of several groups the first that a report has."""

CONTEXT = frozenset({"indication", "comparison", "technique", "recommendation"})
"""Sections that do not describe the picture."""

_BLANK_LINE = re.compile(r"\n[ \t]*\n")

PassageKind = TypeVar("PassageKind", bound=PassageLike)


def labelled_passages(
    passages: Sequence[PassageKind], sections: str = DEFAULT_SECTIONS
) -> tuple[PassageKind, ...]:
    """The passages, as dataclasses, that a report's labels are read from; none where none counts.

    Args:
        passages: All sections of the report, in order.
        sections: One of `READ`; `all` leaves nothing out, as for dialogues and clinical notes.

    Raises:
        InputError: If there is no such choice.
    """
    if sections not in READ:
        raise InputError(f"no choice of sections {sections!r}", did_you_mean(sections, READ))
    if sections == "all":
        return tuple(passages)
    passages = _with_findings(passages)
    for names in READ[sections]:
        chosen = tuple(passage for passage in passages if passage.name in names)
        if chosen:
            return chosen
    described = tuple(passage for passage in passages if passage.name not in CONTEXT)
    return tuple(passage for passage in described if passage.name != "other") or described


def _with_findings(passages: Sequence[PassageKind]) -> Sequence[PassageKind]:
    """The passages, with findings that have no heading of their own cut from the context."""
    context = [place for place, passage in enumerate(passages) if passage.name in CONTEXT]
    if not context or any(passage.name == "findings" for passage in passages):
        return passages
    last = context[-1]
    parts = _BLANK_LINE.split(passages[last].text, maxsplit=1)
    if len(parts) == 1:
        return passages
    body = replace(cast(Any, passages[last]), name="findings", text=parts[1].strip())
    return [*passages[:last], cast(PassageKind, body), *passages[last + 1 :]]
