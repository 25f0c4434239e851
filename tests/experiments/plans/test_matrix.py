"""A matrix: its endpoint is named beforehand, its arms are equal but for the graph, its table."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from experiments.cli.main import kgdx
from experiments.config.load import resolve
from experiments.metrics.bootstrap import Plan
from experiments.plans.jobs import stand
from experiments.plans.matrix import MatrixFile, read_matrix
from experiments.plans.matrix_result import MatrixResult, keep, matrix_result
from experiments.plans.plan import make_plan
from experiments.plans.schema import read_plan, shipped_plans
from experiments.reports.html import render_html
from experiments.reports.matrix_page import render_matrix
from experiments.reports.report_resolver import page_of
from experiments.runner.run import set_global_state
from experiments.runs.build import chosen_system
from fusion.system import Setting
from kg.errors import InputError
from kg.files.store import load_shipped
from tests.experiments.systems.conftest import concept_texts, fitted_encoder

QUICK = Plan(resamples=200)
DRAWN = ("edges", "entails", "queries.order")
"""What a system draws itself in its arm `shuffled`."""
SHIPPED = [name for name in shipped_plans() if read_matrix(name)]
TEXT = """name: m
about: Does it help?
endpoint: {arm: graph, minus: shuffled, setting: all, mechanisms: 3}
settings: {few: {split.fraction: 0.5}, all: {}}
seeds: [0, 1]
folds: [0]
mechanisms:
  - config: FOLDER/tiny.yaml
    name: first
    says: It looks at neighbours.
    set: {name: first}
    arms:
      graph: {system.options.dropout: 0.1}
      shuffled: {system.options.dropout: 0.0}
      none: {system.options.dropout: 0.05}
  - config: FOLDER/tiny.yaml
    name: second
    says: It does nothing.
    set: {name: second, system.options.width: 16}
    arms: {graph: {system.options.dropout: 0.01}, shuffled: {system.options.dropout: 0.0}}
"""


def shipped(name: str) -> MatrixFile:
    matrix = read_matrix(name)
    assert matrix is not None
    return matrix


@pytest.fixture
def matrix_file(plan_file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "m.yaml"
    path.write_text(TEXT.replace("FOLDER", str(plan_file.parent)), encoding="utf-8")
    return path


def test_the_endpoint_is_graph_minus_shuffled_at_a_fifth_over_eight() -> None:
    matrix = shipped("graph_matrix")
    end = matrix.endpoint
    assert (end.arm, end.minus, end.setting, end.mechanisms) == (
        "graph", "shuffled", "20% of the studies", 8,
    )  # fmt: skip
    assert matrix.settings[end.setting]["split.fraction"] == 0.2
    assert [one.get("split.fraction", 1.0) for one in matrix.settings.values()] == [0.05, 0.2, 1.0]
    assert matrix.seeds == (0, 1, 2, 3, 4)
    plan = make_plan(matrix.as_plan())
    runs = sum(len(row.arms) for row in matrix.mechanisms) * 3 * 5
    assert len({job.digest for job in plan.jobs}) == len(plan.jobs) == runs


@pytest.mark.parametrize("name", SHIPPED)
def test_every_arm_has_as_many_parameters(name: str) -> None:
    graph = load_shipped()
    vectors = torch.zeros(len(graph.concepts), 128)
    findings = graph.label_set("nih14").findings
    for row in shipped(name).mechanisms:
        counts: dict[str, int] = {}
        for arm, values in row.arms.items():
            laid = [f"{k}={json.dumps(v)}" for k, v in {**row.set, **values}.items()]
            experiment = resolve(row.config, laid)
            system, options, stages = chosen_system(experiment)
            needs = system.needs(options, stages)
            reads = experiment.text.test != "none" or needs.paired_report or needs.definitions
            encoder = fitted_encoder(["a mass in the left lung"], ends=needs.vocabulary)
            setting = Setting(
                graph,
                vectors,
                findings,
                supervised=findings,
                image_width=64,
                image_tokens=16,
                text_width=encoder.width * reads,
                text_encoder=encoder if reads else None,
                vocabulary=encoder.vocabulary() if needs.vocabulary else None,
                texts=concept_texts(graph, encoder) if needs.definitions else None,
            )
            built: nn.Module = system(options, setting, stages)  # type: ignore[call-arg]
            counts[arm] = sum(one.numel() for one in built.parameters())
            # vectors of concepts are given in the other arms, and learned in `none`
            given = [
                one
                for key, one in built.named_buffers()
                if key.endswith(("reader.vectors", ".kept"))
            ]
            counts[arm] += sum(one.numel() for one in given)
        assert len(set(counts.values())) == 1, (row.label, counts)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_chance_makes_is_drawn_anew_with_every_seed(name: str) -> None:
    matrix = shipped(name)
    plan = make_plan(matrix.as_plan())
    for row in matrix.mechanisms:
        jobs = plan.rows[f"{row.label}, shuffled, {matrix.endpoint.setting}"]
        sections = [job.experiment.graph for job in jobs]
        drawn_by_graph = [one.seed for one in sections if one.control == "shuffled"]
        if drawn_by_graph:
            assert drawn_by_graph == list(matrix.seeds), row.label
            continue
        # drawn by the system, from the seed of the process
        edges = set()
        for job in jobs:
            setting = _setting()
            set_global_state(job.experiment)
            system, options, stages = chosen_system(job.experiment)
            built = system(options, setting, stages)  # type: ignore[call-arg]
            held = dict(built.named_buffers())
            edges.add(str(next(held[one] for one in DRAWN if one in held).tolist()))
        assert len(edges) == len(jobs), row.label


def _setting() -> Setting:
    graph = load_shipped()
    findings = tuple(
        dict.fromkeys(
            name
            for edge in graph.edges
            if edge.relation == "is_a"
            for name in (edge.subject, edge.object)
        )
    )[:40]
    encoder = fitted_encoder(["a mass in the left lung"])
    return Setting(graph, torch.zeros(len(graph.concepts), 8), findings,
                   image_width=8, image_tokens=16, text_width=encoder.width, text_encoder=encoder,
                   texts=concept_texts(graph, encoder))  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("setting: all", "setting: al"), "endpoint: no setting is called 'al'|m.yaml:3"),
        (("minus: shuffled", "minus: shufled"), "no arm is called 'shufled'"),
        (("mechanisms: 3", "mechanisms: 1"), "endpoint.mechanisms: 1, but there are 2 rows"),
        (("name: second\n", "name: first\n"), "2 rows are called 'first'"),
        (("seeds: [0, 1]", "seeds: []"), "m.yaml:5: seeds: there are none"),
        (("says: It", "sais: It"), "sais"),
    ],
)
def test_a_mistake_is_named(matrix_file: Path, change: tuple[str, str], says: str) -> None:
    matrix_file.write_text(matrix_file.read_text("utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(InputError, match=says) as caught:
        read_matrix(str(matrix_file))
    assert caught.value.hint


def test_a_plan_without_mechanisms_is_no_matrix(plan_file: Path) -> None:
    assert read_matrix(str(plan_file)) is None
    assert read_plan(str(plan_file)).name == "tiny_plan"


def test_the_command_runs_it_and_writes_its_table(
    matrix_file: Path, trainer: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    command = ["experiment", "plan", str(matrix_file), "--runs", str(runs), "--workers", "1"]
    ended = CliRunner().invoke(kgdx, [*command, "--system", "first"], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    assert "12 of 12 runs are not finished" in ended.stderr
    assert "It looks at neighbours." in ended.stdout

    matrix = read_matrix(str(matrix_file))
    assert matrix is not None
    plan = make_plan(matrix.as_plan())
    result = matrix_result(matrix, plan, runs, QUICK)
    first, second = result.rows
    assert first.primary is not None
    assert second.primary is None
    assert (first.primary.first, first.primary.second) == ("graph", "shuffled")
    alone = next(a.difference for a in first.arms if (a.setting, a.arm) == ("all", "shuffled"))
    assert alone is not None
    assert alone.p is not None
    # two of the three mechanisms are still to come, and count as showing nothing
    assert first.primary.p_holm == pytest.approx(min(1.0, 3 * alone.p))
    assert first.primary.value == alone.value
    assert (first.primary.value.value or 0) > 0
    assert {a.state for a in second.arms} == {"0 of 2 runs finished"}

    page = render_matrix(result, ".html")
    assert page.count("<svg") == 1
    assert "1 of 3 mechanisms" in page or first.primary.verdict != "higher"
    lines = list(csv.DictReader(io.StringIO(render_matrix(result, ".csv"))))
    assert [(one["mechanism"], one["setting"], one["arm"]) for one in lines] == [
        (row.name, arm.setting, arm.arm) for row in result.rows for arm in row.arms
    ]
    assert [one["arm"] for one in lines if one["primary"]] == ["shuffled", "shuffled"]
    assert "It does nothing." in render_matrix(result, ".md")
    kept = keep(result, plan.folder(runs))
    assert MatrixResult.from_json(json.loads(kept.read_text())) == result
    assert render_html(page_of("m", runs)) == page
    with pytest.raises(InputError, match="matrix: rows"):
        MatrixResult.from_json({**result.as_json(), "rows": 3})


def test_an_arm_that_is_not_finished_says_so(
    matrix_file: Path, trainer: Path, tmp_path: Path
) -> None:
    matrix = read_matrix(str(matrix_file))
    assert matrix is not None
    runs = tmp_path / "runs"
    command = ["experiment", "plan", str(matrix_file), "--runs", str(runs), "--workers", "1"]
    CliRunner().invoke(kgdx, command, catch_exceptions=False)
    plan = make_plan(matrix.as_plan())
    job = plan.rows["first, graph, all"][0]
    folder = stand([job], runs)[job.digest][1]
    assert folder is not None
    replace(folder.load_record(), status="stopped").save(folder.record)
    result = matrix_result(matrix, plan, runs, QUICK)
    states = {(a.setting, a.arm): a.state for a in result.rows[0].arms}
    assert states["all", "graph"] == "1 of 2 runs finished"
    assert states["all", "shuffled"] == states["few", "graph"] == ""
    assert result.rows[0].primary is None
    assert result.rows[1].primary is not None
    assert "graph is not finished" in render_matrix(result, ".md")
