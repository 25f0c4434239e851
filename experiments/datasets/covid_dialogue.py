"""COVID-Dialogue: 604 English and 1,393 Chinese consultations about COVID-19, without images.

A study is one consultation: the description and the turns are its dialogue, a doctor's written
impression (half of the Chinese ones) its report, which the text policy `dialogue` never reads.
There is no class: `impression` are the findings that the mention linker reads in that impression,
so English consultations are unlabelled. Patients who begin with the same words are one group.
The published subsets of the Chinese ones name no consultation, so there is no official split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from encoders.reading.dialogue import Consultation, read_consultations
from encoders.study import Language, Modality, Passage, Study
from experiments.datasets import Download, LabelChoice, NeededFile
from experiments.datasets._layout import Layout, Reading, present
from experiments.datasets._near_duplicates import join
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.mentions.evidence import study_evidence
from kg.mentions.linker import MentionLinker
from kg.model.graph import LabelSet

__all__ = ["CovidDialogue"]

FILES: dict[Language, str] = {
    "en": "COVID-Dialogue-Dataset-English.txt",
    "zh": "COVID-Dialogue-Dataset-Chinese.txt",
}
RAW = "https://raw.githubusercontent.com/UCSD-AI4H/COVID-Dialogue/master/"
OPENING = 20
"""Least length of an opening by which two consultations count as the same."""


class CovidDialogue(Layout):
    """The two text files of the repository, one or both."""

    class Options(Layout.Options):
        """Options of the dialogues.

        Args:
            language: Language of the consultations; `any` = both files.
        """

        language: Literal["en", "zh", "any"] = "any"

    licence = "none; all copyrights belong to icliniq, healthcaremagic, healthtap and haodf"
    citation = (
        "Yang W, Zeng G, Tan B, et al. On the generation of medical dialogues for COVID-19. "
        "arXiv:2005.05442 (2020)."
    )
    homepage = "https://github.com/UCSD-AI4H/COVID-Dialogue"
    graph_names = ("COVID-Dialogue",)
    modalities: ClassVar[tuple[Modality, ...]] = ()
    label_choices = (LabelChoice("impression", ("impression",), "ignore"),)
    files = (
        NeededFile(
            "|".join(FILES.values()),
            "consultations, English or Chinese",
            "in the repository",
            downloads=tuple(Download(RAW + name, to=name) for name in FILES.values()),
        ),
    )
    expected: ClassVar[dict[str, int]] = {
        "English consultations": 604,
        "English consultations by the readme": 603,
        "Chinese consultations": 1_393,
    }

    def read(self, root: Path, *, labels: str) -> Reading:
        """The consultations of the files found, in their order."""
        self.choice(labels)
        self.need(root)
        wanted = str(getattr(self.options, "language", "any"))
        found: list[tuple[str, Language, Consultation]] = []
        for path in present(root, self.files[0]):
            language = next(known for known, name in FILES.items() if name == path.name)
            if wanted in ("any", language):
                found += ((name, language, said) for name, said in _named(path, language))
        if not found:
            raise InputError(f"{root}: no consultation in {wanted}", "get the other file")
        openings = ((("covid_dialogue", _opening(said, name)), name) for name, _, said in found)
        groups = join(openings, [])
        graph = load_shipped()
        linker = MentionLinker(graph, left_out=frozenset(self.graph_names))
        studies = []
        for name, language, said in found:
            report = (Passage("impression", said.diagnosis, language),) if said.diagnosis else ()
            studies.append(
                Study(
                    study=name,
                    patient=groups[name],
                    report=report,
                    dialogue=said.passages,
                    stated=study_evidence(linker.link(report), graph),
                    dataset="covid_dialogue",
                    metadata=_metadata(said, language),
                )
            )
        return Reading(tuple(studies))

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """Every concept stated by an impression, by its name in the graph."""
        studies = self.read(root, labels=labels).studies
        graph = load_shipped()
        concepts = sorted({concept for study in studies for concept in study.stated})
        names = tuple(graph.concept(concept).label for concept in concepts)
        return LabelSet(self.choice(labels).name, "", tuple(concepts), names)

    def tiny(self, folder: Path) -> None:
        """Write six made-up consultations in each language, the Chinese ones with impressions."""
        folder.mkdir(parents=True, exist_ok=True)
        english, chinese = [], []
        for number in range(1, 7):
            english.append(
                f"id={number}\nhttps://site.example/{number}\n\nDescription\nCough {number} d.\n\n"
                f"Dialogue\nPatient:\nHello, I have had a cough for {number} days now.\n"
                "Doctor:\nDo you have a fever?\n"
            )
            said = ("新冠肺炎，发热。", "咳嗽，排除新冠肺炎。")[number % 2]
            chinese.append(
                f"id={number}\nhttps://site.example/zh/{number}\n\nDescription\n疾病： 咳嗽\n\n"
                f"Dialogue\n病人：\n您好，我咳嗽已经{number}天了，不知道是什么原因，请问怎么办？\n"
                f"医生：\n请问发热吗？\n\nDiagnosis and suggestions\n初步印象：{said}\n"
            )
        made: dict[Language, list[str]] = {"en": english, "zh": chinese}
        for language, texts in made.items():
            (folder / FILES[language]).write_text("\n".join(texts), encoding="utf-8")


def _named(path: Path, language: Language) -> Iterator[tuple[str, Consultation]]:
    """Consultations with their ids; a repeated id gets a letter."""
    used: dict[str, int] = {}
    for said in read_consultations(path):
        again = used.setdefault(said.id, 0)
        used[said.id] += 1
        yield f"{language}-{said.id}" + ("" if not again else chr(ord("a") + again)), said


def _opening(said: Consultation, name: str) -> str:
    """First words of the patient, without punctuation and blanks; the id if they are too short."""
    first = next((turn.text for turn in said.turns if turn.name == "patient"), said.description)
    words = re.sub(r"\W+", "", first)[:80]
    return words if len(words) >= OPENING else name


def _metadata(said: Consultation, language: Language) -> dict[str, str]:
    document = urlsplit(said.url).netloc.removeprefix("www.")
    return {"language": language} | ({"document": document} if document else {})
