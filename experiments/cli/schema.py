"""`kgdx schema`: JSON schema of configurations, for completion and checks in an editor."""

from __future__ import annotations

import json
from pathlib import Path

import click

from experiments.cli import show
from experiments.cli.arguments import output_options

__all__ = ["schema"]


@click.command()
@output_options
@click.option("-o", "output", type=click.Path(path_type=Path), help="JSON file to write.")
def schema(as_json: bool, output: Path | None) -> None:
    r"""Write the JSON schema of a configuration: every key and part with its meaning and bounds.

    \b
    An editor with the YAML language server reads it where a configuration begins with
        # yaml-language-server: $schema=kgdx.schema.json
    """
    from experiments.config.json_schema import json_schema

    made = json_schema()
    if output is not None:
        show.to_file(output, json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    if as_json or output is None:
        show.json_result(made)
