"""The table of a plan: the numbers of `compare`, and no difference where none may be taken."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.compare.compare import compare
from experiments.compare.runs import EnsembleRuns
from experiments.metrics.bootstrap import Plan
from experiments.plans.jobs import stand
from experiments.plans.plan import RunPlan, make_plan
from experiments.plans.result import PlanResult, ResultRow, keep, result_of
from experiments.plans.schema import Ensemble, read_plan
from experiments.plans.survey import fidelity
from experiments.records.record import RunRecord
from experiments.reports.html import render_html
from experiments.reports.plan_page import render_plan
from experiments.reports.report_resolver import page_of

QUICK = Plan(resamples=200)


def row_of(result: PlanResult, name: str) -> ResultRow:
    return next(row for row in result.rows if row.name == name)


def change(plan: RunPlan, label: str, runs: Path, how: Callable[[RunRecord], RunRecord]) -> None:
    """Change the records of a row."""
    standing = stand(plan.rows[label], runs)
    for job in plan.rows[label]:
        folder = standing[job.digest][1]
        assert folder is not None
        how(folder.load_record()).save(folder.record)


def test_its_numbers_are_those_of_compare(tiny_plan: RunPlan, finished_runs: Path) -> None:
    result = result_of(tiny_plan, finished_runs, QUICK)
    standing = stand(tiny_plan.jobs, finished_runs)
    groups = {
        label: [folder for job in jobs if (folder := standing[job.digest][1])]
        for label, jobs in tiny_plan.rows.items()
    }
    pairs = [("probe", "tiny"), ("logistic", "tiny")]
    expected = compare(groups, pairs=pairs, plan=QUICK)
    for label in groups:
        assert row_of(result, label).value == expected.entry(label).metrics["auroc_macro"]
    for pair in pairs:
        assert row_of(result, pair[0]).difference == expected.between(*pair)[0]
    probe, logistic = (row_of(result, name).difference for name in ("probe", "logistic"))
    assert probe is not None
    assert logistic is not None
    assert (probe.verdict, logistic.verdict) == ("higher", "lower")
    assert row_of(result, "tiny").difference is None


def test_time_is_a_ratio_with_and_without_what_a_run_starts_from(
    tiny_plan: RunPlan, runs: Path
) -> None:
    result = result_of(tiny_plan, runs, QUICK)
    times = {row.name: row.time for row in result.rows}
    assert times == {
        "tiny": (1.0, None, False), "probe": (2.5, 6.5, False), "logistic": (0.2, None, False),
    }  # fmt: skip

    def measured(record: RunRecord) -> RunRecord:
        return replace(record, times={**record.times, "train_cpu": 3.0})

    # processor time is taken where it is known of both, and of what a run starts from
    for label in ("tiny", "probe", "logistic"):
        change(tiny_plan, label, runs, measured)
    times = {row.name: row.time for row in result_of(tiny_plan, runs, QUICK).rows}
    assert times["logistic"] == (1.0, None, True)
    assert times["probe"] == (2.5, 6.5, False)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inputs_at_test": ("image", "view")}, "other inputs at test: image + view, not image"),
        ({"dataset": "openi"}, "other data: openi, not synthetic"),
        ({"labels": "covid"}, "other labels: covid, not nih14"),
        ({"split_manifest": "x"}, "another split"),
        ({"label_policy": {"blank": "zero"}}, "another label policy"),
        ({"findings": ()}, "other findings"),
    ],
)
def test_a_row_that_is_about_something_else_has_no_difference_and_says_why(
    tiny_plan: RunPlan, runs: Path, changes: dict[str, Any], says: str
) -> None:
    change(tiny_plan, "probe", runs, lambda record: replace(record, **changes))
    result = result_of(tiny_plan, runs, QUICK)
    probe = row_of(result, "probe")
    assert probe.not_compared == says
    assert probe.difference is None
    assert probe.value is not None
    other = row_of(result, "logistic").difference
    assert other is not None
    assert other.p_holm == other.p  # the only difference left
    assert says in render_plan(result, ".md")


def test_a_row_that_is_not_finished_says_so_and_the_others_stand(
    tiny_plan: RunPlan, runs: Path
) -> None:
    change(tiny_plan, "probe", runs, lambda record: replace(record, status="stopped"))
    probe = row_of(result_of(tiny_plan, runs, QUICK), "probe")
    assert (probe.state, probe.value) == ("0 of 4 runs finished", None)
    change(tiny_plan, "tiny", runs, lambda record: replace(record, status="stopped"))
    result = result_of(tiny_plan, runs, QUICK)
    assert row_of(result, "logistic").not_compared == "the reference is not finished"
    assert row_of(result, "logistic").value is not None
    assert "0 of 0 systems" in render_plan(result, ".html")


def test_other_seeds_of_a_trained_row_are_not_compared(
    plan_file: Path, finished_runs: Path
) -> None:
    file = read_plan(str(plan_file))
    systems = tuple(
        row.model_copy(update={"seeds": (1,)}) if row.label == "probe" else row
        for row in file.systems
    )
    plan = make_plan(file.model_copy(update={"systems": systems, "tune": 0}))
    result = result_of(plan, finished_runs, QUICK)
    assert row_of(result, "probe").not_compared == ""  # it is fitted, not trained
    assert row_of(result, "logistic").not_compared == ""
    plan = make_plan(file.model_copy(update={"tune": 0, "reference": "probe"}))
    assert row_of(result_of(plan, finished_runs, QUICK), "tiny").not_compared == ""


def joined(plan: RunPlan, **of: tuple[str, ...]) -> RunPlan:
    """The plan with ensembles."""
    ensembles = tuple(Ensemble(name=name, of=labels) for name, labels in of.items())
    return replace(plan, file=plan.file.model_copy(update={"ensembles": ensembles}))


def test_an_ensemble_has_the_row_of_a_system(tiny_plan: RunPlan, runs: Path) -> None:
    def other(record: RunRecord) -> RunRecord:
        return replace(record, parameters=20, supervision=("reports", "labels"))

    change(tiny_plan, "logistic", runs, other)
    plan = joined(tiny_plan, both=("probe", "logistic"), seeds=("probe",))
    result = result_of(plan, runs, QUICK)
    assert [row.name for row in result.rows] == ["tiny", "probe", "logistic", "both", "seeds"]
    both, seeds = row_of(result, "both"), row_of(result, "seeds")
    standing = stand(tiny_plan.jobs, runs)
    folders = {
        label: [folder for job in jobs if (folder := standing[job.digest][1])]
        for label, jobs in tiny_plan.rows.items()
    }
    groups = {
        **folders,
        "both": EnsembleRuns((*folders["probe"], *folders["logistic"])),
        "seeds": EnsembleRuns(folders["probe"]),
    }
    pairs = [(name, "tiny") for name in groups if name != "tiny"]
    expected = compare(groups, pairs=pairs, plan=QUICK)
    for row in (both, seeds):
        assert row.value == expected.entry(row.name).metrics["auroc_macro"]
        # corrected with those of the systems
        assert row.difference == expected.between(row.name, "tiny")[0]
        assert row.difference.p_holm is not None
    # two seeds of the probe, one of logistic regression
    assert (both.parameters, seeds.parameters) == (2020, 2000)
    assert both.supervision == ("reports", "labels")
    assert (both.system, both.fidelity) == ("linear_probe + logistic_image", "paper + own")
    assert (both.seeds, both.folds, both.published) == (2, 2, ())
    assert both.time == pytest.approx((2 * 2.5 + 0.2, 2 * 6.5 + 0.2, False))
    assert seeds.time == pytest.approx((5.0, 13.0, False))
    for ending in (".md", ".html", ".csv"):
        assert "both" in render_plan(result, ending)
    assert PlanResult.from_json(result.as_json()) == result


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inputs_at_test": ("image", "view")}, "other inputs at test: image + view, not image"),
        ({"text_policy": "full"}, "other text policy: full, not none"),
        ({"split_manifest": "x"}, "another split"),
        ({"findings": ()}, "other findings"),
        ({"status": "stopped"}, "4 of 6 runs finished"),
    ],
)
def test_rows_that_differ_make_no_ensemble_and_the_others_stand(
    tiny_plan: RunPlan, runs: Path, changes: dict[str, Any], says: str
) -> None:
    change(tiny_plan, "logistic", runs, lambda record: replace(record, **changes))
    plan = joined(tiny_plan, both=("probe", "logistic"), seeds=("probe",))
    result = result_of(plan, runs, QUICK)
    both = row_of(result, "both")
    assert says in both.state
    assert (both.value, both.difference) == (None, None)
    assert row_of(result, "seeds").difference is not None
    assert says in render_plan(result, ".md")


def test_an_ensemble_with_other_inputs_than_the_reference_has_no_difference(
    tiny_plan: RunPlan, runs: Path
) -> None:
    for label in ("probe", "logistic"):
        change(tiny_plan, label, runs, lambda record: replace(record, inputs_at_test=("text",)))
    result = result_of(joined(tiny_plan, both=("probe", "logistic")), runs, QUICK)
    both = row_of(result, "both")
    assert both.value is not None
    assert (both.difference, both.not_compared) == (None, "other inputs at test: text, not image")


def test_default_and_tuned_stand_side_by_side(plan_file: Path, finished_runs: Path) -> None:
    plan = joined(make_plan(read_plan(str(plan_file))), both=("probe", "logistic"))
    result = result_of(plan, finished_runs, QUICK)
    # the stand-in ranks better with more dropout, which logistic regression and probe do not have
    drawn = r"setting 2 \(learning_rate [\d.]+x, .*dropout [\d.]+, .*\)"
    assert re.fullmatch(drawn, result.chosen["tiny"]), result.chosen
    default, tuned = (row_of(result, name).value for name in ("tiny", "tiny, tuned"))
    assert default is not None
    assert tuned is not None
    assert (tuned.value or 0) > (default.value or 0)
    difference = row_of(result, "probe, tuned").difference
    assert difference is not None
    assert difference.second == "tiny, tuned"
    assert row_of(result, "both").value != row_of(result, "both, tuned").value
    kept = json.loads((plan.folder(finished_runs) / "tuning.json").read_text(encoding="utf-8"))
    assert set(kept["settings"]) == {"setting 1", "setting 2"}
    assert kept["rows"]["tiny"]["chosen"] == "setting 2"
    assert set(kept["rows"]["tiny"]["scores"]) == {"own values", "setting 1", "setting 2"}


def test_every_format_has_every_row(tiny_plan: RunPlan, finished_runs: Path) -> None:
    result = result_of(tiny_plan, finished_runs, QUICK)
    page, text = render_plan(result, ".html"), render_plan(result, ".md")
    assert "<svg" in page
    lines = list(csv.DictReader(io.StringIO(render_plan(result, ".csv"))))
    assert [line["system"] for line in lines] == list(tiny_plan.rows)
    for row, line in zip(result.rows, lines, strict=True):
        assert row.value is not None
        assert row.value.value is not None
        assert line["value"] == f"{row.value.value:.3f}"
        assert row.name in page
        assert f"{row.value.value:.3f}" in text
    assert lines[1]["against"] == "tiny"
    assert lines[1]["verdict"] == "higher"
    assert json.loads(render_plan(result, ".json"))["reference"] == "tiny"
    kept = keep(result, tiny_plan.folder(finished_runs))
    assert PlanResult.from_json(json.loads(kept.read_text())) == result
    for subject in (str(kept), tiny_plan.file.name):
        assert render_html(page_of(subject, finished_runs)) == page
    printed = (finished_runs / "stdout").read_text(encoding="utf-8")
    assert "Minus tiny" in printed
    assert "probe, tuned" in printed


def test_fidelity_is_what_the_docstring_says() -> None:
    assert fidelity("tienet") == "reconstruction"  # over a line's end
    assert fidelity("convirt") == "paper"
    assert fidelity("linear_probe") == "own"
    assert fidelity("linear_probe", "convirt") == "paper"
    assert fidelity("my_package.my:Part") == "own"
