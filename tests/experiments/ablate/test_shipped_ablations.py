"""Shipped ablations resolve to the last key, and their arms are those of the protocol."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from experiments.ablate.channels import CHANNELS, channels, table
from experiments.ablate.plan import Plan, make_plan
from experiments.ablate.schema import SHIPPED, read_ablation, shipped_ablations
from experiments.compare.settings import same_but_for_the_draw
from experiments.config.load import resolve
from experiments.plans.jobs import stand
from kg.errors import InputError

PROTOCOL = {
    "full": ("names", "yes", "yes", "mentions, propagated", "yes", "yes", "yes", "yes"),
    "no graph": ("learned, equal size", "-", "-", "-", "-", "-", "-", "yes"),
    "random vectors": ("random, fixed", "yes", "yes", "mentions, propagated", *["yes"] * 4),
    "names only": ("names", "-", "-", "mentions, not propagated", "yes", "-", "-", "yes"),
    "shuffled": (
        *("names", "shuffled", "shuffled", "mentions, propagated shuffled"),
        *("yes", "-", "shuffled", "yes"),
    ),
    "plain vectors": ("ComplEx", "-", "yes", "mentions, propagated", "yes", "yes", "-", "yes"),
}
"""Table A3 of the evaluation protocol, by hand."""


@cache
def plan_of(name: str) -> Plan:
    return make_plan(read_ablation(name))


@pytest.mark.parametrize("name", sorted(shipped_ablations()))
def test_every_run_of_it_is_another_one_and_nothing_has_run(name: str, tmp_path: Path) -> None:
    plan = plan_of(name)
    ablation = plan.file.ablation
    draws = len(ablation.seeds) * max(len(ablation.folds), 1) * len(plan.settings)
    draws *= max(len(ablation.rotations), 1)
    assert len(plan.jobs) == len({job.digest for job in plan.jobs}) == draws * len(plan.file.arms)
    assert {state for state, _ in stand(plan.jobs, tmp_path).values()} == {"missing"}
    assert [job.seed for job in plan.jobs] == sorted(job.seed for job in plan.jobs)
    first = plan.jobs[0].experiment
    assert first.name == f"{ablation.name}-{plan.jobs[0].arm.replace(' ', '_')}"


def test_the_core_is_five_seeds_of_one_split_whose_quarter_is_locked() -> None:
    plan = plan_of("ablate_graph_openi")
    assert len(plan.jobs) == 30
    assert {job.experiment.split.kind for job in plan.jobs} == {"locked"}
    assert {job.experiment.seed for job in plan.jobs} == set(range(5))
    # a fifth of the three quarters that are not locked: 60/15/25
    assert {job.experiment.split.validation for job in plan.jobs} == {0.2}
    arms = {job.arm: job.experiment for job in plan.jobs}
    assert {arm: tuple(channels(one).values()) for arm, one in arms.items()} == PROTOCOL
    assert plan.file.ablation.primary == ("names only", "shuffled")


def test_what_chance_makes_of_a_graph_is_drawn_with_every_seed() -> None:
    plan = plan_of("ablate_graph_openi")
    drawn = {arm: [job.experiment.graph.seed for job in plan.of("", arm)] for arm in PROTOCOL}
    by_chance = {"random vectors", "shuffled", "plain vectors"}
    assert {arm for arm, seeds in drawn.items() if seeds == [0, 1, 2, 3, 4]} == by_chance
    assert all(seeds == [0] * 5 for arm, seeds in drawn.items() if arm not in by_chance)
    further = make_plan(read_ablation("ablate_graph_openi"), ["graph.seed=7"], ["shuffled"])
    assert [job.experiment.graph.seed for job in further.of("", "shuffled")] == [7, 8, 9, 10, 11]
    # and these are runs of one arm, to be compared as one
    assert len({same_but_for_the_draw(job.experiment) for job in plan.of("", "shuffled")}) == 1


def test_zero_shot_holds_every_finding_out_in_each_fold() -> None:
    plan = plan_of("ablate_graph_openi_zero_shot")
    assert plan.file.ablation.on == "zero_shot"
    for arm in plan.file.arms:
        held = [(job.fold, job.experiment.hold_out) for job in plan.of("", arm)]
        assert {(fold, one.level, one.rotations) for fold, one in held} == {
            (fold, "concept", 4) for fold in (0, 1)
        }
        # once for each of two seeds
        assert sorted((fold, one.rotation) for fold, one in held) == [
            (fold, rotation) for fold in (0, 1) for rotation in range(4) for _ in range(2)
        ]
    kinds = {(job.experiment.split.kind, job.experiment.text.test) for job in plan.jobs}
    assert kinds == {("folds", "none")}


@pytest.mark.parametrize("name", ["ablate_graph_openi_full", "ablate_graph_covid"])
def test_all_arms_run_in_five_folds_of_the_development_part(name: str) -> None:
    plan = plan_of(name)
    library = read_ablation(name).arms
    assert set(PROTOCOL) < set(library)
    assert {job.fold for job in plan.jobs} == set(range(5))
    assert {job.experiment.split.kind for job in plan.jobs} == {"folds"}
    full = channels(next(job.experiment for job in plan.jobs if job.arm == "full"))
    closed = {arm: channels(job.experiment) for job in plan.jobs for arm in [job.arm]}
    for channel in CHANNELS:
        only = [
            arm
            for arm, each in closed.items()
            if [name for name in CHANNELS if each[name] != full[name]] == [channel]
        ]
        assert only, f"no arm is about {channel} alone"


def test_the_committed_table_of_arms_is_that_of_the_configurations() -> None:
    written = (SHIPPED / "CHANNELS.md").read_text(encoding="utf-8")
    for name in sorted(shipped_ablations()):
        plan = plan_of(name)
        arms = {job.arm: job.experiment for job in plan.jobs}
        if name not in ("ablate_fusion", "ablate_lesanet_openi"):
            assert "\n".join(table(arms)) in written, f"write {name} anew into CHANNELS.md"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, "yes, propagated"),
        ({"graph.control": "shuffled"}, "yes, propagated shuffled"),
        ({"stages.0.objectives.concept_supervision": 0.0}, "propagated"),
        ({"stages.0.objectives.propagated_targets": 0.0}, "yes"),
    ],
)
def test_targets_carried_over_the_graph_are_of_concept_supervision(
    changed: dict[str, object], says: str
) -> None:
    settings = {"stages.0.objectives.propagated_targets": 0.5, **changed}
    experiment = resolve("graph_fusion_openi", [f"{key}={one}" for key, one in settings.items()])
    assert channels(experiment)["concept supervision"] == says


def test_a_system_without_channels_is_refused() -> None:
    with pytest.raises(InputError, match="logistic_image has no channels"):
        channels(resolve("logistic_image_openi"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("reference: fulll", r"reference: no arm is called 'fulll'"),
        ("primary: [nothing]", r"primary: no arm is called 'nothing'"),
        ("seeds: []", r"seeds: there are none"),
        ("arms: {full: , names onyl: }", r"arm 'names onyl' has no values"),
        ("arms: {full: {system.options.spreads: 1}}", r"spreads"),
        ("base: graph_fusion_opeeni", r"no configuration is called .graph_fusion_opeeni."),
        ("seed: 3", r"no such key"),
        ("arms_from: none.yaml", r"none.yaml"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, changed: str, message: str) -> None:
    values = {
        "name": "mine",
        "base": "graph_fusion_openi",
        "arms_from": str(SHIPPED / "arms_of_the_graph.yaml"),
        "arms": "{full: , names only: }",
        "reference": "full",
    }
    key, _, value = changed.partition(": ")
    text = "".join(f"{k}: {v}\n" for k, v in {**values, key: value}.items())
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        make_plan(read_ablation(str(path)))
    assert caught.value.hint
