"""Modalities are ranked apart, and their mean is of those with enough positives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from experiments.compare.compare import compare
from experiments.metrics.bootstrap import Plan
from experiments.records.predictions import read_predictions
from experiments.records.studies import ScoredStudy, write_studies

CT = 40
"""The first studies of each fold are CT, the rest X-rays."""


def tell_modalities(folder, known=True):
    part = read_predictions(folder.predictions)[-1]
    rows = [
        ScoredStudy(study, patient, "test", modality="ct" if row < CT else "cxr" if known else "")
        for row, (study, patient) in enumerate(zip(part.studies, part.patients, strict=True))
    ]
    write_studies(folder.studies, rows)
    return part


def test_the_macro_is_the_mean_within_modalities(crossed):
    groups = {"full": crossed(seeds=1), "names": crossed("names", seeds=1, lift=0.2)}
    parts = [tell_modalities(run) for run in groups["full"]]
    found = compare(groups, plan=Plan(resamples=50, at_least=10))
    entry = found.entry("full")
    assert found.parts == ("ct", "cxr")
    within = {
        name: np.mean(
            [
                np.mean(
                    [
                        roc_auc_score(part.labels[rows, c][kept], part.probabilities[rows, c][kept])
                        for part in parts
                        for kept in [~np.isnan(part.labels[rows, c])]
                    ]
                )
                for c in (0, 1)
            ]
        )
        for name, rows in (("ct", slice(None, CT)), ("cxr", slice(CT, None)))
    }
    assert {part.part: part.value.value for part in entry.parts} == pytest.approx(within)
    mean = (within["ct"] + within["cxr"]) / 2
    assert entry.metrics["auroc_macro"].value == pytest.approx(mean)
    names = found.entry("names").metrics["auroc_macro"].value
    assert found.differences[0].value.value == pytest.approx(mean - names)
    assert any("ranked within ct, cxr" in note for note in found.notes)


def test_a_modality_with_too_few_positives_is_no_part_of_the_mean(crossed):
    groups = {"full": crossed(seeds=1)}
    for run in groups["full"]:
        tell_modalities(run)
    found = compare(groups, plan=Plan(resamples=50, at_least=17))
    ct, cxr = found.entries[0].parts
    assert cxr.too_few
    assert cxr.value.value is None
    assert found.entries[0].metrics["auroc_macro"].value == pytest.approx(ct.value.value)
    assert any("not in the mean: cxr" in note for note in found.notes)


@pytest.mark.parametrize("known", [False, None])
def test_without_all_modalities_studies_are_ranked_together(crossed, known):
    runs = crossed(seeds=1)
    if known is not None:
        for run in runs:
            tell_modalities(run, known)
    found = compare({"full": runs}, plan=Plan(resamples=50))
    assert found.parts == ()
    assert found.entries[0].parts == ()
    unknown = 120 if known is None else 40
    assert (
        f"the modality of {unknown} studies is not known: all were ranked together" in found.notes
    )
