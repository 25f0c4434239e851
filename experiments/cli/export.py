"""`kgdx experiment export`: a finished run as ONNX files."""

from __future__ import annotations

from pathlib import Path

import click

from experiments.cli import show
from experiments.cli.arguments import output_options, runs_option

__all__ = ["export"]


@click.command()
@output_options
@click.argument("run_name", metavar="RUN")
@click.option(
    "-o",
    "output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the files.",
)
@runs_option
def export(as_json: bool, run_name: str, runs: Path, output: Path) -> None:
    """Write RUN as ONNX: image encoder and head.

    model.json beside them says how to feed them. The head gives the calibrated probabilities of
    the findings that RUN was trained on; it is written only if onnxruntime gives the same as torch
    within 1e-4. Needs pip install 'kgdx[onnx]'. For research use only.
    """
    from experiments.records.folder import find_run
    from experiments.runs.onnx_export import export_run

    exported = export_run(find_run(run_name, runs), output)
    if as_json:
        files = [str(path.absolute()) for path in exported.files]
        show.json_result({"run": run_name, "files": files, "difference": exported.difference})
    else:
        for path in exported.files:
            show.result(str(path))
        show.note(f"largest difference to torch: {exported.difference:.2g}")
    show.note("For research use only: not a medical device.")
