"""`kgdx data`: which data sets there are, whether a copy is right, what is in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.agreement import agreement
from experiments.cli.arguments import is_made, options_option, root_option, talking
from experiments.cli.audit import audit
from experiments.cli.copies import load_dataset, open_copy, raw_folder
from experiments.cli.label import label
from experiments.cli.parts import CATALOGS
from experiments.cli.shift import shift
from experiments.preparation.unpack import STANDARD, Quota
from kg.errors import CheckFailed, InputError

if TYPE_CHECKING:
    from experiments.preparation.inspection import FileCheck
    from experiments.preparation.open_dataset import OpenDataset

__all__ = ["data"]

_name = click.argument("name")


@click.group()
def data() -> None:
    """Data sets: their layouts, and the copies on this machine."""


data.add_command(agreement)
data.add_command(audit)
data.add_command(label)
data.add_command(shift)


@data.command("list")
@talking
@root_option
def list_datasets(as_json: bool, root: Path | None) -> None:
    """List the data sets kgdx can read, and which of them are under --root."""
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
@talking
@_name
@root_option
@options_option
def check(as_json: bool, name: str, root: Path | None, options: tuple[str, ...]) -> None:
    """Check the copy of data set NAME under --root: every file, its columns, every study.

    Files whose size or checksum is published are compared with it; pictures are found here, and
    looked at by `data prepare`. Ends with 1 where something is missing or wrong, and says who gives
    it and what fetches or makes it.
    """
    from experiments.preparation import inspection

    part = load_dataset(name, options)
    folder = raw_folder(name, part, root, needed=False)
    rows = inspection.check(part, folder, name)
    if as_json:
        show.json_result([{**asdict(row), "passes": row.passes} for row in rows])
    else:
        columns = ("", "file", "holds", "from", "to do")
        cells = [(_state(row), row.path, _what(row), row.giver, row.mend) for row in rows]
        show.table(columns, cells)
    wrong = [row.path for row in rows if not row.passes]
    if wrong:
        raise CheckFailed(f"{folder}: not usable: {', '.join(wrong)}", "see above who gives them")


@data.command()
@talking
@_name
@root_option
@click.option("--files", type=click.IntRange(1), default=STANDARD.files, show_default=True,
              help="Most files and folders an archive may hold.")  # fmt: skip
@click.option("--depth", type=click.IntRange(0), default=STANDARD.depth, show_default=True,
              help="Most folders one in the other in an archive.")  # fmt: skip
@click.option("--bytes", "size", type=click.IntRange(0), default=0,
              help="Bytes an archive may unpack to.  [default: 200 times its own]")  # fmt: skip
def fetch(**given: Any) -> None:
    """Fetch the files of data set NAME that its licence lets anyone fetch, into --root.

    Each is checked against its published checksum; what broke off goes on where it was. Of the
    others it says where to apply or what makes them, and ends with 1 where one is needed.
    """
    from experiments.preparation.fetch import fetch as fetch_files

    name = given["name"]
    part = load_dataset(name)
    show.note(f"{name}: {part.licence}")
    folder = raw_folder(name, part, given["root"], needed=False)
    quota = Quota(given["files"], given["depth"], given["size"])
    rows = fetch_files(part, folder, _telling(), quota)
    if given["as_json"]:
        show.json_result([asdict(row) for row in rows])
    else:
        show.table(("", "file", ""), [(row.state, row.path, row.what) for row in rows])
    optional = {file.path for file in part.files if file.optional}
    open_ = [row.path for row in rows if row.state in ("ask", "make") and row.path not in optional]
    if open_:
        raise CheckFailed(
            f"{folder}: still needed: {', '.join(open_)}", "see above how to get them"
        )


@data.command()
@talking
@_name
@root_option
@options_option
@click.option("--labels", default="", help="Label set that balances the splits.")
@click.option("--strict", is_flag=True, help="Refuse what would otherwise be left out.")
@click.option(
    "--pictures", "side", type=click.IntRange(0, 4096), default=0,
    help="Keep decoded pictures of this side in pixels, mapped from disk, for runs to read.",
)  # fmt: skip
@click.option(
    "--shards", type=click.IntRange(0), default=0,
    help="Also write this many shards, for runs on several machines to stream.",
)  # fmt: skip
@click.option("--view", default="whole", show_default=True, help="View recipe of these pictures.")
@click.option(
    "--duplicates", type=click.Choice(["refuse", "join", "list"]), default="refuse",
    show_default=True, help="What nearly equal pictures in two parts of a split are.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True,
    help="Processes that look at pictures.",
)  # fmt: skip
@click.option(
    "-o",
    "output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write to, outside the raw data.",
)
def prepare(**given: Any) -> None:
    """Index the readable pictures of data set NAME and write its splits as manifests.

    A second run with nothing changed does nothing; one that was interrupted goes on.
    """
    from experiments.preparation.prepare import Plan
    from experiments.preparation.prepare import prepare as make

    name = given["name"]
    part = load_dataset(name, given["options"])
    folder = raw_folder(name, part, given["root"])
    kept = ("workers", "side", "view", "shards", "duplicates")
    plan = Plan(**{key: given[key] for key in kept})
    made = make(
        *(name, part, folder, given["output"]),
        labels=given["labels"],
        strict=given["strict"],
        plan=plan,
    )
    if given["as_json"]:
        show.json_result(asdict(made))
        return
    show.result(f"{made.folder}: {'written' if made.changed else 'everything was there already'}")
    rows = [("studies", made.studies), ("pictures", made.pictures)]
    rows += [("nearly equal pictures", made.duplicates), ("left out", made.rejected)]
    show.table(("", "count"), rows)
    unmade = [(split, f"not written: {why}") for split, why in made.unmade.items()]
    show.table(("split", "hash"), [*made.manifests.items(), *unmade])


@data.command("show")
@talking
@_name
@root_option
@options_option
@click.option("--labels", default="", help="Label set to count; the first where not given.")
@click.option("--study", default="", help="Show this study instead of counts.")
@click.option(
    "-o",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --study: write its page, pictures included, as one html file.",
)
def show_dataset(**given: Any) -> None:
    """Show what data set NAME is, and what the copy under --root holds, or one of its studies.

    --root may be what `data prepare` wrote. Findings are counted, and studies shown, in the
    development part alone.
    """
    from experiments.preparation.inventory import take_inventory

    name, root, study, page = (given[key] for key in ("name", "root", "study", "page"))
    as_json = given["as_json"]
    part = load_dataset(name, given["options"])
    if page is not None and not study:
        raise InputError("-o writes the page of one study", "name it with --study ID")
    here = None
    if study or root is not None or is_made(name):
        here = open_copy(name, part, root, given["labels"])
    if study and here is not None:
        _show_study(here, study, page, as_json=as_json)
        return
    known = _describe(name, part)
    held = take_inventory(here) if here is not None else None
    if as_json:
        show.json_result({**known, "holds": asdict(held) if held else None})
        return
    show.table(("of the data set", ""), [(k, _line(v)) for k, v in known.items() if k != "files"])
    if held is None:
        show.note("--root DIR (or KGDX_DATA) counts the studies of your copy")
        return
    apart = ("dataset", "findings", "splits")
    counts = {k: v for k, v in asdict(held).items() if k not in apart}
    show.result("")
    show.table(("of the copy", ""), [(k, _line(v)) for k, v in counts.items()])
    show.result("")
    show.table(("split", "studies"), [(k, _line(v)) for k, v in held.splits.items()])
    show.result("")
    columns = ("finding", "present", "absent", "uncertain", "not stated")
    show.table(columns, [astuple(row) for row in held.findings])


def _show_study(here: OpenDataset, study: str, page: Path | None, *, as_json: bool) -> None:
    """Print one study, or write its page."""
    from encoders.study import plain
    from experiments.preparation.inventory import development_study
    from kg.files.store import load_shipped

    found = development_study(here, study)
    graph = load_shipped()
    if page is not None:
        from experiments.reports.study_page import render_study_page

        show.to_file(page, render_study_page(found, here.root, graph))
        return
    if as_json:
        show.json_result(plain(found))
        return
    rows = [("study", found.study), ("patient", found.patient), *found.metadata.items()]
    rows += [("picture", f"{one.path} ({one.modality}, {one.view})") for one in found.images]
    rows += [(graph.concept(concept).label, word) for concept, word in found.stated.items()]
    rows += [(one.name, one.text) for one in (*found.report, *found.dialogue)]
    show.table(("of the study", ""), rows)


def _telling() -> Callable[[str, int, int], None]:
    """Progress of downloads on stderr: a line for every tenth of a file, or every 100 MB."""
    said: dict[str, int] = {}

    def tell(url: str, here: int, of: int) -> None:
        step = 10 * here // of if of else here // 100_000_000
        if said.get(url) != step:
            said[url] = step
            show.note(f"{url}: {here:,} of {f'{of:,}' if of else 'unknown'} bytes")

    return tell


def _describe(name: str, part: Any) -> dict[str, Any]:
    """What the catalog says of a data set, without looking at any copy."""
    return {
        "name": name,
        "licence": part.licence,
        "citation": part.citation,
        "homepage": part.homepage,
        "modalities": list(part.modalities),
        "labels": {choice.name: list(choice.origin) for choice in part.label_choices},
        "files": [asdict(file) for file in part.files],
        "expected": dict(part.expected),
        "labels without a concept": list(getattr(part, "unmapped", tuple)()),
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
