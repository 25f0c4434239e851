"""`kgdx graph embed`: link prediction on a graph, its metrics and concept vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import output_options
from experiments.cli.graph_arguments import edited_allowed, edited_option
from kg.errors import InputError

if TYPE_CHECKING:
    from experiments.link_prediction.measure import Spread
    from experiments.link_prediction.study import LinkStudy

__all__ = ["embed"]

_FIGURES = ("mrr", "hits_1", "hits_3", "hits_10")
_FEW = 8


@click.command()
@output_options
@click.argument("file", type=click.Path(path_type=Path), required=False)
@edited_option
@click.option("--benchmark", help="Benchmark of an installed PyKEEN: nations, umls or kinships.")
@click.option("--model", default="plain", show_default=True,
              help="Plain vectors, or a graph network on them (kgdx list encoders).")  # fmt: skip
@click.option("--decoder", default="complex", show_default=True,
              help="Scoring function of edges (kgdx list encoders).")  # fmt: skip
@click.option("--seed", "seeds", type=int, multiple=True, default=(0,), show_default=True,
              help="Seed of split and training (repeatable: mean and deviation).")  # fmt: skip
@click.option("--bookkeeping/--no-bookkeeping", default=False, show_default=True,
              help="Include relations that organise the graph, not medicine.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="Training setting, e.g. epochs=20 (repeatable).")  # fmt: skip
@click.option("--near", "terms", multiple=True, metavar="CONCEPT",
              help="Concept whose nearest concepts are shown (repeatable).")  # fmt: skip
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path),
              help="File for the vectors of the first seed: .safetensors.")  # fmt: skip
def embed(file: Path | None, output: Path | None, as_json: bool, **arguments: Any) -> None:
    r"""Train link prediction on FILE and test it on held-out edges.

    FILE is a graph (.jsonl, .ttl, .trig), a table of triples (.tsv, .txt), or a folder with
    train, valid and test (default: the shipped graph).

    \b
    kgdx graph embed --near atelectasis -o vectors.safetensors
    kgdx graph embed --model compgcn --seed 0 --seed 1 --seed 2
    kgdx graph embed --benchmark umls --decoder rotate
    """
    if output is not None and output.suffix != ".safetensors":
        raise InputError(f"{output}: vectors are written as .safetensors", "use that file ending")
    from experiments.link_prediction import study

    source = study.opened(
        file,
        arguments["benchmark"],
        bookkeeping=arguments["bookkeeping"],
        allow_edited=edited_allowed(),
    )
    near = {term: source.resolve(term) for term in arguments["terms"]}
    options = study.settings(arguments["model"], arguments["decoder"], arguments["settings"])
    result = study.run(source, options, arguments["seeds"], report=show.note)
    if output is not None:
        result.keep(output)
        show.note(f"written to {output}")
    neighbours = {term: list(result.nearest(concept, _FEW)) for term, concept in near.items()}
    if as_json:
        show.json_result({**result.as_json(), "nearest": neighbours})
        return
    _print(result)
    for term, rows in neighbours.items():
        show.result("")
        cells = [(concept, source.label(concept), cosine) for concept, cosine in rows]
        show.table((f"nearest to {term}", "label", "cosine"), cells)


def _print(result: LinkStudy) -> None:
    summary = result.summary()
    columns = ("test edges", "MRR", "Hits@1", "Hits@3", "Hits@10", "ranks")
    rows = [_row(what, one.figures, one.count) for what, one in summary.rows.items()]
    show.table(columns, [*rows, ("equal scores", *asdict(result.chance).values())])
    show.result("")
    relations = [_row(name, one.figures, one.count) for name, one in summary.relations.items()]
    show.table(("relation", *columns[1:]), relations)
    show.note(
        f"{result.graph_input.name}: {result.size}; model {result.name}; "
        f"seeds {_listed(result.seeds)}; "
        f"{summary.seconds:.2f} s per epoch; selected on validation (MRR {summary.valid:.3f})"
    )
    if summary.leaks:
        show.note(
            f"inverse leaks: {summary.leaks:.1%} of the test edges are inverses of training edges"
        )
    if summary.left_out:
        show.note(f"{summary.left_out} relations have no test edge")


def _row(what: str, figures: dict[str, Spread], count: int) -> tuple[object, ...]:
    return (what, *(_spread(figures[name]) for name in _FIGURES), count)


def _spread(value: Spread) -> str:
    if value.mean != value.mean:
        return "-"
    return f"{value.mean:.3f}" + (f" ± {value.deviation:.3f}" if value.deviation else "")


def _listed(values: Sequence[int]) -> str:
    return ", ".join(str(value) for value in values)
