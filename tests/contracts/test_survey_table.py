"""The committed page of the survey is what its generator makes, and no row is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.config.load import shipped_configs
from experiments.plans.survey import SurveyRow, read_survey, scores_in, survey_page
from experiments.systems import SYSTEMS

ROOT = Path(__file__).parents[2]
OWN = ("graph_fusion", "logistic_image", "logistic_metadata", "logistic_text")
"""Systems that are this project's own."""


def test_the_committed_page_is_what_the_generator_makes() -> None:
    made = survey_page(scores_in(ROOT / "tests" / "benchmarks" / "results"))
    written = (ROOT / "docs" / "survey.md").read_text(encoding="utf-8")
    assert written == made, "python tests/benchmarks/survey_table.py"


def test_all_28_rows_are_there_in_order() -> None:
    numbers = [row.row for row in read_survey()]
    assert sorted(set(numbers)) == list(range(1, 29))
    assert numbers == sorted(numbers)


def test_every_published_system_stands_in_a_row() -> None:
    named = {name for row in read_survey() for name in row.files}
    assert set(SYSTEMS.names()) - named == set(OWN)


def test_every_configuration_of_a_paper_stands_in_one_row_alone() -> None:
    starts = [row.configs for row in read_survey() if row.configs]
    for name in shipped_configs():
        fits = [start for start in starts if name.rpartition("/")[2].startswith(start)]
        assert len(fits) <= 1, name
        assert fits or not name.startswith("paper/"), f"{name} stands in no row of survey.yaml"


@pytest.mark.parametrize("row", read_survey(), ids=lambda row: f"{row.row} {row.configs}")
def test_what_a_row_names_beside_systems_is_there(row: SurveyRow) -> None:
    assert all((ROOT / name).is_file() for name in row.files if "/" in name)
    results = ROOT / "tests" / "benchmarks" / "results"
    assert all((results / name).is_file() for name in row.results)
