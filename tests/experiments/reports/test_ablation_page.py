"""The page of an ablation: the plain answer first, never a win that is none, its plan and arms."""

import json
import re
from dataclasses import replace

import pytest

from experiments.ablate.result import AblationResult, Compared
from experiments.cli.main import main
from experiments.reports.ablation_page import render_ablation_markdown, render_ablation_page

CHANNELS = {
    "full": {"vectors": "names", "neighbourhood": "yes"},
    "shuffled": {"vectors": "names", "neighbourhood": "shuffled"},
}


def words_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.fixture
def make_ablation(make_comparison, canary):
    """Makes an ablation of the comparison's entries under some settings, with verdicts."""

    def make(*verdicts: str, settings: tuple[str, ...] = ("",), **changed) -> AblationResult:
        made = make_comparison()
        macros = tuple(
            replace(one, verdict=verdict)
            for one, verdict in zip(made.differences[:2], verdicts, strict=True)
        )
        made = replace(made, differences=(*macros, *made.differences[2:]))
        names = [entry.name for entry in made.entries]
        values = {
            "name": "graph",
            "about": f"Does the graph help? {canary}",
            "base": "base",
            "reference": "full",
            "primary": (names[1], "shuffled"),
            "seeds": (0, 1),
            "folds": (),
            "arms": {name: {"graph.control": name} for name in names},
            "channels": CHANNELS,
            "settings": tuple(Compared(one, made) for one in settings),
        }
        return AblationResult(**{**values, **changed})

    return make


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        (("higher", "higher"), "The graph helps: full is better in every primary endpoint."),
        (("higher", "not shown"), "not shown to help: full is better in some primary endpoints"),
        (("not shown", "not shown"), "no primary endpoint shows a difference."),
        (("higher", "lower"), "The graph does not help: full is worse in a primary endpoint."),
        (("too few", "too few"), "no primary endpoint shows a difference."),
    ],
)
def test_the_plain_answer_is_a_win_only_over_every_primary_endpoint(
    make_ablation, verdicts, answer
) -> None:
    page = words_of(render_ablation_page(make_ablation(*verdicts)))
    assert answer in page
    assert ("The graph helps" in page) == (set(verdicts) == {"higher"})


def test_arms_channels_and_runs_stand_in_tables(make_ablation) -> None:
    text = render_ablation_markdown(make_ablation("higher", "higher"))
    for row in (
        "| Arm | vectors | neighbourhood |",
        "| shuffled | names | shuffled |",
        "| full | 2 | 2 | none | 1,300,000 | 1.7 |",
        "| shuffled | graph.control=shuffled |",
    ):
        assert row in text, row


def test_what_was_not_run_is_missing(make_ablation) -> None:
    made = make_ablation("higher", "higher", seeds=(0, 1, 2))
    assert "| full | 3 | 2 | 1 |" in render_ablation_markdown(made)


def test_several_settings_are_told_one_by_one_and_together(make_ablation, keeps_to_itself) -> None:
    made = make_ablation(
        "higher", "not shown", settings=("split.fraction=0.05", "split.fraction=1")
    )
    page, text = render_ablation_page(made), render_ablation_markdown(made)
    keeps_to_itself(page)
    assert "Under every setting: The graph is not shown to help" in page
    other = make_ablation("higher", "higher", settings=("split.fraction=1",)).settings
    mixed = words_of(render_ablation_page(replace(made, settings=(made.settings[0], *other))))
    assert "At split.fraction=0.05: The graph is not shown to help" in mixed
    assert "At split.fraction=1: The graph helps" in mixed
    assert "| Arm | split.fraction=0.05 | split.fraction=1 |" in text
    assert "| split.fraction=1: full − shuffled | +0.005 (-0.010 to +0.020) |" in text
    assert "## Differences (split.fraction=0.05)" in text
    assert "## Differences (split.fraction=1)" in text


def test_without_primary_endpoints_or_channels_nothing_is_claimed(make_ablation) -> None:
    made = make_ablation("higher", "higher", primary=(), channels={})
    page = words_of(render_ablation_page(made))
    assert "3 arms, none of whose differences is a primary endpoint." in page
    assert "The graph" not in page


def test_it_is_safe_whole_and_the_same_after_a_file(
    make_ablation, keeps_to_itself, tmp_path
) -> None:
    made = make_ablation("higher", "not shown")
    page = render_ablation_page(made)
    keeps_to_itself(page)
    assert "canary" in page
    assert "<script" not in page
    kept = tmp_path / "runs" / "ablations" / "graph" / "ablation.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps(made.as_json()))
    written = tmp_path / "page.html"
    for told in ("graph", str(kept), str(kept.parent)):
        named = ["experiment", "report", told, "--runs", str(tmp_path / "runs")]
        assert main([*named, "-o", str(written)]) == 0
        assert written.read_text() == page
    assert main([*named, "-o", str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text() == render_ablation_markdown(made)


@pytest.mark.parametrize("width", [390, 1280])
def test_no_part_of_it_is_wider_than_the_screen(make_ablation, width, check_width) -> None:
    settings = ("split.fraction=0.05", "split.fraction=1")
    page = render_ablation_page(make_ablation("higher", "not shown", settings=settings))
    check_width(page, width)


def test_channels_of_an_earlier_ablation_have_todays_names(make_ablation) -> None:
    values = make_ablation("higher", "higher").as_json()
    values["channels"] = {"full": {"vectors": "names", "memory": "yes"}}
    read = AblationResult.from_json(values)
    assert read.channels == {"full": {"vectors": "names", "neighbourhood": "yes"}}
