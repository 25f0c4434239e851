"""Each probe finds its own shortcut, and nothing where there is none; shuffled labels never."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from encoders.study import Passage, Study
from experiments.audit.audit import audit
from experiments.audit.image_probe import BordersProbe
from experiments.audit.judging import judge, shuffled_check, shuffled_labels
from experiments.audit.probes import MetadataProbe, NotPossible
from experiments.audit.subject import AuditOptions, open_subject
from experiments.audit.text_probe import CutProbe, Redacted, RedactedProbe
from experiments.preparation.open_dataset import OpenDataset
from kg.errors import InputError
from kg.files.store import load_shipped

OPTIONS = AuditOptions(folds=3, at_least=5, resamples=100, shuffles=8)
PROBES = (
    "origin",
    "image files",
    "view",
    "sex, age and view",
    "text length",
    "cuts in the report",
    "redacted report",
    "borders",
    "image without lungs",
)


def run(made, tmp_path):
    dataset, root = made
    return audit(OPTIONS, OpenDataset.open("planted", dataset, root), cache=tmp_path / "cache")


@pytest.mark.parametrize("shortcut", [*PROBES, "modality"])
def test_a_planted_shortcut_is_found(shortcut, planted, tmp_path):
    found = {probe.name: probe for probe in run(planted(shortcut), tmp_path).probes}[shortcut]
    assert found.impossible == ""
    assert found.judged.value > 0.9
    assert found.judged.low > 0.5
    assert f"predictable from {shortcut} alone: COVID-19 " in found.verdict
    assert f"for COVID-19 cannot be distinguished from {shortcut}" in found.verdict


def test_nothing_is_found_where_nothing_was_planted(planted, tmp_path):
    made = run(planted(), tmp_path)
    found = [probe for probe in made.probes if probe.name in PROBES]
    values = [probe.judged.value for probe in found]
    assert len(values) == len(PROBES)
    assert 0.35 < min(values) < max(values) < 0.65
    assert abs(np.mean(values) - 0.5) < 0.05
    # one draw of labels is one draw for all probes, and their intervals may miss by chance
    assert sum("no finding can be predicted" in probe.verdict for probe in found) >= 6
    assert made.shuffled.passes
    assert abs(made.shuffled.mean - 0.5) < 0.1
    impossible = {probe.name: probe.impossible for probe in made.probes if probe.impossible}
    assert impossible["redacted dialogue"] == "no study has a dialogue"
    assert impossible["modality"] == "every study has the same: modality 'cxr'"


def test_shuffled_labels_stay_with_their_patient(planted):
    dataset, root = planted()
    subject = open_subject(OPTIONS, OpenDataset.open("planted", dataset, root), load_shipped())
    dealt = shuffled_labels(subject, np.random.default_rng(0))
    for patient in set(subject.groups):
        rows = [row for row, group in enumerate(subject.groups) if group == patient]
        assert len({float(dealt[row, 0]) for row in rows}) == 1
    assert (dealt != subject.labels).any()


def test_folds_that_leak_do_not_pass_the_check(planted):
    dataset, root = planted()
    subject = open_subject(OPTIONS, OpenDataset.open("planted", dataset, root), load_shipped())
    probe = MetadataProbe("patient", "who it is", ("patient",))
    for study in subject.studies:
        study.metadata["patient"] = f"p{study.patient}"

    def scores(labels):
        return probe.run(subject, labels).scores

    assert shuffled_check(subject, scores).passes
    leaking = tuple(replace(fold, train=np.arange(len(subject.studies))) for fold in subject.folds)
    subject.__dict__["folds"] = leaking
    assert not shuffled_check(subject, scores).passes


def test_borders_are_seen_by_any_image_encoder(planted, tmp_path):
    dataset, root = planted("borders", patients=30)
    subject = open_subject(OPTIONS, OpenDataset.open("planted", dataset, root), load_shipped())
    probed = BordersProbe(tmp_path / "cache", "tiny_cnn").run(subject, subject.labels)
    assert probed.reads == "tiny_cnn of the frame at 64 x 64"
    assert judge(subject, probed.scores, across=False)[0].macro.value > 0.9


def test_what_cannot_be_audited_says_so(planted):
    dataset, root = planted(patients=3)
    graph, opened = load_shipped(), OpenDataset.open("planted", dataset, root)
    with pytest.raises(InputError, match="not labelled with 'nih14'"):
        OpenDataset.open("planted", dataset, root, "nih14")
    with pytest.raises(InputError, match="no finding of covid is present in 20 or more"):
        open_subject(AuditOptions(), opened, graph)
    with pytest.raises(InputError, match="nothing is left for"):
        open_subject(AuditOptions(at_least=1, folds=9), opened, graph)


def test_text_in_a_language_that_is_not_read_is_no_redacted_text():
    spanish = Study("s", "p", report=(Passage("findings", "derrame pleural .", "es"),))
    subject = SimpleNamespace(findings=("ckg:pleural_effusion",), studies=[spanish])
    texts = Redacted(load_shipped(), subject)
    for probe in (RedactedProbe, CutProbe):
        with pytest.raises(NotPossible, match="nothing is left of any report"):
            probe(texts, "report").run(subject, np.zeros((1, 1)))
