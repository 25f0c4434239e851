"""`kgdx graph build`: reads the sources of a recipe, joins them and saves one graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.cli import show
from experiments.cli.arguments import output_options

if TYPE_CHECKING:
    from kg.build.recipe import Taken
    from kg.controls.leave_out import LeftOut
    from kg.sources import Conflict

__all__ = ["build"]

SHIPPED_NAME = "clinical"


@click.command()
@output_options
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="Graph file to write: .jsonl, .ttl or .trig.")  # fmt: skip
@click.option("--without-dataset", "datasets", multiple=True, metavar="NAME",
              help="Leave out evidence mined from this data set (repeatable).")  # fmt: skip
@click.option("--without-source", "sources", multiple=True, metavar="TEXT",
              help="Leave out sources whose name contains this text (repeatable).")  # fmt: skip
@click.option("--conflicts", type=click.Path(dir_okay=False, path_type=Path),
              help="Table of conflicts to write (default: OUTPUT.conflicts.tsv).")  # fmt: skip
def build(
    as_json: bool, recipe: Path, output: Path, datasets: tuple[str, ...],
    sources: tuple[str, ...], conflicts: Path | None,
) -> None:  # fmt: skip
    r"""Build a graph from a recipe of sources.

    RECIPE is a YAML file, or `clinical` for the recipe of the shipped graph:
    \b
    name: my graph
    sources:
      - name: graph                  # the shipped graph
      - name: obo
        options: {file: symp.obo, source: "Symptom Ontology 2026-07", licence: CC0}

    `kgdx list sources` lists the readable formats. Conflicts between sources are written to a
    table beside the graph (OUTPUT.conflicts.tsv). An edge is removed when it has no evidence left.
    """
    from kg.build.recipe import build as build_graph
    from kg.controls.leave_out import leave_out
    from kg.files.store import SHIPPED, check_ending, save

    check_ending(output)
    named = SHIPPED.parent / "recipe.yaml" if str(recipe) == SHIPPED_NAME else recipe
    result = build_graph(named)
    graph, left_out = leave_out(result.graph, datasets, sources)
    save(graph, output)
    listed = conflicts or output.with_name(f"{output.name}.conflicts.tsv")
    if result.conflicts:
        _write_conflicts(listed, result.conflicts)
    summary = {
        "file": str(output),
        "fingerprint": graph.fingerprint,
        "concepts": len(graph.concepts),
        "edges": len(graph.edges),
        "sources": [asdict(taken) for taken in result.taken],
        "left_out": [asdict(gone) for gone in left_out],
        "conflicts": dict(Counter(conflict.kind for conflict in result.conflicts)),
    }
    if as_json:
        show.json_result(summary)
        return
    _print_sources(result.taken)
    _print_left_out(left_out)
    for kind, count in Counter(conflict.kind for conflict in result.conflicts).most_common():
        show.note(f"{count} conflicts {kind}: {listed}")
    show.note(f"written to {output}: {summary['concepts']} concepts, {summary['edges']} edges")


def _print_sources(taken: Sequence[Taken]) -> None:
    columns = ("source", "concepts", "joined", "new", "edges", "new edges", "dropped")
    rows = [
        (one.source, one.concepts, one.joined, one.new_concepts, one.edges, one.new_edges,
         sum(one.dropped.values()))
        for one in taken
    ]  # fmt: skip
    show.table(columns, rows)
    reasons = [
        (one.source, reason, count)
        for one in taken
        for reason, count in sorted(one.dropped.items(), key=lambda pair: -pair[1])
        if count
    ]
    if reasons:
        show.result("")
        show.table(("source", "reason for dropping", "count"), reasons)


def _print_left_out(left_out: Sequence[LeftOut]) -> None:
    if left_out:
        show.result("")
        columns = ("left out", "concepts removed", "edges removed", "evidence removed")
        show.table(columns, [tuple(asdict(one).values()) for one in left_out])


def _write_conflicts(path: Path, conflicts: Sequence[Conflict]) -> None:
    from kg.files.atomic import write_whole

    rows = [("kind", "about", "message"), *((c.kind, c.about, c.message) for c in conflicts)]
    lines = ("\t".join(" ".join(cell.split()) for cell in row) for row in rows)
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())
