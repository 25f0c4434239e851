"""Co-occurrence: findings labelled together in a table, with count, lift and NPMI."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from kg.check.label_tables import TableOptions, read_labels
from kg.sources import Facts
from kg.sources._mined import MinedOptions, seen_together
from kg.sources._names import Names

__all__ = ["CoOccurrence"]


class CoOccurrence:
    """Counts pairs of labels over studies of training patients.

    Args:
        options: The table, its patients and its origin.
    """

    class Options(MinedOptions, TableOptions):
        """The table, its patients and its origin.

        `patients` must be given: a graph for an evaluation counts training patients only.
        """

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Count the pairs.

        Args:
            folder: Folder the table is relative to.
            known: Facts of earlier sources; labels are looked up in them.

        Raises:
            InputError: If the table is missing or a row is malformed; names the line.
        """
        dropped: Counter[str] = Counter()
        label_sets = {one.name: one for one in known.label_sets}
        studies = read_labels(folder, self.options, Names(known.concepts), label_sets, dropped)
        present = [study.present for study in studies]
        return Facts((), seen_together(present, self.options, known, dropped), dropped=dropped)
