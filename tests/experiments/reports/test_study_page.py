"""The page of one study shows all of it, escaped, and refers to nothing outside itself."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from encoders.study import Passage, Study, StudyImage
from experiments.cli.data import data
from experiments.datasets.openi import OpenI
from experiments.preparation.inventory import development_study
from experiments.preparation.open_dataset import OpenDataset
from experiments.reports.study_page import MOST, render_study_page
from experiments.splits.manifest import locked_studies
from kg.errors import InputError
from kg.files.store import load_shipped

SCRIPT = "<script>alert('x')</script>"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 255, (40, 50), dtype=np.uint8)) for _ in range(30)]
    frames[0].save(tmp_path / "film.png")
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:], duration=40)
    (tmp_path / "cut.png").write_bytes(b"")
    return Study(
        study=f"s1 {SCRIPT}",
        patient="p1",
        images=(
            StudyImage("film.png", "cxr", "frontal"),
            StudyImage("clip.gif", "ultrasound", "convex"),
            StudyImage("cut.png", "cxr", "lateral"),
        ),
        report=(
            Passage("findings", f"Large heart. {SCRIPT}"),
            Passage("impression", "心脏增大", "zh"),
        ),
        dialogue=(Passage("doctor", "Fever?"),),
        stated={"ckg:cardiomegaly": "present", "ckg:no_finding": "absent"},
        dataset="table",
        metadata={"sex": "F"},
    )


def test_everything_is_shown_and_escaped(study: Study, tmp_path: Path) -> None:
    page = render_study_page(study, tmp_path, load_shipped())
    pictures = re.findall(r'src="(data:image/png;base64,[^"]+)"', page)
    assert len(pictures) == MOST - 1
    assert len(set(pictures)) >= MOST - 2
    assert "ultrasound, convex, 2 of 30" in page
    assert "Cannot be read: empty" in page
    assert SCRIPT not in page
    assert page.count("&lt;script&gt;") >= 2
    assert "Cardiomegaly: present" in page
    assert 'lang="zh">心脏增大' in page
    for word in ("Fever?", "doctor", "p1", "sex"):
        assert word in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "default-src 'none'" in page


def test_a_study_with_nothing_is_said_to_have_nothing(tmp_path: Path) -> None:
    page = render_study_page(Study("s", "p"), tmp_path, load_shipped())
    assert "This study has no image." in page
    assert "No labels are stated." in page


def test_locked_studies_are_not_shown(tmp_path: Path) -> None:
    OpenI().tiny(tmp_path / "openi")
    studies = OpenI().studies(tmp_path / "openi", labels="nih14")
    shut = sorted(locked_studies(OpenI(), studies))
    free = next(study for study in studies if study.study not in shut)
    opened = OpenDataset.open("openi", OpenI(), tmp_path / "openi")
    assert development_study(opened, free.study) == free
    with pytest.raises(InputError, match="is in the locked test set"):
        development_study(opened, shut[0])
    with pytest.raises(InputError, match="has no study 'CXR99'"):
        development_study(opened, "CXR99")

    def run(*words: str) -> str:
        done = CliRunner().invoke(data, ["show", "openi", "--root", str(tmp_path), *words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output

    counts = run()
    assert "openi-locked-seed0\ttrain: " in counts
    assert f"study\t{free.study}" in run("--study", free.study)
    run("--study", free.study, "-o", str(tmp_path / "page.html"))
    assert f"<h1>Study {free.study}</h1>" in (tmp_path / "page.html").read_text()
    with pytest.raises(InputError, match="-o writes the page of one study"):
        run("-o", str(tmp_path / "page.html"))
