"""FHIR R4 resources of answers: a DiagnosticReport of a study with one Observation a finding.

R4B, which the classes are of, leaves these resources of R4 as they were. Patients are not named:
the receiving system adds the subject.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.clinic.codes import USE, codes_of
from experiments.explanation.answer import FindingAnswer, ImageMap, Model, StudyAnswer
from experiments.explanation.plain_answer import evidence_lines, set_words, warning_lines
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph

__all__ = ["fhir_bundle"]

_TERMS = "http://terminology.hl7.org/CodeSystem"
_INTERPRETATIONS = {
    "present": ("POS", "Positive"),
    "absent": ("NEG", "Negative"),
    "uncertain": ("IND", "Indeterminate"),
}
_UNIT = {"unit": "1", "system": "http://unitsofmeasure.org", "code": "1"}


def fhir_bundle(answers: Sequence[StudyAnswer], graph: KnowledgeGraph) -> str:
    """JSON of a bundle with the resources of some answers; the same answers give the same text.

    Args:
        answers: The answers.
        graph: Graph with the identifiers of other terminologies.

    Raises:
        InputError: If the package is missing.
    """
    try:
        from fhir.resources.R4B.bundle import Bundle
    except ImportError as error:
        raise InputError(f"{error.name} is not installed", "pip install 'kgdx[clinic]'") from None
    entries = [entry for answer in answers for entry in _entries(answer, graph)]
    # a model that answered for several studies is one device
    unique = {entry["fullUrl"]: entry for entry in entries}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": list(unique.values())}
    checked = Bundle.model_validate(bundle)
    return json.dumps(json.loads(checked.model_dump_json()), indent=1, ensure_ascii=False) + "\n"


def _entries(answer: StudyAnswer, graph: KnowledgeGraph) -> Iterator[Mapping[str, Any]]:
    """Devices, observations and report of one study."""
    for model in answer.models:
        yield _entry(_device(model), "device", model.weights)
    device = {"reference": _url("device", answer.models[0].weights)}
    key = [answer.study, *(model.weights for model in answer.models)]
    for finding in answer.findings:
        observation = _observation(finding, answer, graph) | {"device": device}
        yield _entry(observation, "observation", *key, finding.finding)
    present = [one.label for one in answer.findings if one.verdict == "present"]
    report = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:kgdx:study", "value": answer.study}],
        "status": "preliminary",
        "category": [{"coding": [{"system": f"{_TERMS}/v2-0074", "code": "RAD"}]}],
        "code": {"text": "Findings predicted by kgdx"},
        "result": [
            {"reference": _url("observation", *key, one.finding)} for one in answer.findings
        ],
        "conclusion": " ".join(
            [f"{USE} Predicted present: {', '.join(present) or 'none'}."]
            + [f"{line[:1].upper()}{line[1:]}." for line in warning_lines(answer)]
        ),
    }
    yield _entry(report, "report", *key)


def _device(model: Model) -> dict[str, Any]:
    """The finished run that answered, known by the fingerprints of its weights and graph."""
    identifiers = [{"system": "urn:kgdx:weights:sha256", "value": model.weights}]
    if model.graph:
        identifiers.append({"system": "urn:kgdx:graph:sha256", "value": model.graph})
    return {
        "resourceType": "Device",
        "identifier": identifiers,
        "manufacturer": "kgdx",
        "deviceName": [{"name": model.run, "type": "user-friendly-name"}],
        "modelNumber": model.system,
        "version": [{"value": model.version}],
        "note": [{"text": USE}],
    }


def _observation(
    answer: FindingAnswer, study: StudyAnswer, graph: KnowledgeGraph
) -> dict[str, Any]:
    """A finding with its probability, decision and evidence."""
    codes = codes_of(answer.finding, answer.label, graph)
    codings = [{"system": c.system, "code": c.value, "display": c.meaning} for c in codes]
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "preliminary",
        "category": [{"coding": [{"system": f"{_TERMS}/observation-category", "code": "imaging"}]}],
        "code": {"coding": codings, "text": answer.label},
        "method": {"text": f"{answer.basis.replace('_', ' ')} prediction of a model"},
        "note": [{"text": text} for text in (USE, *evidence_lines(answer, study))],
    }
    certainty = answer.certainty
    if certainty.probability is None:
        absent = {"system": f"{_TERMS}/data-absent-reason", "code": "unsupported"}
        return made | {"dataAbsentReason": {"coding": [absent]}}
    made["valueQuantity"] = {"value": round(certainty.probability, 6), **_UNIT}
    if answer.verdict in _INTERPRETATIONS:
        code, display = _INTERPRETATIONS[answer.verdict]
        system = f"{_TERMS}/v3-ObservationInterpretation"
        coding = {"system": system, "code": code, "display": display}
        made["interpretation"] = [{"coding": [coding], "text": answer.verdict}]
    if answer.threshold is not None:
        low = {"value": round(answer.threshold, 6), **_UNIT}
        made["referenceRange"] = [{"low": low, "text": "present at or above this probability"}]
    components = list(_components(answer))
    return made | ({"component": components} if components else {})


def _components(answer: FindingAnswer) -> Iterator[dict[str, Any]]:
    """Range over the runs, the conformal set, and the place in each picture."""
    certainty = answer.certainty
    ends = (("lowest", certainty.low), ("highest", certainty.high))
    for name, value in ends:
        if value is not None:
            text = f"{name} probability of {certainty.runs} models"
            yield {"code": {"text": text}, "valueQuantity": {"value": round(value, 6), **_UNIT}}
    if certainty.conformal is not None:
        yield {"code": {"text": "split-conformal set"}, "valueString": set_words(certainty)}
    for one in answer.maps:
        if one.box is not None:
            yield {"code": {"text": _place(one)}, "valueString": _sides(one)}


def _place(one: ImageMap) -> str:
    return f"box of the region that matters most in picture {one.image + 1} ({one.method})"


def _sides(one: ImageMap) -> str:
    """Sides of a map's box."""
    names = ("left", "top", "right", "bottom")
    sides = ", ".join(f"{name} {side:.3f}" for name, side in zip(names, one.box or (), strict=True))
    return f"{sides}, in shares of the picture's sides"


def _entry(resource: Mapping[str, Any], *key: str) -> Mapping[str, Any]:
    return {"fullUrl": _url(*key), "resource": resource}


def _url(*key: str) -> str:
    """Reference to a resource, the same for the same key."""
    return uuid.uuid5(uuid.NAMESPACE_OID, "\n".join(("kgdx", *key))).urn
