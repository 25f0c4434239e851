"""Agreement of labels: numbers worked out by hand."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import pytest

from experiments.datasets.mimic_cxr import MimicCXR
from experiments.datasets.padchest import PadChest
from experiments.labelling.agreement import KINDS, agreements
from experiments.labelling.reports import PUBLISHED, agreement_with_dataset
from kg.errors import InputError
from kg.files.store import load_shipped

# read and given labels of four reports, two findings
PAIRS = [
    ({"a": 1, "b": None}, {"a": 1, "b": None}),
    ({"a": 0, "b": -1}, {"a": 1, "b": -1}),
    ({"a": 0, "b": 1}, {"a": 0, "b": None}),
    ({"a": None, "b": None}, {"a": -1, "b": -1}),
]


def test_four_kinds_by_hand() -> None:
    found = {one.kind: one for one in agreements(PAIRS, ("a", "b"))}
    assert list(found) == ["mention", "negation", "uncertainty", "presence"] == list(KINDS)
    mention = found["mention"]
    # a: three of four given are read; b: one of two, and one read that is not given
    assert (mention.micro.both, mention.micro.read_alone, mention.micro.given_alone) == (4, 1, 2)
    assert mention.micro.precision == pytest.approx(4 / 5)
    assert mention.micro.recall == pytest.approx(4 / 6)
    assert mention.micro.f1 == pytest.approx(8 / 11)
    assert mention.macro_f1 == pytest.approx((6 / 7 + 1 / 2) / 2)
    # two negated are read, one of them is given
    assert found["negation"].micro.f1 == pytest.approx(2 / 3)
    # uncertain: a is missed, b is found once and missed once
    assert found["uncertainty"].micro.f1 == pytest.approx(2 / 4)
    assert found["uncertainty"].macro_f1 == pytest.approx((0 + 2 / 3) / 2)


def test_a_finding_the_reference_lacks_is_in_no_macro_mean() -> None:
    (presence,) = agreements(PAIRS, ("a", "b"), ("presence",))
    assert presence.scored == ("a",)
    assert presence.macro_f1 == presence.columns["a"].f1 == pytest.approx(2 / 3)
    # but what is read of it counts against the micro one
    assert presence.micro.f1 == pytest.approx(2 / 4)
    (none,) = agreements([], ("a",), ("negation",))
    assert isnan(none.micro.f1)
    assert isnan(none.macro_f1)


def test_what_is_not_in_the_reference_is_not_scored() -> None:
    (one,) = agreements([({"a": 1, "b": 1}, {"a": 1})], ("a", "b"), ("presence",))
    assert (one.micro.both, one.micro.read_alone) == (1, 0)


def test_labels_of_the_test_reports_of_mimic(tmp_path: Path) -> None:
    dataset = MimicCXR(MimicCXR.Options(pictures="optional"))
    dataset.tiny(tmp_path)
    path = tmp_path / "mimic-cxr-2.1.0-test-set-labeled.csv"
    # a radiologist who sees one edema for certain, and calls it nothing in the other
    text = path.read_text().replace("50000203,,,,-1.0", "50000203,,,,1.0")
    path.write_text(text.replace("50000215,,,,-1.0", "50000215,,,,"))

    def f1(labels: str) -> dict[str, float]:
        count, found = agreement_with_dataset(
            dataset, tmp_path, labels, load_shipped(), sections="findings_impression"
        )
        assert count == (4 if labels == "chexpert14_test" else 18)
        return {one.kind: one.micro.f1 for one in found}

    assert f1("chexpert14") == f1("chexpert14_negbio") == dict.fromkeys(KINDS, 1.0)
    hand = f1("chexpert14_test")
    # 7 given mentions are read and one more; of two uncertain ones neither is given
    assert hand["mention"] == pytest.approx(14 / 15)
    assert hand["negation"] == 1
    assert hand["uncertainty"] == 0
    assert hand["presence"] == pytest.approx(4 / 5)


def test_labels_of_ones_and_zeros_tell_presence_alone(tmp_path: Path) -> None:
    dataset = PadChest(PadChest.Options(pictures="optional"))
    dataset.tiny(tmp_path)
    _, found = agreement_with_dataset(
        dataset, tmp_path, "padchest", load_shipped(), sections="findings_impression"
    )
    assert [one.kind for one in found] == ["presence"]
    assert found[0].columns["Pleural Effusion"].recall == 1


def test_no_report_is_refused(tmp_path: Path) -> None:
    dataset = MimicCXR(MimicCXR.Options(pictures="optional", reports=False))
    dataset.tiny(tmp_path)
    with pytest.raises(InputError, match="no report"):
        agreement_with_dataset(
            dataset, tmp_path, "chexpert14", load_shipped(), sections="findings_impression"
        )


def test_published_numbers_say_where_and_how_they_are_known() -> None:
    values = {one.metric: one.value for one in PUBLISHED["chexpert14_test"]}
    assert values["mean F1 of all certainties, CheXbert"] == 0.9047
    assert values["mean F1 of all certainties, CheXpert's labeler"] == 0.8864
    for one in PUBLISHED["chexpert14_test"]:
        assert one.mark == "A"
        assert one.where
        assert one.differs
