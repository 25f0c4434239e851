"""Reports and dialogues say what is true, and the account of them points at the very words."""

from __future__ import annotations

import re

import pytest

from experiments.synthetic import wording
from experiments.synthetic.canvas import stream
from experiments.synthetic.dialogue import ANSWERS, write_dialogue
from experiments.synthetic.labels import true_concepts
from experiments.synthetic.links import Links
from experiments.synthetic.repertoire import DISEASES, FINDINGS, NO_FINDING, SYMPTOMS
from experiments.synthetic.report import write_report
from experiments.synthetic.rules import Rules
from experiments.synthetic.world import Case, sample
from experiments.synthetic.writer import Writer
from kg.files.store import load_shipped
from kg.model.graph import KnowledgeGraph

NAMES = {
    **{concept: (words.noun, words.chinese) for concept, words in wording.FINDINGS.items()},
    **wording.DISEASES,
    **{concept: (*english, chinese) for concept, (english, chinese) in wording.SYMPTOMS.items()},
    NO_FINDING: ("no acute cardiopulmonary abnormality", "normal study", "未见明显异常"),
}


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return load_shipped()


@pytest.fixture(scope="module")
def cases(graph: KnowledgeGraph) -> list[Case]:
    return sample(Rules(studies=250, world="linked", seed=5, hedged=0.15), Links(graph))


def written(case: Case) -> list[Writer]:
    rng = stream(0, case.study)
    return [
        write_report(case, rng, chinese=case.modality != "cxr"),
        write_dialogue(case, rng, "en"),
        write_dialogue(case, rng, "zh"),
    ]


def test_every_concept_has_words() -> None:
    for concepts in (*FINDINGS.values(), *DISEASES.values(), SYMPTOMS):
        assert set(concepts) <= set(NAMES)


def test_spans_point_at_the_stated_phrases(cases: list[Case]) -> None:
    seen = 0
    for writer in (writer for case in cases for writer in written(case)):
        for statement in writer.statements:
            passage = writer.passages[statement.passage]
            assert statement.part == passage.name
            phrase = passage.text[statement.start : statement.end]
            assert phrase.casefold() in {name.casefold() for name in NAMES[statement.concept]}
            seen += 1
    assert seen > 2000


def test_what_is_stated_is_true(cases: list[Case], graph: KnowledgeGraph) -> None:
    for case in cases:
        true = true_concepts(case, graph)
        for statement in (s for writer in written(case) for s in writer.statements):
            if statement.assertion != "uncertain":
                assert (statement.concept in true) == (statement.assertion == "present"), (
                    case.study,
                    statement,
                )


def test_hidden_and_unstated_findings_are_never_mentioned(cases: list[Case]) -> None:
    counted = 0
    for case in cases:
        quiet = {f.concept for f in case.findings if not (f.shown and f.stated)} | case.silent
        report = written(case)[0]
        assert not quiet & {statement.concept for statement in report.statements}
        counted += len(quiet)
    assert counted > 100


def test_a_hedged_finding_is_uncertain(cases: list[Case]) -> None:
    hedged = 0
    for case in cases:
        expected = {f.concept for f in case.findings if f.hedged and f.shown and f.stated}
        report = written(case)[0]
        for concept in expected:
            said = {s.assertion for s in report.statements if s.concept == concept}
            assert said == {"uncertain"}
        hedged += len(expected)
    assert hedged > 20


def test_the_indication_names_no_finding_and_no_disease(cases: list[Case]) -> None:
    banned = [NAMES[c][0].casefold() for c in (*wording.FINDINGS, *wording.DISEASES)]
    for case in cases:
        indication = written(case)[0].passages[0]
        assert indication.name == "indication"
        text = indication.text.casefold()
        assert not [name for name in banned if re.search(rf"\b{re.escape(name)}\b", text)]


def test_reports_deny_hedge_and_carry_marks_of_de_identification(cases: list[Case]) -> None:
    reports = [written(case)[0] for case in cases]
    kinds = {s.assertion for report in reports for s in report.statements}
    assert kinds == {"present", "absent", "uncertain"}
    texts = [" ".join(p.text for p in report.passages) for report in reports]
    assert 0.4 < sum("XXXX" in text for text in texts) / len(texts) < 0.99
    assert len(set(texts)) == len(texts)
    assert not [text for text in texts if re.search(r"[<>{}]", text)]
    assert {p.language for report in reports for p in report.passages} == {"en", "zh"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_answer_decides_what_a_question_states(cases: list[Case], language: str) -> None:
    said = set()
    for case in cases:
        writer = written(case)[1 if language == "en" else 2]
        for statement in (s for s in writer.statements if s.part == "doctor"):
            answer = writer.passages[statement.passage + 1]
            assert answer.name == "patient"
            assert answer.text in ANSWERS[language][statement.assertion]
            said.add(statement.assertion)
    assert said == {"present", "absent", "uncertain"}
