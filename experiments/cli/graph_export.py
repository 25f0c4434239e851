"""`kgdx graph export`: writes a graph, or a neighbourhood of it, in another format."""

from __future__ import annotations

from pathlib import Path

import click

from experiments.cli import show
from experiments.cli.arguments import output_options
from experiments.cli.graph_arguments import graph_option, opened, relation_option

__all__ = ["export"]


@click.command()
@output_options
@graph_option
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="File to write; its ending selects the format.")  # fmt: skip
@click.option("--around", help="Concept whose neighbourhood is written (default: all).")
@click.option("--depth", type=click.IntRange(0, 6), default=1, show_default=True,
              help="Steps from that concept.")  # fmt: skip
@relation_option
@click.option("--set", "options", multiple=True, metavar="KEY=VALUE",
              help="Option of the format, e.g. table=concepts for .csv.")  # fmt: skip
def export(
    as_json: bool, file: Path | None, output: Path, around: str | None, depth: int,
    relations: tuple[str, ...], options: tuple[str, ...],
) -> None:  # fmt: skip
    r"""Write the graph or a neighbourhood in another format.

    Formats: .ttl .trig .jsonl .json .csv .tsv .graphml .dot .mmd .txt .html (see
    `kgdx list formats`).

    \b
    kgdx graph export -o nodes.tsv --set table=nodes        # KGX (Biolink Model)
    kgdx graph export -o edges.tsv --set table=edges
    kgdx graph export -o triples.csv --set table=triples    # PyHealth
    """
    from kg.ask.excerpt import excerpt
    from kg.ask.tree import Scope
    from kg.files.atomic import write_whole
    from kg.options import parse_options
    from kg.render import RENDERERS

    kind = RENDERERS.load(output.suffix.removeprefix("."))
    values = dict(option.partition("=")[::2] for option in options)
    renderer = kind(parse_options(kind.Options, values, where=output.suffix))
    graph = opened(file)
    if around is not None or relations:
        centre = None if around is None else graph.resolve(around).id
        graph = excerpt(graph, centre, Scope(depth, relations))
    write_whole(output, renderer.render(graph))
    written = {"file": str(output), "concepts": len(graph.concepts), "edges": len(graph.edges)}
    if as_json:
        show.json_result(written)
    else:
        show.note(f"written to {output}: {written['concepts']} concepts, {written['edges']} edges")
