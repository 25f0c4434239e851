"""Parts of a run's page: subgroups, limits, cards and guidelines say what the run is, no more."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.records.predictions import ScoredSubset
from experiments.records.studies import ScoredStudy
from experiments.reports.checklist import checklist_items, checklist_section
from experiments.reports.document import Folded, Heading, Pair, Pairs, Section, Table
from experiments.reports.limits import limits_section
from experiments.reports.run_cards import data_section, model_section, scored_section
from experiments.reports.run_elsewhere import elsewhere_section, ledger_section
from experiments.reports.run_files import RunFiles
from experiments.reports.run_findings import averaged_words, finding_rows, findings_section
from experiments.reports.subgroups import subgroup_section

RECORD = {
    "run": "r",
    "seed": 3,
    "status": "finished",
    "system": "graph_fusion",
    "dataset": "openi",
    "leakage": "none",
    "label_source": ["findings"],
    "experiment": {"split": {"kind": "folds", "fold": 1, "folds": 5, "fraction": 0.2}},
    "findings": [
        {"finding": "ckg:a", "label": "A", "part": "test", "threshold": 0.5, "positives": 30}
    ],
}


def scored(studies: int = 80) -> ScoredSubset:
    labels = (np.arange(studies) % 2).astype(float)[:, None]
    said = np.linspace(0, 1, studies)[:, None]
    names = tuple(f"s{i}" for i in range(studies))
    return ScoredSubset(
        "test", names, tuple(f"p{i}" for i in range(studies)), ("ckg:a",), labels, said
    )


def known(part: ScoredSubset, **facts: str) -> tuple[ScoredStudy, ...]:
    pairs = zip(part.studies, part.patients, strict=True)
    return tuple(ScoredStudy(study, patient, part.part, **facts) for study, patient in pairs)


def files(record=RECORD, part=None, studies=()) -> RunFiles:
    return RunFiles(record, "", (), "test", part, (), studies)


def words(section: Section) -> str:
    return repr(section)


def test_a_small_subgroup_says_too_few_and_a_large_one_its_numbers() -> None:
    part = scored()
    of = [replace(one, sex="F" if i < 60 else "M") for i, one in enumerate(known(part))]
    section = subgroup_section(part, of, finding_rows(RECORD, "test"))
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    (women,) = table.rows
    assert women.cells[:2] == ("F", "60 (60)")
    assert women.cells[-1] == "1"
    assert "Too few positives: M 20." in words(section)
    assert "Not known of these studies: age band, view, origin, modality" in words(section)


def test_sex_and_age_are_crossed_with_the_rates_of_who_is_both() -> None:
    part = scored(240)
    of = [
        replace(one, sex="F" if i < 120 else "M", age_band="18-39" if i % 120 < 90 else "80+")
        for i, one in enumerate(known(part))
    ]
    of[0] = replace(of[0], age_band="")
    section = subgroup_section(part, of, finding_rows(RECORD, "test"))
    places = [
        place for place, one in enumerate(section.blocks) if one == Heading("Sex and age band")
    ]
    table = section.blocks[places[0] + 1]
    assert isinstance(table, Table)
    assert [row.cells[:2] for row in table.rows] == [
        ("F, 18-39", "89 (89)"),
        ("M, 18-39", "90 (90)"),
    ]
    assert "Too few positives: F, 80+ 30, M, 80+ 30." in words(section)
    # all women rank under the threshold of 0.5, all men above it
    women, men = table.rows
    assert women.cells[5:7] == ("1.00 (1.00 to 1.00)", "0.00 (0.00 to 0.00)")
    assert men.cells[5:7] == ("0.00 (0.00 to 0.00)", "1.00 (1.00 to 1.00)")
    assert "Studies left out, as one of the two is not known: 1." in words(section)
    # with one sex alone there is nothing to cross
    alone = [replace(one, sex="F") for one in of]
    assert "Sex and age band" not in words(
        subgroup_section(part, alone, finding_rows(RECORD, "test"))
    )


def test_subgroups_that_are_all_too_small_are_one_sentence() -> None:
    part = scored(60)
    of = [replace(one, sex="FMX"[i % 3]) for i, one in enumerate(known(part))]
    section = subgroup_section(part, of, finding_rows(RECORD, "test"))
    assert not any(isinstance(block, Table | Folded) for block in section.blocks)
    assert "Too few positives in every subgroup: sex (F 20, M 20, X 20)." in words(section)


def test_an_older_run_has_no_subgroups_and_says_so() -> None:
    section = subgroup_section(scored(), (), finding_rows(RECORD, "test"))
    assert "kept no metadata" in words(section)
    # a section that has no answer is none to a guideline
    assert "section='no-subgroups'" not in words(checklist_section((section,)))


def test_limits_say_what_this_run_is() -> None:
    rows = finding_rows(RECORD, "test")
    said = words(limits_section(files(part=scored()), rows))
    for sentence in (
        "One fold of 5",
        "Trained on 20% of the training groups",
        "One seed (3)",
        "No external test",
        "Labels were derived from findings, not from the images",
        "Only 80 patient groups",
        "Not known of the tested studies: sex, age band, view, origin, modality",
    ):
        assert sentence in said, sentence
    for sentence in (
        "locked",
        "synthetic",
        "uncommitted code",
        "Label source read",
        "ranked together",
    ):
        assert sentence not in said, sentence


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"leakage": "label_source_read"}, "Label source read"),
        ({"leakage": "partial"}, "Partial leakage"),
        ({"dataset": "synthetic"}, "data are synthetic"),
        ({"graph": {"keeps_test_data": True}}, "no claim can rest on this run"),
        ({"experiment": {"split": {"kind": "locked"}}}, "used the locked test set"),
        ({"experiment": {"split": {"kind": "sources"}}}, "One origin was left out"),
        ({"commit": "ab+changed"}, "uncommitted code"),
        ({"status": "stopped"}, "it is stopped"),
        ({"evaluations": [{"external": True, "dataset": "figure1"}]}, "other data (figure1)"),
    ],
)
def test_each_limit_is_said_because_of_what_the_run_is(changed, sentence) -> None:
    assert sentence not in words(limits_section(files(), []))
    assert sentence in words(limits_section(files({**RECORD, **changed}), []))


def test_a_finding_with_too_few_positives_is_marked_though_its_run_averaged_it() -> None:
    area = {"value": 0.8, "low": 0.7, "high": 0.9}
    rows = [
        {"finding": f"ckg:{label}", "label": label, "part": "test", "studies": 80}
        | {"positives": positives, "metrics": {"auroc": value}, "remark": remark}
        for label, positives, value, remark in (
            ("twenty", 20, area, ""),
            ("nineteen", 19, area, ""),
            ("none", 0, {"value": None}, "too few positives"),
            ("nothing", 0, {"value": None}, ""),
            ("held out", 13, area, ""),
        )
    ]
    taught, each = tuple(row["finding"] for row in rows[:-1]), np.ones((80, 4))
    part = replace(scored(), findings=taught, labels=each, probabilities=each)
    known_rows = finding_rows({**RECORD, "findings": rows}, "test")
    (folded,) = [b for b in findings_section(known_rows, "test").blocks if isinstance(b, Folded)]
    (table,) = folded.blocks
    assert isinstance(table, Table)
    assert [(row.cells[-1], row.faint) for row in table.rows] == [
        ("trained", False),
        ("trained; too few positives, yet averaged", True),
        ("trained; too few positives", True),
        ("trained; too few positives", True),
        ("trained; too few positives, yet averaged", True),
    ]
    said = "2 findings, 1 of them with fewer than 20 positives"
    assert averaged_words(known_rows, part) == said
    # what was held out of training has a mean of its own
    assert averaged_words(known_rows, None).startswith("3 findings, 2 of them")
    assert averaged_words(known_rows[:1], None).startswith("1 finding, none of them")


def test_several_modalities_are_limits_of_their_own() -> None:
    part = scored(4)
    of = [
        replace(one, modality="ct" if i else "cxr", patient="same")
        for i, one in enumerate(known(part))
    ]
    said = words(limits_section(files(part=part, studies=tuple(of)), []))
    assert "Studies of ct, cxr are ranked together" in said
    assert "1 of 1 tested patients have more than one modality" in said


def test_tests_elsewhere_and_uses_of_the_locked_part_stand_in_tables() -> None:
    area = {"value": 0.71, "low": 0.6, "high": 0.8, "findings": 3}
    test = {
        "dataset": "figure1",
        "labels": "covid",
        "part": "development",
        "external": True,
        "studies": 52,
        "leakage": "partial",
        "skipped": {"seen in training (patient)": 4},
        "metrics": {"trained": {"auroc_macro": area}, "zero_shot": {}},
    }
    (section,) = elsewhere_section({**RECORD, "evaluations": [test]})
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    first, second = (row.cells for row in table.rows)
    assert first[:6] == ("figure1", "covid", "development, external", "52", "3", "trained")
    assert first[6:] == (
        *("0.710", "0.600 to 0.800", "partial leakage", "4 seen in training (patient)"),
    )
    assert second[5:8] == ("zero shot", "n/a", "")
    (ledger,) = ledger_section([{"date": "2026-01-01", "run": "r", "why": "final"}])
    assert ledger.title == "Uses of the locked test set by this run"
    (uses,) = ledger.blocks
    assert isinstance(uses, Table)
    assert uses.rows[0].cells == ("2026-01-01", "r", "", "", "final")
    assert [*elsewhere_section(RECORD), *ledger_section([])] == []
    many = [
        {"date": f"2026-01-0{day}T10:00", "run": f"r{day}", "why": "final"} for day in range(1, 9)
    ]
    ((folded,),) = (section.blocks for section in ledger_section(many))
    assert isinstance(folded, Folded)
    assert folded.title == "8 uses from 2026-01-01 to 2026-01-08"
    assert isinstance(folded.blocks[0], Table)
    assert len(folded.blocks[0].rows) == 8


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        ({"control": "shuffled", "changed": 0.6626}, "shuffled, 66.3% of clinical edges changed"),
        # an edge that no other object is free for stays as it is
        ({"control": "noisy", "changed": 0.05}, "noisy, up to 5.0% of clinical edges changed"),
        ({"control": "shuffled"}, "shuffled"),
        ({"control": "none", "changed": 0.0}, ""),
    ],
)
def test_the_card_of_the_model_tells_how_much_a_control_changed(graph, told) -> None:
    (card,) = model_section(files({**RECORD, "graph": graph})).blocks
    assert isinstance(card, Pairs)
    assert Pair("Graph control", told) in card.rows


def test_cards_tell_the_published_data_set_and_the_system() -> None:
    part = scored(4)
    said = words(data_section(files()))
    for sentence in ("CC BY-NC-ND", "openi.nlm.nih.gov", "fold 1 of 5"):
        assert sentence in said, sentence
    (section,) = scored_section(files(studies=known(part, sex="F")))
    assert "'Sex: F', '4 (100%)'" in words(section)
    assert [*scored_section(files())] == []
    assert "https://" not in said
    model = words(model_section(files()))
    assert "concepts of the graph as queries" in model
    assert "Chosen on validation" not in model
    chosen = {**RECORD, "chosen": {"weight of the prior": 2.0}}
    assert "weight of the prior 2'" in words(model_section(files(chosen)))


def test_a_name_in_a_record_imports_nothing(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    record = {**RECORD, "dataset": "evil:Part", "system": "evil:Part"}
    assert "evil:Part" in words(data_section(files(record)))
    model_section(files(record))
    assert not (tmp_path / "pwned").exists()


def test_every_item_of_both_guidelines_is_there_once() -> None:
    items = checklist_items()
    numbers = [(item.guideline, item.item) for item in items]
    assert len(numbers) == len(set(numbers))
    claim = [item.item for item in items if item.guideline == "CLAIM 2024"]
    assert claim == [str(number) for number in range(1, 45)]
    tripod = [item.item for item in items if item.guideline == "TRIPOD+AI"]
    assert len({item.rstrip("abcdefg") for item in tripod}) == 27
    assert len(tripod) == 52
    assert all(item.section or item.remark for item in items)


def test_an_item_is_answered_only_where_the_page_has_its_section() -> None:
    one = Section("subgroups", "Subgroups", ())
    with_it, without = (words(checklist_section(sections)) for sections in ((one,), ()))
    assert "Link(text='Subgroups', section='subgroups')" in with_it
    assert "section='subgroups'" not in without
    assert "this run has none" in without
