"""Writing of the report of a study: indication, findings and impression.

It names findings on the images, denies some absent ones, hedges a few, and holds the `XXXX` of
de-identification. The indication names complaints only.
"""

from __future__ import annotations

import numpy as np

from encoders.study import Modality
from experiments.synthetic import wording
from experiments.synthetic.person import Finding
from experiments.synthetic.repertoire import FINDINGS, NO_FINDING, NORMAL_AIR
from experiments.synthetic.world import Case
from experiments.synthetic.writer import Claim, Writer

Sentence = tuple[str, list[Claim]]

TECHNIQUE: dict[Modality, str] = {
    "cxr": "Chest radiograph.",
    "ct": "Axial CT of the chest.",
    "ultrasound": "Lung ultrasound.",
}


def write_report(case: Case, rng: np.random.Generator, *, chinese: bool) -> Writer:
    """The report of a case with its statements.

    Args:
        case: The sampled study.
        rng: Source of the choice of words.
        chinese: True if findings and impression are repeated in Chinese.
    """
    writer = Writer()
    writer.passage("indication", [_indication(case, rng)])
    if rng.random() < 0.5:
        writer.passage("comparison", [("XXXX, XXXX." if rng.random() < 0.7 else "None.", [])])
    writer.passage("technique", [(TECHNIQUE[case.modality], [])])
    stated = [finding for finding in case.findings if finding.shown and finding.stated]
    writer.passage("findings", _findings(case, stated, rng))
    writer.passage("impression", _impression(case, stated, rng))
    if chinese:
        writer.passage("findings", _chinese_findings(case, stated, rng), "zh")
        writer.passage("impression", _chinese_impression(case, stated), "zh")
    return writer


def _age(case: Case, rng: np.random.Generator) -> str:
    return f"{case.age}-year-old" if rng.random() < 0.6 else "XXXX-year-old"


def _sex(case: Case) -> str:
    return "woman" if case.person.sex == "F" else "man"


def _indication(case: Case, rng: np.random.Generator) -> Sentence:
    age, sex = _age(case, rng), _sex(case)
    if not case.symptoms:
        reason = wording.REASONS[int(rng.integers(len(wording.REASONS)))]
        return reason.format(age=age, sex=sex), []
    stated = list(case.symptoms)[:4]
    names = [f"<{_choose(wording.SYMPTOMS[symptom][0], rng)}>" for symptom in stated]
    form = _choose(
        ("{age} {sex} with {names}.", "{names}, XXXX.", "{sex} with {names} for XXXX days."), rng
    )
    text = form.format(age=age, sex=sex, names=_listed(names, "and"))
    return text, [(symptom, "present") for symptom in stated]


def _findings(case: Case, stated: list[Finding], rng: np.random.Generator) -> list[Sentence]:
    """Sentences on present, absent and doubtful findings, and some without any statement."""
    sentences = [_stated(finding, rng) for finding in stated]
    if case.modality == "ultrasound" and not any(f.concept == "ckg:b_lines" for f in case.findings):
        sentences.append((_choose(_forms(NORMAL_AIR), rng), [(NORMAL_AIR, "present")]))
    sentences += _denials(case, rng)
    for concept in sorted(case.doubtful):
        noun = wording.FINDINGS[concept].noun
        form = _choose(("A subtle <{noun}> cannot be excluded.", "Questionable <{noun}>."), rng)
        sentences.append((form.format(noun=noun), [(concept, "uncertain")]))
    normal = wording.NORMAL[case.modality]
    picked = rng.permutation(len(normal))[: int(rng.integers(1, 3))]
    sentences += [(normal[int(i)], []) for i in picked]
    return [sentences[int(i)] for i in rng.permutation(len(sentences))]


def _forms(concept: str) -> tuple[str, ...]:
    known = wording.FINDINGS[concept]
    return tuple(form.replace("{noun}", known.noun) for form in known.present)


def _stated(finding: Finding, rng: np.random.Generator) -> Sentence:
    """One sentence for a present finding, hedged or not."""
    known = wording.FINDINGS[finding.concept]
    words = {
        "side": "bilateral" if finding.side == "both" else finding.side,
        "zone": wording.SITES[finding.zone, finding.side],
        "size": ("small", "moderate", "large")[min(2, int(finding.extent * 3))],
        "degree": ("mild", "moderate", "marked")[min(2, int(finding.extent * 3))],
        "noun": known.noun,
    }
    if finding.hedged:
        form = _choose(
            (
                "Possible <{noun}>.",
                "Findings may represent <{noun}>.",
                "Probable {degree} <{noun}>.",
            ),
            rng,
        )
        return form.format(**words), [(finding.concept, "uncertain")]
    return _choose(known.present, rng).format(**words), [(finding.concept, "present")]


def _denials(case: Case, rng: np.random.Generator) -> list[Sentence]:
    """Denials of absent findings, one to three in a sentence."""
    absent = [concept for concept in _deniable(case) if concept not in case.silent]
    order = [absent[int(i)] for i in rng.permutation(len(absent))][: int(rng.integers(2, 6))]
    sentences: list[Sentence] = []
    while order:
        group, order = order[:3], order[3:]
        names = [f"<{wording.FINDINGS[concept].noun}>" for concept in group]
        form = _choose(
            ("No {names}.", "There is no evidence of {names}.", "Negative for {names}."), rng
        )
        text = form.format(names=_listed(names, "or"))
        sentences.append((text, [(concept, "absent") for concept in group]))
    return sentences


def _deniable(case: Case) -> list[str]:
    there = {finding.concept for finding in case.findings} | case.doubtful
    return [
        concept
        for concept in FINDINGS[case.modality]
        if concept not in there and wording.FINDINGS[concept].denied
    ]


def _impression(case: Case, stated: list[Finding], rng: np.random.Generator) -> list[Sentence]:
    """The main findings again and their cause."""
    sentences: list[Sentence] = []
    for finding in stated[:3]:
        noun = wording.FINDINGS[finding.concept].noun
        text = f"Possible <{noun}>." if finding.hedged else f"<{noun}>."
        sentences.append((text, [(finding.concept, "uncertain" if finding.hedged else "present")]))
    if case.disease:
        name = wording.DISEASES[case.disease][0]
        if case.suspected:
            text = f"Appearance is suspicious for <{name}>."
        else:
            text = _choose((f"Consistent with <{name}>.", f"Findings of <{name}>."), rng)
        sentences.append((text, [(case.disease, "uncertain" if case.suspected else "present")]))
    if not case.findings and not case.disease and not case.doubtful:
        form = _choose(("<No acute cardiopulmonary abnormality>.", "<Normal study>."), rng)
        sentences.append((form, [(NO_FINDING, "present")]))
    return sentences or [("Clinical correlation is recommended.", [])]


def _chinese_findings(
    case: Case, stated: list[Finding], rng: np.random.Generator
) -> list[Sentence]:
    sentences: list[Sentence] = []
    for finding in stated:
        name = wording.FINDINGS[finding.concept].chinese
        side, zone = wording.SIDES_CHINESE[finding.side], wording.ZONES_CHINESE[finding.zone]
        form = f"{side}{zone}可疑<{name}>。" if finding.hedged else f"{side}{zone}可见<{name}>。"
        sentences.append((form, [(finding.concept, "uncertain" if finding.hedged else "present")]))
    absent = [concept for concept in _deniable(case) if concept not in case.silent][:2]
    for concept in absent:
        name = wording.FINDINGS[concept].chinese
        sentences.append((f"未见<{name}>。", [(concept, "absent")]))
    sentences.append((_choose(wording.NORMAL_CHINESE, rng), []))
    return sentences


def _chinese_impression(case: Case, stated: list[Finding]) -> list[Sentence]:
    if case.disease:
        name = wording.DISEASES[case.disease][1]
        if case.suspected:
            return [(f"考虑<{name}>可能。", [(case.disease, "uncertain")])]
        return [(f"符合<{name}>表现。", [(case.disease, "present")])]
    if stated or case.findings or case.doubtful:
        return [("请结合临床。", [])]
    return [("<未见明显异常>。", [(NO_FINDING, "present")])]


def _listed(names: list[str], word: str) -> str:
    """`a`, `a or b`, `a, b, or c`."""
    if len(names) < 3:
        return f" {word} ".join(names)
    return f"{', '.join(names[:-1])}, {word} {names[-1]}"


def _choose(forms: tuple[str, ...], rng: np.random.Generator) -> str:
    return forms[int(rng.integers(len(forms)))]
