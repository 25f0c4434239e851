"""Dialogues: who speaks, what is asked and answered, patients' own words, and degraded input."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from encoders.reading.dialogue import read_dialogue, read_dialogue_with_flags
from encoders.study import Passage
from kg.files.store import load_shipped
from kg.mentions.answers import Reply, replies
from kg.mentions.exposures import exposures
from kg.mentions.linker import MentionLinker
from kg.mentions.tokens import words

P, A, U = "present", "absent", "uncertain"
CONTACT, TRAVEL = "contact_with_confirmed_covid_19_case", "travel_to_epidemic_area"


@pytest.fixture(scope="module")
def clinic() -> MentionLinker:
    return MentionLinker(load_shipped())


def said(linker: MentionLinker, *turns: tuple[str, str]) -> dict[str, str]:
    statements = linker.link([Passage(name, text) for name, text in turns])
    return {s.concept.removeprefix("ckg:"): s.assertion for s in statements}


# question and answer

ASKED = (("doctor", "Any fever? Any cough?"),)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("No to both of them.", {"fever": A, "cough": A}),
        ("No, yes.", {"fever": A, "cough": P}),
        ("Yes, no.", {"fever": P, "cough": A}),
        ("Neither.", {"fever": A, "cough": A}),
        ("Both.", {"fever": P, "cough": P}),
        ("Yes.", {"fever": U, "cough": U}),
        ("I\u2019m not sure.", {"fever": U, "cough": U}),
        ("None of these, doctor.", {"fever": A, "cough": A}),
        ("Not that I know of.", {"fever": U, "cough": U}),
        ("No fever, but I cough a lot.", {"fever": A, "cough": P}),
        ("It began on Monday.", {}),
    ],
)
def test_answers(clinic: MentionLinker, answer: str, expected: dict[str, str]) -> None:
    assert said(clinic, *ASKED, ("patient", answer)) == expected


def test_replies_are_read_one_by_one() -> None:
    yes, no = Reply("present", False), Reply("absent", True)
    assert replies("No, yes, no, thanks.") == [no, yes, no]
    assert replies("Nothing hurts") == []
    assert replies("没有，有一点。") == [no, yes]
    assert replies("") == []


def test_an_answer_may_come_a_turn_later(clinic: MentionLinker) -> None:
    turns = (*ASKED, ("patient", "I live in Italy."), ("patient", "Neither."))
    assert said(clinic, *turns) == {"fever": A, "cough": A}
    late = (*turns[:2], ("doctor", "I see."), ("patient", "Neither."))
    assert said(clinic, *late) == {}
    assert said(clinic, *ASKED, ("patient", "I live in Italy. Yes, both.")) == {}


def test_only_the_patient_answers_the_doctor(clinic: MentionLinker) -> None:
    assert said(clinic, ("patient", "Will my asthma make it worse?"), ("doctor", "No.")) == {
        "asthma": P
    }
    # a doctor who asks twice has no answer yet
    assert said(clinic, ("doctor", "Any fever?"), ("doctor", "No hurry.")) == {}


# who speaks, and of whom


@pytest.mark.parametrize(
    ("speaker", "text", "expected"),
    [
        ("patient", "I have a cough.", {"cough": P}),
        ("patient", "Could it be pneumonia?", {"pneumonia": U}),
        ("patient", "Do I have covid?", {"covid_19": U}),
        (
            "patient",
            "I use an inhaler for asthma, is this pneumonia?",
            {"asthma": P, "pneumonia": U},
        ),
        ("patient", "What helps against my headache?", {"headache": P}),
        ("patient", "With covid going around I stay at home.", {}),
        ("patient", "I tested positive for covid.", {"covid_19": P, "positive_rt_pcr": P}),
        ("patient", "Where do I get tested for covid?", {}),
        ("patient", "My friend had pneumonia, I have a headache.", {"headache": P}),
        ("patient", "I had pneumonia back in november 2013.", {"pneumonia": U}),
        ("patient", "How do I know if I have pneumonia?", {"pneumonia": U}),
        ("description", "Dry cough and sore throat.", {"nonproductive_cough": P, "pharyngitis": P}),
        ("doctor", "Fever and cough are common in many infections.", {}),
        ("doctor", "Your cough sounds dry.", {"cough": P}),
        ("doctor", "If you get fever or a cough, see a doctor.", {}),
        ("doctor", "The scan shows pneumonia.", {"pneumonia": P}),
        ("doctor", "It may be pneumonia.", {"pneumonia": U}),
        ("doctor", "Common cold.", {"common_cold": U}),
        ("findings", "Headache and a cold.", {"headache": P}),
    ],
)
def test_of_whom(clinic: MentionLinker, speaker: str, text: str, expected: dict[str, str]) -> None:
    assert said(clinic, (speaker, text)) == expected


def test_a_web_address_and_a_heading_say_nothing_more(clinic: MentionLinker) -> None:
    text = "I have a fever, see https://example.org/covid-19-care/cough.html"
    assert said(clinic, ("patient", text)) == {"fever": P}
    heading = "Consider asthma    Have you had any wheezing?"
    assert said(clinic, ("doctor", heading), ("patient", "No.")) == {"asthma": U, "wheezing": A}


# own words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My throat has been a bit scratchy.", {"pharyngitis": P}),
        ("I can't smell or taste anything.", {"anosmia": P, "ageusia": P}),
        ("I feel dizzy and light headed.", {"dizziness": P}),
        ("It is hard to breathe at night.", {"dyspnea": P}),
        (
            "I've been puking, my tummy hurts and I have loose motions.",
            {"vomiting": P, "diarrhea": P},
        ),
        (
            "My chest feels tight, and there's pain in my chest.",
            {"chest_tightness": P, "chest_pain": P},
        ),
        ("My nose is running but no phlegm.", {"rhinorrhea": P, "productive_cough": A}),
        ("I am a non smoker.", {"smoking": A}),
        ("I drink cold water and got a flu shot.", {}),
        ("I have a bad cold.", {"common_cold": P}),
        (
            "No temperature, but I am scared of covid with my asthma.",
            {"fever": A, "asthma": P, "covid_19": U},
        ),
        ("I have high bp and I am diabetic.", {"hypertension": P, "diabetes_mellitus": P}),
    ],
)
def test_lay_words(clinic: MentionLinker, text: str, expected: dict[str, str]) -> None:
    assert said(clinic, ("patient", text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I was exposed to someone who tested positive.", {CONTACT: P}),
        ("I was in contact with a covid-19 patient.", {CONTACT: P}),
        ("A colleague of mine was diagnosed with covid.", {CONTACT: P}),
        ("I had no contact with anyone infected.", {CONTACT: A}),
        ("Possible exposure to covid.", {CONTACT: U}),
        ("I just returned from Italy.", {TRAVEL: P}),
        ("I came back from work with a headache.", {"headache": P}),
        ("I have no travel history.", {TRAVEL: A}),
        ("I have not traveled.", {TRAVEL: A}),
        ("My temperature was about 38.5 yesterday.", {"fever": P}),
        ("My temperature is 36.5.", {}),
        ("I haven't been out of the country.", {TRAVEL: A}),
        ("I work in a busy hospital.", {"healthcare_worker_exposure": P}),
        ("We attended a large wedding.", {"mass_gathering_exposure": P}),
    ],
)
def test_exposures(clinic: MentionLinker, text: str, expected: dict[str, str]) -> None:
    assert said(clinic, ("patient", text)) == expected


@pytest.mark.parametrize("unit", ["contact with ", "travelled to ", "colleague has ", "no "])
def test_exposures_of_long_odd_text_are_linear(unit: str, growth: Callable[..., float]) -> None:
    long = words(unit * 30_000)
    assert growth(lambda count: exposures(long[:count]), len(long) // 8) < 24


# degraded input (areas 26 to 28 of the reliability list)


def test_no_speaker_tags(clinic: MentionLinker) -> None:
    read = read_dialogue_with_flags("Do you have a fever? No. I have a cough.")
    assert read.flags == ("no_speakers",)
    linked = {s.concept: s.assertion for s in clinic.link(read.passages)}
    assert linked == {"ckg:fever": A, "ckg:cough": P}


def test_interleaved_turns(clinic: MentionLinker) -> None:
    read = read_dialogue_with_flags("Doctor: Any fever? Patient: No. Doctor: Cough? Patient: Yes.")
    assert read.flags == ("interleaved",)
    linked = {s.concept: s.assertion for s in clinic.link(read.passages)}
    assert linked == {"ckg:fever": A, "ckg:cough": P}


def test_another_language_is_flagged_and_states_nothing(clinic: MentionLinker) -> None:
    text = (
        "Paciente: Tengo calentura desde hace tres d\u00edas y no puedo respirar bien por la noche."
    )
    read = read_dialogue_with_flags(text)
    assert "other_language" in read.flags
    assert clinic.link(read.passages) == []
    assert "other_language" not in read_dialogue_with_flags("医生：发烧吗？\n病人：没有").flags


def test_terminal_codes_and_markup(clinic: MentionLinker) -> None:
    turns = read_dialogue("Patient: <b>I have</b> a \x1b[31mfever\x1b[0m <script>alert(1)</script>")
    assert [s.concept for s in clinic.link(turns)] == ["ckg:fever"]
