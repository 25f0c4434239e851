"""Overlap of texts against torchmetrics and nltk, and CIDEr-D written out."""

import math
from collections import Counter

import numpy as np
import pytest
import snowballstemmer
from nltk.translate.meteor_score import single_meteor_score
from torchmetrics.functional.text import bleu_score, rouge_score

from experiments.metrics import texts
from experiments.metrics.sums import measure
from experiments.metrics.texts import TEXT_METRICS, text_sums, words_of

VOCABULARY = words_of(
    "the lungs are clear clears cleared no effusion effusions is seen there heart hearts size "
    "normal opacity opacities left right basilar atelectasis mild mildly"
)


def made_up(seed, count=12, longest=18):
    """Texts that share words and runs with their references, some much shorter."""
    rng = np.random.default_rng(seed)
    truths = [list(rng.choice(VOCABULARY, rng.integers(1, longest))) for _ in range(count)]
    written = []
    for truth in truths:
        text = [w if rng.random() < 0.7 else str(rng.choice(VOCABULARY)) for w in truth]
        written.append(text[: rng.integers(0, len(text) + 3)])
    return written, truths


def values(written, truths):
    sums = text_sums(written, truths)
    groups = np.arange(len(written))
    found = measure(sums, TEXT_METRICS, groups, rng=np.random.default_rng(0))
    return {name: each.value for name, each in found.items()}


class Stemmer:
    def stem(self, word):
        return snowballstemmer.stemmer("porter").stemWord(word)


class NoSynonyms:
    def synsets(self, word):
        return []


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_bleu_is_that_of_torchmetrics(seed, order):
    written, truths = made_up(seed)
    expected = bleu_score(
        [" ".join(text) for text in written], [[" ".join(truth)] for truth in truths], n_gram=order
    )
    assert values(written, truths)[f"bleu_{order}"] == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_chinese_bleu_is_that_of_torchmetrics_by_characters(order):
    truths = ["双肺纹理清晰，双肺下叶见斑片影。", "双肺未见异常密度影；纵隔居中。"]
    written = ["双肺纹理增强，双肺上叶见斑片影。", "双肺未见密度影。"]
    spaced = [
        [" ".join(c for c in text if c.isalpha()) for text in side] for side in (written, truths)
    ]
    expected = bleu_score(spaced[0], [[truth] for truth in spaced[1]], n_gram=order)
    found = values([words_of(text) for text in written], [words_of(text) for text in truths])
    assert found[f"bleu_{order}"] == pytest.approx(float(expected), abs=1e-6)


def test_bleu_by_hand():
    """Four words of six: 4 of 4 words, 2 of 3 pairs, and too short by exp(1 - 6 / 4)."""
    written, truth = ["no acute effusion seen"], ["no acute effusion is seen today"]
    found = values([words_of(t) for t in written], [words_of(t) for t in truth])
    assert found["bleu_1"] == pytest.approx(math.exp(-0.5))
    assert found["bleu_2"] == pytest.approx(math.sqrt(2 / 3) * math.exp(-0.5))
    assert found["bleu_4"] == 0.0
    assert found["words"] == 4


def test_a_word_counts_no_more_often_than_it_is_true():
    found = values([["the"] * 7], [["the", "cat", "the", "mat", "a", "b", "c"]])
    assert found["bleu_1"] == pytest.approx(2 / 7)


@pytest.mark.parametrize("seed", range(6))
def test_rouge_is_that_of_torchmetrics(seed, monkeypatch):
    written, truths = made_up(seed)
    monkeypatch.setattr(texts, "ROUGE_BETA", 1.0)
    expected = [
        float(rouge_score(" ".join(text), " ".join(truth), rouge_keys="rougeL")["rougeL_fmeasure"])
        for text, truth in zip(written, truths, strict=True)
    ]
    assert text_sums(written, truths)["rouge_l"] == pytest.approx(expected, abs=1e-6)


def test_rouge_weighs_recall_more():
    """Common: `a c`, 2 of 2 written, 2 of 4 true; F with beta 1.2."""
    sums = text_sums([["a", "c"]], [["a", "b", "c", "d"]])
    assert sums["rouge_l"][0] == pytest.approx(2.44 * 0.5 / (0.5 + 1.44))


@pytest.mark.parametrize("seed", range(8))
def test_meteor_is_that_of_nltk_without_synonyms(seed):
    written, truths = made_up(seed, count=20)
    expected = [
        single_meteor_score(truth, text, stemmer=Stemmer(), wordnet=NoSynonyms())
        for text, truth in zip(written, truths, strict=True)
    ]
    assert text_sums(written, truths)["meteor"] == pytest.approx(expected, abs=1e-9)
    assert max(expected) > 0.5


def test_meteor_by_hand():
    """`opacities` is matched by its stem: three matches in one piece, of 3 and 4 words."""
    sums = text_sums([["left", "basilar", "opacities"]], [["mild", "left", "basilar", "opacity"]])
    precision, recall = 1.0, 3 / 4
    mean = precision * recall / (0.9 * precision + 0.1 * recall)
    assert sums["meteor"][0] == pytest.approx(mean * (1 - 0.5 * (1 / 3) ** 3))


def cider_d(written, truths):
    """CIDEr-D of each text as its authors' code goes about it: vectors, clipped, one by one."""
    scores = []
    known = [Counter() for _ in range(4)]
    for truth in truths:
        for size in range(4):
            known[size].update({tuple(truth[i : i + size + 1]) for i in range(len(truth) - size)})
    for text, truth in zip(written, truths, strict=True):
        total = 0.0
        for size in range(4):
            vectors = []
            for words in (text, truth):
                grams = [tuple(words[i : i + size + 1]) for i in range(len(words) - size)]
                vectors.append(
                    {
                        g: grams.count(g)
                        * (math.log(len(truths)) - math.log(max(1, known[size][g])))
                        for g in grams
                    }
                )
            hypothesis, reference = vectors
            norms = [math.sqrt(sum(w**2 for w in v.values())) for v in vectors]
            dot = sum(
                min(w, reference.get(g, 0)) * reference.get(g, 0) for g, w in hypothesis.items()
            )
            if all(norms):
                total += dot / norms[0] / norms[1]
        scores.append(10 * total / 4 * math.exp(-((len(text) - len(truth)) ** 2) / 72))
    return scores


@pytest.mark.parametrize("seed", range(4))
def test_cider_written_out(seed):
    written, truths = made_up(seed)
    assert text_sums(written, truths)["cider"] == pytest.approx(cider_d(written, truths), abs=1e-9)


def test_cider_of_the_true_text_is_ten_and_of_what_all_say_nothing():
    truths = [list("abcde"), list("fghij"), list("klmno")]
    assert text_sums(truths, truths)["cider"] == pytest.approx([10, 10, 10])
    same = [list("abcde")] * 3
    assert text_sums(same, same)["cider"] == pytest.approx([0, 0, 0])


def test_true_texts_score_full_marks():
    truths = [words_of("The heart is normal in size."), words_of("No pleural effusion is seen.")]
    found = values(truths, truths)
    assert [found[f"bleu_{n}"] for n in range(1, 5)] == pytest.approx([1.0] * 4)
    assert found["rouge_l"] == pytest.approx(1.0)
    assert found["meteor"] == pytest.approx(0.998, abs=0.002)  # one piece of all words


def test_nothing_written_scores_nothing():
    found = values([[], []], [["a", "b"], ["c"]])
    assert {name: value for name, value in found.items() if value} == {}
    assert values([["a"]], [[]])["bleu_1"] == 0.0


def test_order_of_the_studies_does_not_matter():
    written, truths = made_up(1)
    order = np.random.default_rng(0).permutation(len(written))
    moved = values([written[i] for i in order], [truths[i] for i in order])
    assert moved == pytest.approx(values(written, truths))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("No effusion. Heart's size: 1.5 cm!", ["no", "effusion", "heart's", "size", "1.5", "cm"]),
        ("Ground-glass", ["ground", "glass"]),
        ("双肺 clear", ["双", "肺", "clear"]),
        ("XXXX-year-old, T8/T9", ["xxxx", "year", "old", "t", "8", "t", "9"]),
        ("", []),
    ],
)
def test_words(text, words):
    assert words_of(text) == words


def test_as_many_texts_as_references():
    with pytest.raises(ValueError, match="zip"):
        text_sums([["a"]], [["a"], ["b"]])
