"""The run page: complete, self-contained, safe, and the same bytes each time."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from experiments.records.predictions import ScoredPart, write_predictions
from experiments.records.record import FindingRow, GraphUse, Measured, RunRecord
from experiments.reports.run_page import write_run_page
from kg.errors import InputError

CANARY = "<script>alert('canary')</script>\"'><img src=x onerror=alert(1)>{{ 7 * 6 }}"
ROOT = Path(__file__).parents[3]


def png():
    file = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def record(**changed):
    rows = tuple(
        FindingRow(
            finding=f"ckg:{name}",
            label=label,
            part="test",
            studies=90,
            positives=positives,
            basis="trained",
            threshold=0.4,
            metrics={
                "auroc": Measured(0.8, 0.7, 0.9),
                "auprc": Measured(0.5),
                "f1": Measured(None),
            },
            remark=remark,
        )
        for name, label, positives, remark in (
            ("a", "Cardiomegaly", 30, ""),
            ("b", f"Opacity {CANARY}", 25, ""),
            ("c", "Hernia", 3, "fewer than 20 positives"),
        )
    )
    values = {
        "run": "graph_fusion-1a2b-0",
        "status": "finished",
        "experiment": {"about": CANARY, "published": [{"metric": "AUROC", "value": 0.741}]},
        "config_hash": "ab12",
        "command": f"kgdx experiment run {CANARY}",
        "version": "0.1.0",
        "commit": None,
        "packages": {"torch": "2.10"},
        "system": "graph_fusion",
        "dataset": "synthetic",
        "labels": "nih14",
        "label_source": ("findings",),
        "label_policy": {"uncertain": "ignore"},
        "inputs_at_test": ("image", "text"),
        "text_policy": "findings",
        "leakage": "label_source_read",
        "split_manifest": "5e11",
        "split_counts": {"train": 200, "test": 90},
        "graph": GraphUse("shipped", "f00d", 400, 2300, ("synthetic",)),
        "seconds": 61.2,
        "metrics": {"test": {"auroc_macro": Measured(0.8, 0.75, 0.85), "ece_macro": Measured(0.1)}},
        "findings": rows,
        "warnings": (CANARY,),
    }
    return RunRecord(**{**values, **changed})


EXAMPLES = [
    {
        "study": CANARY,
        "images": [png(), "javascript:alert(1)", None, base64.b64encode(b"<svg/>").decode()],
        "text": f"FINDINGS: {CANARY}",
        "findings": [
            {
                "finding": "ckg:a",
                "label": 1,
                "probability": 0.9,
                "threshold": 0.4,
                "evidence": [CANARY, "Cardiomegaly located in Heart"],
                "sources": {"memory": 1, "image": 3},
            },
            {"finding": "ckg:b", "label": 0, "probability": 0.7, "threshold": 0.4},
            {"finding": "ckg:c", "label": 1, "probability": 0.1, "threshold": 0.4},
            {"finding": "ckg:d", "label": None, "probability": None, "threshold": None},
        ],
    }
]


@pytest.fixture(scope="module")
def kept_run(tmp_path_factory):
    """A run folder with its page, made once; tests that change it get a copy."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    labels = (rng.random((90, 3)) < [0.4, 0.3, 0.05]).astype(float)
    said = np.clip(rng.normal(0.4, 0.2, labels.shape) + 0.2 * labels, 0, 1)
    labels[0] = np.nan
    said[1] = np.nan
    studies = tuple(f"s{i}" for i in range(90))
    patients = tuple(f"p{i // 2}" for i in range(90))
    findings = ("ckg:a", "ckg:b", "ckg:c")
    parts = [ScoredPart(name, studies, patients, findings, labels, said) for name in PARTS]
    write_predictions(folder / "predictions.parquet", parts)
    record().save(folder / "record.json")
    (folder / "config.yaml").write_text(f"name: x\nabout: {CANARY}\n")
    (folder / "examples.json").write_text(json.dumps(EXAMPLES))
    rows = [
        {
            "stage": stage,
            "epoch": epoch,
            "step": epoch,
            "loss/<b>": 1.0,
            "validation/auroc_macro": v,
        }
        for stage in ("first", "second")
        for epoch, v in enumerate((0.6, None, 0.7))
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_run_page(folder)
    return folder


@pytest.fixture
def run(kept_run, tmp_path):
    """A copy of the run folder without its page."""
    shutil.copytree(kept_run, tmp_path / "run", ignore=shutil.ignore_patterns("report.html"))
    return tmp_path / "run"


PARTS = ("validation", "test")


class Reader(HTMLParser):
    """Every element and attribute of a page; tags that do not close are noted."""

    VOID = frozenset(("meta", "img", "br", "link", "input", "hr"))

    def __init__(self, page):
        super().__init__()
        self.open, self.astray, self.names, self.attributes = [], [], set(), []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.names.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.astray.append(tag)


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
        "the findings section of the report",
        "Printed elsewhere",
        "fewer than 20 positives",
        "Too few positives to be judged: Hernia",
        "ROC curve of Cardiomegaly",
        "Precision-recall curve of Cardiomegaly",
        "Reliability of Cardiomegaly",
        "training loss",
        "image 75%",
        "Cardiomegaly located in Heart",
        "found",
        "false alarm",
        "missed",
        "not possible",
        "picture not stored",
        "Left out of the graph",
        "Research use only",
        "kgdx experiment verify graph_fusion-1a2b-0",
    ):
        assert words in page, words
    assert page.count("picture not stored") == 3


def test_it_refers_to_nothing_outside(page):
    reader = Reader(page)
    assert not reader.names & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert "@import" not in page
    addresses = re.findall(r"url\(([^)]*)\)", page)
    addresses += [value for name, value in reader.attributes if name in REFERENCES]
    assert addresses
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)
    assert re.search(r"https?://", page) is None
    assert "default-src 'none'" in page


REFERENCES = ("src", "href", "xlink:href", "srcset", "action", "data", "poster")


def test_every_tag_closes_and_every_anchor_leads_somewhere(page):
    reader = Reader(page)
    assert (reader.open, reader.astray) == ([], [])
    identifiers = [value for name, value in reader.attributes if name == "id"]
    assert len(identifiers) == len(set(identifiers))
    inside = {v[1:] for n, v in reader.attributes if n == "href" and v.startswith("#")}
    assert inside <= set(identifiers)
    assert ("name", "viewport") in reader.attributes


def test_what_a_text_says_is_never_run(page):
    reader = Reader(page)
    assert "canary" in page
    assert "<script" not in page
    assert "<img src=x" not in page
    assert not any(name.startswith("on") for name, _ in reader.attributes)
    assert "{{ 7 * 6 }}" in page
    assert "javascript:" not in page


def test_the_same_files_give_the_same_bytes(run, page):
    assert write_run_page(run).read_text(encoding="utf-8") == page
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert write_run_page(run).read_text(encoding="utf-8") == page
        assert mpl.rcParams["font.size"] == 30
    call = "import sys; from pathlib import Path; from experiments.reports.run_page import *; "
    subprocess.run(
        [sys.executable, "-c", call + "write_run_page(Path(sys.argv[1]))", str(run)],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )
    assert (run / "report.html").read_text(encoding="utf-8") == page


def test_a_run_that_did_not_end_still_has_a_page(tmp_path):
    record(status="stopped", metrics={}, findings=()).save(tmp_path / "record.json")
    page = write_run_page(tmp_path).read_text(encoding="utf-8")
    assert "it is stopped" in page
    assert "no curves can be drawn" in page
    assert Reader(page).astray == []


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
