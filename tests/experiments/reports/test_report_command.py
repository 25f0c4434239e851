"""`kgdx experiment report`: from a name or a file to a page, in the format the ending asks for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.cli.main import main
from experiments.records.record import GraphUse
from experiments.reports.comparison_page import render_comparison_markdown, render_comparison_page


def test_a_run_by_name_or_folder_and_by_its_json(run: Path, kept_run: Path, capsys) -> None:
    page = run.parent / "page.html"
    assert main(["experiment", "report", str(run), "-o", str(page), "--json"]) == 0
    assert page.read_bytes() == (kept_run / "report.html").read_bytes()
    assert json.loads(capsys.readouterr().out)["page"] == str(page)
    named = ["experiment", "report", run.name, "--runs", str(run.parent), "-o"]
    text = run.parent / "page.md"
    assert main([*named, str(text)]) == 0
    assert text.read_text().startswith("# graph_fusion on synthetic\n")


def test_a_run_is_shown_with_what_a_control_changed_and_which_findings_are_few(
    run: Path, make_record, capsys
) -> None:
    graph = GraphUse("clinical", "f00d" * 16, 400, 2300, control="shuffled", changed=0.6626)
    made = make_record(graph=graph)
    few = replace(made.findings[0], positives=19)
    replace(made, findings=(few, *made.findings[1:])).save(run / "record.json")
    assert main(["experiment", "show", run.name, "--runs", str(run.parent)]) == 0
    told = "graph\tclinical f00df00df00d (shuffled, 66.3% of clinical edges changed)\n"
    out = capsys.readouterr().out
    assert told in out
    assert (
        "Cardiomegaly\t19/90\t0.800 [0.700, 0.900]\t0.500\ttoo few positives, yet averaged\n" in out
    )
    assert "Hernia\t3/90\t0.800 [0.700, 0.900]\t0.500\tfewer than 20 positives\n" in out


def test_a_comparison_by_its_file(make_comparison, tmp_path: Path) -> None:
    made = make_comparison()
    file = tmp_path / "compared.json"
    file.write_text(json.dumps(made.as_json()))
    for name, render in (
        ("page.html", render_comparison_page),
        ("page.md", render_comparison_markdown),
    ):
        assert main(["experiment", "report", str(file), "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_text() == render(made)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "is no comparison, ablation or plan"),
        ('{"format": 9}', "not a comparison of this version"),
        ('{"format": 1, "metric": 4}', "comparison"),
        ('{"time_reference": "a", "rows": []}', "plan: name: field required"),
        ('{"format": 1, "settings": []}', "not an ablation of this version"),
        ('{"format": 1, "settings": [4]}', "ablation is damaged"),
    ],
)
def test_a_damaged_file_is_said_and_nothing_is_written(
    tmp_path: Path, capsys, content: str, said: str
) -> None:
    file, page = tmp_path / "compared.json", tmp_path / "page.html"
    file.write_text(content)
    assert main(["experiment", "report", str(file), "-o", str(page)]) != 0
    assert said in capsys.readouterr().err
    assert not page.exists()


def test_an_unknown_name_and_format_are_said(run: Path, tmp_path: Path, capsys) -> None:
    assert main(["experiment", "report", str(run), "-o", "page.pdf"]) != 0
    assert "name a file that ends in .html, .md" in capsys.readouterr().err
    assert main(["experiment", "report", str(tmp_path / "no.json"), "-o", "page.html"]) != 0
    assert "no.json cannot be read: No such file" in capsys.readouterr().err
    unknown = ["experiment", "report", "nothing", "--runs", str(tmp_path), "-o", "page.html"]
    assert main(unknown) != 0
    assert "there is no run nothing" in capsys.readouterr().err
