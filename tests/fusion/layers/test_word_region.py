"""Word-region attention: against sums written out, and blind to padding and order."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from fusion.layers.word_region import region_weights, word_region_scores

Vectors = list[list[float]]


def softmax(values: list[float]) -> list[float]:
    total = sum(map(math.exp, values))
    return [math.exp(value) / total for value in values]


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def cosines_by_hand(words: Vectors, regions: Vectors, attention_scale: float) -> list[float]:
    """Cosine of every word with what it attends to, one number after the other."""
    near = [[dot(word, region) for region in regions] for word in words]
    # over words first: one column, a region's, after the other
    columns = [softmax([row[place] for row in near]) for place in range(len(regions))]
    found = []
    for place, word in enumerate(words):
        weights = softmax([attention_scale * column[place] for column in columns])
        mean = [
            sum(weight * region[d] for weight, region in zip(weights, regions, strict=True))
            for d in range(len(word))
        ]
        found.append(dot(word, mean) / math.sqrt(dot(word, word) * dot(mean, mean)))
    return found


@pytest.fixture
def sides() -> tuple[Tensor, Tensor]:
    """Two texts of three words, and two images of two regions."""
    generator = torch.Generator().manual_seed(5)
    words, regions = (
        torch.randn(2, n, 4, dtype=torch.float64, generator=generator) for n in (3, 2)
    )
    return words.requires_grad_(), regions.requires_grad_()


def everything(*tensors: Tensor) -> tuple[Tensor, Tensor]:
    words, regions = (torch.ones(tensor.shape[:2], dtype=torch.bool) for tensor in tensors)
    return words, regions


def test_two_words_and_two_regions_by_hand() -> None:
    """A word finds its region with 4 * (s - (1 - s)), where s = e / (e + 1) is its share of it."""
    eye = torch.eye(2)[None]
    share = math.e / (math.e + 1)
    right = 1 / (1 + math.exp(-4 * (2 * share - 1)))
    weights = region_weights(eye, torch.ones(1, 2).bool(), torch.ones(1, 2).bool(), scale=4.0)
    expected = torch.tensor([[[right, 1 - right], [1 - right, right]]])
    torch.testing.assert_close(weights, expected)
    cosine = right / math.hypot(right, 1 - right)
    score = word_region_scores(eye, eye, everything(eye, eye))
    assert float(score) == pytest.approx(cosine + math.log(2) / 5, abs=1e-6)


@pytest.mark.parametrize("attention_scale", [4.0, 1.0])
@pytest.mark.parametrize("word_scale", [5.0, 2.0])
def test_every_image_with_every_text(
    sides: tuple[Tensor, Tensor], attention_scale: float, word_scale: float
) -> None:
    words, regions = sides
    scores = {
        pool: word_region_scores(
            words,
            regions,
            everything(words, regions),
            attention_scale=attention_scale,
            word_scale=word_scale,
            pool=pool,
        ).tolist()
        for pool in ("sum", "mean", "max")
    }
    for image, of_image in enumerate(regions.tolist()):
        for text, of_text in enumerate(words.tolist()):
            cosines = cosines_by_hand(of_text, of_image, attention_scale)
            total = math.log(sum(math.exp(word_scale * each) for each in cosines))
            expected = {"sum": total, "mean": total - math.log(3), "max": word_scale * max(cosines)}
            for pool, value in expected.items():
                score = scores[pool][image][text]
                assert score == pytest.approx(value / word_scale, abs=1e-9), pool


def test_attention_without_competition_is_a_softmax_over_regions(
    sides: tuple[Tensor, Tensor],
) -> None:
    words, regions = sides
    near = words @ regions.transpose(1, 2)
    weights = region_weights(near, *everything(words, regions), scale=3.0, competing=False)
    torch.testing.assert_close(weights, (near * 3).softmax(-1))


@pytest.mark.parametrize("pool", ["sum", "mean", "max"])
def test_padding_changes_nothing(sides: tuple[Tensor, Tensor], pool: str) -> None:
    words, regions = sides
    masks = torch.tensor([[1, 1, 1], [1, 0, 0]]).bool(), torch.tensor([[1, 1], [0, 1]]).bool()
    scores = word_region_scores(words, regions, masks, pool=pool)
    wide = F.pad(words, (0, 0, 1, 2), value=7.0), F.pad(regions, (0, 0, 2, 1), value=-3.0)
    spread = F.pad(masks[0], (1, 2)), F.pad(masks[1], (2, 1))
    torch.testing.assert_close(word_region_scores(*wide, spread, pool=pool), scores)
    alone = word_region_scores(
        words[1:, :1], regions[1:, 1:], everything(words[1:, :1], regions[1:, 1:]), pool=pool
    )
    torch.testing.assert_close(scores[1:, 1:], alone)


def test_order_changes_nothing(sides: tuple[Tensor, Tensor]) -> None:
    words, regions = sides
    masks = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool(), torch.tensor([[1, 1], [1, 0]]).bool()
    scores = word_region_scores(words, regions, masks)
    of_words, of_regions, turned = torch.tensor([2, 0, 1]), torch.tensor([1, 0]), [1, 0]
    other = word_region_scores(
        words[turned][:, of_words],
        regions[turned][:, of_regions],
        (masks[0][turned][:, of_words], masks[1][turned][:, of_regions]),
    )
    torch.testing.assert_close(other[turned][:, turned], scores)


def test_what_is_not_there_scores_zero_and_gets_no_gradient(
    sides: tuple[Tensor, Tensor],
) -> None:
    words, regions = sides
    masks = torch.tensor([[1, 1, 0], [0, 0, 0]]).bool(), torch.tensor([[1, 1], [0, 0]]).bool()
    scores = word_region_scores(words, regions, masks)
    assert not scores[:, 1].any()
    scores[0, 0].backward()
    for given, mask in zip(sides, masks, strict=True):
        assert given.grad is not None
        assert not given.grad[~mask].any()
        assert given.grad[mask].any()


@pytest.mark.parametrize("pool", ["sum", "mean"])
def test_gradients_of_scores(sides: tuple[Tensor, Tensor], pool: str) -> None:
    masks = torch.tensor([[1, 1, 1], [1, 0, 0]]).bool(), torch.tensor([[1, 1], [0, 1]]).bool()
    score: Callable[..., Tensor] = word_region_scores
    assert gradcheck(lambda w, r: score(w, r, masks, pool=pool), sides)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_vectors_of_zeros_stay_finite(dtype: torch.dtype) -> None:
    words = torch.zeros(2, 3, 4, dtype=dtype, requires_grad=True)
    regions = torch.zeros(2, 2, 4, dtype=dtype, requires_grad=True)
    word_region_scores(words, regions, everything(words, regions)).sum().backward()
    assert words.grad is not None
    assert words.grad.isfinite().all()
