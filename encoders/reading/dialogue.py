"""Reading of doctor-patient dialogues: turns with speakers, and the COVID-Dialogue collections.

A turn opens with a speaker's name and a colon (`Patient:`, `Doctor:`, `病人：`, ...), at the start
of a line or, capitalised, after the end of a sentence. What stands before the first speaker, and a
text without any, belongs to the speaker `unknown`. Turns keep their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from encoders.reading.plain import clean_text, language_of, other_language
from encoders.reading.report import ReadText
from encoders.study import Passage
from kg.errors import InputError
from kg.files.regular import read_file

SPEAKER_TAGS: dict[str, tuple[str, ...]] = {
    "patient": ("patient", "pt", "p", "病人", "患者", "病患", "患者家属", "家属", "病人家属"),
    "doctor": ("doctor", "dr", "d", "physician", "clinician", "nurse", "医生", "大夫", "医师"),
    "description": ("description", "病情描述"),
}
"""Speakers and the tags their turns open with."""

_SPEAKER_OF = {tag: name for name, tags in SPEAKER_TAGS.items() for tag in tags}
_TAGS = "|".join(sorted(_SPEAKER_OF, key=len, reverse=True))
_GAP = r"[ \t]{0,9}"
_TURN = re.compile(
    rf"^{_GAP}[\[(]?(?i:(?P<line>{_TAGS}))\.?{_GAP}\d{{0,2}}[\])]?{_GAP}[:：]"
    rf"|(?<=[.?!。？！] )(?P<inside>Patient|Doctor){_GAP}:"
    rf"|(?<=[。？！\s])(?P<chinese>病人|患者|医生|大夫){_GAP}[:：]",
    re.MULTILINE,
)
_CONSULTATION = re.compile(r"^id=(\d+)[ \t]{0,9}$", re.MULTILINE)
# two of the Chinese file's headings have their text on the same line
_HEADING = re.compile(
    r"^(Description|Dialogue|Diagnosis and suggestions|Doctor faculty)"
    r"(?:[ \t]{0,9}$|(?=[\u4e00-\u9fff]))",
    re.MULTILINE,
)


def read_dialogue(raw: bytes | str, *, description: str = "") -> tuple[Passage, ...]:
    """The turns of a dialogue as passages named by their speaker, empty ones left out.

    Args:
        raw: The dialogue's text or the bytes of its file.
        description: The patient's opening summary, put first as the speaker `description`.
    """
    return read_dialogue_with_flags(raw, description=description).passages


def read_dialogue_with_flags(raw: bytes | str, *, description: str = "") -> ReadText:
    """As `read_dialogue`, with flags (`no_speakers`, `invalid_utf8`, ...).

    `interleaved` says that a turn opens within a line, `other_language` that the text is neither
    English nor Chinese, so that hardly a word of it will be understood.
    """
    clean = clean_text(raw)
    flags = set(clean.flags)
    tags = list(_TURN.finditer(clean.text))
    if clean.text and not tags:
        flags.add("no_speakers")
    if any(tag["line"] is None for tag in tags):
        flags.add("interleaved")
    if other_language(clean.text):
        flags.add("other_language")
    opening = clean_text(description).text
    turns = [("description", opening), *_turns(clean.text, tags)]
    passages = tuple(Passage(speaker, text, language_of(text)) for speaker, text in turns if text)
    return ReadText(passages, tuple(sorted(flags)))


def _turns(text: str, tags: list[re.Match[str]]) -> Iterator[tuple[str, str]]:
    starts = [tag.start() for tag in tags] + [len(text)]
    yield "unknown", text[: starts[0]].strip()
    for tag, end in zip(tags, starts[1:], strict=True):
        written = tag["line"] or tag["inside"] or tag["chinese"]
        yield _SPEAKER_OF[written.lower()], text[tag.end() : end].strip()


@dataclass(frozen=True, slots=True)
class Consultation:
    """One consultation of a COVID-Dialogue file.

    Args:
        id: Number within the file.
        url: Address of publication, or empty.
        description: The patient's opening summary, or empty.
        turns: The turns of every section called Dialogue, in order.
        diagnosis: The doctor's written impression and advice, or empty; never part of `turns`.
    """

    id: str
    url: str
    description: str
    turns: tuple[Passage, ...]
    diagnosis: str = ""

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The description, if any, followed by the turns."""
        if not self.description:
            return self.turns
        opening = Passage("description", self.description, language_of(self.description))
        return (opening, *self.turns)


def read_consultations(path: Path | str) -> Iterator[Consultation]:
    """The consultations of a COVID-Dialogue file, English or Chinese, as published.

    Raises:
        InputError: If the file is not there or holds no consultation.
    """
    file = Path(path)
    # cleaned consultation by consultation: the whole file is longer than one text may be
    text = read_file(file).decode("utf-8", errors="replace").lstrip("\ufeff")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    openings = list(_CONSULTATION.finditer(text))
    if not openings:
        raise InputError(
            f"{file}: no line `id=<number>` opens a consultation",
            "give COVID-Dialogue-Dataset-English.txt or -Chinese.txt as published",
        )
    ends = [opening.start() for opening in openings[1:]] + [len(text)]
    for opening, end in zip(openings, ends, strict=True):
        yield _consultation(opening[1], text[opening.end() : end])


def _consultation(number: str, body: str) -> Consultation:
    _, *parts = _HEADING.split(body)
    head = body[: body.find(parts[0])] if parts else body
    texts: dict[str, list[str]] = {}
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        texts.setdefault(heading, []).append(clean_text(text).text)
    turns = tuple(turn for text in texts.get("Dialogue", []) for turn in read_dialogue(text))
    return Consultation(
        id=number,
        url=head.strip().split("\n")[0],
        description="\n".join(filter(None, texts.get("Description", []))),
        turns=turns,
        diagnosis="\n".join(filter(None, texts.get("Diagnosis and suggestions", []))),
    )
