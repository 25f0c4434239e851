"""`kgdx completion`: shell completion of commands, runs, data sets and concepts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from experiments.cli import show
from experiments.cli.arguments import output_options
from kg.errors import KgdxError

if TYPE_CHECKING:
    from kg.model.graph import KnowledgeGraph

__all__ = ["complete_concepts", "complete_datasets", "complete_runs", "completion"]

SHELLS = ("bash", "zsh", "fish")
OURS = "ckg:"


@click.command()
@output_options
@click.argument("shell", type=click.Choice(SHELLS))
def completion(as_json: bool, shell: str) -> None:
    r"""Print the script that turns on completion in SHELL.

    \b
    bash    echo 'eval "$(kgdx completion bash)"' >> ~/.bashrc
    zsh     echo 'eval "$(kgdx completion zsh)"' >> ~/.zshrc
    fish    kgdx completion fish > ~/.config/fish/completions/kgdx.fish

    New shells then complete commands, options, configurations, runs (in the folder of --runs), data
    sets and concepts of the graph, by their ids: `kgdx graph show pleu<TAB>`.
    """
    root = click.get_current_context().find_root()
    known = get_completion_class(shell)
    assert known is not None
    name = root.info_name or "kgdx"
    script = known(root.command, {}, name, f"_{name.upper()}_COMPLETE").source()
    if as_json:
        show.json_result({"shell": shell, "script": script})
    else:
        show.result(script)


def complete_runs(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completions: runs in the folder of `--runs`, then files."""
    from experiments.records.folder import list_runs

    runs = list_runs(Path(ctx.params.get("runs") or "runs"))
    return _beginning(((folder.run, "") for folder in runs), incomplete) or [
        CompletionItem(incomplete, type="file")
    ]


def complete_datasets(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completions: data sets of the catalog."""
    from experiments.datasets import DATASETS

    return _beginning(((name, DATASETS.describe(name)) for name in DATASETS.names()), incomplete)


def complete_concepts(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completions: ids of concepts, which have no blanks; our own without their prefix."""
    try:
        concepts = _graph(ctx).concepts
    except KgdxError:  # told by the command itself once it is run
        return []
    named = ((one.id.removeprefix(OURS), one.label) for one in concepts)
    return _beginning(named, incomplete.casefold().replace(" ", "_"))


def _graph(ctx: click.Context) -> KnowledgeGraph:
    from kg.files.store import load, load_shipped

    file = ctx.params.get("file")
    return load(Path(file)) if file else load_shipped()


def _beginning(named: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(name, help=about) for name, about in named if name.startswith(incomplete)
    ]
