"""Source of a study: the web domain, paper, collection or data set its pictures were taken from.

Leave-one-source-out: a source is tested by what was learnt of all others. A source can be tested
where some finding is present in enough of its studies and absent in enough; the others train
whichever source is tested, and are tested in none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from encoders.study import Study
from kg.errors import InputError

__all__ = ["FEWEST", "SourceCount", "count_sources", "source_groups", "source_of", "tested_source"]

FEWEST = 10
"""Fewest studies with a finding, and without it, of a source that is tested."""


@dataclass(frozen=True)
class SourceCount:
    """Labelled studies of a source.

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
        """Whether both classes of some finding are frequent enough."""
        return self.rarer >= FEWEST


def source_of(study: Study) -> str:
    """What a study states as its document (domain, paper, collection), else its data set."""
    return study.metadata.get("document") or study.dataset


def count_sources(studies: Iterable[Study]) -> tuple[SourceCount, ...]:
    """Labelled studies of each source, largest source first.

    A finding that a labelled study does not state counts as absent.
    """
    members: dict[str, list[Study]] = defaultdict(list)
    for study in studies:
        if study.stated:
            members[source_of(study)].append(study)
    rows = [
        SourceCount(name, len(some), len({one.patient for one in some}), _rarer(some))
        for name, some in members.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.studies, row.source)))


def tested_source(studies: Iterable[Study], number: int, dataset: str) -> str:
    """The source of that number among those that can be tested, that with most studies first.

    Args:
        studies: Studies of the development part.
        number: Its number, from 0.
        dataset: Name of the data set.

    Raises:
        InputError: If there is one source only, or none of that number.
    """
    counts = count_sources(studies)
    if len(counts) < 2:
        known = counts[0].source if counts else "none"
        raise InputError(
            f"{dataset}: there is one source only ({known}), and none to learn from without it",
            "use split.kind folds, or test on other data with `kgdx experiment evaluate`",
        )
    able = [row.source for row in counts if row.can_be_tested]
    if not 0 <= number < len(able):
        named = ", ".join(f"{place} {name}" for place, name in enumerate(able)) or "none"
        raise InputError(
            f"split.fold {number}: {len(able)} of the {len(counts)} sources of {dataset} can be "
            f"tested (at least {FEWEST} studies with and without some finding)",
            f"choose of: {named}",
        )
    return able[number]


def source_groups(studies: Iterable[Study], source: str) -> tuple[set[str], set[str]]:
    """Groups that are tested with a source, and groups that may not train for it.

    A group is tested with the source most of its studies are from; where it also has studies of
    the tested source, it is neither tested nor trained on.

    Args:
        studies: Studies of the development part.
        source: The source that is tested.
    """
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for study in studies:
        held[study.patient][source_of(study)] += 1
    touched = {group for group, sources in held.items() if source in sources}
    tested = {group for group in touched if _main(held[group]) == source}
    return tested, touched - tested


def _main(sources: Mapping[str, int]) -> str:
    """The most frequent source, of equal ones the first by name."""
    return min(sources, key=lambda name: (-sources[name], name))


def _rarer(studies: Sequence[Study]) -> int:
    """Studies of the rarer class, of the finding where that is most."""
    said = Counter(pair for study in studies for pair in study.stated.items())
    present = {finding: count for (finding, word), count in said.items() if word == "present"}
    return max(
        (
            min(count, len(studies) - count - said[finding, "uncertain"])
            for finding, count in present.items()
        ),
        default=0,
    )
