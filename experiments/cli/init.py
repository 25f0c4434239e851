"""`kgdx init`: a configuration of one's own, drafted from the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from experiments.cli import show
from experiments.cli.arguments import (
    data_root,
    options_option,
    output_options,
    root_option,
    runs_option,
)
from experiments.cli.copies import load_dataset

__all__ = ["init"]


@click.command()
@output_options
@click.argument("dataset")
@click.option("--system", default="graph_fusion", show_default=True, help="System to configure.")
@click.option("--labels", default="", help="Label set (default: the data set's first).")
@click.option("-o", "output", type=click.Path(path_type=Path), help="YAML file to write.")
@options_option
@runs_option
@root_option
def init(dataset: str, system: str, labels: str, output: Path | None, **arguments: Any) -> None:
    r"""Draft a configuration for DATASET from its studies.

    \b
    kgdx init table --root DIR -o own.yaml
    kgdx experiment check own.yaml --root DIR
    kgdx experiment run own.yaml --root DIR

    The YAML has every key with its meaning, its allowed values and its default, and says what was
    chosen because of the data.
    """
    from experiments.config.schema import DataSection
    from experiments.runner.draft import draft

    chosen = load_dataset(dataset, arguments["options"])
    options = chosen.options.model_dump(mode="json", exclude_unset=True)
    usual = chosen.label_choices[0].name
    data = DataSection(name=dataset, labels=labels or usual, options=options)
    root = data_root(arguments["root"], dataset)
    text = draft(data, system, root, arguments["runs"] / "cache")
    if output is not None:
        show.to_file(output, text)
        show.note(f"next: kgdx experiment check {output} --root {root}")
    if arguments["as_json"]:
        show.json_result({"yaml": text})
    elif output is None:
        show.result(text.rstrip())
