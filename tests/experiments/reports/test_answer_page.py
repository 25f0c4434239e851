"""Page of answers from records alone: what is shown, what is escaped, and what is said of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.study import Passage, StudyImage
from experiments.explanation.answer import (
    Certainty,
    Conformal,
    EdgeShare,
    FactPath,
    FindingAnswer,
    ImageMap,
    Model,
    ShownImage,
    StatementShare,
    StudyAnswer,
    Unusual,
    WordShare,
)
from experiments.explanation.plain_answer import answer_json, answer_lines, answer_rows
from experiments.records.record import Measured
from experiments.reports.answer_page import render_answer_page
from kg.mentions.statement import Statement
from kg.model.edges import Edge, Evidence

TEXT = "Large <b>effusion</b>, no nodule."
NAMES = {"ckg:a": "blunting", "ckg:b": "effusion", "ckg:c": "heart failure"}
BOOK = (Evidence("a textbook, 2020", "curated", "asserted", dataset="openi"),)


@pytest.fixture
def answer(tmp_path: Path) -> StudyAnswer:
    Image.fromarray(np.arange(6400, dtype=np.uint16).reshape(80, 80).astype(np.uint8)).save(
        tmp_path / "a.png"
    )
    held = Conformal(0.9, frozenset({"present"}), Measured(0.91), Measured(0.88), 50)  # type: ignore[arg-type]
    first = EdgeShare(Edge("ckg:a", "suggestive_of", "ckg:c", BOOK), 0.4)
    second = EdgeShare(Edge("ckg:c", "causes_condition", "ckg:b", BOOK), -0.2)
    effusion = FindingAnswer(
        "ckg:b",
        "Pleural effusion",
        "trained",
        0.3,
        Certainty(0.8, calibrated=True, conformal=held),
        {"image": 1.5, "text": -0.25},
        (ImageMap(0, "occlusion", np.pad(np.ones((4, 4)), 30)),),
        (WordShare(0, 9, 17, 2.0), WordShare(0, 26, 32, -0.5)),
        (
            StatementShare(
                Statement("ckg:b", "present", 0, 9, 17, "findings", "x"), "effusion", 2.0
            ),
        ),
        (
            FactPath("ckg:a", "stated", "present", (first, second), 1.25),
            FactPath("ckg:c", "linked", "", (second,), -0.2),
        ),
    )
    zero = FindingAnswer("ckg:z", "Scoliosis", "zero_shot", None, Certainty(0.4, calibrated=False))
    none = FindingAnswer("ckg:n", "Gout", "not_possible", None, Certainty(None, calibrated=False))
    return StudyAnswer(
        study="<case>",
        models=(Model("run-1", "graph_fusion", "openi", ("image",), "ab" * 32, "cd" * 32, "0.1"),),
        images=(ShownImage(StudyImage(str(tmp_path / "a.png"), "cxr", "frontal"), (80, 80)),),
        passages=(Passage("findings", TEXT),),
        findings=(effusion, zero, none),
        unusual=Unusual(3.5, 2.0, (0,), Measured(0.02, 0.01, 0.04)),
        exposed="picture",
        refused=(("b.png", "truncated"),),
        names=NAMES,
    )


def test_the_page_says_all_of_it(answer: StudyAnswer) -> None:
    page = render_answer_page([answer])
    for words in (
        "Found: Pleural effusion; zero-shot: Scoliosis.",
        "training has seen this picture",
        "picture unlike those of training",
        "1 not taught",
        "1 not possible",
        "Refused: b.png: truncated",
        "0.80, threshold 0.30, 90% set: present",
        "0.910 of 50 test studies (0.880 of those with the finding)",
        "heart failure causes condition effusion (a textbook, 2020, openi)",
        "present +1.25</text>",  # the statement's own share beside those of the edges
        "0.020 [0.010, 0.040]",
        "abababababab",
    ):
        assert words in page, words
    assert "&lt;case&gt;" in page
    assert "<b>effusion</b>" not in page
    assert ">effusion</span>" in page  # the word is marked, not its tags
    assert page.count('class="facts"') == 1
    assert page.count("<image") == 0
    assert "http:" not in page.replace("http://www.w3.org", "")


def test_without_anything_to_show_there_is_still_a_page() -> None:
    bare = StudyAnswer("s", (Model("r", "x", "y", (), "", "", ""),), (), (), ())
    page = render_answer_page([bare])
    assert "No picture was read." in page
    assert "nothing above its threshold" in page


def test_the_same_in_json_in_a_row_and_in_lines(answer: StudyAnswer) -> None:
    plain = answer_json(answer)
    assert plain["findings"][0]["facts"][0]["edges"][1]["evidence"][0]["dataset"] == "openi"
    assert plain["findings"][0]["certainty"]["conformal"]["covered"]["value"] == 0.91
    assert plain["findings"][0]["maps"][0]["box"] == pytest.approx(
        [30 / 64, 30 / 64, 34 / 64, 34 / 64]
    )
    assert plain["exposed"] == "picture"
    rows = answer_rows([answer])
    assert [row["verdict"] for row in rows] == ["present", "no threshold", "not possible"]
    assert rows[0]["words"] == "+2.00 'effusion'; -0.50 'nodule'"
    assert rows[0]["unusual_picture"] is True
    lines = list(answer_lines(answer, 1))
    assert "  Pleural effusion: present, 0.80, threshold 0.30, 90% set: present" in lines
    assert any("centre of the picture" in line for line in lines)
    assert any("present; each edge on its way alone: +0.40 " in line for line in lines)
    assert any("-0.20 in the graph: " in line for line in lines)
    assert lines[-1] == "  2 more: Scoliosis (no threshold), Gout (not possible)"
