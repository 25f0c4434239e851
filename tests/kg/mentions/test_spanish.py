"""Spanish reports, as written and stemmed as PadChest's are."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path

import pytest

from encoders.study import Passage
from experiments.datasets.padchest import PadChest
from kg.files.store import load_shipped
from kg.mentions.labels import labeler
from kg.mentions.linker import MentionLinker
from kg.mentions.own_tables import table_rows
from kg.mentions.redact import redact
from kg.mentions.stems import stems
from kg.model.graph import KnowledgeGraph

DATA = Path(os.environ.get("KGDX_DATA", "../shared/data")) / "padchest_labels"


def held_back(patient: str) -> bool:
    """Whether a patient is in the tenth no rule was written on."""
    return int(hashlib.sha256(patient.encode()).hexdigest()[:8], 16) / 2**32 < 0.1


P, A, U = "present", "absent", "uncertain"


@pytest.fixture(scope="module")
def shipped() -> KnowledgeGraph:
    return load_shipped()


@pytest.fixture(scope="module")
def reads(shipped: KnowledgeGraph) -> MentionLinker:
    return MentionLinker(shipped)


def stated(reads: MentionLinker, text: str, name: str = "findings") -> dict[str, str]:
    found = reads.link([Passage(name, text, "es")])
    return {one.concept.removeprefix("ckg:"): one.assertion for one in found}


@pytest.mark.parametrize(
    ("written", "stemmed"),
    [
        ("Derrames pleurales", "derram pleural"),
        ("elongación de la aorta", "elongacion aort"),
        ("índice cardiotorácico en el límite alto", "indic cardiotorac limit alto"),
        ("atelectasias laminares", "atelectasi laminar"),
        ("Pinzamiento del seno costofrénico", "pinzamient sen costofren"),
        ("masas", "masa"),
    ],
)
def test_a_word_and_its_stem_are_read_alike(written: str, stemmed: str) -> None:
    assert stems(written) == stems(stemmed)
    assert stems("más") != stems("masa")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Derrame pleural derecho.", {"pleural_effusion": P}),
        (" derram pleural bilateral .", {"pleural_effusion": P}),
        ("Derrame izquierdo loculado.", {"loculated_pleural_effusion": P}),
        ("Derrame pericárdico.", {"pericardial_effusion": P}),
        ("Nódulos pulmonares múltiples.", {"multiple_nodules": P}),
        ("Cifoescoliosis dorsal.", {"scoliosis": P, "kyphosis": P}),
        ("Granuloma calcificado en LSD.", {"calcified_granuloma": P}),
        ("Infiltrado intersticio-alveolar.", {"interstitial_pattern": P, "alveolar_pattern": P}),
        ("Hilios prominentes de probable origen vascular.", {"vascular_hilar_enlargement": P}),
        ("Marcapasos bicameral.", {"pacemaker": P, "dual_chamber_device": P}),
        # negations
        ("No se observa derrame pleural ni neumotórax.",
         {"pleural_effusion": A, "pneumothorax": A}),
        (" no apreci infiltr ni condens . cardiomegali .",
         {"infiltrate": A, "consolidation": A, "cardiomegaly": P}),
        ("Sin signos de neumonía.", {"pneumonia": A}),
        ("No se aprecian infiltrados, derrame pleural o neumotórax.",
         {"infiltrate": A, "pleural_effusion": A, "pneumothorax": A}),
        ("Ausencia de adenopatías.", {"lymphadenopathy": A}),
        ("Neumotórax: no. Derrame: leve.", {"pneumothorax": A, "pleural_effusion": P}),
        ("Neumotórax resuelto.", {"pneumothorax": A}),
        ("Se ha retirado la sonda nasogástrica.", {"nasogastric_tube": A}),
        ("Silueta cardiomediastínica normal.", {"cardiomegaly": A}),
        ("Senos costofrénicos libres.", {"pleural_effusion": A, "costophrenic_angle_blunting": A}),
        # a negation ends at a word that opens something new
        ("No hay derrame, pero persiste cardiomegalia.",
         {"pleural_effusion": A, "cardiomegaly": P}),
        ("Sin infiltrados, se aprecia un nódulo.", {"infiltrate": A, "lung_nodule": P}),
        ("Cardiomegalia sin derrame.", {"cardiomegaly": P, "pleural_effusion": A}),
        # what is unchanged is still there
        ("Sin cambios en el derrame pleural.", {"unchanged": P, "pleural_effusion": P}),
        ("Sin embargo, derrame pleural.", {"pleural_effusion": P}),
        # hedges
        ("Probable neumonía.", {"pneumonia": U}),
        ("Opacidad compatible con neumonía.", {"increased_density": P, "pneumonia": U}),
        ("No se puede descartar neumonía.", {"pneumonia": U}),
        ("Patrón intersticial en probable relación con edema pulmonar.",
         {"interstitial_pattern": P, "pulmonary_edema": U}),
        ("Antecedente de tuberculosis.", {"tuberculosis": U}),
        ("Imagen dudosa, valorar atelectasia.", {"atelectasis": U}),
        ("Neumonía vs atelectasia.", {"pneumonia": U, "atelectasis": U}),
        ("¿Neumonía?", {"pneumonia": U}),
        ("", {}),
        ("de la", {}),
        ("Radiografía de tórax.", {}),
    ],
)  # fmt: skip
def test_what_a_spanish_sentence_states(
    reads: MentionLinker, text: str, expected: dict[str, str]
) -> None:
    assert stated(reads, text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Pequeño derrame pleural derecho.", [(("", "right", "mild", ""))]),
        ("Derrame pleural bilateral.", [("", "bilateral", "", "")]),
        ("Atelectasia laminar basal izquierda.", [("lung_bases", "left", "", "")]),
        ("Infiltrado en LSD.", [("right_upper_lobe", "right", "", "")]),
        ("Engrosamiento pleural biapical.", [("lung_apices", "bilateral", "", "")]),
        ("Persiste derrame izquierdo.", [("", "left", "", "stable")]),
        ("Cardiomegalia severa.", [("", "", "severe", "")]),
        ("Cardiomegalia.", [("", "", "", "")]),
        # each has its own side, and an adjective belongs to the noun it stands before
        (
            "derram pleural derech marc pinzamient sen costofren izquierd .",
            [("", "right", "", ""), ("", "left", "severe", "")],
        ),
        ("Escoliosis con derrame derecho.", [("", "", "", ""), ("", "right", "", "")]),
    ],
)
def test_where_how_severe_and_since_when(
    reads: MentionLinker, text: str, said: list[tuple[str, ...]]
) -> None:
    found = reads.link([Passage("findings", text, "es")])
    assert [
        (" ".join(s.removeprefix("ckg:") for s in one.sites), one.side, one.severity, one.change)
        for one in found
    ] == said


def test_spans_are_of_the_text_as_written(reads: MentionLinker) -> None:
    text = "Hay un pinzamiento del seno costofrénico izquierdo."
    (one,) = reads.link([Passage("findings", text, "es")])
    assert text[one.start : one.end] == "pinzamiento del seno costofrénico"


def test_the_comparison_is_of_the_past(reads: MentionLinker) -> None:
    assert stated(reads, "Derrame pleural.", name="comparison") == {"pleural_effusion": U}


def test_english_beside_spanish_is_read_as_before(reads: MentionLinker) -> None:
    passages = [Passage("findings", "Sin derrame.", "es"), Passage("impression", "No edema.")]
    assert [(one.concept, one.assertion, one.passage) for one in reads.link(passages)] == [
        ("ckg:pleural_effusion", A, 0),
        ("ckg:pulmonary_edema", A, 1),
    ]


def test_a_spanish_dialogue_is_not_read(reads: MentionLinker) -> None:
    assert stated(reads, "Tengo neumonía.", name="patient") == {}


def test_the_tables(shipped: KnowledgeGraph) -> None:
    """At least 80 findings, every concept is in the graph, no phrase or cue stands twice."""
    rows = table_rows("spanish.tsv")
    concepts = {concept for row in rows for concept in row["concept"].split()}
    assert concepts <= set(shipped.index)
    assert sum(shipped.concept(one).kind == "finding" for one in concepts) >= 80
    phrases = Counter(stems(row["phrase"]) for row in rows)
    assert [phrase for phrase, count in phrases.items() if count > 1] == []
    assert all(row["source"] for row in rows)
    modifiers = table_rows("spanish_modifiers.tsv")
    assert {row["site"] for row in modifiers if row["site"]} <= set(shipped.index)
    assert len({stems(row["phrase"]) for row in modifiers}) == len(modifiers)
    cues = Counter(
        (stems(r["cue"]), r["effect"], r["side"]) for r in table_rows("spanish_cues.tsv")
    )
    assert [cue for cue, count in cues.items() if count > 1] == []


def test_label_tables_of_padchest(reads: MentionLinker, shipped: KnowledgeGraph) -> None:
    found = reads.link([Passage("findings", "Cardiomegalia. Posible neumonía. Sin derrame.", "es")])
    values = labeler(shipped, "padchest").label(found)
    assert {column for column, value in values.items() if value} == {"Cardiomegaly"}
    assert set(values.values()) == {0, 1}
    diagnoses = labeler(shipped, "padchest_differential").label(found)
    assert {column for column, value in diagnoses.items() if value} == {"Pneumonia"}
    normal = reads.link([Passage("findings", " sin hallazg signific .", "es")])
    assert labeler(shipped, "padchest").label(normal)["No finding"] == 1


# redaction


@pytest.mark.parametrize(
    ("text", "asked", "left"),
    [
        ("Derrame pleural. Escoliosis.", {"pleural_effusion"}, "Escoliosis."),
        (" derram pleural . escoliosis .", {"scoliosis"}, "derram pleural ."),
        # the sentence goes as a whole: stemmed text has lost its commas
        ("derram pleural pinzamient sen cardiomegali . normal .", {"cardiomegaly"}, "normal ."),
        ("No se observa neumotórax.", {"pneumothorax"}, ""),
        ("Posible neumonía. Sin más.", {"pneumonia"}, "Sin más."),
        ("Si persiste neumonía, control. Cifosis.", {"pneumonia"}, "Cifosis."),
        ("Sin hallazgos.", {"pneumonia"}, "Sin hallazgos."),
    ],
)
def test_redaction_cuts_spanish(
    reads: MentionLinker, text: str, asked: set[str], left: str
) -> None:
    passages = [Passage("findings", text, "es")]
    kept = redact(passages, reads.link(passages), {f"ckg:{name}" for name in asked})
    assert "".join(one.text for one in kept).strip() == left


@pytest.mark.skipif(not DATA.is_dir(), reason="the published table is not here")
def test_nothing_asked_for_is_left_of_padchest(
    reads: MentionLinker, shipped: KnowledgeGraph
) -> None:
    dataset = PadChest(PadChest.Options(pictures="optional", labels_by="physician"))
    studies = dataset.read(DATA, labels="padchest").studies[::40]
    asked = set(shipped.label_set("padchest").findings) - {"ckg:no_finding"}
    asked |= set(shipped.label_set("padchest_differential").findings)
    asked = asked.union(*(shipped.descendants(one) for one in asked))
    for study in studies:
        kept = redact(study.report, reads.link(study.report), asked)
        assert not [one for one in reads.link(kept) if one.concept in asked]


@pytest.mark.skipif(not DATA.is_dir(), reason="the published table is not here")
def test_agreement_with_the_labels_of_physicians(
    reads: MentionLinker, shipped: KnowledgeGraph
) -> None:
    """On every 20th study outside the held-back tenth, as aggregate counts only."""
    dataset = PadChest(PadChest.Options(pictures="optional", labels_by="physician"))
    studies = [s for s in dataset.read(DATA, labels="padchest").studies if not held_back(s.patient)]
    labels = labeler(shipped, "padchest")
    columns = dict(zip(labels.label_set.findings, labels.columns, strict=True))
    counts = Counter[str]()
    for study in studies[::20]:
        values = labels.label(reads.link(study.report))
        for concept, column in columns.items():
            if concept != "ckg:no_finding" and study.stated:
                made, gold = values[column] == 1, study.stated.get(concept) == "present"
                counts.update(hit=made and gold, extra=made and not gold, missed=gold and not made)
    assert counts["hit"] / (counts["hit"] + counts["extra"]) > 0.88
    assert counts["hit"] / (counts["hit"] + counts["missed"]) > 0.88
