"""M-LSA (Lara 2020): bags of words, kernels rebuilt, alignment, pictures alone at test."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.metrics.pairwise import pairwise_kernels

from encoders.batch import StudyBatch
from experiments.systems._latent_space import (
    LatentSpace,
    SpaceOptions,
    distance_of,
    kernel_error,
    kernel_of,
)
from experiments.systems._report_terms import word_pairs
from experiments.systems.lara import Lara
from fusion.layers.tf_idf import inverse_frequency, tf_idf
from fusion.stage import Stage
from fusion.system import Setting
from kg.model.concepts import Concept
from kg.model.graph import KnowledgeGraph
from tests.experiments.systems.conftest import fitted_encoder, words_of

LABELS = ("effusion", "heart")
REPORTS = (
    "large effusion large heart",
    "heart normal lungs clear",
    "effusion small heart normal",
    "lungs clear lungs clear",
    "small small effusion",
)
KERNELS = ("linear", "cosine", "rbf", "chi2")


ENCODER = fitted_encoder(REPORTS)
texts = partial(words_of, ENCODER)


def studies() -> StudyBatch:
    generator = torch.Generator().manual_seed(3)
    kinds = torch.zeros(5, 2, dtype=torch.long)
    return StudyBatch(
        ids=tuple("abcde"),
        pixels=None,
        image_tokens=torch.randn(5, 2, 16, 6, generator=generator),
        image_mask=torch.tensor([[True, True], [True, False], [True, True], [True, False]] * 2)[:5],
        view=kinds,
        modality=kinds,
        text=None,
        evidence=None,
        targets=torch.tensor([[1, 1], [0, 0], [1, 0], [0, 0], [1, 0.0]]),
        paired_text=texts(*REPORTS),
    )


def build(**options: Any) -> Lara:
    graph = KnowledgeGraph(tuple(Concept(name, name, "finding") for name in LABELS), ())
    setting = Setting(
        graph,
        torch.zeros(2, 2),
        LABELS,
        image_width=6,
        image_tokens=16,
        text_width=8,
        text_encoder=ENCODER,
    )
    torch.manual_seed(0)
    sizes = {"codebook": 7, "terms": 40, "cases": 8, "latent": 4, "rarest": 0.0, "commonest": 1.0}
    system = Lara(Lara.Options(**{**sizes, **options}), setting)
    system.prepare([studies()])
    return system.eval()


def test_terms_of_a_report_are_those_of_scikit_learn() -> None:
    system = build()
    counts = system.counted(word_pairs(texts(*REPORTS)))
    vectorizer = CountVectorizer(ngram_range=(1, 2), token_pattern=r"[a-z]+").fit(REPORTS)
    expected = vectorizer.transform(REPORTS).toarray()
    assert counts.sum() == expected.sum()
    assert (system.terms < torch.iinfo(torch.long).max).sum() == expected.shape[1]
    own = sorted(map(tuple, counts[:, counts.any(0)].T.tolist()))
    assert own == sorted(map(tuple, expected.T.astype(float).tolist()))


def test_rare_and_common_terms_are_left_out() -> None:
    system = build(rarest=0.3, commonest=0.5)
    counts = system.counted(word_pairs(texts(*REPORTS)))
    seen = (counts > 0).sum(0)
    # in two of five: normal, lungs, clear, small and two pairs; in three: heart, effusion
    assert seen[seen > 0].tolist() == [2] * 6
    nothing = system.counted(word_pairs(texts("", *REPORTS[:1], section="indication")))
    assert not nothing.any()


def test_weights_are_those_of_scikit_learn() -> None:
    counts = np.random.default_rng(0).integers(0, 4, (6, 9)).astype(float)
    expected = TfidfTransformer(sublinear_tf=True).fit_transform(counts).toarray()
    rows = torch.from_numpy(counts)
    made = tf_idf(rows, inverse_frequency((rows > 0).sum(0), 6))
    torch.testing.assert_close(made, torch.from_numpy(expected), check_dtype=False)
    assert not tf_idf(torch.zeros(2, 3), torch.ones(3)).any()


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_is_that_of_scikit_learn(kernel: Any) -> None:
    generator = np.random.default_rng(0)
    rows, cases = generator.random((3, 5)), generator.random((4, 5))
    gamma = {} if kernel in ("linear", "cosine") else {"gamma": 0.3}
    expected = torch.from_numpy(pairwise_kernels(rows, cases, metric=kernel, **gamma))
    made = kernel_of(torch.from_numpy(rows), torch.from_numpy(cases), kernel, 0.3)
    torch.testing.assert_close(made, expected)
    empty = torch.cat([torch.from_numpy(cases), torch.zeros(2, 5)])
    more = kernel_of(torch.from_numpy(rows), empty, kernel, 0.3)
    torch.testing.assert_close(more[:, :4], expected)
    assert not more[:, 4:].any()


def test_the_error_of_a_rebuilt_kernel_by_hand() -> None:
    between = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    kernel, rebuilt = torch.tensor([[1.0, 2.0], [4.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    there = torch.tensor([True, True])
    # 2 - 2 * 1 and 7 - 2 * 4
    assert kernel_error(kernel, rebuilt, between, there).item() == pytest.approx((0 - 1) / 2)
    first = kernel_error(kernel, rebuilt, between, torch.tensor([True, False]))
    assert first.item() == 0
    # all pairs: 2 + 3 + 3 + 7 - 2 * (1 + 3 + 4 + 4), over two studies and the four pairs
    every = kernel_error(kernel, rebuilt, between, there, "all")
    assert every.item() == pytest.approx((15 - 24) / 8)


def test_the_error_is_least_where_the_kernel_is_rebuilt_in_its_space() -> None:
    rows = torch.rand(5, 7, dtype=torch.double)
    between = rows @ rows.T
    exact = torch.eye(5, dtype=torch.double)
    there = torch.ones(5, dtype=torch.bool)
    # a study is itself among the training cases: the error is minus its own similarity
    least = kernel_error(between, exact, between, there)
    torch.testing.assert_close(least, -between.diagonal().mean())
    assert kernel_error(between, exact + 0.1, between, there) > least
    rebuilt = torch.rand(5, 5, dtype=torch.double, requires_grad=True)
    for pairs in ("own", "all"):
        assert torch.autograd.gradcheck(
            lambda x, pairs=pairs: kernel_error(between, x, between, there, pairs), (rebuilt,)
        )


def test_distances_by_hand() -> None:
    one, other = torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 0.0]])
    found = {name: distance_of(one, other, name).item() for name in ("euclidean", "manhattan")}
    assert found == {"euclidean": 4.0, "manhattan": 4.0}
    assert distance_of(one, other, "cosine").item() == pytest.approx(1 - 0.6)


@torch.no_grad()
def test_a_picture_is_the_bag_of_its_nearest_visual_words() -> None:
    system, batch = build(), studies()
    counts = system.visual_words(batch)
    assert batch.image_tokens is not None
    assert counts.sum(1).tolist() == [32.0, 16.0, 32.0, 16.0, 32.0]
    tokens = batch.image_tokens[1, 0].double()
    nearest = torch.cdist(tokens, system.centres.double()).argmin(1)
    assert counts[1].tolist() == torch.bincount(nearest, minlength=7).tolist()
    noise = torch.where(batch.image_mask[..., None, None], batch.image_tokens, 9.0)
    assert torch.equal(system.visual_words(replace(batch, image_tokens=noise)), counts)


@torch.no_grad()
def test_fewer_cases_than_there_is_room_for_change_nothing() -> None:
    torch.manual_seed(0)
    space = LatentSpace(6, (0.5, 0.5), SpaceOptions(cases=5, latent=3), "cosine").eval()
    counts = torch.randint(0, 3, (4, 6)).float()
    space.keep(counts)
    before = space(counts)
    assert not before.kernel[:, 4].any()
    space.encode.weight[:, 4] = 9.0
    torch.testing.assert_close(space(counts).latent, before.latent)
    space.decode.weight[4] = 9.0
    for pairs in ("own", "all"):
        changed = kernel_error(
            before.kernel, space(counts).rebuilt, space.between, before.there, pairs
        )  # type: ignore[arg-type]
        same = kernel_error(before.kernel, before.rebuilt, space.between, before.there, pairs)  # type: ignore[arg-type]
        torch.testing.assert_close(changed, same)


@torch.no_grad()
def test_what_is_read_back_compares_the_same_cases() -> None:
    one, other = build(), build()
    other.image.keep(torch.rand(5, 7).round())
    assert not torch.equal(one.image.between, other.image.between)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.image.between, other.image.between)


@torch.no_grad()
def test_a_study_without_a_report_counts_in_no_loss_of_the_text() -> None:
    system, batch = build(), studies()
    silent = replace(batch, paired_text=texts(*REPORTS[:4], ""))
    told = replace(silent, targets=silent.targets.clone())
    told.targets[4] = 1 - told.targets[4]
    stage = system.stages[0]
    one, other = system.losses(silent, stage), system.losses(told, stage)
    for name in ("text_classification", "text_kernel", "alignment"):
        torch.testing.assert_close(one[name], other[name])
    assert one["classification"] != other["classification"]
    assert system.embed_text(texts("", "effusion")).isnan().any(1).tolist() == [True, False]


@pytest.mark.parametrize("pairs", ["own", "all"])
@pytest.mark.parametrize("distance", ["cosine", "euclidean", "manhattan"])
def test_losses_fall_and_the_two_spaces_come_together(pairs: str, distance: str) -> None:
    system, batch = build(pairs=pairs, distance=distance), studies()
    stage: Stage = system.stages[0]
    optimiser = torch.optim.Adam(system.parameters(), 0.02)
    first = {name: loss.item() for name, loss in system.losses(batch, stage).items()}
    for _ in range(100):
        optimiser.zero_grad()
        losses = system.losses(batch, stage)
        sum(stage.objectives[name] * loss for name, loss in losses.items()).backward()  # type: ignore[union-attr]
        optimiser.step()
    last = system.losses(batch, stage)
    assert all(last[name].item() < value for name, value in first.items())
    own = (system.embed_image(batch) * system.embed_text(batch.paired_text)).sum(1)  # type: ignore[arg-type]
    assert (own > 0.5).all()
