"""Labelers: the published columns, by hand."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from encoders.study import Passage
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.mentions.labels import STYLES, labeler
from kg.mentions.lexicon import own_phrases
from kg.mentions.linker import MentionLinker
from kg.model.graph import KnowledgeGraph


@pytest.fixture(scope="module")
def shipped() -> KnowledgeGraph:
    return load_shipped()


@pytest.fixture(scope="module")
def read(shipped: KnowledgeGraph) -> MentionLinker:
    return MentionLinker(shipped)


def stated(read: MentionLinker, graph: KnowledgeGraph, name: str, text: str) -> dict[str, int]:
    values = labeler(graph, name).label(read.link([Passage("findings", text)]))
    return {column: value for column, value in values.items() if value is not None}


def ones(values: dict[str, int]) -> set[str]:
    return {column for column, value in values.items() if value == 1}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "Heart size is normal. Clear lungs. No pneumothorax.",
            {"Cardiomegaly": 0, "Pneumothorax": 0, "No Finding": 1},
        ),
        # a label counts for its own column, not for a wider one beside it
        ("Small area of atelectasis.", {"Atelectasis": 1}),
        ("Airspace disease, probably consolidation.", {"Lung Opacity": 1, "Consolidation": -1}),
        ("Nodule in the left lung.", {"Lung Lesion": 1}),
        ("Pulmonary vascular congestion.", {"Edema": -1}),
        ("No pulmonary vascular congestion.", {"Edema": 0, "No Finding": 1}),
        ("Congestive heart failure.", {"Edema": 1}),
        (
            "Pacemaker in place. No effusion.",
            {"Support Devices": 1, "Pleural Effusion": 0, "No Finding": 1},
        ),
        ("Old rib fracture.", {"Fracture": 1}),
        ("Borderline heart size.", {"Cardiomegaly": -1}),
        ("Nodular opacity on the left.", {"Lung Opacity": 1, "Lung Lesion": 1}),
        ("Pleural scarring.", {"Pleural Other": 1}),
        ("Surgical clips. Low lung volumes.", {"No Finding": 1}),
        # abnormal, though no column says so
        ("Scoliosis. No effusion.", {"Pleural Effusion": 0}),
        ("Possible pneumonia.", {"Pneumonia": -1}),
        # one statement present beats another absent or uncertain
        ("No left effusion. Small right effusion.", {"Pleural Effusion": 1}),
        ("No effusion. Possible effusion on the right.", {"Pleural Effusion": -1}),
        ("", {"No Finding": 1}),
    ],
)
def test_chexpert(
    read: MentionLinker, shipped: KnowledgeGraph, text: str, values: dict[str, int]
) -> None:
    assert stated(read, shipped, "chexpert14", text) == values


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("Left basilar atelectasis versus infiltrate.", {"Atelectasis", "Infiltration"}),
        ("Probable small effusion.", {"Effusion"}),
        ("Opacity that may represent pneumonia.", set()),
        ("Thickening of the minor fissure.", {"Pleural_Thickening"}),
        ("Heart size is normal and the lungs are clear.", {"normal"}),
        ("The lungs are clear. Pacemaker.", set()),
        ("Surgical clips in the right axilla.", set()),
        ("Interstitial edema.", {"Edema"}),
        ("The heart is borderline enlarged.", {"Cardiomegaly"}),
    ],
)
def test_nih(read: MentionLinker, shipped: KnowledgeGraph, text: str, there: set[str]) -> None:
    values = stated(read, shipped, "nih14", text)
    assert ones(values) == there
    assert set(values.values()) <= {0, 1}
    assert len(values) == 15


def test_covid(read: MentionLinker, shipped: KnowledgeGraph) -> None:
    assert stated(read, shipped, "covid", "COVID-19 pneumonia.") == {"COVID-19": 1}
    assert stated(read, shipped, "covid", "Possible COVID-19.") == {"COVID-19": -1}
    assert stated(read, shipped, "covid", "Negative for COVID-19.") == {"COVID-19": 0}
    assert stated(read, shipped, "covid", "Clear lungs.") == {}


def test_every_label_set_with_a_style_is_in_the_graph(shipped: KnowledgeGraph) -> None:
    for name in STYLES:
        assert labeler(shipped, name).columns
    with pytest.raises(InputError, match="nih15"):
        labeler(shipped, "nih15")


def test_tables_speak_of_the_graph(shipped: KnowledgeGraph) -> None:
    """Every line of the tables names a concept and a column that exist, and no phrase twice."""
    text = (files("kg.mentions") / "conventions.tsv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines(), delimiter="\t"):
        assert row["concept"] in shipped.index
        assert row["column"] in ("-", *shipped.label_set(row["label_set"]).columns)
        assert row["source"]
    phrases = own_phrases()
    unknown = {c for _, entry in phrases for c in entry.concepts if c not in shipped.index}
    assert not unknown
