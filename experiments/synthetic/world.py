"""Sampling of patients, diseases, findings and symptoms through the clinical graph.

The generative model, for one study:

1. It is healthy with probability `healthy`; otherwise a disease is drawn by the shares of
   `repertoire.DISEASES`.
2. A finding `f` of the modality is there with `rate + strength * weight * (1 - rate)`, where
   `weight` is that of the edge disease-f (`has_phenotype`, or `suggestive_of` backwards) and 0
   without one; a disease that shows nothing gets its strongest finding. Symptoms likewise by
   `has_symptom`.
3. Worlds `linked` and `unlinked`: each finding that is there brings one more with probability
   `strength`, drawn among its `co_occurs_with` neighbours in proportion to the edges' weights.
4. The height in the lung is drawn among the sites of the finding's `located_in` edges.
5. World `unlinked`: disease, every finding and every symptom is then permuted on its own among
   the studies of the modality. Their frequencies stay exactly as they were and nothing depends on
   an edge (`no_finding`, which follows from all others, becomes rarer).
6. Worlds `linked` and `unlinked`: a share `hidden` of the findings is shown in neither image nor
   text and stays in the labels, so that it can be known through the graph's edges or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from encoders.study import RADIOLOGY, Modality
from experiments.synthetic.canvas import stream
from experiments.synthetic.links import Link, Links
from experiments.synthetic.person import SIDES, ZONES, Finding, Person, Side, Zone, meet
from experiments.synthetic.repertoire import (
    DISEASES,
    FINDINGS,
    SITES,
    SYMPTOM_RATE,
    SYMPTOMS,
    Kind,
)
from experiments.synthetic.rules import Rules

NODULE = "ckg:lung_nodule"
LARGE = ("ckg:lung_mass", "ckg:consolidation")

EdgeKey = tuple[str, str, str]
Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Case:
    """Ground truth of one study.

    Args:
        study: Identifier.
        person: The patient.
        age: Years at this study.
        modality: Imaging modality.
        disease: Concept id, or None.
        suspected: True if the disease is stated as a suspicion.
        findings: Findings with their sites, by concept id.
        symptoms: Concept ids.
        edges: Edges of the graph that caused a finding or symptom.
        silent: Absent (or merely implied) concepts without any statement.
        doubtful: Absent concepts that are stated as uncertain.
    """

    study: str
    person: Person
    age: int
    modality: Modality
    disease: str | None
    suspected: bool
    findings: tuple[Finding, ...]
    symptoms: tuple[str, ...]
    edges: tuple[EdgeKey, ...]
    silent: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()


def sample(rules: Rules, links: Links) -> list[Case]:
    """Draw all studies of a world.

    Args:
        rules: Number of studies, seed, world and shares.
        links: The graph's edges.
    """
    cases: list[Case] = []
    number = 0
    while len(cases) < rules.studies:
        number += 1
        patient = f"P{number:04d}"
        rng = stream(rules.seed, "patient", patient)
        person = meet(patient, rng)
        modality = RADIOLOGY[int(rng.choice(3, p=rules.mix))]
        for visit in range(int(rng.choice([1, 2, 3], p=[0.62, 0.26, 0.12]))):
            if len(cases) < rules.studies:
                study = f"S{len(cases) + 1:04d}"
                age = min(95, person.age + visit)
                cases.append(_case(study, person, age, modality, rules, links))
    if rules.world == "unlinked":
        cases = _cut_links(cases, stream(rules.seed, "unlinked"))
    return [_state(case, rules, links, stream(rules.seed, "stated", case.study)) for case in cases]


def _case(
    study: str, person: Person, age: int, modality: Modality, rules: Rules, links: Links
) -> Case:
    """One study before anything is hidden, hedged or permuted."""
    rng = stream(rules.seed, "case", study)
    kinds = {c: kind for c, kind in FINDINGS[modality].items() if c in links.known}
    healthy = rng.random() < rules.healthy
    disease = None if healthy else _disease(modality, links, rng)
    edges: list[EdgeKey] = []
    present: list[str] = []
    if not healthy:
        shows = links.shown_by(disease, kinds) if disease else []
        rates = {concept: kind.rate for concept, kind in kinds.items()}
        present = _raised(rates, shows, rules.strength, rng, edges)
        if shows and not present:
            best = max(shows, key=lambda link: link.weight)
            present = [best.concept]
            edges.append(best.edge)
    if rules.world != "plain":
        present += _brought(present, links, kinds, rules.strength, rng, edges)
    findings = _apart([_place(concept, kinds[concept], links, rng, edges) for concept in present])
    rates = {
        c: 0.4 * SYMPTOM_RATE if healthy else SYMPTOM_RATE for c in SYMPTOMS if c in links.known
    }
    gives = links.symptoms_of(disease) if disease else []
    symptoms = tuple(_raised(rates, gives, rules.strength, rng, edges))
    return Case(
        study,
        person,
        age,
        modality,
        disease,
        False,
        findings,
        symptoms,
        tuple(dict.fromkeys(edges)),
    )


def _disease(modality: Modality, links: Links, rng: np.random.Generator) -> str | None:
    shares = {c: share for c, share in DISEASES[modality].items() if c in links.known}
    names: list[str | None] = [*shares, None]
    odds = [*shares.values(), 1 - sum(shares.values())]
    return names[int(rng.choice(len(names), p=odds))]


def _raised(
    rates: dict[str, float],
    links: list[Link],
    strength: float,
    rng: np.random.Generator,
    edges: list[EdgeKey],
) -> list[str]:
    """Concepts that are present; edges that raised one are noted."""
    by_concept = {link.concept: link for link in links}
    present = []
    for concept, rate in rates.items():
        link = by_concept.get(concept)
        raised = rate + (strength * link.weight * (1 - rate) if link else 0.0)
        if rng.random() < raised:
            present.append(concept)
            if link:
                edges.append(link.edge)
    return present


def _brought(
    present: list[str],
    links: Links,
    kinds: dict[str, Kind],
    strength: float,
    rng: np.random.Generator,
    edges: list[EdgeKey],
) -> list[str]:
    """Findings that accompany the present ones."""
    more: list[str] = []
    for finding in present:
        near = links.seen_with(finding, kinds)
        draw = rng.random()
        if not near or draw >= strength:
            continue
        weights = np.array([link.weight + 1e-6 for link in near])
        link = near[int(rng.choice(len(near), p=weights / weights.sum()))]
        if link.concept not in present and link.concept not in more:
            more.append(link.concept)
            edges.append(link.edge)
    return more


def _place(
    concept: str, kind: Kind, links: Links, rng: np.random.Generator, edges: list[EdgeKey]
) -> Finding:
    """Site of a finding: side by its kind, height by the graph's sites."""
    side: Side = "both"
    if kind.spread == "one" or (kind.spread == "any" and rng.random() < 0.7):
        side = SIDES[int(rng.integers(2))]
    zone: Zone = "lower"
    sites = links.sites_of(concept) if kind.zoned else []
    if sites:
        link = sites[int(rng.integers(len(sites)))]
        zone, named = SITES[link.concept]
        side = named or side
        edges.append(link.edge)
    elif kind.zoned:
        zone = ZONES[int(rng.integers(3))]
    return Finding(concept, side, zone, float(np.round(rng.random(), 3)))


def _apart(findings: list[Finding]) -> tuple[Finding, ...]:
    """Move a nodule that would lie in a larger shadow to the other side."""
    taken = {(f.side, f.zone) for f in findings if f.concept in LARGE}
    return tuple(
        replace(f, side="left" if f.side == "right" else "right")
        if f.concept == NODULE and (f.side, f.zone) in taken
        else f
        for f in findings
    )


def _cut_links(cases: list[Case], rng: np.random.Generator) -> list[Case]:
    """Permute disease, each finding and each symptom on its own within a modality."""
    mixed = list(cases)
    for modality in RADIOLOGY:
        places = [i for i, case in enumerate(cases) if case.modality == modality]
        group = [cases[i] for i in places]

        diseases = _shuffled([case.disease for case in group], rng)
        findings = [
            _shuffled([_find(case, concept) for case in group], rng)
            for concept in FINDINGS[modality]
        ]
        symptoms = [
            _shuffled([symptom if symptom in case.symptoms else None for case in group], rng)
            for symptom in SYMPTOMS
        ]
        for row, place in enumerate(places):
            mixed[place] = replace(
                cases[place],
                disease=diseases[row],
                findings=tuple(item for column in findings if (item := column[row])),
                symptoms=tuple(found for column in symptoms if (found := column[row])),
                edges=(),
            )
    return mixed


def _shuffled(column: list[Entry], rng: np.random.Generator) -> list[Entry]:
    return [column[int(i)] for i in rng.permutation(len(column))]


def _find(case: Case, concept: str) -> Finding | None:
    return next((finding for finding in case.findings if finding.concept == concept), None)


def _state(case: Case, rules: Rules, links: Links, rng: np.random.Generator) -> Case:
    """Decide which findings are hidden, hedged and unstated."""
    hidden = 0.0 if rules.world == "plain" else rules.hidden
    findings = []
    for finding in case.findings:
        shown, hedged, stated = (
            rng.random() >= hidden,
            rng.random() < rules.hedged,
            rng.random() >= rules.unstated,
        )
        findings.append(replace(finding, shown=shown, hedged=hedged, stated=stated))
    present = {finding.concept for finding in findings}
    absent = [concept for concept in FINDINGS[case.modality] if concept not in present]
    draws = rng.random(len(absent))
    implied = {wider for c in sorted(present) for wider in links.graph.ancestors(c)}
    silent = {c for c, draw in zip(absent, draws, strict=True) if draw < rules.unstated}
    silent |= implied & set(absent)
    doubtful = {c for c, draw in zip(absent, draws, strict=True) if draw > 1 - rules.hedged / 8}
    return replace(
        case,
        findings=tuple(findings),
        suspected=bool(case.disease and rng.random() < rules.hedged),
        silent=frozenset(silent),
        doubtful=frozenset(doubtful - silent),
    )
