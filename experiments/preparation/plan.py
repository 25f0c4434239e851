"""Plan of a preparation: its options, and the fingerprint of its inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from encoders.study import SplitSubset, plain
from experiments.config.schema import Duplicates
from experiments.datasets._layout import Reading
from experiments.preparation.image_scan import stamp
from experiments.privacy.free_text import TextChoice
from experiments.privacy.pseudonyms import is_keyed, pseudonym

__all__ = ["PLAIN", "Plan", "fingerprint_of"]


@dataclass(frozen=True)
class Plan:
    """Options of a preparation.

    Args:
        workers: Number of processes; it does not change the result.
        side: Side in pixels of decoded images; 0 = none.
        view: View recipe of the decoded images.
        shards: Number of shards for streaming; 0 = none.
        duplicates: Treatment of near-duplicate images in two subsets of a split: `refuse` =
            error; `join` = their patients become one group; `list` = listed only. Patients who
            share an identical image are one group unless it is `list`.
        text: Text of reports and dialogues in the copy; None = none where a key of pseudonyms is
            set, else all.
    """

    workers: int = 1
    side: int = 0
    view: str = "whole"
    shards: int = 0
    duplicates: Duplicates = "refuse"
    text: TextChoice | None = None


PLAIN = Plan()


def fingerprint_of(
    name: str, reading: Reading, root: Path, plan: Plan, official: Mapping[str, SplitSubset]
) -> str:
    """SHA-256 over the inputs of a preparation.

    Inputs are the data set, the version, the options, everything that was read (texts, labels,
    rejected rows, the official split), and size and time of change of every image.
    """
    options = asdict(replace(plan, workers=1))
    if options.pop("text") != "all" or is_keyed():
        options |= {"text": plan.text, "key": pseudonym("key", name)}
    digest = hashlib.sha256(f"{name}\n{version('kgdx')}\n{json.dumps(options)}\n".encode())
    for study in reading.studies:
        digest.update(json.dumps(plain(study), sort_keys=True).encode())
        for image in study.images:
            digest.update(f"{stamp(root / image.path)}\n".encode())
    digest.update(json.dumps([astuple(item) for item in reading.rejected]).encode())
    digest.update(json.dumps(sorted(official.items())).encode())
    return digest.hexdigest()
