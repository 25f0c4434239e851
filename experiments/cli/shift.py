"""`kgdx data shift`: label co-occurrence in two data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import output_options, root_option
from experiments.cli.completion import complete_datasets
from experiments.cli.copies import load_dataset, open_copy

if TYPE_CHECKING:
    from experiments.audit.label_shift import Labelled, PairShift
    from kg.model.graph import KnowledgeGraph

__all__ = ["shift"]

FEWEST = 5
"""Fewest studies with both findings, observed or expected, for a lift to be reported."""
RESAMPLES = 1000


@click.command()
@output_options
@click.argument("one", shell_complete=complete_datasets)
@click.argument("other", shell_complete=complete_datasets)
@root_option
@click.option("--other-root", type=click.Path(path_type=Path),
              help="Folder of OTHER (default: --root).")  # fmt: skip
@click.option("--labels", default="", help="Label set of ONE (default: the first).")
@click.option("--other-labels", default="", help="Label set of OTHER, likewise.")
def shift(**arguments: Any) -> None:
    """Compare label co-occurrence in data sets ONE and OTHER.

    The table gives the lift of each pair of findings in both, and their ratio. A system that
    relies on findings occurring together fails where they do not. Only label tables of the
    development sets are read. Findings are matched through the graph; those without an equivalent
    are listed.
    """
    import numpy as np

    from experiments.audit.label_shift import crosswalk, label_shift
    from experiments.metrics.bootstrap import Plan
    from kg.files.store import load_shipped

    graph = load_shipped()
    one = _table(arguments["one"], arguments["root"], arguments["labels"], graph)
    other_root = arguments["other_root"] or arguments["root"]
    other = _table(arguments["other"], other_root, arguments["other_labels"], graph)
    same = crosswalk(graph, one.findings, other.findings)
    back = crosswalk(graph, other.findings, one.findings)
    plan = Plan(resamples=RESAMPLES, at_least=FEWEST)
    rows = label_shift(one, other, same, rng=np.random.default_rng(0), plan=plan)
    unmatched = [[name for name, match in each.items() if match is None] for each in (same, back)]
    if arguments["as_json"]:
        counted = [{"name": table.name, "studies": len(table.labels)} for table in (one, other)]
        values = {"tables": counted, "same": same, "only_in_other": unmatched[1]}
        show.json_result({**values, "pairs": [asdict(row) for row in rows]})
        return
    _print((one, other), rows, graph)
    for table, names in zip((one, other), unmatched, strict=True):
        labels = [graph.concept(name).label if name in graph.index else name for name in names]
        show.note(f"only in {table.name}: {', '.join(labels) or 'nothing'}")


def _table(name: str, root: Path | None, labels: str, graph: KnowledgeGraph) -> Labelled:
    """The label table of a data set, images not needed."""
    from experiments.audit.label_shift import read_labelled

    dataset = load_dataset(name)
    if "pictures" in dataset.Options.model_fields:
        dataset = load_dataset(name, ("pictures=optional",))
    return read_labelled(open_copy(name, dataset, root, labels), graph)


def _print(
    tables: tuple[Labelled, Labelled], rows: Sequence[PairShift], graph: KnowledgeGraph
) -> None:
    """Print one row per pair of findings, the largest difference first."""
    lifts = [f"lift in {table.name}" for table in tables]
    cells = [
        (
            " + ".join(graph.concept(name).label for name in row.pair),
            *("-" if value is None else f"{value:.2f}" for value in row.lift),
            "too few" if row.too_few else row.ratio.words(),
            *(f"{row.together[place]}/{row.studies[place]}" for place in (0, 1)),
        )
        for row in rows
    ]
    heads = ("pair", *lifts, "ratio", *(f"together in {table.name}" for table in tables))
    show.table(heads, cells)
    judged = [row.ratio for row in rows if not row.too_few]
    apart = [one for one in judged if _leaves_out_one(one.low, one.high)]
    show.note(
        f"{len(judged)} of {len(rows)} pairs have {FEWEST} or more studies with both findings, "
        f"observed or expected, in both; the 95% interval of the ratio excludes 1 in {len(apart)}"
    )


def _leaves_out_one(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and not low <= 1 <= high
