"""FHIR resources: one report a study, one observation a finding, valid and the same each time."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from experiments.clinic.codes import USE
from experiments.clinic.fhir_report import fhir_bundle
from experiments.explanation.answer import Certainty, Conformal
from experiments.records.record import Measured
from kg.errors import InputError

R4B = pytest.importorskip("fhir.resources.R4B")


def resources(text, kind):
    entries = json.loads(text)["entry"]
    return [entry["resource"] for entry in entries if entry["resource"]["resourceType"] == kind]


def test_each_resource_is_valid_r4(answer, shipped) -> None:
    text = fhir_bundle([answer], shipped)
    for kind, count in (("DiagnosticReport", 1), ("Observation", 3), ("Device", 1)):
        found = resources(text, kind)
        assert len(found) == count
        for one in found:
            R4B.get_fhir_model_class(kind).model_validate(one)


def test_a_probability_has_its_decision_threshold_range_and_code(answer, shipped) -> None:
    heart, fluid, hernia = resources(fhir_bundle([answer], shipped), "Observation")
    assert heart["valueQuantity"]["value"] == 0.81
    assert heart["interpretation"][0]["coding"][0]["code"] == "POS"
    assert heart["referenceRange"][0]["low"]["value"] == 0.4
    told = {one["code"]["text"]: one for one in heart["component"]}
    assert told["lowest probability of 3 models"]["valueQuantity"]["value"] == 0.7
    (box,) = [one["valueString"] for one in heart["component"] if "valueString" in one]
    assert box.startswith("left 0.500, top 0.500, right 1.000, bottom 1.000")
    assert fluid["interpretation"][0]["coding"][0]["code"] == "NEG"
    codings = {one["system"]: one["code"] for one in fluid["code"]["coding"]}
    assert codings["http://radlex.org"] == "RID34539"
    assert hernia["dataAbsentReason"]["coding"][0]["code"] == "unsupported"
    assert "valueQuantity" not in hernia


@pytest.mark.parametrize(
    ("held", "words"),
    [({"present"}, "present"), ({"present", "absent"}, "present or absent"), (set(), "neither")],
)
def test_the_conformal_set_is_a_component(answer, shipped, held, words) -> None:
    share = Measured(0.91)
    sure = Certainty(0.8, True, conformal=Conformal(0.9, frozenset(held), share, share, 50))
    heart = replace(answer.findings[0], certainty=sure)
    text = fhir_bundle([replace(answer, findings=(heart,))], shipped)
    (made,) = resources(text, "Observation")
    R4B.get_fhir_model_class("Observation").model_validate(made)
    told = {one["code"]["text"]: one.get("valueString") for one in made["component"]}
    assert told["split-conformal set"] == f"90% set: {words}"


def test_it_names_the_model_and_what_it_is_not_for(answer, shipped) -> None:
    text = fhir_bundle([answer], shipped)
    (device,) = resources(text, "Device")
    (report,) = resources(text, "DiagnosticReport")
    assert device["identifier"][0]["value"] == answer.models[0].weights
    assert report["conclusion"] == f"{USE} Predicted present: Cardiomegaly."
    assert all(one["note"][0]["text"] == USE for one in resources(text, "Observation"))
    assert {one["status"] for one in resources(text, "Observation")} == {"preliminary"}


def test_references_lead_to_resources_of_the_bundle(answer, shipped) -> None:
    text = fhir_bundle([answer, replace(answer, study="study-2")], shipped)
    urls = [entry["fullUrl"] for entry in json.loads(text)["entry"]]
    assert len(urls) == len(set(urls)) == 9
    reports = resources(text, "DiagnosticReport")
    named = {one["reference"] for report in reports for one in report["result"]}
    named |= {one["device"]["reference"] for one in resources(text, "Observation")}
    assert named <= set(urls)
    assert text == fhir_bundle([answer, replace(answer, study="study-2")], shipped)


@pytest.mark.parametrize(
    ("probability", "threshold", "interpretation"),
    [(0.4, 0.4, "POS"), (0.39, 0.4, "NEG"), (0.5, None, None)],
)
def test_a_decision_is_only_told_where_there_is_a_threshold(
    answer, shipped, probability, threshold, interpretation
) -> None:
    certainty = Certainty(probability, True)
    finding = replace(answer.findings[1], certainty=certainty, threshold=threshold)
    (made,) = resources(fhir_bundle([replace(answer, findings=(finding,))], shipped), "Observation")
    told = made.get("interpretation", [{"coding": [{"code": None}]}])[0]["coding"][0]["code"]
    assert told == interpretation


def test_a_missing_package_is_named_with_its_extra(answer, shipped, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fhir.resources.R4B.bundle", None)
    with pytest.raises(InputError) as error:
        fhir_bundle([answer], shipped)
    assert error.value.hint == "pip install 'kgdx[clinic]'"
