"""`kgdx data agreement`: labels read from the reports of a data set, compared with its labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import output_options, root_option
from experiments.cli.completion import complete_datasets
from experiments.cli.copies import load_dataset, raw_folder
from experiments.cli.label import SECTIONS

if TYPE_CHECKING:
    from experiments.config.schema import Published
    from experiments.labelling.agreement import Agreement

__all__ = ["agreement"]


@click.command()
@output_options
@click.argument("name", shell_complete=complete_datasets)
@root_option
@click.option("--labels", default="", help="Label set of the data set (default: the first).")
@click.option("--sections", type=click.Choice(SECTIONS), default=SECTIONS[0], show_default=True,
              help="Report sections to read.")  # fmt: skip
def agreement(**arguments: Any) -> None:
    """Compare labels read from the reports of NAME with its own.

    F1 of four kinds: a finding is mentioned where it has a label, negated where that is 0,
    uncertain where it is -1, present where it is 1; labels with only 1 and 0 give presence only.
    Micro is over all findings, macro the mean over those labelled in the data set. The locked test
    set is left out.

    The 687 reports of MIMIC-CXR that a radiologist labelled:
    kgdx data agreement mimic_cxr --labels chexpert14_test --root DIR
    """
    from experiments.labelling.reports import PUBLISHED, agreement_with_dataset
    from kg.files.store import load_shipped

    name = arguments["name"]
    dataset = load_dataset(name)
    if "pictures" in dataset.Options.model_fields:
        dataset = load_dataset(name, ("pictures=optional",))
    labels = arguments["labels"] or dataset.label_choices[0].name
    place = raw_folder(name, dataset, arguments["root"])
    count, found = agreement_with_dataset(
        dataset, place, labels, load_shipped(), sections=arguments["sections"]
    )
    beside = PUBLISHED.get(labels, ())
    if arguments["as_json"]:
        show.json_result(_as_json(labels, count, found, beside))
        return
    show.note(f"{name}, {labels}: {count} reports with labels")
    show.table(SUMMARY, [_summary(one) for one in found], title="agreement")
    show.table(("finding", *(one.kind for one in found)), _by_finding(found), title="F1 by finding")
    if beside:
        _print_published(beside)


SUMMARY = ("of", "given", "precision", "recall", "micro F1", "macro F1", "findings in macro")


def _summary(one: Agreement) -> tuple[object, ...]:
    micro = one.micro
    return (
        one.kind, micro.given, _short(micro.precision), _short(micro.recall), _short(micro.f1),
        _short(one.macro_f1), len(one.scored),
    )  # fmt: skip


def _by_finding(found: Sequence[Agreement]) -> list[tuple[str, ...]]:
    return [
        (column, *(_short(one.columns[column].f1) for one in found)) for column in found[0].columns
    ]


def _short(value: float) -> str:
    return f"{value:.3f}" if value == value else "not defined"


def _print_published(beside: Sequence[Published]) -> None:
    from experiments.config.schema import MARKS

    rows = [(one.metric, f"{one.value:g}", one.mark, one.where, one.differs) for one in beside]
    show.table(("published", "value", "mark", "where", "differences"), rows)
    for mark in dict.fromkeys(one.mark for one in beside):
        show.note(f"mark {mark}: {MARKS[mark]}")


def _as_json(
    labels: str, count: int, found: Sequence[Agreement], beside: Sequence[Published]
) -> dict[str, Any]:
    kinds = {
        one.kind: {
            "given": one.micro.given,
            "precision": one.micro.precision,
            "recall": one.micro.recall,
            "micro_f1": one.micro.f1,
            "macro_f1": one.macro_f1,
            "findings_in_macro": len(one.scored),
            "f1": {column: counts.f1 for column, counts in one.columns.items()},
        }
        for one in found
    }
    published = [one.model_dump() for one in beside]
    return {"labels": labels, "reports": count, "kinds": kinds, "published": published}
