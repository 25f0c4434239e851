"""Localisation over the marked findings of drawn pictures, with systems that point by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from encoders.batch import StudyBatch
from experiments.datasets import DATASETS
from experiments.datasets.synthetic import Synthetic
from experiments.loading.marked_boxes import Marked, marked_boxes
from experiments.metrics.pointing import POINTING_METRICS, covered
from experiments.metrics.sums import measure
from experiments.records.folder import RunFolder
from experiments.records.scores import read_scores
from experiments.runs.build import RunContext
from experiments.tasks import check_tasks
from experiments.tasks.localisation import Localisation
from kg.errors import InputError

SIDE = 32


class Points:
    """What localises, beside the system it is put on."""

    def __init__(self, system: torch.nn.Module, maps: dict[str, dict[str, np.ndarray]]) -> None:
        self.system, self.maps, self.training = system, maps, True

    def parameters(self) -> object:
        return self.system.parameters()

    def train(self, mode: bool = True) -> None:
        self.training = mode

    def eval(self) -> None:
        self.training = False

    def localise(self, batch: StudyBatch, findings: tuple[str, ...]) -> Tensor:
        assert not self.training
        shape = (len(batch.ids), len(findings), batch.image_mask.shape[1], SIDE, SIDE)
        made = torch.full(shape, float("nan"))
        for row, study in enumerate(batch.ids):
            for column, finding in enumerate(findings):
                given = self.maps.get(study, {}).get(finding, np.ones((SIDE, SIDE)))
                made[row, column] = torch.from_numpy(given)[None]
        return made


def boxes(context: RunContext) -> dict[str, dict[str, list[list[float]]]]:
    """Boxes in shares of the drawn square pictures, by study and finding, frontal views alone."""
    data = context.experiment.data
    dataset = Synthetic(Synthetic.Options(**data.options))
    found: dict[str, dict[str, list[list[float]]]] = {}
    for box in dataset.boxes(context.root):
        if box.concept in context.preprocessor.findings:
            wide, high = box.sides or (0, 0)
            edges = [box.x / wide, box.y / high]
            edges += [(box.x + box.width) / wide, (box.y + box.height) / high]
            found.setdefault(box.study, {}).setdefault(box.concept, []).append(edges)
    return found


@pytest.fixture
def context(make: Callable[..., RunContext]) -> RunContext:
    made = make()
    return replace(made, cohorts={**made.cohorts, "test": made.cohorts["train"]})


def test_a_system_without_a_hint_has_chance(
    context: RunContext, new_folder: Callable[[], RunFolder]
) -> None:
    folder = new_folder()
    context = replace(context, system=Points(context.system, {}))  # type: ignore[arg-type]
    found = Localisation().measure(folder, context).metrics["test"]
    chance = found["localisation_chance"].value
    assert chance is not None
    assert 0 < chance < 1
    assert found["localisation_pointing_game"].value == pytest.approx(chance)
    assert found["localisation_energy_in_box"].value == pytest.approx(chance)
    assert set(found) == set(Localisation.metrics)


def test_a_system_that_points_at_the_boxes_hits_them(
    context: RunContext, new_folder: Callable[[], RunFolder]
) -> None:
    folder = new_folder()
    marked = boxes(context)
    maps = {
        study: {
            finding: np.mean([covered([box], (SIDE, SIDE)) for box in each], axis=0) + 1e-9
            for finding, each in by_finding.items()
        }
        for study, by_finding in marked.items()
    }
    context = replace(context, system=Points(context.system, maps))  # type: ignore[arg-type]
    found = Localisation().measure(folder, context).metrics["test"]
    hit, chance = (found[f"localisation_{name}"].value for name in ("energy_in_box", "chance"))
    assert hit is not None
    assert chance is not None
    assert hit > 3 * chance
    (scores,) = read_scores(folder.scores)
    there = {study.study for study in context.cohorts["test"].studies} & set(marked)
    assert (scores.part, scores.task, set(scores.studies)) == ("test", "localisation", there)
    again = measure(
        scores.numbers, POINTING_METRICS, np.arange(len(there)), rng=np.random.default_rng(0)
    )
    assert again["energy_in_box"].value == pytest.approx(hit)


def test_without_a_box_it_is_refused(
    context: RunContext, new_folder: Callable[[], RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DATASETS.load("synthetic"), "boxes", lambda self, root: ())
    with pytest.raises(InputError, match="no test study of synthetic has a box") as caught:
        Localisation().measure(new_folder(), context)
    assert caught.value.hint


def test_a_system_without_a_map_of_what_was_marked_is_refused(
    context: RunContext, new_folder: Callable[[], RunFolder]
) -> None:
    nothing = np.full((SIDE, SIDE), np.nan)
    every = dict.fromkeys(context.preprocessor.findings, nothing)
    maps = dict.fromkeys((study.study for study in context.cohorts["test"].studies), every)
    context = replace(context, system=Points(context.system, maps))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="has no map of any finding"):
        Localisation().measure(new_folder(), context)


def test_a_system_that_cannot_localise_is_refused_by_name(make: Callable[..., RunContext]) -> None:
    with pytest.raises(InputError, match="cannot localise"):
        check_tasks(make().system, ["localisation"])


def test_a_box_is_marked_in_the_tiles_it_touches(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = marked_boxes(
        context.experiment, context.preprocessor, context.root, context.cohorts["test"]
    )
    pictures = context.preprocessor.images
    assert pictures is not None
    cut = pictures.section.model_copy(update={"tiles": 2})
    monkeypatch.setattr(pictures, "section", cut)
    tiles = marked_boxes(
        context.experiment, context.preprocessor, context.root, context.cohorts["test"]
    )
    assert set(tiles) == set(whole)
    places = {picture for boxes in tiles.values() for picture, _ in boxes}
    assert places <= set(range(8))
    assert len(places) > 2
    for place, boxes in whole.items():
        # a tile has a quarter of the area
        assert area(tiles[place]) / 4 == pytest.approx(area(boxes), abs=1e-4)


def area(marked: Marked) -> float:
    """Sum of the areas of boxes in shares of the views they lie in."""
    boxes = np.array([box for each in marked.values() for box in each])
    return float(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).sum())
