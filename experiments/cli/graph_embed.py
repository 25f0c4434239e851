"""`kgdx graph embed`: link prediction over a graph, its table, and the vectors it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import talking
from experiments.cli.graph_arguments import edited_allowed, edited_option
from kg.errors import InputError

if TYPE_CHECKING:
    from experiments.link_prediction.measure import Spread
    from experiments.link_prediction.study import LinkStudy

__all__ = ["embed"]

_FIGURES = ("mrr", "hits_1", "hits_3", "hits_10")
_FEW = 8


@click.command()
@talking
@click.argument("file", type=click.Path(path_type=Path), required=False)
@edited_option
@click.option("--benchmark", help="nations, umls or kinships, from an installed PyKEEN.")
@click.option("--model", default="plain", show_default=True,
              help="plain vectors, or a graph network over them (kgdx list encoders).")  # fmt: skip
@click.option("--decoder", default="complex", show_default=True,
              help="How edges are scored (kgdx list encoders).")  # fmt: skip
@click.option("--seed", "seeds", type=int, multiple=True, default=(0,), show_default=True,
              help="Seed of split and training; several give mean and deviation.")  # fmt: skip
@click.option("--bookkeeping/--no-bookkeeping", default=False, show_default=True,
              help="Also relations that organise the graph rather than medicine.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="A setting of the training, e.g. epochs=20.")  # fmt: skip
@click.option("--near", "terms", multiple=True, metavar="CONCEPT",
              help="Show the concepts nearest to this one.")  # fmt: skip
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path),
              help="Keep the first seed's vectors here (.safetensors).")  # fmt: skip
def embed(file: Path | None, output: Path | None, as_json: bool, **given: Any) -> None:
    r"""Predict missing edges of FILE and measure it on edges held out.

    FILE is a graph (.jsonl, .ttl, .trig), a table of triples (.tsv, .txt), or a folder with
    train, valid and test; the shipped graph where not given.

    \b
    kgdx graph embed --near atelectasis -o vectors.safetensors
    kgdx graph embed --model compgcn --seed 0 --seed 1 --seed 2
    kgdx graph embed --benchmark umls --decoder rotate
    """
    if output is not None and output.suffix != ".safetensors":
        raise InputError(f"{output}: vectors are kept as .safetensors", "give it that ending")
    from experiments.link_prediction import study

    source = study.opened(
        file,
        given["benchmark"],
        bookkeeping=given["bookkeeping"],
        allow_edited=edited_allowed(),
    )
    near = {term: source.resolve(term) for term in given["terms"]}
    options = study.settings(given["model"], given["decoder"], given["settings"])
    found = study.run(source, options, given["seeds"], report=show.note)
    if output is not None:
        found.keep(output)
        show.note(f"written to {output}")
    neighbours = {term: list(found.nearest(concept, _FEW)) for term, concept in near.items()}
    if as_json:
        show.json_result({**found.as_json(), "nearest": neighbours})
        return
    _print(found)
    for term, rows in neighbours.items():
        show.result("")
        cells = [(concept, source.label(concept), cosine) for concept, cosine in rows]
        show.table((f"nearest to {term}", "label", "cosine"), cells)


def _print(found: LinkStudy) -> None:
    summary = found.summary()
    columns = ("on test", "MRR", "Hits@1", "Hits@3", "Hits@10", "ranks")
    rows = [_row(what, one.figures, one.count) for what, one in summary.rows.items()]
    show.table(columns, [*rows, ("same score for all", *asdict(found.chance).values())])
    show.result("")
    relations = [_row(name, one.figures, one.count) for name, one in summary.relations.items()]
    show.table(("relation", *columns[1:]), relations)
    show.note(
        f"{found.graph_input.name}: {found.size}; model {found.name}; "
        f"seeds {_listed(found.seeds)}; "
        f"{summary.seconds:.2f} s an epoch; chosen on validation (MRR {summary.valid:.3f})"
    )
    if summary.leaks:
        show.note(f"inverse leaks: {summary.leaks:.1%} of the test edges follow from learned ones")
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
