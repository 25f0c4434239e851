"""Boxes of the findings that a data set marks, in the square views that a system is given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.config.schema import Experiment
from experiments.datasets._boxes import Box, boxes_of
from experiments.loading.cohort import Cohort
from experiments.loading.image_needs import resized_boxes
from experiments.loading.preprocessor import StudyPreprocessor
from experiments.preparation.open_dataset import build_dataset

__all__ = ["Marked", "marked_boxes"]

Marked = Mapping[tuple[int, str], Sequence[Sequence[float]]]
"""Boxes of a study in the square views, by place of the picture and finding."""


def marked_boxes(
    experiment: Experiment, preprocessor: StudyPreprocessor, root: Path, cohort: Cohort
) -> dict[int, Marked]:
    """Boxes of the findings trained on, by place of the study; none where the data have none.

    Args:
        experiment: Configuration of the run.
        preprocessor: Its preprocessor.
        root: Folder of the data set.
        cohort: Studies, with image paths relative to the root.
    """
    data, pictures = experiment.data, preprocessor.images
    dataset = build_dataset(data.name, data.options)
    if pictures is None or not hasattr(dataset, "boxes"):
        return {}
    boxes: Iterable[Box] = dataset.boxes(root)
    by_study: defaultdict[str, list[Box]] = defaultdict(list)
    for box in boxes:
        if box.concept in preprocessor.findings:
            by_study[box.study].append(box)
    side, recipe = pictures.encoder.preprocessing.size, pictures.section.recipe
    marked: dict[int, Marked] = {}
    for place, study in enumerate(cohort.studies):
        found: defaultdict[tuple[int, str], list[Sequence[float]]] = defaultdict(list)
        for picture, image in enumerate(pictures.chosen(study, root)):
            for box in boxes_of(study, image, by_study[study.study]):
                drawn = replace(image, box=box.shares(image, root))
                placed = resized_boxes([[drawn]], root, side, recipe)
                if not placed.isnan().any():  # a box may lie in other tiles of the picture
                    found[picture, box.concept].append(placed[0, 0].tolist())
        if found:
            marked[place] = found
    return marked
