"""A run folder as a finished run leaves it, hostile words in it, and readers of its page."""

import base64
import html
import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from experiments.compare.records import (
    Comparison,
    Difference,
    Entry,
    FindingScore,
    RareFindings,
    Seeds,
)
from experiments.records.predictions import ScoredSubset, write_predictions
from experiments.records.record import FindingRow, GraphUse, Measured, RunRecord
from experiments.records.studies import AGE_BANDS, ScoredStudy, write_studies
from experiments.reports.run_page import write_run_page

CANARY = "\x1b[31m\x00<script>alert('canary')</script>\"'><img src=x onerror=alert(1)>{{ 7 * 6 }}"


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
            },
            {"finding": "ckg:b", "label": 0, "probability": 0.7, "threshold": 0.4},
            {"finding": "ckg:c", "label": 1, "probability": 0.1, "threshold": 0.4},
            {"finding": "ckg:d", "label": None, "probability": None, "threshold": None},
            {"finding": "ckg:e", "label": 0, "probability": 0.1, "threshold": 0.4},
        ],
    }
]


@pytest.fixture(scope="session")
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
    parts = [ScoredSubset(name, studies, patients, findings, labels, said) for name in PARTS]
    write_predictions(folder / "predictions.parquet", parts)
    known = [
        ScoredStudy(
            *(study, patient, part, "cxr", "frontal", "MF"[i % 2], AGE_BANDS[i % 5]),
            source=CANARY if i % 3 else "",
        )
        for part in PARTS
        for i, (study, patient) in enumerate(zip(studies, patients, strict=True))
    ]
    write_studies(folder / "studies.parquet", known)
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

    VOID = frozenset(("meta", "img", "br", "wbr", "link", "input", "hr"))

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


@pytest.fixture(scope="session")
def read_page():
    """Reads a page: its elements, attributes, and tags that do not close."""
    return Reader


@pytest.fixture(scope="session")
def make_record():
    """Makes a record, with some of its fields changed."""
    return record


@pytest.fixture(scope="session")
def canary():
    """What a page must show and never run."""
    return CANARY


def entry(name, value, **changed):
    """An entry of a comparison with two findings, one of them rare."""
    findings = (
        FindingScore("ckg:a", "Cardiomegaly", 400, 60, False, Measured(value, value - 0.04, 0.9)),
        FindingScore("ckg:b", f"Hernia {CANARY}", 400, 21, False, Measured(0.7, 0.6, 0.8)),
        FindingScore("ckg:c", "Fibrosis", 400, 4, True, Measured(None)),
    )
    made = Entry(
        name=name,
        runs=(f"{name}-0", f"{name}-1"),
        seeds=(0, 1),
        folds=(0,),
        system="graph_fusion",
        dataset="openi",
        labels="nih14",
        label_source=("findings",),
        inputs_at_test=("image",),
        text_policy="none",
        leakage="none",
        split_kind="fixed",
        manifests={"0": "5e11"},
        parameters=1_300_000,
        seconds=100.4,
        graphs=(GraphUse("shipped", "f00d" * 16, 400, 2300),),
        commits=("abc",),
        settings={"graph.control": name},
        metrics={"auroc_macro": Measured(value, value - 0.03, value + 0.03)},
        by_seed=Seeds((value, value + 0.01), value + 0.005, 0.007),
        findings=findings,
    )
    return replace(made, **changed)


def difference(second, low, high, verdict, **changed):
    """`full` minus another entry."""
    value = Measured((low + high) / 2, low, high)
    seeds = Seeds((0.01, 0.03), 0.02, 0.014)
    made = Difference(
        *("full", second, "secondary", "auroc_macro", "", 81, value),
        *(0.03, 0.06, None, seeds, verdict),
    )
    return replace(made, **changed)


@pytest.fixture
def make_comparison():
    """Makes a comparison of three entries, one with a hostile name; with some fields changed."""

    def make(**changed):
        bad = f"names {CANARY}"
        pairs = (
            difference(bad, 0.004, 0.036, "higher", family="primary"),
            difference("shuffled", -0.01, 0.02, "not shown", family="primary"),
        )
        findings = tuple(
            difference(second, -0.02, 0.05, verdict, family="findings", metric="auroc", **one)
            for second in (bad, "shuffled")
            for verdict, one in (
                ("not shown", {"finding": "ckg:a", "positives": 60}),
                ("not shown", {"finding": "ckg:b", "positives": 21}),
                ("too few", {"finding": "ckg:c", "positives": 4}),
            )
        )
        rarity = RareFindings(
            below=0.05,
            shares={"ckg:c": 0.004, "ckg:b": 0.021, "ckg:a": 0.15},
            rare=("ckg:b",),
            common=("ckg:a",),
            too_few=("ckg:c",),
            differences=tuple(
                difference(second, low, high, verdict, family="rarity", over=over)
                for second in (bad, "shuffled")
                for over, low, high, verdict in (
                    ("rare", 0.01, 0.05, "higher"),
                    ("common", -0.01, 0.01, "not shown"),
                    ("rare minus common", -0.01, 0.07, "not shown"),
                )
            ),
        )
        made = Comparison(
            metric="auroc_macro",
            entries=(entry("full", 0.78), entry(bad, 0.76), entry("shuffled", 0.775)),
            differences=(*pairs, *findings),
            studies=400,
            groups=390,
            parts=(),
            resamples=2000,
            level=0.95,
            at_least=20,
            notes=(f"runs were made at 2 commits {CANARY}",),
            ledger=(),
            rarity=rarity,
        )
        return replace(made, **changed)

    return make


REFERENCES = ("src", "href", "xlink:href", "srcset", "action", "data", "poster")


@pytest.fixture(scope="session")
def keeps_to_itself():
    """Asserts that a page is whole, refers to nothing outside, and runs nothing data say."""

    def check(page, *, has_addresses=True):
        reader = Reader(page)
        assert page.lstrip().startswith("<!doctype html>")
        assert (reader.open, reader.astray) == ([], [])
        forbidden = {"script", "link", "iframe", "object", "embed", "base", "form"}
        assert not reader.names & forbidden
        assert "@import" not in page
        assert re.search(r"https?://", page) is None
        assert "default-src 'none'" in page
        addresses = re.findall(r"url\(([^)]*)\)", page)
        addresses += [value for name, value in reader.attributes if name in REFERENCES]
        assert addresses or not has_addresses
        assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)
        assert not any(name.startswith("on") for name, _ in reader.attributes)
        identifiers = [value for name, value in reader.attributes if name == "id"]
        assert len(identifiers) == len(set(identifiers))
        inside = {v[1:] for n, v in reader.attributes if n == "href" and v.startswith("#")}
        assert inside <= set(identifiers)
        assert ("name", "viewport") in reader.attributes
        assert "javascript:" not in page
        for picture in re.findall(r"<(?:img|svg)[^>]*>", page):
            assert "alt=" in picture or "aria-label=" in picture

    return check


_HARNESS = """<!doctype html><iframe id="f" style="width:%dpx;height:800px;border:0"></iframe>
<p id="said"></p><script>
const frame = document.getElementById("f");
frame.onload = () => {
  const page = frame.contentDocument, root = page.documentElement;
  const wide = [...page.querySelectorAll("main *, header *")].filter(one =>
    one.getBoundingClientRect().right > %d + 1 && !one.closest(".scroll, pre, blockquote, nav"));
  const names = [...new Set(wide.map(one => one.tagName + "." + one.className))];
  document.getElementById("said").textContent =
    JSON.stringify([root.scrollWidth, page.body.innerText.length, names]);
};
frame.srcdoc = %s;
</script>"""


@pytest.fixture(scope="session")
def check_width(opened):
    """Asserts that a page shows its text and that nothing of it is wider than the screen."""

    def check(page, width):
        held = json.dumps(page).replace("</", "<\\/")
        shown = opened(_HARNESS % (width, width, held))
        said = html.unescape(re.search(r'<p id="said">(.*?)</p>', shown)[1])
        across, letters, wider = json.loads(said)
        assert across <= width
        assert letters > 1000
        assert wider == []

    return check
