"""Quality of evidence: whether answers rest on what counts most, and whether maps lie on lesions.

*Comprehensiveness* is what the finding's logit loses without the units of the largest share,
*sufficiency* what it loses with nothing but them (DeYoung: ERASER, 2020); both against as many
random units of the same study; the facts that are shown for a finding against as many random ones
of its edges. *Pointing game* and *energy in box* compare maps with marked boxes
(Zhang: Top-Down Neural Attention by Excitation Backprop, 2018). The *randomisation check* is the
rank correlation of maps with those of the same system with untrained weights (Adebayo: Sanity
Checks for Saliency Maps, 2018), near 0 where a map shows what was learnt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from encoders.batch import StudyBatch
from experiments.explanation.deletion import (
    Concepts,
    Units,
    Words,
    logits,
    places_of,
    shares,
    with_tokens,
    without,
    word_spans,
)
from experiments.explanation.facts import EdgeDeletion, fact_paths
from experiments.explanation.image_maps import cells_of
from experiments.loading.cohort import Cohort
from experiments.loading.marked_boxes import Marked
from experiments.metrics.arrays import BoolArray, FloatArray
from experiments.metrics.bootstrap import Estimate, Plan
from experiments.metrics.means import ratios
from experiments.metrics.pointing import POINTING_METRICS, pointing_sums
from experiments.metrics.sums import StudySums, measure
from experiments.runs.restore import Restored
from fusion.capabilities import Perturbs

__all__ = [
    "DELETED",
    "MEASURES",
    "Quality",
    "deletion_quality",
    "map_correlation",
    "map_quality",
    "predicted_present",
]

DELETED = 0.2
"""Share of a study's units that are deleted, or kept alone."""
RANDOM = 5
"""Random choices that are averaged."""
MOST = 48
"""Studies that are measured."""
MEASURES = (
    *("comprehensiveness", "random_comprehensiveness", "comprehensiveness_gain"),
    *("sufficiency", "random_sufficiency", "sufficiency_gain"),
)
"""Means over the findings predicted present, in logits; a gain above 0 is better than random."""


@dataclass(frozen=True)
class Quality:
    """Quality of one kind of evidence.

    Args:
        studies: Studies with a finding predicted present and more than one unit, or an edge shown.
        measures: Estimate of each measure, by name.
    """

    studies: int
    measures: dict[str, Estimate]


def deletion_quality(
    restored: Restored, cohort: Cohort, rng: np.random.Generator, plan: Plan
) -> dict[str, Quality]:
    """Comprehensiveness and sufficiency of `places`, `words`, `statements` and `edges`.

    What a run has none of is left out.

    Args:
        restored: The run.
        cohort: Test studies.
        rng: Generator of the random choices and of the resamples.
        plan: How intervals are made, over patients.
    """
    rows: dict[str, list[FloatArray]] = defaultdict(list)
    patients: dict[str, list[str]] = defaultdict(list)
    for place in _some(cohort):
        batch = cohort.batch([place])
        chosen = predicted_present(restored, batch)
        for name, units in _units(restored, cohort, place, batch) if len(chosen) else ():
            if units.count > 1:
                rows[name].append(_lost(restored.system, units, chosen, restored, rng))
                patients[name].append(cohort.studies[place].patient)
        lost = _without_facts(restored, batch, chosen, rng)
        if lost is not None:
            rows["edges"].append(lost)
            patients["edges"].append(cohort.studies[place].patient)
    return {
        name: Quality(
            len(found),
            dict(
                zip(
                    MEASURES,
                    _means(np.array(found), patients[name], rng, plan),
                    strict=True,
                )
            ),
        )
        for name, found in rows.items()
    }


def map_quality(
    restored: Restored,
    untrained: Any,
    cohort: Cohort,
    marked: dict[int, Marked],
    *,
    rng: np.random.Generator,
    plan: Plan,
) -> dict[str, Quality]:
    """Pointing of occlusion maps at boxes, and rank correlation with maps of random weights.

    Args:
        restored: The run.
        untrained: Its system with untrained weights.
        cohort: Test studies.
        marked: Boxes in the square views by place of the study; empty = none are marked.
        rng: Generator of the resamples.
        plan: How intervals are made, over patients.
    """
    systems = {"trained": restored.system, "untrained": untrained}
    findings = restored.preprocessor.findings
    alike: list[float] = []
    people: list[str] = []
    pointed: dict[str, list[tuple[int, FloatArray]]] = {name: [] for name in systems}
    for place in dict.fromkeys([*[*marked][:MOST], *_some(cohort)][:MOST]):
        batch = cohort.batch([place])
        places, chosen = places_of(batch), predicted_present(restored, batch)
        if places is None:
            continue
        maps = {
            name: cells_of(system, places.read_by(system), findings, "occlusion")
            for name, system in systems.items()
        }
        if len(chosen):
            alike.append(map_correlation(maps["trained"][chosen], maps["untrained"][chosen]))
            people.append(cohort.studies[place].patient)
        for name, found in maps.items():
            pointed[name] += [
                (place, sums)
                for sums in _pointed(found, places.pictures, marked.get(place), findings)
            ]
    made: dict[str, Quality] = {}
    if alike:
        (agreement,) = _means(np.array(alike)[:, None], people, rng, plan, gains=False)
        made["randomised_weights"] = Quality(len(alike), {"rank_correlation": agreement})
    for name, sums in pointed.items():
        if sums:
            made[f"pointing_{name}"] = _pointing(sums, cohort, rng)
    return made


def _some(cohort: Cohort) -> range:
    """Places of at most `MOST` studies, evenly spread."""
    return range(0, len(cohort), -(-len(cohort) // MOST))


def predicted_present(restored: Restored, batch: StudyBatch) -> list[int]:
    """Columns of the findings that are predicted present."""
    calibration = restored.calibration
    assert calibration is not None
    raw = 1 / (1 + np.exp(-logits(restored.system, batch, restored.preprocessor.findings)))
    cuts = np.array(calibration.thresholds.values)
    found: list[int] = np.flatnonzero(calibration.apply(raw)[0] >= cuts).tolist()
    return found


def _units(
    restored: Restored, cohort: Cohort, place: int, batch: StudyBatch
) -> Iterator[tuple[str, Units]]:
    """Units of a study by the name of their kind."""
    places = places_of(batch, restored.system)
    if places is not None:
        yield "places", places
    if batch.text is None:
        return
    batch = with_tokens(restored.system, batch)
    loader, policy = restored.preprocessor.text, restored.experiment.text.test
    passages = loader.passages(cohort.studies[place], policy)
    spans = word_spans(passages)
    yield "words", Words(batch, loader, passages, tuple((span,) for span in spans))
    yield "statements", Concepts.of(batch)


def _lost(
    system: Any, units: Units, chosen: Sequence[int], restored: Restored, rng: np.random.Generator
) -> FloatArray:
    """Mean loss over some findings without the strongest and random units, and with them alone."""
    findings = tuple(restored.preprocessor.findings[column] for column in chosen)
    found = shares(system, units, findings)
    number = max(1, round(DELETED * units.count))
    sets = [
        np.stack(
            [
                _top(order, number)
                for order in (found[:, column], *rng.random((RANDOM, units.count)))
            ]
        )
        for column in range(len(findings))
    ]
    gone = np.concatenate([np.concatenate([one, ~one]) for one in sets])
    every = np.vstack([np.zeros((1, units.count), bool), gone])
    left = without(system, units, every, findings)
    lost = (left[0] - left[1:]).reshape(len(findings), 2, RANDOM + 1, len(findings))
    own = lost[np.arange(len(findings)), :, :, np.arange(len(findings))]  # [C, 2, 1 + RANDOM]
    values = np.concatenate([own[:, :, 0], own[:, :, 1:].mean(2)], 1).mean(0)
    return np.asarray(values[[0, 2, 1, 3]])


def _without_facts(
    restored: Restored, batch: StudyBatch, chosen: Sequence[int], rng: np.random.Generator
) -> FloatArray | None:
    """As `_lost`, for the edges that are shown as speaking for a finding; None where none are."""
    system: Any = restored.system
    if not (len(chosen) and isinstance(system, Perturbs)):
        return None
    findings = tuple(restored.preprocessor.findings[column] for column in chosen)
    edges, values = EdgeDeletion(system, batch), []
    for finding, facts in zip(findings, fact_paths(system, batch, findings, edges), strict=True):
        shown = {one.edge for fact in facts for one in fact.edges if one.share > 0}
        known = list(dict.fromkeys([*edges.around(finding), *shown]))
        if not 0 < len(shown) < len(known):
            continue
        draws = [rng.permutation(len(known))[: len(shown)].tolist() for _ in range(RANDOM)]
        sets = [shown, *({known[place] for place in draw} for draw in draws)]
        left = [[edge for edge in known if edge not in one] for one in sets]
        deleted, kept = edges.shares((finding,), [*sets, *left]).reshape(2, -1)
        values.append([deleted[0], deleted[1:].mean(), kept[0], kept[1:].mean()])
    return np.mean(values, axis=0) if values else None


def _top(order: FloatArray, number: int) -> BoolArray:
    """True for so many units, the first by an order."""
    chosen = np.zeros(len(order), bool)
    chosen[np.argsort(-order, kind="stable")[:number]] = True
    return chosen


def _means(
    rows: FloatArray,
    patients: Sequence[str],
    rng: np.random.Generator,
    plan: Plan,
    *,
    gains: bool = True,
) -> list[Estimate]:
    """Means of the columns over studies; of four, what each is better by than random too."""
    columns = rows
    if gains:
        deleted, random, kept, random_kept = rows.T
        gained = (deleted - random, random_kept - kept)
        columns = np.column_stack([deleted, random, gained[0], kept, random_kept, gained[1]])
    groups = np.asarray(patients, dtype=object)
    return ratios(columns, np.ones(len(columns)), groups, rng=rng, plan=plan)


def map_correlation(first: FloatArray, second: FloatArray) -> float:
    """Mean rank correlation of two maps of each finding; constant maps count as unlike."""
    pairs = zip(first.reshape(len(first), -1), second.reshape(len(second), -1), strict=True)
    found = [0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else spearmanr(a, b)[0] for a, b in pairs]
    return float(np.mean(found))


def _pointed(
    maps: FloatArray, pictures: Sequence[int], marked: Marked | None, findings: Sequence[str]
) -> Iterator[FloatArray]:
    """Numbers of each marked finding of each picture, of the places that speak for it."""
    for (picture, finding), boxes in (marked or {}).items():
        if picture in pictures:
            one = np.maximum(maps[findings.index(finding), pictures.index(picture)], 0.0)
            yield pointing_sums([one], [boxes]).values[0]


def _pointing(
    sums: Sequence[tuple[int, FloatArray]], cohort: Cohort, rng: np.random.Generator
) -> Quality:
    """Metrics of pointing, with intervals over patients."""
    patients = np.array([cohort.studies[place].patient for place, _ in sums], dtype=object)
    names = pointing_sums([], []).names
    numbers = StudySums(names, np.array([row for _, row in sums]))
    found = measure(numbers, POINTING_METRICS, patients, rng=rng)
    return Quality(len({place for place, _ in sums}), dict(found))
