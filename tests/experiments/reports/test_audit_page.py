"""The page of an audit: complete, self-contained, safe, and the same bytes each time."""

import html
from dataclasses import replace

import pytest

from experiments.audit.record import (
    Association,
    Audit,
    ExplainedRun,
    LabelCount,
    OriginRow,
    Place,
    ProbeResult,
    Shuffled,
    TrainTestOverlap,
)
from experiments.records.record import Measured
from experiments.reports.audit_page import audit_page
from experiments.reports.html import render_html
from experiments.reports.markdown import render_markdown

STRONG, WEAK, FEW = Measured(0.95, 0.9, 0.99, 2), Measured(0.52, 0.45, 0.6, 2), Measured(None)


def places(value):
    return (
        Place("together", value, {"a": value, "b": FEW}),
        Place("ct", value, {"a": value, "b": FEW}),
        Place("cxr", FEW, {"a": FEW, "b": FEW}),
    )


@pytest.fixture
def made(canary):
    probes = (
        ProbeResult("source", "where", "source", "", places(STRONG), "", "told from source", 1.2),
        ProbeResult("view", "how", "view", "", places(WEAK), canary, "nothing is told", 0.1),
        ProbeResult("borders", "the frame", impossible="no study has an image"),
    )
    run = ExplainedRun(
        system="graph_fusion_covid",
        inputs=("image",),
        runs=("r-1", "r-2"),
        probe="source",
        run_auroc=Measured(0.74, 0.65, 0.81),
        probe_auroc=STRONG,
        difference=Measured(-0.21, -0.3, -0.1),
        within=Measured(0.55, 0.4, 0.7),
        comparable=0.42,
        verdict="below source, which cannot diagnose",
    )
    return Audit(
        dataset="covid_multi_imaging",
        labels="covid",
        label_source=("record", "note"),
        version="0.1.0",
        studies=1008,
        patients=561,
        unlabelled=17,
        modalities={"ct": 511, "cxr": 379},
        folds=5,
        manifests=("0" * 64,) * 5,
        seed=0,
        resamples=1000,
        at_least=20,
        counts=(
            LabelCount("a", "COVID-19", 300, 200, 508, {"ct": (200, 100), "cxr": (100, 100)}),
            LabelCount("b", canary, 20, 30, 958, {"ct": (10, 15), "cxr": (10, 15)}),
        ),
        probes=probes,
        shuffled=Shuffled(0.5, 0.44, 0.56, 20, True),
        associations=(Association("source", "a", "COVID-19", "ct", 0.96, 42, 508),),
        sources=(
            OriginRow(canary, 143, 63, {"a": 0, "b": 0}, {"a": 143, "b": 143}, False),
            OriginRow("radiopaedia", 73, 42, {"a": 53, "b": 3}, {"a": 19, "b": 70}, True),
        ),
        likeness=TrainTestOverlap(1530, 0, 25, 12, 1, 2, 3, 4, 8, 75, 924),
        explained=(run,),
        remarks=("images were saved again",),
        options={"pictures": "optional"},
    )


def test_it_tells_the_audit(made):
    page = html.unescape(render_html(audit_page(made)))
    for words in (
        "Shortcuts in covid_multi_imaging (covid)",
        "1 of 2 probes that must not be able to diagnose predict the labels above chance",
        "The strongest is source: macro AUROC 0.950 [0.900, 0.990] (together)",
        "labels can be predicted from shortcuts",
        "1008 of 561 patient groups (511 CT, 379 X-ray)",
        "not possible: no study has an image",
        "at chance, as required: 0.500 [0.440, 0.560] over 20 shuffles",
        "AUROC, X-ray",
        "too few",
        "below source, which cannot diagnose",
        "-0.210 [-0.300, -0.100]",
        "42%",
        "0.96",
        "patients on both sides of the published split",
        "8 (in 75 of 924 studies with text)",
        "images were saved again",
        "kgdx data audit covid_multi_imaging --labels covid --folds 5 --seed 0 --at-least 20 "
        "--resamples 1000 --set pictures=optional --root DIR",
    ):
        assert words in page, words


def test_it_keeps_to_itself_and_is_the_same_each_time(made, keeps_to_itself):
    page = render_html(audit_page(made))
    keeps_to_itself(page)
    assert "canary" in page
    assert page == render_html(audit_page(made))


def test_one_modality_one_finding_nothing_told(made, keeps_to_itself):
    quiet = ProbeResult(
        "view", "how", "view", "", (Place("all", WEAK, {"a": WEAK}),), "", "nothing"
    )
    small = replace(
        made,
        modalities={"cxr": 40},
        counts=made.counts[:1],
        probes=(quiet,),
        shuffled=Shuffled(0.7, 0.6, 0.8, 20, False),
        sources=made.sources[:1],
        associations=(),
        explained=(),
        remarks=(),
    )
    page = render_html(audit_page(small))
    keeps_to_itself(page)
    assert "No probe predicts the labels above chance" in page
    assert "NOT at chance" in page
    assert "the check on shuffled labels fails" in page
    assert "Finding by finding" not in page
    assert "not possible" in render_html(audit_page(replace(small, shuffled=None)))


def test_markdown_says_the_same(made):
    text = render_markdown(audit_page(made))
    assert "| source | told from source |" in text
    assert "| source | 0.950 \\[0.900, 0.990\\] | 0.950 \\[0.900, 0.990\\] | too few |" in text


@pytest.mark.parametrize("width", [390, 1280])
def test_no_part_of_it_is_wider_than_the_screen(made, width, check_width):
    check_width(render_html(audit_page(made)), width)
