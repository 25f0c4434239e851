"""Spans, lexicon choices, dialogues, redaction and evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from encoders.study import Passage
from kg.mentions.evidence import expanded, study_evidence
from kg.mentions.lexicon import own_phrases
from kg.mentions.linker import MentionLinker
from kg.mentions.matcher import Matcher
from kg.mentions.redact import redact
from kg.mentions.statement import Statement
from kg.mentions.tokens import normal_form, sentences, words
from kg.model.concepts import Concept
from kg.model.graph import KnowledgeGraph


def link(linker: MentionLinker, *turns: tuple[str, str]) -> list[tuple[str, str, str]]:
    statements = linker.link([Passage(name, text) for name, text in turns])
    return [(s.concept.removeprefix("ckg:"), s.assertion, s.rule) for s in statements]


# tokens and matcher


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("Effusions", "effusion"),
        ("opacities", "opacity"),
        ("masses", "mass"),
        ("pneumothoraces", "pneumothorax"),
        ("atelectasis", "atelectasis"),
        ("thickness", "thickness"),
        ("is", "is"),
        ("abscess", "abscess"),
        ("Oedema", "edema"),
        ("patient\u2019s", "patient"),
        ("XXXX", "<blank>"),
        ("x", "x"),
    ],
)
def test_normal_form(word: str, form: str) -> None:
    assert normal_form(word) == form


def test_sentences_end_where_they_should() -> None:
    text = "Nodule of 2.5 cm vs. scar. No effusion\n\nHeart normal; stable\nwrapped line"
    found = [[token.word for token in sentence] for sentence in sentences(text)]
    assert [sentence[-1] for sentence in found] == [".", "\n", ";", "line"]
    assert found[0][:4] == ["nodule", "of", "2.5", "cm"]
    assert words("Ground-glass opacities") == ("ground", "glass", "opacity")
    assert words("磨玻璃影") == ("磨", "玻", "璃", "影")


def test_matcher_takes_the_longest_and_passes_over_fillers() -> None:
    matcher = Matcher(
        [(("heart",), "heart"), (("heart", "large"), "large"), (("heart",), "second")],
        frozenset({"is", "very"}),
    )
    assert len(matcher) == 2
    assert [m.meaning for m in matcher.find(["heart", "is", "very", "large"])] == ["large"]
    hearts = matcher.find(["the", "heart", "is", "here", "heart"])
    assert [(m.meaning, m.start, m.end) for m in hearts] == [("heart", 1, 2), ("heart", 4, 5)]
    assert [m.start for m in matcher.find(["heart", "and", "heart"], [2])] == [2]
    assert matcher.find([]) == []


@pytest.mark.parametrize(
    ("text", "meaning", "end"),
    [
        ("enlargement of the heart", "heart", 4),
        ("enlargement of the left atrium", "atrium", 5),
        ("mass is stable", "literal", 3),
        ("mass the stable", "passed", 3),
        ("mass is the stable", "literal", 4),
        ("mass is is is is is stable", "literal", 7),
        ("mass the the the the the stable", "mass", 1),
        ("mass is gone for the good", "far", 6),
        ("mass is gone", "mass", 1),
    ],
)
def test_a_filler_is_part_of_a_phrase_or_passed_over(text: str, meaning: str, end: int) -> None:
    phrases = {
        **{"enlargement of left atrium": "atrium", "enlargement heart": "heart", "mass": "mass"},
        **{"mass is stable": "literal", "mass stable": "passed", "mass is gone for good": "far"},
    }
    matcher = Matcher(
        [(phrase.split(), said) for phrase, said in phrases.items()], frozenset({"of", "is", "the"})
    )
    [found] = matcher.find(text.split())
    assert (found.meaning, found.start, found.end) == (meaning, 0, end)


# lexicon


def test_span_section_and_passage(linker: MentionLinker) -> None:
    text = "Small LEFT pleural\u00a0effusions."
    (statement,) = linker.link([Passage("findings", "Clear."), Passage("impression", text)])
    assert (statement.passage, statement.part, statement.rule) == (1, "impression", "plain")
    assert text[statement.start : statement.end] == "pleural\u00a0effusions"


def test_a_synonym_of_two_concepts_means_the_wider_one(linker: MentionLinker) -> None:
    assert link(linker, ("findings", "Adenopathy.")) == [("lymphadenopathy", "present", "plain")]


def test_a_synonym_of_two_unrelated_concepts_means_nothing() -> None:
    graph = KnowledgeGraph(
        (
            Concept("ckg:a", "Alpha sign", "finding", ("shadow",)),
            Concept("ckg:b", "Beta sign", "finding", ("shadow",)),
        ),
        (),
    )
    assert link(MentionLinker(graph), ("findings", "Shadow.")) == []
    assert link(MentionLinker(graph), ("findings", "Beta sign.")) == [("b", "present", "plain")]


@pytest.mark.parametrize("text", ["Normal.", "Pleura.", "Effus", "XXXX ___", "", "\n\n", "?"])
def test_what_is_never_linked(linker: MentionLinker, text: str) -> None:
    assert link(linker, ("findings", text)) == []


def test_own_phrases_of_a_data_set_can_be_left_out(graph: KnowledgeGraph) -> None:
    with_all = MentionLinker(graph)
    without = MentionLinker(graph, left_out=frozenset({"openi"}))
    turn = ("findings", "Borderline heart size.")
    assert link(with_all, turn) == [("cardiomegaly", "uncertain", "probable_borderline")]
    assert link(without, turn) == []
    assert len(own_phrases(frozenset({"openi"}))) < len(own_phrases())


def test_a_word_of_a_report_costs_few_calls(
    linker: MentionLinker, calls: Callable[..., int]
) -> None:
    report = "No effusion, consolidation or pneumothorax. The heart is mildly enlarged. " * 5
    passage = Passage("findings", report)
    linker.link([passage])
    assert calls(lambda: linker.link([passage])) < 20 * len(words(report))


@pytest.mark.parametrize(
    "unit", ["no ", "heart is ", "no, ", "?", "no effusion, ", "a effusion ", "-", "未见"]
)
def test_long_odd_text_is_linear(
    linker: MentionLinker, unit: str, growth: Callable[..., float]
) -> None:
    eighth = 12_500 // len(unit)
    assert growth(lambda times: linker.link([Passage("findings", unit * times)]), eighth) < 24


# dialogue


def test_a_question_alone_states_nothing(linker: MentionLinker) -> None:
    assert link(linker, ("doctor", "Any fever or cough?")) == []
    assert link(linker, ("patient", "Is this covid-19?")) == [("covid_19", "uncertain", "asked")]
    assert link(linker, ("doctor", "Any fever?"), ("patient", "Since Monday I cough.")) == [
        ("cough", "present", "plain")
    ]


@pytest.mark.parametrize(
    "no", ["No.", "no", "No, doctor.", "Nope", "Not really.", "I don't.", "没有"]
)
def test_no_answers_everything_asked(linker: MentionLinker, no: str) -> None:
    assert link(linker, ("doctor", "Do you have fever? Any cough?"), ("patient", no)) == [
        ("fever", "absent", "answer_no"),
        ("cough", "absent", "answer_no"),
    ]


def test_yes_answers_one_question_and_leaves_several_open(linker: MentionLinker) -> None:
    assert link(linker, ("doctor", "Any fever?"), ("patient", "Yes, since Monday.")) == [
        ("fever", "present", "answer_yes")
    ]
    assert link(linker, ("doctor", "Any fever or cough?"), ("patient", "Yes")) == [
        ("fever", "uncertain", "answer_yes"),
        ("cough", "uncertain", "answer_yes"),
    ]


def test_an_answer_with_more_in_it(linker: MentionLinker) -> None:
    turns = (("doctor", "Any fever?"), ("patient", "No, I only have a cough."))
    assert link(linker, *turns) == [
        ("fever", "absent", "answer_no"),
        ("cough", "present", "plain"),
    ]
    turns = (("doctor", "Any fever or headache?"), ("patient", "No fever."))
    assert link(linker, *turns) == [("fever", "absent", "absent_before")]


def test_an_answer_is_bound_to_the_question_before_it(linker: MentionLinker) -> None:
    turns = (
        ("doctor", "Any fever?"),
        ("patient", "Since Monday."),
        ("doctor", "I see."),
        ("patient", "No."),
    )
    assert link(linker, *turns) == []


def test_chinese_questions(linker: MentionLinker) -> None:
    turns = (("doctor", "发烧吗？"), ("patient", "没有"), ("doctor", "咳嗽吗"), ("patient", "有的"))
    assert link(linker, *turns) == [
        ("fever", "absent", "answer_no"),
        ("cough", "present", "answer_yes"),
    ]


def test_missing_speakers(linker: MentionLinker) -> None:
    assert link(linker, ("unknown", "Any fever? No. But a cough.")) == [
        ("fever", "absent", "answer_no"),
        ("cough", "present", "plain"),
    ]


def test_the_span_of_an_answer_is_in_the_question(linker: MentionLinker) -> None:
    (statement,) = linker.link([Passage("doctor", "Any fever?"), Passage("patient", "No")])
    assert (statement.passage, statement.start, statement.end) == (0, 4, 9)
    assert statement.part == "doctor"


# evidence


def said(concept: str, assertion: str) -> Statement:
    return Statement(f"ckg:{concept}", assertion, 0, 0, 1, "findings", "plain")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoken", "wins"),
    [
        (("absent", "present"), "present"),
        (("uncertain", "present", "absent"), "present"),
        (("absent", "uncertain"), "uncertain"),
        (("absent", "absent"), "absent"),
    ],
)
def test_the_strongest_assertion_wins(
    graph: KnowledgeGraph, spoken: tuple[str, ...], wins: str
) -> None:
    evidence = study_evidence([said("pneumonia", one) for one in spoken], graph)
    assert evidence == {"ckg:pneumonia": wins}


def test_only_present_goes_up_the_hierarchy(graph: KnowledgeGraph) -> None:
    evidence = study_evidence(
        [said("covid_19", "present"), said("consolidation", "absent"), said("pneumonia", "absent")],
        graph,
    )
    assert expanded(evidence, graph) == {
        "ckg:covid_19": "present",
        "ckg:viral_pneumonia": "present",
        "ckg:pneumonia": "present",
        "ckg:consolidation": "absent",
    }


def test_a_normal_chest_does_not_stand_beside_a_finding(graph: KnowledgeGraph) -> None:
    normal = said("no_finding", "present")
    assert study_evidence([normal, said("pneumonia", "absent")], graph) == {
        "ckg:no_finding": "present",
        "ckg:pneumonia": "absent",
    }
    assert study_evidence([normal, said("cardiomegaly", "present")], graph) == {
        "ckg:cardiomegaly": "present"
    }


def test_concepts_of_another_graph_are_no_evidence(graph: KnowledgeGraph) -> None:
    assert study_evidence([said("elsewhere", "present")], graph) == {}
    assert expanded({}, graph) == {}


# redaction


def cut(linker: MentionLinker, asked: set[str], *turns: tuple[str, str]) -> list[str]:
    passages = [Passage(name, text) for name, text in turns]
    ids = {f"ckg:{name}" for name in asked}
    return [passage.text for passage in redact(passages, linker.link(passages), ids)]


def test_the_whole_clause_goes(linker: MentionLinker) -> None:
    text = "The heart is enlarged. No effusion, consolidation or pneumothorax. Old rib fracture."
    assert cut(linker, {"pneumothorax"}, ("findings", text)) == [
        "The heart is enlarged. Old rib fracture."
    ]


def test_what_is_in_a_language_that_is_not_read_goes_as_a_whole(linker: MentionLinker) -> None:
    spanish = Passage("patient", "Tengo tos.", "es")
    english = Passage("findings", "The heart is enlarged.")
    assert redact([spanish, english], linker.link([spanish, english]), {"ckg:x"}) == (english,)


def test_the_neighbouring_clause_stays(linker: MentionLinker) -> None:
    text = "Large left effusion, there is atelectasis of the base but no pneumothorax."
    assert cut(linker, {"pleural_effusion"}, ("findings", text)) == [
        "there is atelectasis of the base but no pneumothorax."
    ]
    assert cut(linker, {"pneumothorax"}, ("findings", text)) == [
        "Large left effusion, there is atelectasis of the base"
    ]


def test_absent_and_uncertain_mentions_go_too(linker: MentionLinker) -> None:
    assert cut(linker, {"pneumonia"}, ("impression", "No pneumonia. Possible pneumonia.")) == []


def test_what_was_not_asked_stays_as_it_was(linker: MentionLinker) -> None:
    text = "  Odd   spacing,\nkept. Effusion."
    assert cut(linker, {"covid_19"}, ("findings", text)) == [text]


def test_no_asked_mention_is_left(linker: MentionLinker) -> None:
    asked = {"fever", "cough", "pleural_effusion", "lung_opacity", "cardiomegaly"}
    turns = (
        ("doctor", "Any fever?"),
        ("patient", "No. I have a headache and cough; diarrhea since Monday."),
        ("findings", "无胸腔积液，右肺见结节影。心影不大"),
    )
    left = cut(linker, asked, *turns)
    remaining = linker.link([Passage("findings", text) for text in left])
    assert not {s.concept.removeprefix("ckg:") for s in remaining} & asked
    assert "diarrhea since Monday." in " ".join(left)
    assert "右肺见结节影" in " ".join(left)


def test_mentions_needs_neither_torch_nor_encoders(processes: Any) -> None:
    code = (
        "import sys, kg.mentions.redact, kg.mentions.evidence;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'encoders')))"
    )
    assert processes.python(code).returncode == 0
