"""The run page: complete, self-contained, safe, and the same bytes each time."""

import json
import os
import re
from pathlib import Path

import matplotlib as mpl
import pytest

from experiments.records.record import Measured
from experiments.reports.example_cards import example_cards
from experiments.reports.markdown import render_markdown
from experiments.reports.run_files import read_run_files
from experiments.reports.run_page import run_page, write_run_page
from kg.errors import InputError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def page(kept_run):
    return (kept_run / "report.html").read_text(encoding="utf-8")


def test_it_tells_the_run(page):
    for words in (
        "graph_fusion on synthetic",
        "0.800",
        "0.750 to 0.850",
        "label source read",
        "90 studies of 45 patient groups",
        "It is the mean over 2 findings, none of them with fewer than 20 positives.",
        "unweighted means over 2 findings",
        "the findings section of the report",
        "Published numbers",
        "fewer than 20 positives",
        "Too few positives for a verdict: Hernia.",
        "ROC curve of Cardiomegaly",
        "Precision-recall curve of Cardiomegaly",
        "Reliability of Cardiomegaly",
        "training loss",
        "Cardiomegaly located in Heart",
        "true positive",
        "false positive",
        "false negative",
        "<summary>1 predicted absent</summary>",
        "not possible",
        "image not stored",
        "Left out of the graph",
        "Research use only",
        "Sex",
        "Underdiagnosed",
        "Licence",
        "One seed (0)",
        "No external test",
        "TRIPOD+AI",
        "CLAIM 2024",
        "not answered here",
        "kgdx experiment verify graph_fusion-1a2b-0",
    ):
        assert words in page, words
    assert page.count("image not stored") == 3


def test_it_keeps_to_itself(page, keeps_to_itself):
    keeps_to_itself(page)


def test_what_a_text_says_is_never_run(page):
    assert "canary" in page
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "{{ 7 * 6 }}" in page
    assert "javascript:" not in page


def test_the_same_files_give_the_same_bytes(run, page, processes):
    assert write_run_page(run).read_text(encoding="utf-8") == page
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert write_run_page(run).read_text(encoding="utf-8") == page
        assert mpl.rcParams["font.size"] == 30
    call = "import sys; from pathlib import Path; from experiments.reports.run_page import *; "
    call += "write_run_page(Path(sys.argv[1]))"
    elsewhere = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = processes.python(call, run, cwd=ROOT, env=os.environ | elsewhere)
    assert done.returncode == 0, done.stderr
    assert (run / "report.html").read_text(encoding="utf-8") == page


def test_a_run_that_did_not_end_still_has_a_page(tmp_path, make_record, keeps_to_itself):
    make_record(status="stopped", metrics={}, findings=()).save(tmp_path / "record.json")
    page = write_run_page(tmp_path).read_text(encoding="utf-8")
    assert "it is stopped" in page
    assert "No curves: the run" in page
    keeps_to_itself(page)


def test_an_older_record_with_flat_rows(tmp_path):
    rows = [{"finding": "x", "n": 50, "positives": 4, "auroc": 0.61, "auroc_low": 0.5, "f1": 0.2}]
    rows += [{"finding": "y", "metrics": {"auroc": 0.7}, "too_few": True}]
    (tmp_path / "record.json").write_text(json.dumps({"run": "r", "findings": rows}))
    page = write_run_page(tmp_path).read_text(encoding="utf-8")
    assert "4 of 50" in page
    assert "0.610" in page
    assert "too few" in page


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("record.json", None, "there is no"),
        ("record.json", "{", "is not JSON"),
        ("record.json", "[]", "is not a run record"),
        ("examples.json", '{"a": 1}', "is not a list of studies"),
        ("predictions.parquet", "not parquet", "cannot be read"),
        ("studies.parquet", "not parquet", "cannot be read"),
    ],
)
def test_damaged_files_are_named(run, name, content, message):
    (run / name).unlink()
    if content is not None:
        (run / name).write_text(content)
    with pytest.raises(InputError, match=message) as error:
        write_run_page(run)
    assert name in error.value.message
    assert error.value.hint
    assert not (run / "report.html").exists()


def test_markdown_tells_the_same_and_nothing_in_it_is_markup(kept_run, page):
    files = read_run_files(kept_run)
    text = render_markdown(run_page(files))
    assert render_markdown(run_page(files)) == text
    for words in (
        "# graph_fusion on synthetic",
        "| AUROC, macro | 0.800 | 0.750 to 0.850 |",
        "| Cardiomegaly | 0.800 | 0.700 to 0.900 | 30 of 90 |",
        "## Subgroups",
        "## Limits",
        "[Data and split](#data)",
        "drawings on the HTML page",
    ):
        assert words in text, words
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert re.findall(r"^## (.*)$", text, flags=re.M) == headings
    outside_code = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
    assert "canary" in outside_code
    assert re.search(r"<(?!a id=|/a>)", outside_code) is None
    for line in outside_code.splitlines():
        if line.startswith("|"):
            columns = len(re.findall(r"(?<!\\)\|", line))
            assert columns > 2
    tables = re.findall(r"(?:^\|.*\n)+", outside_code, flags=re.M)
    assert all(
        len({len(re.findall(r"(?<!\\)\|", row)) for row in t.splitlines()}) == 1 for t in tables
    )


def test_answers_stand_open_and_the_rest_unfolds(page):
    titles = re.findall(r'<details class="section"><summary><h2>(.*?)</h2>', page)
    opened = re.findall(r'<h2 id="(.*?)">', page)
    assert opened == ["before", "measured", "findings"]
    assert "Subgroups" in titles
    assert titles[-1] == "Reproduction"
    # links into a folded section lead to something inside it, which browsers then open
    assert all(f'id="{name}"' in page for name in re.findall(r'href="#([^"]+)"', page))


@pytest.mark.parametrize(("dataset", "root"), [("synthetic", ""), ("openi", " --root DIR")])
def test_the_command_to_repeat_a_run_asks_for_the_data(tmp_path, make_record, dataset, root):
    make_record(dataset=dataset).save(tmp_path / "record.json")
    page = write_run_page(tmp_path).read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if "kgdx experiment run config.yaml" in line)
    assert ("--root DIR" in line) == bool(root)


@pytest.mark.parametrize(
    ("label", "probability", "threshold", "verdict", "quiet"),
    [
        (None, 0.1, 0.4, "predicted absent, not labelled", True),
        (None, 0.6, 0.4, "predicted present, not labelled", False),
        (None, 0.6, None, "not labelled", False),
        (0, 0.1, 0.4, "true negative", True),
        (1, 0.1, 0.4, "false negative", False),
        (0, 0.4, 0.4, "false positive", False),
        (1, None, 0.4, "not possible", False),
    ],
)
def test_an_answer_is_told_with_or_without_a_label(label, probability, threshold, verdict, quiet):
    row = {"finding": "a", "label": label, "probability": probability, "threshold": threshold}
    (card,) = example_cards([{"study": "s", "findings": [row]}], {})
    (answer,) = card["findings"]
    assert (answer["verdict"][1], answer["quiet"]) == (verdict, quiet)


def test_examples_begin_with_studies_that_have_an_abnormal_finding():
    def study(name, *present):
        findings = ("No finding", "Hernia", "Edema")
        rows = [{"finding": one, "label": int(one in present)} for one in findings]
        return {"study": name, "findings": rows}

    examples = [study("s1", "No finding"), study("s2", "Hernia"), study("s3"), study("s4", "Edema")]
    cards = example_cards(examples, {"ckg:no_finding": "No finding"})
    assert [card["study"] for card in cards] == ["s2", "s4", "s1", "s3"]


@pytest.mark.parametrize("width", [390, 1280])
def test_no_part_of_it_is_wider_than_the_screen(page, width, check_width):
    check_width(page, width)


def test_a_run_measured_by_retrieval_leads_with_it_and_has_no_table_of_findings(
    tmp_path, make_record
):
    metric = {"image_to_text_recall_at_10": Measured(0.125, 0.1, 0.15)}
    made = make_record(tasks=("retrieval",), metrics={"test": metric}, findings=())
    made.save(tmp_path / "record.json")
    text = write_run_page(tmp_path).read_text(encoding="utf-8")
    assert "Image to text recall at 10 0.125 0.100 to 0.150 on test." in text
    assert 'id="findings"' not in text
    assert "macro AUROC" not in text.partition('id="data"')[0]
