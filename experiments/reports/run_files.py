"""Files of a run folder that a run page is made from, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.records.journal import read_metrics
from experiments.records.ledger import read_ledger
from experiments.records.predictions import ScoredSubset, read_predictions
from experiments.records.record import with_todays_names
from experiments.records.studies import ScoredStudy, read_studies
from experiments.splits.manifest import Manifest
from kg.errors import InputError
from kg.files.json_text import json_in

__all__ = ["RunFiles", "read_run_files"]


@dataclass(frozen=True)
class RunFiles:
    """The files of one run.

    Args:
        record: The run record as plain JSON values.
        config: Text of the resolved configuration, or empty.
        journal: Measurements during training, in order.
        part: Name of the subset that the page reports.
        scored: Probabilities on that subset, or None where the run has none yet.
        examples: Studies with their evidence.
        studies: Metadata of tested studies; empty for an older run.
        manifest: The split manifest, or None where there is none yet.
        ledger: Uses of a locked test set by this run, from the ledger.
    """

    record: Mapping[str, Any]
    config: str
    journal: tuple[Mapping[str, Any], ...]
    part: str
    scored: ScoredSubset | None
    examples: tuple[Mapping[str, Any], ...]
    studies: tuple[ScoredStudy, ...] = ()
    manifest: Manifest | None = None
    ledger: tuple[Mapping[str, Any], ...] = ()

    @property
    def reported(self) -> tuple[ScoredStudy, ...]:
        """Metadata of the studies of the reported subset."""
        return tuple(study for study in self.studies if study.part == self.part)


def read_run_files(folder: Path) -> RunFiles:
    """Read a run folder; only the record is required.

    Raises:
        InputError: If the record is missing, or a file that is there cannot be read.
    """
    record = _read_json(folder / "record.json")
    if not isinstance(record, Mapping):
        raise InputError(f"{folder / 'record.json'} is not a run record", _AGAIN)
    record = with_todays_names(record)
    examples = _read_json(folder / "examples.json") if (folder / "examples.json").exists() else []
    if not isinstance(examples, list) or not all(isinstance(one, Mapping) for one in examples):
        raise InputError(f"{folder / 'examples.json'} is not a list of studies", _AGAIN)
    config = folder / "config.yaml"
    path, splits = folder / "predictions.parquet", folder / "splits.json"
    subsets = read_predictions(path) if path.exists() else []
    scored = _reported_subset(subsets)
    return RunFiles(
        record=record,
        config=config.read_text(encoding="utf-8", errors="replace") if config.exists() else "",
        journal=tuple(
            row for row in read_metrics(folder / "metrics.jsonl") if isinstance(row, dict)
        ),
        part=scored.part if scored else "test",
        scored=scored,
        examples=tuple(examples),
        studies=read_studies(folder / "studies.parquet"),
        manifest=Manifest.load(splits) if splits.exists() else None,
        ledger=tuple(
            use for use in read_ledger(folder.parent) if use.get("run") == record.get("run")
        ),
    )


_AGAIN = "it was changed or damaged; run the experiment again"


def _reported_subset(subsets: list[ScoredSubset]) -> ScoredSubset | None:
    """The test set; else the last subset other than validation; else None."""
    others = [one for one in subsets if one.part != "validation"]
    tests = [one for one in others if one.part == "test"]
    return (tests or others)[-1] if others else None


def _read_json(path: Path) -> Any:
    """Values of a JSON file."""
    try:
        return json_in(path)
    except FileNotFoundError:
        raise InputError(f"there is no {path}", "name the folder of a run") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", "check its permissions"
        ) from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}", _AGAIN) from None
