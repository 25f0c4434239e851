"""Remarks on the size of a user's own data: few patients, few positives, findings of one class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from encoders.study import Stated
from experiments.datasets._layout import Remark
from experiments.metrics.bootstrap import FEWEST_PATIENTS, USUAL

__all__ = ["remarks_on_size"]


def remarks_on_size(
    patients: Sequence[str], stated: Mapping[str, Sequence[Stated | None]]
) -> Iterator[Remark]:
    """Remarks on what the number of studies allows.

    Args:
        patients: Patient of each study.
        stated: Label of each study, by the name of the finding in the user's files.
    """
    if len(set(patients)) < FEWEST_PATIENTS:
        counted = f"{len(patients)} studies of {len(set(patients))} patients"
        yield Remark(
            "studies",
            "warning",
            f"{counted}: too few for a conclusion, intervals are narrower than they should be",
            f"add studies, of {FEWEST_PATIENTS} patients or more",
        )
    counts = {name: list(states).count("present") for name, states in stated.items()}
    single = [name for name, count in counts.items() if count in (0, len(patients))]
    for name in single:
        which = "every study" if counts[name] else "no study"
        yield Remark(
            f"finding {name!r}",
            "warning",
            f"one class only: present in {which}, nothing can be learnt",
            "add studies of the other class, or leave the finding out",
        )
    if counts and len(single) == len(counts):
        yield Remark(
            "findings",
            "wrong",
            "no finding has both classes",
            "add studies of the other class",
        )
    few = [name for name, n in counts.items() if n < USUAL.at_least and name not in single]
    if few:
        yield Remark(
            "findings",
            "warning",
            f"fewer than {USUAL.at_least} positives: "
            + ", ".join(f"{name} ({counts[name]})" for name in few),
            f"data.at_least: {min(counts[name] for name in few)} in the configuration asks for "
            "them too; their mean stands beside the strict one as auroc_macro_all",
        )
