"""Reports and dialogues read by the mention linker: concepts named, and named together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from kg.check.label_tables import training_patients
from kg.errors import InputError, did_you_mean
from kg.files.tables import cells_of, opened, parsed_json
from kg.mentions.dialogue import SPEAKERS
from kg.mentions.evidence import study_evidence
from kg.mentions.linker import MentionLinker
from kg.model.concepts import Concept
from kg.model.edges import Edge
from kg.model.graph import KnowledgeGraph
from kg.sources import Facts
from kg.sources._mined import MinedOptions, mined, seen_together

__all__ = ["Reports"]

_TURN = re.compile(r"^\s*(patient|doctor|description|病人|患者|医生|疾病)\s*[:：]?\s*(.*)$", re.I)
_SPEAKER = {"病人": "patient", "患者": "patient", "医生": "doctor", "疾病": "description"}


@dataclass(frozen=True, slots=True)
class Passage:
    """A section of a report or a turn of a dialogue."""

    name: str
    text: str
    language: str = "en"


class Document(NamedTuple):
    """A report or dialogue with its passages."""

    id: str
    patient: str
    passages: list[Passage]


class Reports:
    """Counts concepts that reports or dialogues state as present; no text gets into the graph.

    Args:
        options: The file, its patients and its origin.
    """

    class Options(MinedOptions):
        """The file, its patients and its origin.

        Args:
            file: `.csv` (a row a report), `.jsonl` (`id`, `patient`, and `passages` of `name`
                and `text`), or `.txt` of dialogues that begin with `id=` and name their speakers.
            patients: Patients that may be counted: a file of training patients, a split
                manifest, or `all`.
            patient: Column of the patient, of a .csv.
            sections: Section columns of a .csv.
            language: Language of the texts.
            edges: Relations of the edges.
            corpus: Id of the concept of these texts, for `mentioned_in`.
        """

        file: str
        patients: str
        patient: str = "patient"
        sections: tuple[str, ...] = ("findings", "impression")
        language: Literal["en", "zh", "es"] = "en"
        edges: tuple[Literal["co_occurs_with", "mentioned_in"], ...] = ("co_occurs_with",)
        corpus: str = ""

    def __init__(self, options: Options) -> None:
        self.options = options
        if "mentioned_in" in options.edges and not options.corpus:
            raise InputError("reports: mentioned_in needs a corpus", "corpus: ckg:my_reports")

    def read(self, folder: Path, known: Facts) -> Facts:
        """Link the texts and count.

        Args:
            folder: Folder the file is relative to.
            known: Facts of earlier sources; its names are looked for in the texts.

        Raises:
            InputError: If the file is missing or malformed; names the line.
        """
        chosen, dropped = self.options, Counter[str]()
        graph = KnowledgeGraph(tuple(known.concepts), tuple(known.edges), tuple(known.label_sets))
        linker = MentionLinker(graph)
        allowed = training_patients(folder, chosen.patients)
        studies: list[list[str]] = []
        for document in self._documents(folder / chosen.file):
            if allowed is not None and document.patient not in allowed:
                dropped["report of a patient that may not be counted"] += 1
                continue
            evidence = study_evidence(linker.link(document.passages), graph)
            studies.append([concept for concept, said in evidence.items() if said == "present"])
            dropped["report that states nothing"] += not evidence
        edges: list[Edge] = []
        if "co_occurs_with" in chosen.edges:
            edges += seen_together(studies, chosen, known, dropped)
        if "mentioned_in" in chosen.edges:
            edges += self._mentions(studies, dropped)
        return Facts(self._corpus(graph), edges, dropped=dropped)

    def _corpus(self, graph: KnowledgeGraph) -> list[Concept]:
        chosen = self.options
        if "mentioned_in" not in chosen.edges or chosen.corpus in graph.index:
            return []
        label = f"{chosen.dataset} texts"
        return [
            Concept(chosen.corpus, label, "corpus", source=chosen.source, dataset=chosen.dataset)
        ]

    def _mentions(self, studies: list[list[str]], dropped: Counter[str]) -> Iterator[Edge]:
        counts = Counter(concept for present in studies for concept in present)
        for concept, count in sorted(counts.items()):
            if count < self.options.min_count:
                dropped["concept stated too seldom"] += 1
                continue
            share = count / len(studies)
            evidence = mined(
                self.options, len(studies), weight=share, count=count, detail=f"share={share:.3f}"
            )
            yield Edge(concept, "mentioned_in", self.options.corpus, (evidence,))

    def _documents(self, path: Path) -> Iterator[Document]:
        with opened(path) as handle:
            if ".jsonl" in path.suffixes:
                yield from self._json_lines(handle, path)
            elif ".txt" in path.suffixes:
                yield from self._dialogues(handle)
            else:
                yield from self._table(handle, path)

    def _table(self, handle: Iterator[str], path: Path) -> Iterator[Document]:
        rows = cells_of(handle, path.name)
        _, columns = next(rows, (1, []))
        for column in (self.options.patient, *self.options.sections):
            if column not in columns:
                raise InputError(
                    f"{path.name}, line 1: no column {column!r}", did_you_mean(column, columns)
                )
        for line, cells in rows:
            if not cells:
                continue
            row = dict(zip(columns, cells, strict=False))
            passages = [
                Passage(section, row.get(section, ""), self.options.language)
                for section in self.options.sections
            ]
            yield Document(str(line), row.get(self.options.patient, ""), passages)

    def _json_lines(self, handle: Iterator[str], path: Path) -> Iterator[Document]:
        for number, line in enumerate(handle, start=1):
            where = f"{path.name}, line {number}"
            if not line.strip():
                continue
            record = parsed_json(line, where)
            try:
                passages = [
                    Passage(str(one["name"]), str(one["text"]), self.options.language)
                    for one in record["passages"]
                ]
                yield Document(str(record["id"]), str(record["patient"]), passages)
            except (KeyError, TypeError) as error:
                raise InputError(
                    f"{where}: is no report ({error})",
                    '{"id", "patient", "passages": [{"name", "text"}]}',
                ) from None

    def _dialogues(self, handle: Iterator[str]) -> Iterator[Document]:
        """Blocks that begin with `id=`; each speaker's words are one turn."""
        own, passages = "", list[Passage]()
        speaker, said = "", list[str]()

        def turn() -> None:
            if speaker in SPEAKERS and "".join(said).strip():
                passages.append(Passage(speaker, "\n".join(said), self.options.language))

        for line in handle:
            if line.startswith("id="):
                turn()
                if own:
                    yield Document(own, own, passages)
                own, passages, speaker, said = line[3:].strip(), [], "", []
            elif found := _TURN.match(line):
                turn()
                word = found[1].casefold()
                speaker, said = _SPEAKER.get(word, word), [found[2]]
            else:
                said.append(line.strip())
        turn()
        if own:
            yield Document(own, own, passages)
