"""Made-up slides: the same bytes from the same seed, a grade that can be measured, four tasks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders.reading.picture import look, read_parts
from experiments.datasets.synthetic_slides import TASKS, SyntheticSlides
from experiments.synthetic.slide import Tissue, draw_slide


def test_the_same_seed_gives_the_same_slides(tmp_path: Path) -> None:
    options = SyntheticSlides.Options(studies=4, size=256)
    roots = [tmp_path / "one", tmp_path / "two"]
    studies = [SyntheticSlides(options).studies(root, labels="slide") for root in roots]
    assert studies[0] == studies[1]
    for study in studies[0]:
        paths = [root / study.images[0].path for root in roots]
        assert paths[0].read_bytes() == paths[1].read_bytes()
        assert look(paths[0]).modality == "pathology"
        assert {tile.shape for tile in read_parts(paths[0], [0], colour=True)} == {(3, 256, 256)}
    other = SyntheticSlides(options.model_copy(update={"seed": 1}))
    assert other.studies(roots[0], labels="slide") != studies[0]


def test_one_value_of_each_task_holds(tmp_path: Path) -> None:
    data = SyntheticSlides(SyntheticSlides.Options(studies=3, size=256))
    for task in TASKS:
        for study in data.studies(tmp_path, labels=task):
            findings = data.label_set(tmp_path, task).findings
            assert {*study.stated} == {*findings}
            assert [*study.stated.values()].count("present") == 1
    assert len(data.label_set(tmp_path, "slide").findings) == 11


@pytest.mark.parametrize("stain", ["he", "ihc"])
def test_glands_close_with_the_grade(stain: str) -> None:
    """Share of open middles falls from grade to grade, whatever the stain."""
    shares = []
    for grade in range(1, 6):
        pixels = draw_slide(Tissue(grade, stain, False, False), 512, np.random.default_rng(3))
        middle = pixels[100:400, 60:450].min(-1)
        shares.append(float((middle > 225).mean()))
    assert shares[0] > shares[-1]
    assert max(shares[:4]) > 2 * shares[4] + 0.02
