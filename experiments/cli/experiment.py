"""`kgdx experiment`: check a configuration, run it, resume it, look at it, test it elsewhere."""

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
    root_option,
    runs_option,
    talking,
)
from experiments.cli.lazy import LazyGroup

__all__ = ["experiment"]

_config = click.argument("config", shell_complete=complete_configs)
_set = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key (repeatable)."
)


@click.group(
    cls=LazyGroup,
    lazy={
        "compare": ("experiments.cli.compare:compare", "Compare runs by patient and seed."),
        "transfer": ("experiments.cli.transfer:transfer", "Trained here, tested there: a matrix."),
    },
)
def experiment() -> None:
    """Run experiments and look at what they left."""


experiment.add_command(ablate)


@experiment.command("list")
@talking
def list_configs(as_json: bool) -> None:
    """List the shipped configurations."""
    from experiments.config.load import resolve, shipped_configs

    found = [(name, resolve(str(path))) for name, path in shipped_configs().items()]
    rows = [
        {"name": name, "system": each.system.name, "dataset": each.data.name, "about": each.about}
        for name, each in found
    ]
    if as_json:
        show.json_result(rows)
    else:
        show.table(("name", "system", "dataset", "about"), [tuple(row.values()) for row in rows])


@experiment.command()
@talking
@_config
@_set
@click.option("-o", "output", type=click.Path(path_type=Path), help="Write it resolved to a file.")
def check(as_json: bool, config: str, overrides: tuple[str, ...], output: Path | None) -> None:
    """Check CONFIG (a shipped name or a YAML file) and every part and option it names."""
    from experiments.config.hashing import config_hash
    from experiments.config.load import dump
    from experiments.config.parts import read_checked

    checked = read_checked(config, overrides)
    if output is not None:
        show.to_file(output, dump(checked))
    digest = config_hash(checked)
    if as_json:
        values = checked.model_dump(mode="json")
        show.json_result({"ok": True, "config_hash": digest, "experiment": values})
    else:
        show.result(f"{checked.name}: fine ({digest[:8]})")


@experiment.command()
@talking
@_config
@_set
@runs_option
@root_option
@click.option("--allow-edited", is_flag=True, help="As --set graph.allow_edited=true.")
def run(config: str, overrides: tuple[str, ...], allow_edited: bool, **given: Any) -> None:
    """Run CONFIG (a shipped name or a YAML file); prints the run id alone."""
    from experiments.config.parts import read_checked

    allowed = ("graph.allow_edited=true",) if allow_edited else ()
    checked = read_checked(config, (*overrides, *allowed))
    where = data_root(given["root"], checked.data.name)
    from experiments.runner.run import run_experiment

    run_id = run_experiment(checked, root=where, runs=given["runs"], command=_command())
    _print_run(run_id, given["as_json"])


@experiment.command()
@talking
@click.argument("run_name", metavar="RUN")
@runs_option
@root_option
def resume(as_json: bool, run_name: str, runs: Path, root: Path | None) -> None:
    """Go on with RUN from its last checkpoint, as if it had never stopped."""
    from experiments.records.folder import find_run

    folder = find_run(run_name, runs)
    where = data_root(root, folder.load_record().dataset)
    from experiments.runner.run import resume_run

    resume_run(folder, where)
    _print_run(folder.run, as_json)


@experiment.command("runs")
@talking
@runs_option
def list_of_runs(as_json: bool, runs: Path) -> None:
    """List the runs and how they stand."""
    rows = run_view.run_rows(runs)
    if as_json:
        show.json_result(rows)
    else:
        columns = ("run", "status", "system", "dataset", "inputs_at_test", "auroc_macro", "started")
        show.table(columns, [[row.get(column) for column in columns] for row in rows])


@experiment.command("show")
@talking
@click.argument("run_name", metavar="RUN")
@runs_option
@click.option("-o", "output", type=click.Path(path_type=Path), help="Write the JSON to a file.")
def show_run(as_json: bool, run_name: str, runs: Path, output: Path | None) -> None:
    """Show RUN: what it was given, what was measured, with intervals."""
    import json

    from experiments.records.folder import find_run

    record = find_run(run_name, runs).load_record()
    if output is not None:
        show.to_file(output, json.dumps(record.as_json(), indent=2, ensure_ascii=False) + "\n")
    if as_json:
        show.json_result(record.as_json())
    elif output is None:
        run_view.print_record(record)


@experiment.command()
@talking
@click.argument("run_name", metavar="RUN")
@click.option("--dataset", required=True, help="Data set of the catalog to test on.")
@click.option("--labels", help="Label set; the run's on its own data, else the first there is.")
@click.option("--locked", is_flag=True, help="Test the locked part, and note it in the ledger.")
@click.option("--why", default="", metavar="TEXT", help="Why the locked part is opened.")
@click.option(
    "--without", multiple=True, type=click.Choice(("image", "text", "evidence")),
    help="Withhold a source of every study (repeatable); evidence is what the text states.",
)  # fmt: skip
@click.option("-o", "output", type=click.Path(path_type=Path), help="Write the JSON to a file.")
@runs_option
@root_option
def evaluate(**given: Any) -> None:
    """Test RUN on another data set, or on its own under another label set.

    Findings are matched through the graph. What RUN learnt from is refused and counted.
    """
    import json

    from experiments.records.folder import find_run

    folder = find_run(given["run_name"], given["runs"])
    where = data_root(given["root"], given["dataset"])
    from experiments.evaluation.evaluate import evaluate_run

    made = evaluate_run(
        folder,
        given["dataset"],
        where,
        labels=given["labels"],
        locked=given["locked"],
        why=given["why"],
        without=tuple(dict.fromkeys(given["without"])),
    )
    if given["output"] is not None:
        show.to_file(given["output"], json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    if given["as_json"]:
        show.json_result(made)
    elif given["output"] is None:
        run_view.print_evaluation(made)


@experiment.command()
@talking
@click.argument("run_name", metavar="RUN")
@click.option("-o", "output", type=click.Path(path_type=Path), help="Write the JSON to a file.")
@runs_option
@root_option
def faithfulness(
    as_json: bool, run_name: str, output: Path | None, runs: Path, root: Path | None
) -> None:
    """Delete what counts most in the answers of RUN, and as much at random: what do they lose?

    On its own test part: concepts of the graph's memory and concepts the text states, by attention;
    edges around each finding, by their share in its answers.
    """
    import json

    from experiments.records.folder import find_run

    folder = find_run(run_name, runs)
    where = data_root(root, folder.load_record().dataset)
    from experiments.explanation.faithfulness import faithfulness_of

    made = faithfulness_of(folder, where)
    if output is not None:
        show.to_file(output, json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    if as_json:
        show.json_result(made)
    elif output is None:
        run_view.print_faithfulness(made)


@experiment.command()
@talking
@click.argument("told", metavar="RUN|COMPARISON|ABLATION")
@runs_option
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write: .html, or .md for its words and tables.",
)
def report(as_json: bool, told: str, runs: Path, output: Path) -> None:
    """Write the page of a RUN, a COMPARISON (its .json) or an ABLATION (its name) in one file."""
    from experiments.reports.report_resolver import check_ending, page_of, rendered

    check_ending(output)
    show.to_file(output, rendered(page_of(told, runs), output))
    if as_json:
        show.json_result({"of": told, "page": str(output.absolute())})


@experiment.command()
@talking
@click.argument("run_name", metavar="RUN")
@runs_option
@root_option
def verify(as_json: bool, run_name: str, runs: Path, root: Path | None) -> None:
    """Make every hash of RUN's record again; the data too where --root names them."""
    from dataclasses import asdict

    from experiments.records.folder import find_run
    from experiments.runs.verify import verify_run
    from kg.errors import CheckFailed

    folder = find_run(run_name, runs)
    rows = verify_run(folder, root)
    if as_json:
        show.json_result([asdict(row) for row in rows])
    else:
        said = {True: "holds", False: "changed", None: "unknown"}
        show.table(("what", "", "detail"), [(r.what, said[r.holds], r.detail) for r in rows])
    changed = [row.what for row in rows if row.holds is False]
    if changed:
        raise CheckFailed(
            f"{folder.run}: {', '.join(changed)} no longer as recorded", "run it again"
        )


def _print_run(run_id: str, as_json: bool) -> None:
    if as_json:
        show.json_result({"run": run_id})
    else:
        show.result(run_id)


def _command() -> str:
    """The command line as it was typed, for the record."""
    return shlex.join(["kgdx", *sys.argv[1:]])
