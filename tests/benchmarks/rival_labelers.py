"""Two labelers to measure against: CheXpert's published phrases and rules, and negspacy.

`CheXpertRules` reads the mention lists published with the CheXpert labeler at run time (a folder
`phrases`, as in the repository stanfordmlgroup/chexpert-labeler) and applies its three stages in
their order: uncertainty that comes before negation, negation, uncertainty after it. The published
patterns are written over a dependency parse; here each one acts on the words of its clause instead,
as its comment describes it, so that no parser decides the comparison.

`NegSpacy` is spaCy's blank English pipeline with an entity ruler over the names of our own graph,
and negspacy's clinical NegEx. It knows no doubt: a mention is there or negated.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from kg.mentions.lexicon import LINKED_KINDS, TOO_GENERAL
from kg.mentions.statement import Assertion, Statement
from kg.model.graph import KnowledgeGraph

NIH_WORDS = {
    "Atelectasis": ("atelectasis.txt", r".*"),
    "Cardiomegaly": ("cardiomegaly.txt", r".*"),
    "Effusion": ("pleural_effusion.txt", r".*"),
    "Infiltration": ("lung_opacity.txt", r"infiltrat.*"),
    "Mass": ("lung_lesion.txt", r"mass"),
    "Nodule": ("lung_lesion.txt", r"nodule"),
    "Pneumonia": ("pneumonia.txt", r"pneumonia"),
    "Pneumothorax": ("pneumothorax.txt", r".*"),
    "Consolidation": ("consolidation.txt", r".*"),
    "Edema": ("edema.txt", r"edema"),
    "Emphysema": ("no_finding.txt", r"emphysema"),
    "Fibrosis": ("pleural_other.txt", r"fibrosis"),
    "Pleural_Thickening": ("pleural_other.txt", r"pleural thickening"),
    "Hernia": ("no_finding.txt", r"hernia"),
}
"""For each NIH finding, the published list that names it and which of its phrases do.

The lists serve CheXpert's wider categories (congestion under edema, infection under pneumonia);
only the words of the finding itself are taken, which is the better choice for these labels.
"""

CHEXPERT_LISTS = {
    "No Finding": "no_finding.txt",
    "Enlarged Cardiomediastinum": "enlarged_cardiomediastinum.txt",
    "Cardiomegaly": "cardiomegaly.txt",
    "Lung Opacity": "lung_opacity.txt",
    "Lung Lesion": "lung_lesion.txt",
    "Edema": "edema.txt",
    "Consolidation": "consolidation.txt",
    "Pneumonia": "pneumonia.txt",
    "Atelectasis": "atelectasis.txt",
    "Pneumothorax": "pneumothorax.txt",
    "Pleural Effusion": "pleural_effusion.txt",
    "Pleural Other": "pleural_other.txt",
    "Fracture": "fracture.txt",
    "Support Devices": "support_devices.txt",
}

_SPLIT = re.compile(r"(?<=[a-z)])[.;](?=\s|$)|\n+|(?<=\w)\.(?=\s+[A-Z0-9])|;")
_CLAUSE = re.compile(r"\b(?:but|however|although|though|except|with the exception of|otherwise)\b")
_SHAPE = (
    r"(?:cardiomediastinal|pericardial|mediastinal|mediastinum|cardiomediastinum|contours?|"
    r"configuration|silhouettes?|size|heart|shadow)"
)
_BEFORE_NEGATION = {
    "before": r"can ?not (?:\w+ )?(?:exclude|rule out)|no new|no evidence to rule out",
    "after": r"(?:not|never) (?:\w+ )?excluded|can ?not be (?:\w+ )?(?:excluded|ruled out)",
}
_NEGATION = {
    "before": (
        r"no|without|neither|nor|not|denies|negative for|free of|clear of|absence of|rule out|"
        r"(?:resolution|disappearance|removal|drainage|clearing) of|history of|rather than|"
        r"normal|unremarkable|cleared|resolved|exclude"
    ),
    "after": (
        r"(?:is|are|was|were|has|have|been|remains?|appears?) (?:\w+ ){0,2}"
        r"(?:normal|unremarkable|absent|clear(?:ed)?)|within (?:the )?(?:\w+ ){0,2}limits|"
        r"^ ?(?:normal|unremarkable|cleared)|(?:"
        r"(?:has|have) resolved|removed|not (?:\w+ )?(?:seen|identified|present|enlarged|"
        r"demonstrated|visualized|evident)|no longer (?:\w+ )?(?:seen|present))|"
        r"(?:at |within )?(?:the )?upper limits? of normal|previously (?:demonstrated|visualized)"
    ),
}
_AFTER_NEGATION = {
    "before": (
        r"possible|possibly|presumably|probable|probably|questionable|suspect(?:ed)?|"
        r"suspicious for|worrisome for|question(?: of)?|may|might|would|could|can|"
        r"suggestion of|favou?r|consider|"
        r"concern(?:ing)? for|suspicion (?:for|of)|maybe|secondary to|differential diagnosis|"
        r"correlat\w+ (?:\w+ )?for|borderline|poorly|incompletely|obscur\w+|likely|"
        r"(?:versus|vs|or)(?: \w+){0,3} ?$"
    ),
    "after": (
        r"^ ?(?:versus|vs|or|and/or)|(?:is |are )?(?:suspected|possible|questioned)|obscured|"
        r"(?:could|may|might|would|can) (?:\w+ )?(?:be present|appear|have this appearance)|"
        r"(?:poorly|incompletely) evaluated|not (?:well )?(?:evaluated|appreciated|clearly seen)"
    ),
}

_HEART = r"^(?:the heart|heart size|cardiac (?:size|shadow|contour|silhouette))"
_LARGE = r"enlarg|large|increas|promin|widen|cardiomegaly"
"""A heart that is only named is no cardiomegaly: kinder than the published rule, which says so."""


class Found(NamedTuple):
    """A label mentioned and what was decided of it."""

    label: str
    assertion: Assertion


class CheXpertRules:
    """CheXpert's labeler from its published phrase lists, with surface rules.

    Args:
        folder: The repository, holding `phrases/mention` and `phrases/unmention`.
        nih: Whether to find the NIH-14 findings instead of CheXpert's own labels.
    """

    def __init__(self, folder: Path, *, nih: bool) -> None:
        chosen = NIH_WORDS if nih else {k: (v, r".*") for k, v in CHEXPERT_LISTS.items()}
        self.labels = tuple(chosen)
        self._mentions = {
            label: _any(
                phrase
                for phrase in _lines(folder / "phrases" / "mention" / name)
                if re.fullmatch(wanted, phrase)
            )
            for label, (name, wanted) in chosen.items()
        }
        self._unmentions = {
            label: _any(_lines(folder / "phrases" / "unmention" / name))
            for label, (name, _) in chosen.items()
        }

    def label(self, texts: Sequence[str]) -> dict[str, int | None]:
        """The value of each label: 1 present, 0 absent, -1 uncertain, None not mentioned."""
        order = {"absent": 0, "uncertain": 1, "present": 2}
        best: dict[str, Assertion] = {}
        for found in self._find(texts):
            if found.label not in best or order[found.assertion] > order[best[found.label]]:
                best[found.label] = found.assertion
        values = {"absent": 0, "uncertain": -1, "present": 1}
        made: dict[str, int | None] = {
            label: values[best[label]] if label in best else None for label in self.labels
        }
        if "No Finding" in made:
            spoilt = best.get("No Finding") in ("present", "uncertain")
            others = [made[one] for one in made if one not in ("No Finding", "Support Devices")]
            made["No Finding"] = 1 if not spoilt and not any(others) else None
        return made

    def _find(self, texts: Sequence[str]) -> Iterator[Found]:
        for text in texts:
            for sentence in _SPLIT.split(" ".join(text.split())):
                for clause in _CLAUSE.split(sentence.lower()):
                    yield from self._read(f" {clause} ")

    def _read(self, clause: str) -> Iterator[Found]:
        for label, pattern in self._mentions.items():
            hidden = self._unmentions[label]
            for match in pattern.finditer(clause):
                around = clause[max(0, match.start() - 15) : match.end() + 8]
                if hidden is not None and hidden.search(around):
                    continue
                yield Found(label, _decide(clause, match))


def _decide(clause: str, match: re.Match[str]) -> Assertion:
    before, after = clause[: match.start()], clause[match.end() :]
    if _says(_BEFORE_NEGATION, before, after):
        return "uncertain"
    if _says(_NEGATION, before, after):
        return "absent"
    shape = re.fullmatch(_SHAPE, match[0].split()[-1])
    stable = re.search(r"\b(?:stable|unchanged|not changed|similar to prior)\b", clause)
    if _says(_AFTER_NEGATION, before, after) or (shape and stable):
        return "uncertain"
    if re.search(_HEART, match[0]) and not re.search(_LARGE, clause):
        return "absent"
    return "present"


def _says(rules: dict[str, str], before: str, after: str) -> bool:
    ahead = re.search(rf"\b(?:{rules['before']})(?!\w)", before)
    behind = re.search(rf"(?:{rules['after']})\b", after)
    return bool(ahead or behind)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _any(phrases: Any) -> re.Pattern[str] | None:
    """One pattern for several phrases; `_` stands for a space, as published."""
    written = sorted((re.escape(p.replace("_", " ")) for p in phrases), key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(written) + r")\w*") if written else None


class NegSpacy:
    """spaCy's blank pipeline with our graph's names as entities, and negspacy's NegEx.

    Args:
        graph: Whose names are looked for.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        import negspacy.negation  # noqa: F401  (its import registers the component)
        import spacy
        from negspacy.termsets import termset

        self._nlp = spacy.blank("en")
        self._nlp.add_pipe("sentencizer")
        ruler: Any = self._nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
        ruler.add_patterns(list(_patterns(graph)))
        terms = termset("en_clinical").get_patterns()
        self._nlp.add_pipe("negex", config={"neg_termset": terms})

    def link(self, texts: Sequence[str], part: str = "findings") -> list[Statement]:
        """Statements of the texts; present or absent."""
        return [
            Statement(
                entity.label_,
                "absent" if entity._.negex else "present",
                place,
                entity.start_char,
                entity.end_char,
                part,
                "negex",
            )
            for place, text in enumerate(texts)
            for entity in self._nlp(text).ents
        ]


def _patterns(graph: KnowledgeGraph) -> Iterator[dict[str, str]]:
    """Names of the graph's concepts, in the singular and the plural."""
    table = (files("kg.mentions") / "english.tsv").read_text(encoding="utf-8")
    seen = set()
    rows = [
        (row["phrase"], row["concept"])
        for row in csv.DictReader(table.splitlines(), delimiter="\t")
        if not row["asserts"] and row["concept"].startswith("ckg:")
    ]
    rows += [
        (name, concept.id)
        for concept in graph.concepts
        if concept.kind in LINKED_KINDS
        for name in (concept.label, *concept.synonyms)
    ]
    for phrase, concept in rows:
        for written in (phrase, f"{phrase}s", re.sub(r"y$", "ies", phrase)):
            key = written.lower()
            if key in seen or len(key) < 3 or key in TOO_GENERAL:
                continue
            seen.add(key)
            yield {"label": concept.split()[0], "pattern": written}
