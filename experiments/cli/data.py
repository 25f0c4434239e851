"""`kgdx data`: lists, fetches, checks, prepares, shows, audits and labels data sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.agreement import agreement
from experiments.cli.arguments import (
    free_text_option,
    is_made,
    options_option,
    output_options,
    root_option,
)
from experiments.cli.audit import audit
from experiments.cli.completion import complete_datasets
from experiments.cli.copies import load_dataset, open_copy, raw_folder
from experiments.cli.label import label
from experiments.cli.parts import CATALOGS
from experiments.cli.shift import shift
from experiments.preparation.unpack import STANDARD, Quota
from experiments.privacy.free_text import chosen_text, kept_study
from experiments.privacy.pseudonyms import pseudonym
from kg.errors import CheckFailed, InputError

if TYPE_CHECKING:
    from encoders.study import Study
    from experiments.preparation.inspection import FileCheck
    from experiments.preparation.open_dataset import OpenDataset

__all__ = ["data"]

_name = click.argument("name", shell_complete=complete_datasets)


@click.group()
def data() -> None:
    """Data sets and their copies on this machine."""


data.add_command(agreement)
data.add_command(audit)
data.add_command(label)
data.add_command(shift)


@data.command("list")
@output_options
@root_option
def list_datasets(as_json: bool, root: Path | None) -> None:
    """List the supported data sets and those under --root."""
    catalog = CATALOGS["datasets"][0]
    rows = [
        {
            "name": name,
            "here": root is not None and (root / name).is_dir(),
            "about": catalog.describe(name),
        }
        for name in catalog.names()
    ]
    if as_json:
        show.json_result(rows)
    else:
        show.table(("name", "folder here", "about"), [tuple(row.values()) for row in rows])


@data.command()
@output_options
@_name
@root_option
@options_option
def check(as_json: bool, name: str, root: Path | None, options: tuple[str, ...]) -> None:
    """Check the files, columns and studies of data set NAME.

    Sizes and checksums are compared with the published ones where there are any. Images are
    located here, and decoded by `data prepare`.

    Exit code 1 means that something is missing or wrong; the table says who provides it and which
    command fetches or makes it.
    """
    from experiments.preparation import inspection

    dataset = load_dataset(name, options)
    folder = raw_folder(name, dataset, root, needed=False)
    rows = inspection.check(dataset, folder, name)
    if as_json:
        show.json_result([{**asdict(row), "passes": row.passes} for row in rows])
    else:
        columns = ("", "file", "contents", "provider", "fix")
        cells = [(_state(row), row.path, _what(row), row.giver, row.mend) for row in rows]
        show.table(columns, cells)
    wrong = [row.path for row in rows if not row.passes]
    if wrong:
        raise CheckFailed(
            f"{folder}: not usable: {', '.join(dict.fromkeys(wrong))}",
            "the table above says how to mend each",
        )


@data.command()
@output_options
@_name
@root_option
@click.option("--files", type=click.IntRange(1), default=STANDARD.files, show_default=True,
              help="Maximum number of files and folders in an archive.")  # fmt: skip
@click.option("--depth", type=click.IntRange(0), default=STANDARD.depth, show_default=True,
              help="Maximum depth of folders in an archive.")  # fmt: skip
@click.option(
    "--bytes",
    "size",
    type=click.IntRange(0),
    default=0,
    help="Maximum unpacked bytes of an archive.  [default: 200 times its size]",
)
def fetch(**arguments: Any) -> None:
    """Download the freely licensed files of data set NAME to --root.

    Each file is checked against its published checksum; interrupted downloads are continued. For
    the other files the table says where to apply or which command makes them.

    Exit code 1 means that a required file is still missing.
    """
    from experiments.preparation.fetch import fetch as fetch_files

    name = arguments["name"]
    dataset = load_dataset(name)
    show.note(f"{name}: {dataset.licence}")
    folder = raw_folder(name, dataset, arguments["root"], needed=False)
    quota = Quota(arguments["files"], arguments["depth"], arguments["size"])
    rows = fetch_files(dataset, folder, _progress(), quota)
    if arguments["as_json"]:
        show.json_result([asdict(row) for row in rows])
    else:
        show.table(("", "file", ""), [(row.state, row.path, row.what) for row in rows])
    optional = {file.path for file in dataset.files if file.optional}
    missing = [
        row.path for row in rows if row.state in ("ask", "make") and row.path not in optional
    ]
    if missing:
        raise CheckFailed(
            f"{folder}: still missing: {', '.join(missing)}", "the table above says how to get them"
        )


@data.command()
@output_options
@_name
@root_option
@options_option
@click.option("--labels", default="", help="Label set that the splits are stratified by.")
@click.option(
    "--strict", is_flag=True, help="Stop at unreadable rows and images instead of leaving them out."
)
@click.option(
    "--images", "side", type=click.IntRange(0, 4096), default=0,
    help="Store decoded square images of this side in pixels, memory-mapped by runs (0: none).",
)  # fmt: skip
@click.option(
    "--shards", type=click.IntRange(0), default=0,
    help="Number of shards to write, streamed by runs on several machines (0: none).",
)  # fmt: skip
@click.option(
    "--view", default="whole", show_default=True, help="View recipe of the decoded images."
)
@click.option(
    "--duplicates", type=click.Choice(["refuse", "join", "list"]), default="refuse",
    show_default=True, help="Treatment of images that several patients share, identical or nearly.",
)  # fmt: skip
@free_text_option
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True,
    help="Processes that decode images.",
)  # fmt: skip
@click.option(
    "-o",
    "output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write to, outside the raw data.",
)
def prepare(**arguments: Any) -> None:
    """Index the images of data set NAME and write its splits.

    Every image is decoded once; unreadable ones are listed and left out. Splits are written as
    manifests. An interrupted preparation is continued, an unchanged one is not repeated.
    """
    from experiments.preparation.prepare import Plan
    from experiments.preparation.prepare import prepare as prepare_dataset

    name = arguments["name"]
    dataset = load_dataset(name, arguments["options"])
    folder = raw_folder(name, dataset, arguments["root"])
    planned = ("workers", "side", "view", "shards", "duplicates")
    plan = Plan(text=arguments["free_text"], **{key: arguments[key] for key in planned})
    prepared = prepare_dataset(
        *(name, dataset, folder, arguments["output"]),
        labels=arguments["labels"],
        strict=arguments["strict"],
        plan=plan,
    )
    if arguments["as_json"]:
        show.json_result(asdict(prepared))
        return
    show.result(f"{prepared.folder}: {'written' if prepared.changed else 'unchanged'}")
    rows = [("studies", prepared.studies), ("images", prepared.pictures)]
    rows += [("near-duplicate images", prepared.duplicates), ("left out", prepared.rejected)]
    show.table(("", "count"), rows)
    unwritten = [(split, f"not written: {why}") for split, why in prepared.unmade.items()]
    show.table(("split", "hash"), [*prepared.manifests.items(), *unwritten])


@data.command("show")
@output_options
@_name
@root_option
@options_option
@click.option("--labels", default="", help="Label set to count (default: the first).")
@click.option("--study", default="", help="Study to show instead of counts.")
@click.option(
    "-o",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --study: HTML file to write, images included.",
)
@free_text_option
def show_dataset(**arguments: Any) -> None:
    """Describe data set NAME, its copy, or one of its studies.

    --root may be a folder written by `data prepare`. Findings are counted, and studies shown, in
    the development set only.
    """
    from experiments.preparation.inventory import development_study, take_inventory

    name, root, study, page = (arguments[key] for key in ("name", "root", "study", "page"))
    as_json = arguments["as_json"]
    dataset = load_dataset(name, arguments["options"])
    if page is not None and not study:
        raise InputError("-o writes the page of one study", "name the study with --study ID")
    here = None
    if study or root is not None or is_made(name):
        here = open_copy(name, dataset, root, arguments["labels"])
    if study and here is not None:
        shown = kept_study(development_study(here, study), chosen_text(arguments["free_text"]))
        _show_study(here, shown, page, as_json=as_json)
        return
    known = _describe(name, dataset)
    inventory = take_inventory(here) if here is not None else None
    if as_json:
        show.json_result({**known, "holds": asdict(inventory) if inventory else None})
        return
    show.table(("data set", ""), [(k, _line(v)) for k, v in known.items() if k != "files"])
    if inventory is None:
        show.note("name --root DIR (or KGDX_DATA) to count the studies of your copy")
        return
    separate = ("dataset", "findings", "splits")
    counts = {k: v for k, v in asdict(inventory).items() if k not in separate}
    show.result("")
    show.table(("copy", ""), [(k, _line(v)) for k, v in counts.items()])
    show.result("")
    show.table(("split", "studies"), [(k, _line(v)) for k, v in inventory.splits.items()])
    show.result("")
    columns = ("finding", "present", "absent", "uncertain", "not stated")
    show.table(columns, [astuple(row) for row in inventory.findings])


def _show_study(here: OpenDataset, shown: Study, page: Path | None, *, as_json: bool) -> None:
    """Print one study, or write its page."""
    from experiments.preparation.stored import stored
    from kg.files.store import load_shipped

    graph = load_shipped()
    if page is not None:
        from experiments.reports.study_page import render_study_page

        show.to_file(page, render_study_page(shown, here.root, graph))
        return
    if as_json:
        show.json_result(stored(shown))
        return
    rows = [("study", shown.study), ("patient", shown.patient), *shown.metadata.items()]
    rows += [
        ("image", f"{pseudonym('file', one.path)} ({one.modality}, {one.view})")
        for one in shown.images
    ]
    rows += [(graph.concept(concept).label, word) for concept, word in shown.stated.items()]
    rows += [(one.name, one.text) for one in (*shown.report, *shown.dialogue)]
    show.table(("study", ""), rows)


def _progress() -> Callable[[str, int, int], None]:
    """Progress of downloads on stderr: one line per tenth of a file, or per 100 MB."""
    reported: dict[str, int] = {}

    def report(url: str, here: int, of: int) -> None:
        step = 10 * here // of if of else here // 100_000_000
        if reported.get(url) != step:
            reported[url] = step
            show.note(f"{url}: {here:,} of {f'{of:,}' if of else 'unknown'} bytes")

    return report


def _describe(name: str, dataset: Any) -> dict[str, Any]:
    """Description of a data set in the catalog, independent of any copy."""
    return {
        "name": name,
        "licence": dataset.licence,
        "citation": dataset.citation,
        "homepage": dataset.homepage,
        "modalities": list(dataset.modalities),
        "labels": {choice.name: list(choice.origin) for choice in dataset.label_choices},
        "files": [asdict(file) for file in dataset.files],
        "expected": dict(dataset.expected),
        "labels without a concept": list(getattr(dataset, "unmapped", tuple)()),
    }


def _line(value: Any) -> object:
    """A mapping on one line."""
    if not isinstance(value, dict):
        return value
    return "; ".join(f"{k}: {', '.join(v) if isinstance(v, list) else v}" for k, v in value.items())


def _state(row: FileCheck) -> str:
    return "not there (optional)" if row.passes and row.state == "missing" else row.state


def _what(row: FileCheck) -> str:
    lacking = ", ".join(row.columns_missing)
    return f"{row.what}; columns missing: {lacking}" if lacking else row.what
