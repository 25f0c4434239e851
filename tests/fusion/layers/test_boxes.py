"""Box reader: by hand on a small map, and what is read where there is no box or no picture."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from encoders.batch import StudyBatch
from encoders.image.tiny_cnn import TinyCNN
from fusion.layers.boxes import BoxReader, as_map, pooled_in
from fusion.system import Setting
from kg.model.concepts import Concept
from kg.model.graph import KnowledgeGraph

NAN = float("nan")
WHOLE = [0.0, 0.0, 1.0, 1.0]


def setting(**given: object) -> Setting:
    graph = KnowledgeGraph((Concept("a", "a", "finding"),), ())
    return Setting(graph, torch.zeros(1, 2), ("a",), **given)  # type: ignore[arg-type]


def batch(
    mask: list[list[bool]], boxes: torch.Tensor | None = None, **images: object
) -> StudyBatch:
    real = torch.tensor(mask)
    kinds = torch.zeros_like(real, dtype=torch.long)
    made = StudyBatch(
        ids=tuple(map(str, range(len(mask)))),
        pixels=None,
        image_tokens=None,
        image_mask=real,
        view=kinds,
        modality=kinds,
        text=None,
        evidence=None,
        targets=torch.zeros(len(mask), 1),
        boxes=boxes,
    )
    return replace(made, **images)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("box", "mean"),
    [
        (WHOLE, 7.5),
        ([0.0, 0.0, 0.5, 0.5], 2.5),  # 0 1 4 5
        ([0.5, 0.0, 1.0, 0.5], 4.5),  # 2 3 6 7
        ([0.0, 0.5, 1.0, 1.0], 11.5),  # the lower half
    ],
)
def test_the_mean_of_a_box(box: list[float], mean: float) -> None:
    features = torch.arange(16.0).view(1, 1, 4, 4)
    pooled = pooled_in(features, torch.tensor([box]), 2)
    assert pooled.shape == (1, 1, 2, 2)
    assert pooled.mean() == pytest.approx(mean)


def test_cells_of_a_box_are_in_their_places() -> None:
    features = torch.arange(16.0).view(1, 1, 4, 4)
    pooled = pooled_in(features, torch.tensor([WHOLE]), 2)[0, 0]
    assert pooled.tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_tokens_are_a_map_row_by_row() -> None:
    tokens = torch.arange(8.0).view(1, 4, 2)
    assert as_map(tokens)[0, 0].tolist() == [[0.0, 2.0], [4.0, 6.0]]
    assert as_map(torch.zeros(2, 3, 5)).shape == (2, 5, 1, 3)


def test_a_picture_without_a_box_is_read_as_a_whole() -> None:
    torch.manual_seed(0)
    reader = BoxReader(setting(image_width=2, image_tokens=16), {}, roi=2, width=8)
    tokens = torch.randn(3, 1, 16, 2)
    boxes = torch.tensor([[[NAN] * 4], [WHOLE], [[0.0, 0.0, 0.5, 0.5]]])
    given = batch([[True]] * 3, boxes, image_tokens=tokens)
    read = reader(given, reader.maps(given), given.boxes)
    plain = reader(given, reader.maps(given), None)
    torch.testing.assert_close(read[:2], plain[:2])
    assert not torch.allclose(read[2], plain[2])


def test_a_study_is_the_mean_of_its_pictures_and_zero_without() -> None:
    torch.manual_seed(0)
    reader = BoxReader(setting(image_width=2, image_tokens=4), {}, roi=2, width=8)
    tokens = torch.randn(3, 2, 4, 2)
    both = batch([[True, True], [True, False], [False, False]], image_tokens=tokens)
    read = reader(both, reader.maps(both), None)
    each = batch([[True, False]] * 2, image_tokens=tokens[0].unsqueeze(1).expand(2, 2, 4, 2))
    alone = reader(each, reader.maps(each), None)
    torch.testing.assert_close(read[0], alone.mean(0))
    assert not read[2].any()
    none = batch([[False]], image_tokens=tokens[:1, :1])
    assert reader(none, reader.maps(none), None).tolist() == [[0.0] * 8]


def test_maps_of_several_scales_are_pooled_where_they_are_told() -> None:
    encoder = TinyCNN(TinyCNN.Options(size=32, width=64))
    shapes = encoder.map_shapes()
    given = setting(image_encoder=encoder, image_maps={name: shapes[name] for name in ("b0", "b3")})
    reader = BoxReader(given, {"b0": "box", "b3": "picture"}, roi=2, width=8)
    assert [line.in_features for line in reader.lines] == [8 * 4, 64 * 4]
    boxes = torch.tensor([[[0.0, 0.0, 0.5, 0.5]]])
    one = batch([[True]], boxes, pixels=torch.randn(1, 1, 1, 32, 32))
    maps = reader.maps(one)
    assert [each.shape[1:] for each in maps] == [(8, 16, 16), (64, 2, 2)]
    inside, whole = reader(one, maps, one.boxes), reader(one, maps, None)
    assert inside.shape == (1, 16)
    torch.testing.assert_close(inside[:, 8:], whole[:, 8:])
    assert not torch.allclose(inside[:, :8], whole[:, :8])
    inside.sum().backward()
    assert encoder.blocks[0][0].weight.grad is not None
