"""Perturbations of text, on texts made by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import SequenceMatcher

import pytest

from encoders.study import Passage
from experiments.evaluation.text_perturbation import PERTURBATIONS, TYPOS, Texts
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.mentions.linker import MentionLinker
from kg.model.graph import KnowledgeGraph

LONG = "The cardiomediastinal silhouette remains within normal limits without pneumothorax. " * 20


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return load_shipped()


@pytest.fixture(scope="module")
def linker(graph: KnowledgeGraph) -> MentionLinker:
    return MentionLinker(graph)


Made = Callable[..., Texts]


@pytest.fixture
def made(graph: KnowledgeGraph, linker: MentionLinker) -> Made:
    """Texts of one passage each, of patients in turn."""

    def give(*texts: str, patients: str = "", seed: int = 0, name: str = "s") -> Texts:
        passages = tuple((Passage("findings", text),) if text else () for text in texts)
        studies = tuple(f"{name}{place}" for place in range(len(texts)))
        return Texts(passages, studies, tuple(patients) or studies, graph, linker, seed)

    return give


def written(texts: Texts, name: str) -> list[str]:
    return ["".join(one.text for one in of) for of in PERTURBATIONS[name](texts)]


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_seed_gives_one_text_whatever_stands_beside_it(made: Made, name: str) -> None:
    texts = made(LONG, "There is cardiomegaly.", "No effusion.", "")
    assert PERTURBATIONS[name](texts) == PERTURBATIONS[name](texts)
    assert len(PERTURBATIONS[name](texts)) == 4
    if name != "another patient's text":
        assert written(made(LONG), name) == written(texts, name)[:1]


def test_typos_are_one_edit_in_a_tenth_of_the_longer_words(made: Made) -> None:
    (text,) = written(made(LONG), "typos")
    before, after = LONG.split(), text.split()
    assert len(before) == len(after)
    changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    longer = [word for word in before if len(word.strip(".")) >= 4]
    assert 0.5 * TYPOS < len(changed) / len(longer) < 2 * TYPOS
    for one, other in changed:
        assert one[0] == other[0]
        assert len(one.strip(".")) >= 4
        assert abs(len(one) - len(other)) <= 1
        assert SequenceMatcher(None, one, other).ratio() > 0.7
    assert written(made(LONG, seed=1), "typos") != [text]
    assert written(made(LONG, name="t"), "typos") != [text]


@pytest.mark.parametrize("text", ["No new CT of 3 mm.", "左肺可见斑片影。", ""])
def test_short_words_numbers_and_chinese_have_no_typos(made: Made, text: str) -> None:
    assert written(made(text), "typos") == [text]


@pytest.mark.parametrize(
    ("text", "concept", "rest"),
    [
        ("There is cardiomegaly today.", "cardiomegaly", "There is {} today."),
        ("Cardiomegaly is seen.", "cardiomegaly", "{} is seen."),
        ("No pleural effusion.", "pleural effusion", "No {}."),
    ],
)
def test_a_name_is_replaced_by_another_of_the_same_concept(
    made: Made, graph: KnowledgeGraph, text: str, concept: str, rest: str
) -> None:
    (found,) = written(made(text), "synonyms")
    pattern = re.escape(rest).replace(re.escape("{}"), "(.+)")
    match = re.fullmatch(pattern, found)
    assert match, found
    known = next(one for one in graph.concepts if one.label.lower() == concept)
    names = {name.lower() for name in (known.label, *known.synonyms)}
    assert match.group(1).lower() in names - {concept}
    assert match.group(1)[0].isupper() == text.startswith(concept.capitalize())


@pytest.mark.parametrize("text", ["The heart size is normal.", "Clear.", "Nothing to add."])
def test_what_is_no_name_of_a_concept_stays(made: Made, linker: MentionLinker, text: str) -> None:
    texts = made(text)
    named = {text[one.start : one.end].lower() for one in linker.link(texts.passages[0])}
    (found,) = written(texts, "synonyms")
    names = {n.lower() for one in texts.graph.concepts for n in (one.label, *one.synonyms)}
    if not named & names:
        assert found == text


def test_stop_words_go_and_negations_stay(made: Made) -> None:
    texts = made(
        "There is no effusion, and the heart is not enlarged without being seen.", "Of the"
    )
    assert written(texts, "no stop words") == [
        "no effusion, heart not enlarged without seen.",
        "",
    ]


def test_no_text_is_no_passage(made: Made) -> None:
    assert PERTURBATIONS["no text"](made("a", "b")) == ((), ())


@pytest.mark.parametrize("patients", ["abc", "aabb", "aabbcd", "abcabc", "aab" + "cdefgh"])
def test_every_text_goes_to_another_patient_once(made: Made, patients: str) -> None:
    own = [f"{patient}{place}" for place, patient in enumerate(patients)]
    found = written(made(*own, patients=patients), "another patient's text")
    assert sorted(found) == sorted(own)
    assert all(text[0] != patient for text, patient in zip(found, patients, strict=True))


@pytest.mark.parametrize("patients", ["a", "aab", "aaa"])
def test_one_patient_with_most_studies_is_refused(made: Made, patients: str) -> None:
    with pytest.raises(InputError, match="of one patient"):
        written(made(*patients, patients=patients), "another patient's text")
