"""Writing of the conversation of a patient and a doctor before the examination.

The patient opens with a complaint, the doctor asks on, and an answer may be yes, no or not sure:
the turn after a question decides its assertion.
"""

from __future__ import annotations

import numpy as np

from encoders.study import Language
from experiments.synthetic.repertoire import SYMPTOMS
from experiments.synthetic.wording import SYMPTOMS as WORDS
from experiments.synthetic.world import Case
from experiments.synthetic.writer import Claim, Writer
from kg.mentions.statement import Assertion

ANSWERS: dict[Language, dict[Assertion, tuple[str, ...]]] = {
    "en": {
        "present": ("Yes, I do.", "Yes, since XXXX.", "Yes, a little."),
        "absent": ("No, I don't.", "No, not at all.", "No."),
        "uncertain": ("I am not sure.", "Maybe, I cannot tell."),
    },
    "zh": {
        "present": ("有的。", "是的，有一点。"),
        "absent": ("没有。", "没有的，医生。"),
        "uncertain": ("不太确定。", "可能有，说不清楚。"),
    },
}
OPENINGS: dict[Language, tuple[str, ...]] = {
    "en": (
        "Hello doctor, I have {names}.",
        "Good morning. I have had {names} for three days.",
        "Doctor, I am {age} and I have {names} since XXXX.",
    ),
    "zh": ("医生您好，我有{names}。", "医生，我{names}三天了。"),
}
QUESTIONS: dict[Language, tuple[str, ...]] = {
    "en": ("Do you have {name}?", "Have you had any {name}?", "Any {name}?"),
    "zh": ("有{name}吗？", "有没有{name}？"),
}
NO_COMPLAINT: dict[Language, str] = {
    "en": "Hello doctor, I feel well and come for a check.",
    "zh": "医生您好，我想做个检查。",
}
CLOSINGS: dict[Language, str] = {
    "en": "Thank you. We will take a picture of your chest and talk again.",
    "zh": "好的，我们先做个胸部检查再说。",
}


def write_dialogue(case: Case, rng: np.random.Generator, language: Language) -> Writer:
    """A conversation with its statements.

    Args:
        case: The sampled study.
        rng: Source of the choice of words.
        language: Language of the conversation.
    """
    writer = Writer()
    opening = list(case.symptoms)[: int(rng.integers(1, 3))]
    if opening and rng.random() < 0.4:
        claims: list[Claim] = [(symptom, "present") for symptom in opening]
        names = _joined([f"<{_name(symptom, language, rng)}>" for symptom in opening], language)
        text = f"{names} for some days." if language == "en" else f"{names}数天。"
        writer.passage("description", [(text, claims)], language)
    _open(writer, case, opening, rng, language)
    rest = [symptom for symptom in SYMPTOMS if symptom not in opening]
    for place in rng.permutation(len(rest))[: int(rng.integers(2, 5))]:
        symptom = rest[int(place)]
        truth: Assertion = "present" if symptom in case.symptoms else "absent"
        said: Assertion = "uncertain" if rng.random() < 0.1 else truth
        name = f"<{_name(symptom, language, rng)}>"
        question = _pick(QUESTIONS[language], rng).format(name=name)
        writer.passage("doctor", [(question, [(symptom, said)])], language)
        writer.passage("patient", [(_pick(ANSWERS[language][said], rng), [])], language)
    writer.passage("doctor", [(CLOSINGS[language], [])], language)
    return writer


def _open(
    writer: Writer, case: Case, opening: list[str], rng: np.random.Generator, language: Language
) -> None:
    if not opening:
        writer.passage("patient", [(NO_COMPLAINT[language], [])], language)
        return
    names = _joined([f"<{_name(symptom, language, rng)}>" for symptom in opening], language)
    text = _pick(OPENINGS[language], rng).format(names=names, age=case.age)
    writer.passage("patient", [(text, [(symptom, "present") for symptom in opening])], language)


def _name(symptom: str, language: Language, rng: np.random.Generator) -> str:
    english, chinese = WORDS[symptom]
    return _pick(english, rng) if language == "en" else chinese


def _joined(names: list[str], language: Language) -> str:
    return (" and " if language == "en" else "、").join(names)


def _pick(forms: tuple[str, ...], rng: np.random.Generator) -> str:
    return forms[int(rng.integers(len(forms)))]
