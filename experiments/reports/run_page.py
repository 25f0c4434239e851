"""Page of one run: metrics, curves, subgroups, examples, data and model card, reproduction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from experiments.config.schema import MARKS
from experiments.datasets import DATASETS
from experiments.metrics.bootstrap import ALL
from experiments.preparation.inspection import is_made
from experiments.records.atomic import write_text
from experiments.reports.checklist import checklist_section
from experiments.reports.document import (
    Badge,
    Block,
    Bullets,
    Code,
    Examples,
    Figure,
    Figures,
    Folded,
    Heading,
    Page,
    Pair,
    Pairs,
    Paragraph,
    Row,
    Section,
    Table,
    Tile,
    Tiles,
)
from experiments.reports.drawings import draw_learning
from experiments.reports.example_cards import example_cards
from experiments.reports.html import render_html
from experiments.reports.limits import limits_section
from experiments.reports.run_cards import data_section, model_section, scored_section
from experiments.reports.run_elsewhere import elsewhere_section, ledger_section
from experiments.reports.run_files import RunFiles, read_run_files
from experiments.reports.run_findings import (
    averaged_words,
    curve_sections,
    finding_rows,
    findings_section,
)
from experiments.reports.subgroups import subgroup_section
from experiments.reports.wording import (
    INPUTS,
    LEAKAGE,
    exact,
    listed,
    metric_name,
    metric_note,
    number,
    span,
)

__all__ = ["run_page", "write_run_page"]

_TILES = (
    *(
        "auroc_macro",
        f"auroc_macro{ALL}",
        "auprc_macro",
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
        "brier_macro",
    ),
    *("image_to_text_recall_at_10", "text_to_image_recall_at_10", "image_to_text_median_rank"),
    *("bleu_4", "rouge_l", "label_f1_micro", "localisation_pointing_game"),
)
"""Metrics with a tile, the headline first."""

_OPEN = {"before", "measured", "findings"}
"""Sections that are not folded: the answers."""

_OF_FINDINGS = {"classification", "zero_shot"}
"""Tasks that have a table of findings."""


def write_run_page(run_folder: Path) -> Path:
    """Write `report.html` into a run's folder from the files of that folder.

    The same files give the same bytes.

    Args:
        run_folder: Folder of the run, with `record.json`.

    Returns:
        The page.

    Raises:
        InputError: If the record is missing or a file cannot be read.
    """
    page = Path(run_folder) / "report.html"
    write_text(page, render_html(run_page(read_run_files(Path(run_folder)))))
    return page


def run_page(files: RunFiles) -> Page:
    """Page of a run."""
    record = files.record
    rows = finding_rows(record, files.part)
    leakage = _leakage(record)
    status = str(record.get("status") or "")
    badges = [Badge(leakage[1], leakage[0]), Badge("research use only")]
    if status not in ("", "finished"):
        badges.append(Badge(status, "alarm"))
    sections = tuple(_sections(files, rows))
    repeat = _repeat(files)
    every = (*sections, checklist_section((*sections, repeat)), repeat)
    heading = f"{record.get('system')} on {record.get('dataset')}"
    return Page(
        title=f"{heading} ({record.get('run')})",
        kicker=f"kgdx run {record.get('run')}",
        heading=heading,
        lead=_lead(files, rows),
        badges=tuple(badges),
        note=leakage[2],
        summary=_summary(record),
        sections=tuple(replace(one, folded=one.id not in _OPEN) for one in every),
        foot="Made by kgdx from the files of the run's folder.",
    )


def _sections(files: RunFiles, rows: Sequence[Mapping[str, Any]]) -> Iterator[Section]:
    record = files.record
    names = {row["finding"]: row["label"] for row in rows}
    if record.get("warnings"):
        warned = Bullets(tuple(map(str, record["warnings"])))
        yield Section("before", "Warnings", (warned,))
    yield _measured(files, rows)
    if _OF_FINDINGS & set(record.get("tasks") or _OF_FINDINGS):
        yield findings_section(rows, files.part)
        yield from curve_sections(files.scored, names)
        yield subgroup_section(files.scored, files.reported, rows)
    learning = _learning(files.journal)
    if learning:
        drawn = Figures(tuple(map(Figure, learning)), wide=True)
        yield Section("learning", "Training curves", (drawn,), "Learning")
    if files.examples:
        explained = (
            "A number before a line of evidence is what the finding's logit loses without it, for "
            "findings that are labelled present; it is no proof of a reason. The tick on each bar "
            "is the decision threshold."
        )
        cards = Examples(tuple(example_cards(files.examples, names)))
        title = "Example studies with the evidence for each prediction"
        yield Section("examples", title, (Paragraph(explained, "soft"), cards), "Examples")
    yield from elsewhere_section(record)
    yield data_section(files)
    yield from scored_section(files)
    yield model_section(files)
    yield from ledger_section(files.ledger)
    yield limits_section(files, rows)


def _lead(files: RunFiles, rows: Sequence[Mapping[str, Any]]) -> str:
    """Headline in a sentence."""
    record = files.record
    metrics = _metrics(record, files.part)
    strict = metrics.get("auroc_macro")
    headline = strict or metrics.get(f"auroc_macro{ALL}")
    if headline is None and (first := next((one for one in _TILES if one in metrics), None)):
        value = metrics[first]
        return f"{metric_name(first)} {number(value)} {span(value)} on {files.part}."
    if headline is None:
        status = record.get("status")
        ended = f": it is {status}" if status and status != "finished" else ""
        reason = f" {sentence}." if (sentence := str(record.get("reason") or "")) else ""
        return f"This run has no macro AUROC on {files.part}{ended}.{reason}"
    text = f"Macro AUROC{'' if strict else ' over all findings'} {number(headline)}"
    if span(headline):
        text += f" (95% interval {span(headline)})"
    text += f" on {files.part}"
    if files.scored is not None:
        groups = len(set(files.scored.patients))
        text += (
            f": {len(files.scored.studies)} studies of {groups} patient groups, "
            f"{len(files.scored.findings)} findings"
        )

    over = averaged_words(rows, files.scored, every=strict is None)
    return f"{text}. It is the mean over {over}."


def _leakage(record: Mapping[str, Any]) -> tuple[str, str, str]:
    level = str(record.get("leakage", "none"))
    return LEAKAGE.get(level, ("warn", level, ""))


def _summary(record: Mapping[str, Any]) -> Pairs:
    policy = str(record.get("text_policy", "none"))
    return Pairs(
        (
            Pair("Question", str((record.get("experiment") or {}).get("about") or "")),
            Pair("Inputs at test", listed(record.get("inputs_at_test"))),
            Pair("Text read by the system", INPUTS.get(policy, policy)),
            Pair("Labels", _labels(record)),
        )
    )


def _labels(record: Mapping[str, Any]) -> str:
    """`nih14, derived from findings, impression`."""
    source = listed(record.get("label_source"))
    return str(record.get("labels") or "") + (f", derived from {source}" if source else "")


def _metrics(record: Mapping[str, Any], subset: str) -> Mapping[str, Any]:
    """Summary metrics of a subset that have a value."""
    metrics = (record.get("metrics") or {}).get(subset) or {}
    return {name: value for name, value in metrics.items() if exact(value) is not None}


def _measured(files: RunFiles, rows: Sequence[Mapping[str, Any]]) -> Section:
    """Summary metrics and published numbers."""
    record = files.record
    metrics = _metrics(record, files.part)
    tiles = [
        Tile(metric_name(name), number(value), span(value) or "no interval")
        for name in _TILES
        if (value := metrics.get(name)) is not None
    ]
    blocks: list[Block] = [Tiles(tuple(tiles))]
    if metrics:
        explained = "Intervals are 95%, from resampling patient groups."
        if rows:
            averaged = averaged_words(rows, files.scored)
            explained += f" Macro values are unweighted means over {averaged}."
        lines = (
            Row((metric_name(name), number(value), span(value), metric_note(name)))
            for name, value in metrics.items()
        )
        heads = ("Metric", "Value", "95% interval", "Meaning")
        every = Table(heads, tuple(lines), frozenset({3}))
        blocks.append(Folded("All summary metrics", (Paragraph(explained, "soft"), every)))
    published = record.get("published") or (record.get("experiment") or {}).get("published") or ()
    if published:
        blocks += [Heading("Published numbers"), Paragraph(_PRINTED, "note"), _printed(published)]
    return Section("measured", "Metrics", tuple(blocks), "Metrics")


_PRINTED = "Not measured here, often on other studies and splits: not comparable with this run."


def _printed(published: Sequence[Mapping[str, Any]]) -> Table:
    rows = (
        Row(
            (
                *(str(row.get(name) or "") for name in ("metric", "value")),
                MARKS.get(str(row.get("mark")), ""),
                *(str(row.get(name) or "") for name in ("where", "differs")),
            )
        )
        for row in published
    )
    heads = ("Metric", "Published", "Provenance", "Where", "Differences")
    return Table(heads, tuple(rows), frozenset({2, 3, 4}))


def _learning(journal: tuple[Mapping[str, Any], ...]) -> list[Markup]:
    """Curves of losses and validation metrics over the epochs of all stages."""
    places, bounds = _places(journal)
    drawings = []
    for prefix, title in (("loss", "training loss"), ("validation", "on validation")):
        series: dict[str, list[tuple[float, float]]] = {}
        for place, row in zip(places, journal, strict=True):
            for key, value in row.items():
                group, _, name = key.partition("/")
                known = exact(value)
                if group == prefix and name and known is not None:
                    label = metric_name(name) if prefix == "validation" else name.replace("_", " ")
                    series.setdefault(label, []).append((place, known))
        # A line breaks where a new stage begins.
        series = {
            label: sorted([*points, *((bound, np.nan) for bound in bounds)])
            for label, points in series.items()
        }
        if series:
            drawings.append(draw_learning(series, f"Learning: {title}", y=title, bounds=bounds))
    return drawings


def _places(journal: tuple[Mapping[str, Any], ...]) -> tuple[list[float], list[float]]:
    """Position of each row on the axis of epochs, and the beginnings of stages on it."""
    places: list[float] = []
    bounds: list[float] = []
    start, last, stage = 0.0, -1.0, None
    for row in journal:
        epoch = exact(row.get("epoch"))
        epoch = last + 1 - start if epoch is None else epoch
        if places and row.get("stage") != stage:
            start = last + 1
            bounds.append(start - 0.5)
        stage = row.get("stage")
        last = start + epoch
        places.append(last)
    return places, bounds


def _repeat(files: RunFiles) -> Section:
    """Commands, seed, versions and configuration of the run."""
    record = files.record
    seconds = record.get("seconds")
    pairs = Pairs(
        (
            Pair("Started with", str(record.get("command") or ""), exact=True),
            Pair("Seed", listed(record.get("seed"))),
            Pair("Device", str(record.get("device") or "")),
            Pair("Time", "" if seconds is None else f"{number(seconds, 0)} s"),
            Pair("kgdx", str(record.get("version") or "")),
            Pair("Commit", str(record.get("commit") or ""), exact=True),
            Pair("Configuration hash", str(record.get("config_hash") or ""), exact=True),
        )
    )
    dataset = str(record.get("dataset") or "")
    made = dataset in DATASETS.names() and is_made(DATASETS.load(dataset))
    root = "" if made else f" --root DIR  # DIR holds the folder {dataset}"
    code = f"kgdx experiment run config.yaml{root}\nkgdx experiment verify {record.get('run')}"
    blocks: list[Block] = [Code(code), pairs]
    packages = record.get("packages") or {}
    if packages:
        versions = ", ".join(f"{name} {version}" for name, version in packages.items())
        blocks.append(Folded("Packages", (Paragraph(versions, "note"),)))
    if files.config:
        blocks.append(Folded("config.yaml", (Code(files.config),)))
    return Section("repeat", "Reproduction", tuple(blocks), "Repeat")
