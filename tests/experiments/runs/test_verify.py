"""A finished run is verified from what is there; whatever was changed is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from experiments.records.folder import RunFolder
from experiments.records.predictions import read_predictions, write_predictions
from experiments.records.studies import read_studies, write_studies
from experiments.runs.verify import verify_run


def verdicts(folder: RunFolder, root: Path | None = None) -> dict[str, bool | None]:
    return {row.what: row.holds for row in verify_run(folder, root)}


def test_an_untouched_run_holds(copied: RunFolder) -> None:
    assert verdicts(copied, Path()) == {
        "configuration": True,
        "split": True,
        "graph and weights": True,
        "predictions": True,
        "studies": True,
        "data": True,
    }


def test_without_a_root_the_data_are_said_not_to_be_looked_at(copied: RunFolder) -> None:
    assert verdicts(copied)["data"] is None


def test_a_changed_configuration_is_named(copied: RunFolder) -> None:
    copied.config.write_text(copied.config.read_text().replace("0.001", "0.002"))
    assert verdicts(copied)["configuration"] is False


def test_studies_of_another_run_are_named_and_an_older_run_has_none(copied: RunFolder) -> None:
    known = read_studies(copied.studies)
    write_studies(copied.studies, [known[1], known[0], *known[2:]])
    assert verdicts(copied)["studies"] is False
    copied.studies.unlink()
    assert "studies" not in verdicts(copied)


def test_the_record_says_all_one_needs_to_repeat_the_run(copied: RunFolder) -> None:
    record = copied.load_record()
    for said in (
        record.version,
        record.packages["torch"],
        record.packages["numpy"],
        record.config_hash,
        record.data_fingerprint,
        record.split_manifest,
        record.graph and record.graph.fingerprint,
    ):
        assert said
    assert record.experiment["seed"] == record.seed
    page = copied.report.read_text()
    for shown in (record.data_fingerprint, record.split_manifest, record.config_hash):
        assert shown in page


def test_a_changed_split_is_named(copied: RunFolder) -> None:
    content = json.loads(copied.splits.read_text())
    content["seed"] += 1
    copied.splits.write_text(json.dumps(content))
    assert verdicts(copied)["split"] is False


def test_changed_weights_are_named(copied: RunFolder) -> None:
    path = next((copied.checkpoints / "best").glob("*.safetensors"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert verdicts(copied)["graph and weights"] is False


def test_changed_predictions_are_named(copied: RunFolder) -> None:
    parts = [
        replace(part, probabilities=1 - part.probabilities)
        for part in read_predictions(copied.predictions)
    ]
    write_predictions(copied.predictions, parts)
    assert verdicts(copied)["predictions"] is False


def test_data_of_another_record_are_named(copied: RunFolder) -> None:
    record = replace(copied.load_record(), data_fingerprint="0" * 64)
    record.save(copied.record)
    assert verdicts(copied, Path())["data"] is False
