"""Agreement of extracted with reference labels: F1 of mention, negation, uncertainty, presence.

As MIMIC-CXR-JPG prints it (Johnson 2019, arXiv 1901.07042): a finding is mentioned where it has a
value at all, negated where it is absent, uncertain where it is left open. Micro over all findings,
macro as the mean over the findings of which the given labels have that kind at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan

from kg.mentions.labels import Value

__all__ = ["KINDS", "Agreement", "Counts", "agreements"]

Labels = Mapping[str, Value]
"""Value of each column of a report; missing columns are not scored there."""

KINDS: Mapping[str, Callable[[Value], bool]] = {
    "mention": lambda value: value is not None,
    "negation": lambda value: value == 0,
    "uncertainty": lambda value: value == -1,
    "presence": lambda value: value == 1,
}


@dataclass
class Counts:
    """Counts of agreement between extracted and reference labels."""

    both: int = 0
    read_alone: int = 0
    given_alone: int = 0

    @property
    def given(self) -> int:
        """Number of reference labels."""
        return self.both + self.given_alone

    @property
    def precision(self) -> float:
        """Share of extracted labels that are in the reference; NaN where there are none."""
        return _share(self.both, self.both + self.read_alone)

    @property
    def recall(self) -> float:
        """Share of reference labels that are extracted; NaN where there are none."""
        return _share(self.both, self.given)

    @property
    def f1(self) -> float:
        """F1; NaN where neither has labels."""
        return _share(2 * self.both, 2 * self.both + self.read_alone + self.given_alone)

    def add(self, *, read: bool, given: bool) -> None:
        """Count one label."""
        self.both += read and given
        self.read_alone += read and not given
        self.given_alone += given and not read


@dataclass(frozen=True)
class Agreement:
    """Agreement on one kind of label.

    Args:
        kind: One of `KINDS`.
        micro: Counts over all columns.
        columns: Counts of each column.
    """

    kind: str
    micro: Counts
    columns: Mapping[str, Counts]

    @property
    def scored(self) -> tuple[str, ...]:
        """Columns whose reference labels include this kind."""
        return tuple(column for column, counts in self.columns.items() if counts.given)

    @property
    def macro_f1(self) -> float:
        """Mean F1 of these columns; NaN where there are none."""
        return _share(sum(self.columns[one].f1 for one in self.scored), len(self.scored))


def agreements(
    pairs: Iterable[tuple[Labels, Labels]], columns: Sequence[str], kinds: Iterable[str] = KINDS
) -> list[Agreement]:
    """Agreement on each kind of label.

    Args:
        pairs: Read and given labels of each report.
        columns: Columns that are scored.
        kinds: Kinds that are; labels of 1 and 0 alone have only `presence`.
    """
    made = [Agreement(kind, Counts(), {column: Counts() for column in columns}) for kind in kinds]
    for read, given in pairs:
        for one in made:
            holds = KINDS[one.kind]
            for column in columns:
                if column in given:
                    said = {"read": holds(read[column]), "given": holds(given[column])}
                    one.micro.add(**said)
                    one.columns[column].add(**said)
    return made


def _share(part: float, whole: float) -> float:
    return part / whole if whole else nan
