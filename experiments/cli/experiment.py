"""`kgdx experiment`: checks, runs, resumes, shows and evaluates experiments."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from experiments.cli import run_view, show
from experiments.cli.ablate import ablate
from experiments.cli.arguments import (
    complete_configs,
    data_root,
    is_made,
    output_options,
    outside_option,
    root_option,
    runs_option,
)
from experiments.cli.completion import complete_datasets, complete_runs
from experiments.cli.lazy import LazyGroup
from experiments.privacy.pseudonyms import pseudonym
from experiments.records.folder import RunFolder

__all__ = ["experiment"]

_config = click.argument("config", shell_complete=complete_configs)
_run = click.argument("run_name", metavar="RUN", shell_complete=complete_runs)
_set = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key (repeatable)."
)


@click.group(
    cls=LazyGroup,
    lazy={
        "compare": ("experiments.cli.compare:compare", "Compare runs, paired by patient and seed."),
        "plan": ("experiments.cli.plan:plan", "Run many configurations over folds and seeds."),
        "tune": (
            "experiments.cli.tune:tune",
            "Tune a configuration on its validation studies.",
        ),
        "stress": (
            "experiments.cli.stress:stress",
            "Test RUNs on changed text: typos, synonyms, another patient's.",
        ),
        "transfer": (
            "experiments.cli.transfer:transfer",
            "Print metrics across data sets as a matrix.",
        ),
        "export": ("experiments.cli.export:export", "Write RUN as ONNX: image encoder and head."),
        "sign": (
            "experiments.cli.signature:sign",
            "Sign every file of RUN, and print the file of the signature.",
        ),
        "verify": (
            "experiments.cli.signature:verify",
            "Verify the hashes recorded by RUN, and its signature.",
        ),
    },
)
def experiment() -> None:
    """Experiments: run, resume, show, compare, sign and verify."""


experiment.add_command(ablate)


@experiment.command("list")
@output_options
def list_configs(as_json: bool) -> None:
    """List the shipped configurations."""
    from experiments.config.load import resolve, shipped_configs

    configs = [(name, resolve(str(path))) for name, path in shipped_configs().items()]
    rows = [
        {"name": name, "system": each.system.name, "dataset": each.data.name, "about": each.about}
        for name, each in configs
    ]
    if as_json:
        show.json_result(rows)
    else:
        show.table(("name", "system", "dataset", "about"), [tuple(row.values()) for row in rows])


@experiment.command()
@output_options
@_config
@_set
@click.option(
    "-o", "output", type=click.Path(path_type=Path), help="YAML file to write, with all defaults."
)
@click.option(
    "--data/--no-data", "looks", default=None,
    help="Look at the data too.  [default: where --root names them]",
)  # fmt: skip
@runs_option
@root_option
def check(config: str, overrides: tuple[str, ...], output: Path | None, **arguments: Any) -> None:
    """Check CONFIG, and say in ten lines what a run of it will do.

    CONFIG is a shipped name or a YAML file. Every part and option is checked; with the data at
    hand, so is all that a run would refuse, on a sample of the studies and without training.
    """
    from experiments.config.hashing import config_hash
    from experiments.config.load import dump
    from experiments.config.parts import read_checked
    from experiments.config.weights import check_files

    checked = read_checked(config, overrides)
    if output is not None:
        show.to_file(output, dump(checked))
    check_files(checked)
    digest, root, looks = config_hash(checked), arguments["root"], arguments["looks"]
    outlook = None
    if looks or (looks is None and root is not None and not is_made(checked.data.name)):
        from experiments.runner.outlook import look_ahead

        where = data_root(root, checked.data.name)
        outlook = look_ahead(checked, where, arguments["runs"])
    rows = [] if outlook is None else list(outlook.rows(checked))
    if arguments["as_json"]:
        values = checked.model_dump(mode="json")
        found = {"ok": True, "config_hash": digest, "experiment": values, "outlook": dict(rows)}
        show.json_result(found)
        return
    show.result(f"{checked.name}: valid ({digest[:8]})")
    if rows:
        show.table(("run", "what it will do"), rows)
    else:
        show.note("keys and parts are checked; with --root DIR (or --data) also the data")


@experiment.command()
@output_options
@_config
@_set
@runs_option
@root_option
@click.option(
    "--allow-edited",
    is_flag=True,
    help="Accept a graph edited after its build (graph.allow_edited=true).",
)
@outside_option
def run(config: str, overrides: tuple[str, ...], **arguments: Any) -> None:
    """Run CONFIG and print the run id.

    CONFIG is a shipped name or a YAML file.
    """
    from experiments.config.parts import read_checked

    keys = {"allow_edited": "graph.allow_edited", "outside": "data.options.outside"}
    allowed = (f"{key}=true" for name, key in keys.items() if arguments[name])
    checked = read_checked(config, (*overrides, *allowed))
    where = data_root(arguments["root"], checked.data.name)
    from experiments.runner.run import run_experiment

    run_id = run_experiment(checked, root=where, runs=arguments["runs"], command=_command())
    _print_run(RunFolder(arguments["runs"] / run_id), arguments["as_json"])


@experiment.command()
@output_options
@_run
@runs_option
@root_option
def resume(as_json: bool, run_name: str, runs: Path, root: Path | None) -> None:
    """Resume RUN from its last checkpoint.

    The result is the same as that of an uninterrupted run.
    """
    from experiments.records.folder import find_run

    folder = find_run(run_name, runs)
    where = data_root(root, folder.load_record().dataset)
    from experiments.runner.run import resume_run

    resume_run(folder, where)
    _print_run(folder, as_json)


@experiment.command("runs")
@output_options
@runs_option
def list_of_runs(as_json: bool, runs: Path) -> None:
    """List the runs with status, AUROC, data and what to do next."""
    rows = run_view.run_rows(runs)
    if as_json:
        show.json_result(rows)
        return
    columns = ("run", "status", "system", "inputs_at_test", "auroc_macro", "data_folder", "next")
    for row in rows:
        if row.get("auroc_macro") is None and row.get("auroc_macro_all") is not None:
            row["auroc_macro"] = f"{row['auroc_macro_all']:.3f} over all findings"
    show.table(columns, [[row.get(column) for column in columns] for row in rows])
    if not rows:
        show.note(f"{runs} has no runs: kgdx experiment run CONFIG --runs {runs}, or name another")


@experiment.command("show")
@output_options
@_run
@runs_option
@click.option("-o", "output", type=click.Path(path_type=Path), help="JSON file to write.")
def show_run(as_json: bool, run_name: str, runs: Path, output: Path | None) -> None:
    """Show the inputs, settings and metrics of RUN."""
    import json

    from experiments.records.folder import find_run

    folder = find_run(run_name, runs)
    record = folder.load_record()
    if output is not None:
        show.to_file(output, json.dumps(record.as_json(), indent=2, ensure_ascii=False) + "\n")
    if as_json:
        show.json_result(record.as_json())
    elif output is None:
        run_view.print_record(folder, record)


@experiment.command()
@output_options
@_run
@click.option(
    "--dataset", required=True, shell_complete=complete_datasets,
    help="Data set to test on (kgdx list datasets).",
)  # fmt: skip
@click.option(
    "--labels", help="Label set (default: the run's on its own data set, else the first)."
)
@click.option(
    "--locked", is_flag=True, help="Test on the locked test set; the use is logged in the ledger."
)
@click.option(
    "--why",
    default="",
    metavar="TEXT",
    help="Reason for using the locked test set, logged with it.",
)
@click.option(
    "--without", multiple=True, type=click.Choice(("image", "text", "evidence")),
    help="Modality left out of every study (repeatable); evidence is the statements of the text.",
)  # fmt: skip
@click.option("-o", "output", type=click.Path(path_type=Path), help="JSON file to write.")
@runs_option
@root_option
def evaluate(**arguments: Any) -> None:
    """Test RUN on another data set or label set.

    Findings are matched through the graph. Studies that overlap with the training data of RUN are
    left out and counted.
    """
    import json

    from experiments.records.folder import find_run

    folder = find_run(arguments["run_name"], arguments["runs"])
    where = data_root(arguments["root"], arguments["dataset"])
    from experiments.evaluation.evaluate import evaluate_run

    evaluation = evaluate_run(
        folder,
        arguments["dataset"],
        where,
        labels=arguments["labels"],
        locked=arguments["locked"],
        why=arguments["why"],
        without=tuple(dict.fromkeys(arguments["without"])),
    )
    if arguments["output"] is not None:
        show.to_file(
            arguments["output"], json.dumps(evaluation, indent=2, ensure_ascii=False) + "\n"
        )
    if arguments["as_json"]:
        show.json_result(evaluation)
    elif arguments["output"] is None:
        run_view.print_evaluation(evaluation)


@experiment.command()
@output_options
@_run
@click.option("-o", "output", type=click.Path(path_type=Path), help="JSON file to write.")
@runs_option
@root_option
def faithfulness(
    as_json: bool, run_name: str, output: Path | None, runs: Path, root: Path | None
) -> None:
    """Measure how faithful the explanations of RUN are.

    On the run's test set: the drop in probability when the most attended concepts, or the edges of
    the largest contribution, are deleted, compared with random ones; comprehensiveness and
    sufficiency of the places, words and statements that `explain` shows, compared with random ones;
    pointing of maps at marked boxes where the data have them; and their likeness to maps of
    untrained weights.
    """
    import json

    from experiments.records.folder import find_run

    folder = find_run(run_name, runs)
    where = data_root(root, folder.load_record().dataset)
    from experiments.explanation.faithfulness import faithfulness_of

    evaluation = faithfulness_of(folder, where)
    if output is not None:
        show.to_file(output, json.dumps(evaluation, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        show.json_result(evaluation)
    elif output is None:
        run_view.print_faithfulness(evaluation)


@experiment.command()
@output_options
@click.argument("subject", metavar="RUN|COMPARISON|ABLATION|PLAN", shell_complete=complete_runs)
@runs_option
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write: .html, or .md for text and tables only.",
)
def report(as_json: bool, subject: str, runs: Path, output: Path) -> None:
    """Write the page of a run, a comparison, an ablation or a plan.

    A comparison is given by its .json file, an ablation or a plan by its name.
    """
    from experiments.reports.report_resolver import check_ending, page_of, rendered

    check_ending(output)
    show.to_file(output, rendered(page_of(subject, runs), output))
    if as_json:
        show.json_result({"of": subject, "page": str(output.absolute())})


def _print_run(folder: RunFolder, as_json: bool) -> None:
    """Print the id of a run that has ended, and on stderr what came of it."""
    if as_json:
        show.json_result({"run": folder.run})
    else:
        show.result(folder.run)
    run_view.note_end(folder.load_record(), folder.report)


def _command() -> str:
    """The command line as it was typed; under a key of pseudonyms without names of files."""
    return shlex.join(["kgdx", *map(_written, sys.argv[1:])])


def _written(word: str) -> str:
    """A word of the command line, in which a path is a pseudonym."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    is_path = "/" in value or Path(value).exists()
    return f"{option}{equals}{pseudonym('file', value) if is_path else value}"
