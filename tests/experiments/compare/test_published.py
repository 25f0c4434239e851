"""Numbers printed elsewhere: where each is from, beside which entries it stands, what is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import pytest

from experiments.cli.main import main
from experiments.compare.compare import compare
from experiments.compare.published import notes_on_printed, shipped_numbers
from experiments.config.load import resolve, shipped_configs
from experiments.config.schema import MARKS, Mark
from experiments.metrics.bootstrap import Plan
from experiments.reports.write_comparison import render

QUICK = Plan(resamples=200)
ZHENG = "0.99 | 2nd | Zheng 2021"


@pytest.fixture
def covid(crossed):
    """Runs called as a shipped configuration, with its task unless changed."""
    task = resolve("graph_fusion_covid").model_dump(mode="json")

    def made(changes: Mapping[str, Any] | None = None, **record: Any):
        data = {"data": task["data"], "text": task["text"], **(changes or {})}
        given = {"dataset": "covid_multi_imaging", **record}
        return {"graph_fusion_covid": crossed("graph_fusion_covid", changes=data, **given)}

    return made


def test_every_shipped_number_says_where_it_is_from_how_it_is_known_and_what_differs() -> None:
    assert set(MARKS) == set(get_args(Mark))
    for one in shipped_numbers():
        assert one.metric
        assert one.where
        assert one.differs
        assert one.mark in MARKS
        assert one.mark != "M-lo", "a guess is not shown beside a measurement"
        assert 0 < one.value < 1
        assert one.beside
        assert set(one.beside) <= set(shipped_configs())


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_a_number_in_a_configuration_is_no_guess_and_says_what_differs(name: str) -> None:
    for one in resolve(name).published:
        assert one.where
        assert one.differs
        assert one.mark != "M-lo", "a guess is not shown beside a measurement"
        assert 0 < one.value < 1


def test_a_page_shows_the_number_and_says_what_its_mark_means(covid) -> None:
    groups = covid()
    made = compare(groups, plan=QUICK, keep=["published"])
    page, text = render(made, ".html"), render(made, ".md")
    assert ZHENG in text
    for written in (page, text):
        assert "Zheng 2021" in written
        assert "doctor-patient dialogues are read at test" in written
        assert f"2nd = {MARKS['2nd']}" in written
        assert "not comparable with ours" in written
        assert f"A = {MARKS['A']}" not in written, "a mark that is not shown is not explained"
    assert "Zheng" not in render(compare(groups, plan=QUICK), ".md")


@pytest.mark.parametrize(
    ("changes", "record"),
    [
        ({"text": {"test": "full"}}, {}),
        ({"data": {"name": "covid_multi_imaging", "labels": "pocus4"}}, {}),
        ({}, {"dataset": "figure1"}),
    ],
)
def test_it_stands_beside_no_other_task_and_no_other_data(covid, changes, record) -> None:
    made = compare(covid(changes, **record), plan=QUICK, keep=["published"])
    assert made.entries[0].published == ()
    assert made.notes[-1] == next(notes_on_printed(made.entries))


def test_that_there_is_none_is_said_in_every_format(crossed, tmp_path, capsys) -> None:
    said = "no published numbers are known for any of these configurations"
    made = compare({"full": crossed()}, plan=QUICK, keep=["published"])
    for ending in (".html", ".md", ".tex"):
        assert said in render(made, ending)
        assert "Printed elsewhere" not in render(made, ending)
    words = ("experiment", "compare", "--experiment", "full", "--runs", str(tmp_path / "runs"))
    assert main([*words, "--published"]) == 0
    assert f"note: {said}" in capsys.readouterr().err
    assert main([*words]) == 0
    assert said not in capsys.readouterr().err


def test_the_terminal_prints_a_table_of_its_own(covid, tmp_path, capsys) -> None:
    covid()
    words = ("--experiment", "graph_fusion_covid", "--runs", str(tmp_path / "runs"))
    assert main(["experiment", "compare", *words, "--published"]) == 0
    out, err = capsys.readouterr()
    head, first = out.split("\n\n")[1].splitlines()[:2]
    assert head.split("\t") == ["entry", "metric", "published", "mark", "where", "differences"]
    assert first.split("\t")[:4] == ["graph_fusion_covid", "AUC", "0.99", "2nd"]
    assert f"2nd = {MARKS['2nd']}" in err


def test_a_mark_that_is_none_is_refused() -> None:
    from kg.errors import InputError

    number = "published=[{metric: AUC, value: 0.9, where: here, mark: read}]"
    with pytest.raises(InputError, match=r"published.0.mark: 'read' is none of its values") as said:
        resolve("demo", [number])
    assert "M-hi" in said.value.hint
