"""`kgdx weights`: weights of encoders on this machine, listed and converted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.cli import show
from experiments.cli.arguments import output_options

if TYPE_CHECKING:
    from encoders.weight_files import WeightFile

__all__ = ["weights"]


@click.group()
def weights() -> None:
    """Weights of encoders: list and convert."""


@weights.command("list")
@output_options
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
def list_weights(as_json: bool, folders: tuple[Path, ...]) -> None:
    """List weights with their licence and hash.

    Those that ship with packages, those in FOLDERS, and those that torchxrayvision, Hugging Face
    and torch have fetched before. Nothing is downloaded.
    """
    from encoders.weight_files import PLACES, known_weights

    usual = [place for place in (Path.home() / each for each in PLACES) if place.is_dir()]
    _print(known_weights([*folders, *usual]), as_json=as_json)


@weights.command()
@output_options
@click.argument("source", metavar="FILE", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o", "output", type=click.Path(path_type=Path), help="File to write (default: beside FILE)."
)
@click.option("--licence", default="", metavar="TEXT", help="Licence, written into the file.")
def convert(as_json: bool, source: Path, output: Path | None, licence: str) -> None:
    r"""Convert FILE, written by torch.save, to safetensors.

    FILE is a state_dict, a checkpoint, a whole model as torchxrayvision publishes it, or the folder
    of a Hugging Face model with pytorch_model.bin.

    Such files can run code when torch opens them. Here the pickle inside is read as data by a
    process that may open no other file or connection: nothing of it is executed.
    """
    from encoders.weight_files import convert_weights

    made = convert_weights(source, output, licence)
    _print(made.values(), as_json=as_json)
    show.note(f"use it: image.encoder.options.weights={next(iter(made))}")


def _print(found: Iterable[WeightFile], *, as_json: bool) -> None:
    if as_json:
        show.json_result([asdict(one) for one in found])
    else:
        rows = [(o.name, o.about, o.licence, o.sha256[:16]) for o in found]
        show.table(("weights", "what", "licence", "SHA-256"), rows)
