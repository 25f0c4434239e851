"""Mined edges by hand: co-occurrence, sites and annotations, of training patients only."""

from __future__ import annotations

import json
import math

import pytest

from kg.errors import InputError
from kg.sources import Facts
from kg.sources._mined import association

WIDE = "study,patient,Effusion,Heart,Opacity\n"
FROM = {"dataset": "D", "source": "a table", "licence": "terms", "min_count": 1}
TABLE = {**FROM, "table": "t.csv", "patient": "patient"}


def strengths(facts: Facts) -> dict[tuple[str, str, str], tuple[float | None, int | None]]:
    return {e.key[:3]: (e.evidence[0].weight, e.evidence[0].count) for e in facts.edges}


def test_association_by_hand():
    # 4 of 10 studies hold both, 5 the first, 8 the second: they are independent.
    assert association(4, 5, 8, 10) == (1.0, 0.0)
    lift, npmi = association(2, 2, 2, 8)
    assert lift == 4.0
    assert npmi == pytest.approx(1.0)
    lift, npmi = association(1, 2, 2, 8)
    assert npmi == pytest.approx(math.log(2) / math.log(8))
    assert association(3, 3, 3, 3) == (1.0, 1.0)


def test_pairs_of_a_table_with_a_column_for_each_label(read, known, tmp_path):
    rows = ["s1,a,1,1,0", "s2,a,1,1,", "s3,b,1,0,-1", "s4,b,0,0,nan", "s5,c,0,0,1", "s6,c,0,0,0",
            "s7,d,0,0,0", "s8,d,0.0,0,0"]  # fmt: skip
    (tmp_path / "t.csv").write_text(WIDE + "\n".join(rows) + "\n")
    facts = read("cooccurrence", known, **TABLE, patients="all", study="study", label_set="pair",
                 columns={"Opacity": "lung opacity"})  # fmt: skip
    (edge,) = facts.edges
    assert edge.key[:3] == ("ckg:cardiomegaly", "co_occurs_with", "ckg:effusion")
    (item,) = edge.evidence
    # Both in 2 of 8 studies, hearts in 2, effusions in 3.
    assert item.count == 2
    assert item.detail.startswith("lift=2.67;npmi=")
    assert item.weight == pytest.approx(math.log(8 / 3) / math.log(4), abs=1e-6)
    assert (item.status, item.dataset, item.tag) == ("mined", "D", "data:D N=8")
    assert item.licence == "terms"


def test_uncertain_labels_count_as_is_said(read, known, tmp_path):
    (tmp_path / "t.csv").write_text(WIDE + "s1,a,1,-1,0\ns2,a,0,0,0\ns3,b,0,0,0\n")
    options = {**TABLE, "patients": "all", "label_set": "pair"}
    assert read("cooccurrence", known, **options).edges == []
    assert len(read("cooccurrence", known, **options, uncertain="present").edges) == 1


def test_only_training_patients_are_counted(read, known, tmp_path):
    (tmp_path / "t.csv").write_text(WIDE + "s1,a,1,1,0\ns2,b,1,1,0\ns3,c,0,0,0\n")
    (tmp_path / "train.txt").write_text("a\nc\n")
    options = {**TABLE, "label_set": "pair"}
    facts = read("cooccurrence", known, **options, patients="train.txt")
    assert facts.edges[0].evidence[0].count == 1
    assert facts.edges[0].evidence[0].tag == "data:D N=2"
    assert facts.dropped["row of a patient that may not be counted"] == 1
    parts = {"s1": "test", "s2": "train", "s3": "train"}
    groups = {"s1": "a", "s2": "b", "s3": "c"}
    (tmp_path / "m.json").write_text(json.dumps({"assignments": parts, "groups": groups}))
    facts = read("cooccurrence", known, **options, patients="m.json")
    assert facts.dropped["row of a patient that may not be counted"] == 1
    (tmp_path / "m.json").write_text(json.dumps({"assignments": {"s1": "test"}, "groups": groups}))
    with pytest.raises(InputError, match="no training subset"):
        read("cooccurrence", known, **options, patients="m.json")


def test_listed_labels_and_rows_of_one_study(read, known, tmp_path):
    (tmp_path / "t.csv").write_text(
        "img,study,patient,labels\n1,s1,a,pleural effusion|Heart\n2,s1,a,Effusion\n3,s2,a,\n"
        "4,s3,b,Effusion|Consolidation|Lung Opacity|Zebra\n5,s4,b,\n6,s5,b,\n"
    )
    facts = read("cooccurrence", known, **TABLE, patients="all", study="study", labels="labels",
                 label_set="pair", columns={"Consolidation": "Consolidation",
                                            "Lung Opacity": "Lung Opacity"})  # fmt: skip
    found = strengths(facts)
    assert found["ckg:cardiomegaly", "co_occurs_with", "ckg:effusion"][1] == 1
    # A consolidation is an opacity: that they are seen together says nothing.
    assert ("ckg:consolidation", "co_occurs_with", "ckg:opacity") not in found
    assert facts.dropped["pair of which one entails the other"] == 1
    assert facts.dropped["label without a concept: Zebra"] == 1


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (WIDE + "s1,a,2,0,0\n", {}, "t.csv, line 2: Effusion is '2'"),
        (WIDE + "s1,a,Yes please,0,0\n", {}, "line 2: Effusion"),
        (WIDE + "s1,a,1\n", {}, "line 2: 3 cells under 5 columns"),
        (WIDE + "s1,a,1,0,0\n", {"patient": "Patient"}, "no column 'Patient'"),
        (WIDE + "s1,a,1,0,0\n", {"label_set": "pears"}, "no label set 'pears'"),
        (WIDE + "s1,a,1,0,0\n", {"columns": {"Opacity": "zebra"}}, "called 'zebra'"),
        (WIDE + "s1,a,1,0,0\n", {"labels": "Heart", "separator": "list"}, "is no list"),
        ("study,patient,a,a\ns1,a,1,0\n", {}, "two columns 'a'"),
        ("study,patient\ns1,a\n", {}, "no column 'Effusion'"),
    ],
)
def test_bad_tables_are_refused_by_line(read, known, tmp_path, content, options, message):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        read("cooccurrence", known, **{**TABLE, "patients": "all", "label_set": "pair", **options})


def test_who_is_counted_must_be_said(read, known):
    with pytest.raises(ValueError, match="patients"):
        read("cooccurrence", known, **TABLE)


@pytest.mark.parametrize(
    ("form", "file", "content"),
    [
        ("xywh", "b.csv", "Image Index,Finding Label,x,y,w,h\n1_0.png,Effusion,100,800,200,100\n"
                          "2_0.png,Effusion,700,100,200,100\n"),
        ("corners", "b.csv", "image_id,class_name,x_min,y_min,x_max,y_max,width,height\n"
                             "1,Effusion,10,80,30,90,100,100\n2,Effusion,140,20,180,40,200,200\n"
                             "3,No finding,,,,,100,100\n"),
        ("objects", "b.json", '[{"file_name": "1.png", "syms": ["Effusion"], "boxes": '
                              '[[100, 800, 300, 900]]}, {"file_name": "2.png", "syms": '
                              '["Effusion"], "boxes": [[700, 100, 900, 200]]}]'),
    ],
)  # fmt: skip
def test_boxes_give_sites(read, known, tmp_path, form, file, content):
    (tmp_path / file).write_text(content)
    facts = read("locations", known, **FROM, table=file, form=form, patients="all")
    # The left of the picture is the right of the patient.
    assert strengths(facts) == {
        ("ckg:effusion", "located_in", "ckg:right_lower"): (0.5, 1),
        ("ckg:effusion", "located_in", "ckg:left_upper"): (0.5, 1),
    }


def test_sentences_give_sites_and_sides(read, known, tmp_path):
    (tmp_path / "s.csv").write_text(
        "patient,said\n"
        "a,\"[['effusion', 'loc right'], ['effusion', 'cardiomegaly', 'loc left']]\"\n"
        "b,\"[['effusion', 'loc lung'], ['zebra', 'loc right'], ['effusion', 'loc nowhere']]\"\n"
        "c,\nd,\"[nan, ['unchanged'], []]\"\n"
    )
    facts = read("locations", known, **FROM, table="s.csv", form="sentences", patients="all",
                 patient="patient", column="said")  # fmt: skip
    assert strengths(facts) == {
        ("ckg:effusion", "has_distribution", "ckg:right"): (0.5, 1),
        ("ckg:effusion", "located_in", "ckg:lung"): (0.5, 1),
    }
    assert facts.dropped["finding without a concept: zebra"] == 1
    assert facts.dropped["place without a concept: nowhere"] == 1


@pytest.mark.parametrize(
    ("form", "content", "message"),
    [
        ("xywh", "a,b,x,y,w,h\n1.png,Effusion,1,2,x,4\n", "line 2: is no box"),
        ("xywh", "a,b,x,y,w,h\n1.png,Effusion,9999,2,3,4\n", "outside the image"),
        ("corners", "image_id,class_name,x_min\n1,Effusion,1\n", "line 2: is no box"),
        ("sentences", "patient,said\na,__import__('os')\n", "is no list"),
        ("sentences", "patient,said\na,['effusion']\n", "no list of sentences"),
        ("objects", '{"a": 1}', "no list of boxes"),
    ],
)
def test_bad_boxes_are_refused(read, known, tmp_path, form, content, message):
    (tmp_path / "b.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        read("locations", known, **FROM, table="b.csv", form=form, patients="all",
             patient="patient", column="said")  # fmt: skip


def entity(tokens, label, start, *relations):
    return {"tokens": tokens, "label": label, "start_ix": start, "end_ix": start,
            "relations": list(relations)}  # fmt: skip


ANNOTATED = {
    "p10/p1/s1.txt": {
        "text": "right lower lung opacity suggests pneumonia , no effusion",
        "entities": {
            "1": entity("right", "ANAT-DP", 0, ["modify", "3"]),
            "2": entity("lower", "ANAT-DP", 1, ["modify", "3"]),
            "3": entity("lung", "ANAT-DP", 2),
            "4": entity("opacity", "OBS-DP", 3, ["located_at", "3"], ["suggestive_of", "5"]),
            "5": entity("pneumonia", "OBS-DP", 5),
            "6": entity("effusion", "OBS-DA", 8, ["located_at", "3"]),
            "7": entity("lung opacity", "Observation::definitely present", 9, ["located_at", "3"]),
        },
    },
    "p10/p2/s2.txt": {"labeler_1": {"entities": {"1": entity("effusion", "OBS-DP", 0)}}},
}


def test_radgraph_annotations(read, known, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(ANNOTATED))
    facts = read("radgraph", known, **FROM, file="r.json", patients="all")
    # The site takes the words along that modify it.
    assert strengths(facts) == {
        ("ckg:opacity", "located_in", "ckg:right_lower"): (0.5, 1),
        ("ckg:opacity", "suggestive_of", "ckg:pneumonia"): (0.5, 1),
    }
    assert facts.dropped["entity that is absent or uncertain"] == 1
    assert facts.dropped["relation modify"] == 2
    (tmp_path / "train.txt").write_text("p2\n")
    facts = read("radgraph", known, **FROM, file="r.json", patients="train.txt")
    assert facts.dropped["report that may not be counted"] == 1


@pytest.mark.parametrize("content", ["[1]", '{"a": {"entities": {"1": {"tokens": "x"}}}}'])
def test_what_is_no_annotation_is_refused(read, known, tmp_path, content):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(InputError, match="is no RadGraph"):
        read("radgraph", known, **FROM, file="r.json", patients="all")


REPORTS = """patient,findings,impression
a,There is a pleural effusion and cardiomegaly.,
a,No pleural effusion. Cardiomegaly.,
b,"Pleural effusion, cardiomegaly.",Pneumonia is not excluded.
c,Clear.,
"""


def test_reports_are_linked_with_their_negations(read, known, tmp_path):
    (tmp_path / "r.csv").write_text(REPORTS)
    facts = read("reports", known, **FROM, file="r.csv", patients="all",
                 edges=("co_occurs_with", "mentioned_in"), corpus="ckg:texts")  # fmt: skip
    found = strengths(facts)
    assert found["ckg:effusion", "mentioned_in", "ckg:texts"] == (0.5, 2)
    assert found["ckg:cardiomegaly", "mentioned_in", "ckg:texts"] == (0.75, 3)
    assert found["ckg:cardiomegaly", "co_occurs_with", "ckg:effusion"][1] == 2
    assert [(c.id, c.kind, c.dataset) for c in facts.concepts] == [("ckg:texts", "corpus", "D")]
    (tmp_path / "train.txt").write_text("b\n")
    facts = read("reports", known, **FROM, file="r.csv", patients="train.txt")
    assert facts.dropped["report of a patient that may not be counted"] == 3


def test_dialogues_know_who_speaks(read, known, tmp_path):
    (tmp_path / "d.txt").write_text(
        "id=1\nDescription\nI have a pleural effusion.\n\nDialogue\nDoctor:\nAny pneumonia?\n"
        "Patient:\nNo.\nid=2\nDoctor: Do you have pneumonia?\nPatient: Yes.\n"
    )
    options = {"edges": ("mentioned_in",), "corpus": "ckg:talks"}
    facts = read("reports", known, **FROM, file="d.txt", patients="all", **options)
    assert strengths(facts) == {
        ("ckg:effusion", "mentioned_in", "ckg:talks"): (0.5, 1),
        ("ckg:pneumonia", "mentioned_in", "ckg:talks"): (0.5, 1),
    }
    lines = [
        {"id": 1, "patient": "a", "passages": [{"name": "findings", "text": "pneumonia"}]},
        {"id": 2, "patient": "b", "passages": []},
    ]
    (tmp_path / "d.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    facts = read("reports", known, **FROM, file="d.jsonl", patients="all", **options)
    assert strengths(facts) == {("ckg:pneumonia", "mentioned_in", "ckg:talks"): (0.5, 1)}


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("r.csv", "who,findings\n", "no column 'patient'"),
        ("r.jsonl", '{"id": 1}\n', "line 1: is no report"),
        ("r.jsonl", "{\n", "line 1"),
    ],
)
def test_bad_reports_are_refused(read, known, tmp_path, file, content, message):
    (tmp_path / file).write_text(content)
    with pytest.raises(InputError, match=message):
        read("reports", known, **FROM, file=file, patients="all")


def test_mentions_need_a_corpus(read, known):
    with pytest.raises(InputError, match="needs a corpus"):
        read("reports", known, **FROM, file="r.csv", patients="all", edges=("mentioned_in",))


def test_the_nih_table_gives_the_strengths_that_are_shipped(read, data, shipped):
    """The shipped edges were counted by other code on the same table."""
    known = Facts(shipped.concepts, shipped.edges, shipped.label_sets)
    facts = read("cooccurrence", known, root=data, table="nih_chestxray14_labels/"
                 "Data_Entry_2017_v2020.csv.gz", patients="all", patient="Patient ID",
                 labels="Finding Labels", label_set="nih14",
                 columns={"No Finding": "No finding"}, dataset="NIH", source="NIH")  # fmt: skip
    found = {edge.key[:3]: edge.evidence[0] for edge in facts.edges}
    compared = 0
    for edge in shipped.edges:
        for item in edge.evidence:
            if item.dataset == "NIH" and edge.relation == "co_occurs_with":
                counted = found[edge.key[:3]]
                assert counted.count == item.count
                assert counted.weight == pytest.approx(item.weight, abs=0.001)
                compared += 1
    assert compared > 30
