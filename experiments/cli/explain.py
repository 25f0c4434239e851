"""`kgdx explain`: the answer for one study with its evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from encoders.study import MODALITIES, VIEWS
from experiments.cli.answers import METHODS, Shown, answer_with_evidence
from experiments.cli.arguments import free_text_option, output_options, root_option, runs_option

__all__ = ["explain"]

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@output_options
@click.argument("study", metavar="STUDY")
@click.option(
    "--finding",
    "findings",
    multiple=True,
    metavar="TERM",
    help="Finding to explain (repeatable; default: the trained findings).",
)
@click.option(
    "--run",
    "run_names",
    required=True,
    multiple=True,
    metavar="RUN",
    help="Finished run that answers (repeatable: the evidence is that of the first, "
    "probabilities get the range over all).",
)
@click.option(
    "--map",
    "methods",
    multiple=True,
    type=click.Choice(METHODS),
    help="Method of image maps (repeatable).  [default: occlusion]",
)
@click.option("--report", type=_file, help="Text file with the report of STUDY.")
@click.option("--dialogue", type=_file, help="Text file with the dialogue of STUDY.")
@click.option("--modality", type=click.Choice(MODALITIES), help="Imaging modality.")
@click.option("--view", type=click.Choice(VIEWS), help="Projection or probe.")
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    help="File to write: .html (a page with pictures and maps), .json, .csv, .fhir.json or .dcm "
    "(a structured report, and a picture of each map beside it).",
)
@free_text_option
@runs_option
@root_option
def explain(**arguments: Any) -> None:
    """Explain the answer for STUDY: where, by which words and facts.

    STUDY is an image, volume or clip, a study folder, or a study of a data set (openi:CXR1). Every
    share is measured: what the finding's logit loses without this part of this study. For research
    use only.
    """
    from experiments.inference.predict import PredictionRequest

    request = PredictionRequest(
        findings=arguments["findings"],
        report=arguments["report"],
        dialogue=arguments["dialogue"],
        root=arguments["root"],
        modality=arguments["modality"],
        view=arguments["view"],
    )
    answer_with_evidence(
        [arguments["study"]],
        arguments["run_names"],
        arguments["runs"],
        request,
        Shown.of(arguments),
    )
