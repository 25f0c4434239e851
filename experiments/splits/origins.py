"""Origin of a study: the web domain, paper, collection or data set of its images.

Leave-one-origin-out: each origin is tested by a model trained on all others. An origin can be
tested if some finding is present in enough of its studies and absent in enough; the others always
train and are never tested.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from encoders.study import Study
from kg.errors import InputError

__all__ = ["FEWEST", "OriginCount", "count_origins", "origin_groups", "origin_of", "tested_origin"]

FEWEST = 10
"""Least number of studies with a finding, and without it, of a tested origin."""


@dataclass(frozen=True)
class OriginCount:
    """Counts of the labelled studies of an origin.

    Args:
        source: Its name.
        studies: Labelled studies.
        patients: Their groups.
        rarer: Studies of the rarer class of the finding whose rarer class is most frequent.
    """

    source: str
    studies: int
    patients: int
    rarer: int

    @property
    def can_be_tested(self) -> bool:
        """True if both classes of some finding are frequent enough."""
        return self.rarer >= FEWEST


def origin_of(study: Study) -> str:
    """Document of a study (domain, paper, collection), else its data set."""
    return study.metadata.get("document") or study.dataset


def count_origins(studies: Iterable[Study]) -> tuple[OriginCount, ...]:
    """Counts of the labelled studies of each origin, largest first.

    A finding that a labelled study does not state counts as absent.
    """
    members: dict[str, list[Study]] = defaultdict(list)
    for study in studies:
        if study.stated:
            members[origin_of(study)].append(study)
    rows = [
        OriginCount(name, len(some), len({one.patient for one in some}), _rarer(some))
        for name, some in members.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.studies, row.source)))


def tested_origin(studies: Iterable[Study], number: int, dataset: str) -> str:
    """The origin of that number among those that can be tested, largest first.

    Args:
        studies: Development studies.
        number: Its number, from 0.
        dataset: Name of the data set.

    Raises:
        InputError: If there is one origin only, or none of that number.
    """
    counts = count_origins(studies)
    if len(counts) < 2:
        known = counts[0].source if counts else "none"
        raise InputError(
            f"{dataset}: there is one origin only ({known}), and none to learn from without it",
            "use split.kind folds, or test on other data with `kgdx experiment evaluate`",
        )
    able = [row.source for row in counts if row.can_be_tested]
    if not 0 <= number < len(able):
        named = ", ".join(f"{place} {name}" for place, name in enumerate(able)) or "none"
        raise InputError(
            f"split.fold {number}: {len(able)} of the {len(counts)} origins of {dataset} can be "
            f"tested (at least {FEWEST} studies with and without some finding)",
            f"choose of: {named}",
        )
    return able[number]


def origin_groups(studies: Iterable[Study], origin: str) -> tuple[set[str], set[str]]:
    """Groups tested with an origin, and groups that may not train for it.

    A group is tested with the origin of most of its studies; if it also has studies of the tested
    origin, it is neither tested nor trained on.

    Args:
        studies: Development studies.
        origin: The tested origin.
    """
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for study in studies:
        held[study.patient][origin_of(study)] += 1
    touched = {group for group, origins in held.items() if origin in origins}
    tested = {group for group in touched if _main(held[group]) == origin}
    return tested, touched - tested


def _main(origins: Mapping[str, int]) -> str:
    """The most frequent origin, of equal ones the first by name."""
    return min(origins, key=lambda name: (-origins[name], name))


def _rarer(studies: Sequence[Study]) -> int:
    """Number of studies of the rarer class, for the finding with the most."""
    said = Counter(pair for study in studies for pair in study.stated.items())
    present = {finding: count for (finding, word), count in said.items() if word == "present"}
    return max(
        (
            min(count, len(studies) - count - said[finding, "uncertain"])
            for finding, count in present.items()
        ),
        default=0,
    )
