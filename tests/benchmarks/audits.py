"""Audit the data sets there are for shortcuts and write one table of what was found.

Not part of the default suite: every picture is read once, some minutes on one core.

    python tests/benchmarks/audits.py --root ../shared/data --runs runs

Runs of `logistic_image_covid` and other experiments named with `--experiment` are set beside the
probes of the data set they are of; runs of `*_covid_by_source` give the last table.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from experiments.audit.audit import audit
from experiments.audit.record import Audit
from experiments.audit.subject import Asked
from experiments.compare.align import align
from experiments.compare.gather import finished_runs, gather
from experiments.compare.runs import Run
from experiments.datasets import DATASETS
from experiments.metrics.arrays import Units
from experiments.metrics.bootstrap import Plan, bootstrap
from experiments.preparation.inspection import locate
from experiments.preparation.open_dataset import OpenDataset
from experiments.records.folder import RunFolder
from experiments.records.record import Measured
from experiments.reports.audit_page import shuffled_words, where
from experiments.splits.manifest import Manifest
from experiments.splits.origins import FEWEST
from kg.errors import InputError

RESULTS = Path(__file__).parent / "results" / "audits.md"
BY_SOURCE = ("logistic_image_covid_by_source", "graph_fusion_covid_by_source")


@dataclass(frozen=True)
class Set:
    """A data set to audit.

    Args:
        name: Its name.
        labels: Label set.
        folder: Its folder under the root, where it is not called by its name.
        at_least: Fewest positives of a finding; small sets are asked for fewer.
        options: Options of the data set.
    """

    name: str
    labels: str
    folder: str = ""
    at_least: int = 20
    options: Mapping[str, str] = field(default_factory=dict)


WITHOUT = {"images": "optional"}
"""Labels and reports alone."""

SETS = (
    Set("covid_multi_imaging", "covid"),
    Set("covid_chestxray", "covid"),
    Set("cov_ctr", "covid"),
    Set("pocus", "pocus4"),
    Set("covid_blues", "covid", at_least=10),
    Set("figure1", "covid", at_least=5),
    Set("covid_dialogue", "impression"),
    Set("openi", "nih14"),
    Set("openi", "chexpert14"),
    Set("nih_chestxray14", "nih14", folder="nih_chestxray14_64px"),
    Set("padchest", "padchest", folder="padchest_labels", at_least=500, options=WITHOUT),
)


def made(one: Set, root: Path, runs: Path, folders: Sequence[RunFolder]) -> Audit:
    """The audit of a data set, beside the runs that are of it."""
    part = DATASETS.load(one.name)
    dataset = part(part.Options(**one.options))
    opened = OpenDataset.find(one.name, dataset, root / one.folder, runs / "cache", one.labels)
    own = [run for run in folders if run.load_record().dataset == one.name]
    return audit(Asked(at_least=one.at_least), opened, cache=runs / "cache", runs=own)


def told(audits: Sequence[tuple[Audit, float]]) -> Iterator[str]:
    """Tables of all audits."""
    yield "## Probes"
    yield ""
    yield "Macro AUROC [95% interval]; in brackets of the head, what it is a mean of."
    yield ""
    heads = [f"{one.dataset} {one.labels} ({_at(one)})" for one, _ in audits]
    yield _row(["probe", *heads])
    yield "|" + "---|" * (len(heads) + 1)
    names = dict.fromkeys(probe.name for one, _ in audits for probe in one.probes)
    for name in names:
        found = [next(p for p in one.probes if p.name == name) for one, _ in audits]
        yield _row([name, *("-" if p.impossible else p.judged.words() for p in found)])
    yield _row(
        ["labels shuffled", *(f"{s.mean:.3f} [{s.low:.3f}, {s.high:.3f}]" if (s := one.shuffled)
                              else "-" for one, _ in audits)]
    )  # fmt: skip
    yield ""
    for one, seconds in audits:
        yield from _verdicts(one, seconds)


def _at(one: Audit) -> str:
    """What the judged value of most probes is a mean of."""
    most = max((p.judged.findings or 0 for p in one.probes if p.places), default=0)
    count = f"{most} findings" if most != 1 else "one finding"
    return f"{count}, mean of modalities" if len(one.modalities) > 1 else count


def _verdicts(one: Audit, seconds: float) -> Iterator[str]:
    like = one.likeness
    options = "".join(f", {name}={value}" for name, value in one.options.items())
    yield f"## {one.dataset}, {one.labels}{options}"
    yield ""
    modalities = ", ".join(f"{count} {where(name)}" for name, count in one.modalities.items())
    yield (
        f"{one.studies} labelled development studies of {one.patients} patient groups "
        f"({modalities}); audited in {seconds:.0f} s."
    )
    yield ""
    yield from (f"- {remark}" for remark in one.remarks)
    for probe in one.probes:
        remark = f" ({probe.remark})" if probe.remark else ""
        yield f"- {probe.name}: {probe.verdict or f'not possible: {probe.impossible}'}{remark}"
    yield f"- labels shuffled: {shuffled_words(one)}"
    yield (
        f"- pictures: {like.pictures}, {like.duplicates} nearly equal to another "
        f"({like.duplicate_groups} groups, {like.across_patients} with several patients, "
        f"{like.across_folds} parted by the folds); texts several patients have word for word: "
        f"{like.same_text}, in {like.same_text_studies} of {like.texts} studies"
    )
    if like.official_patients is not None:
        yield (
            f"- published split: {like.official_patients} patients on both sides, "
            f"{like.across_official} groups of like pictures parted"
        )
    ties = [tie for tie in one.associations if tie.fact in ("source", "format", "view")][:4]
    for tie in ties:
        yield (
            f"- Cramer's V of {tie.fact} and {tie.label} ({where(tie.where)}): {tie.cramers_v:.2f} "
            f"over {tie.categories} categories"
        )
    yield ""
    if one.explained:
        yield _row(["system", "AUROC", "best probe", "difference", "within", "comparable", ""])
        yield "|" + "---|" * 7
        for run in one.explained:
            best = f"{run.probe} {run.probe_auroc.words()}"
            cells = [run.system, run.run_auroc.words(), best, run.difference.words(sign=True)]
            share = f"{100 * run.comparable:.0f}%"
            yield _row([*cells, run.within.words(), share, run.verdict])
        yield ""


def by_source(root: Path, runs: Path) -> Iterator[str]:
    """AUROC of each source left out, within modality, with its class counts."""
    try:
        found = align(gather(finished_runs(runs, BY_SOURCE)))
    except InputError:
        return
    name = found.arms[0].runs[0].record.dataset
    part = DATASETS.load(name)
    dataset = part(part.Options())
    studies = dataset.studies(locate(name, dataset, root), labels="covid")
    modality = {study.study: study.images[0].modality for study in studies}
    yield "## One source left out"
    yield ""
    yield "Trained on all other sources, tested on one; AUROC within modality, mean of those that"
    yield f"have both classes. Sources with fewer than {FEWEST} studies of a class are not tested."
    yield ""
    columns = ["configuration", "source tested", "studies"]
    yield _row([*columns, "with COVID-19 / without, by modality", "AUROC"])
    yield "|" + "---|" * 5
    for arm in found.arms:
        for run in arm.runs:
            cells = _source_cells(run, [modality[study] for study in run.test.studies])
            yield _row([run.record.experiment["name"], *cells])
    yield ""


def _source_cells(run: Run, modality: Sequence[str]) -> list[str]:
    name = Manifest.load(run.folder.splits).name.split("-sources-")[1].rpartition("-seed")[0]
    labels, parts = run.test.labels, np.asarray(modality)
    units = Units(np.asarray(run.test.patients, dtype=object), modalities=parts)
    rng, plan = np.random.default_rng(0), Plan(resamples=1000, at_least=1)
    macro = bootstrap(labels, run.test.probabilities, units, rng=rng, plan=plan).macro
    counts = [
        f"{where(part)} {int((here == 1).sum())} / {int((here == 0).sum())}"
        for part in sorted(set(modality))
        if len(here := labels[parts == part])
    ]
    measured = Measured.of(macro.value, macro.low, macro.high)
    return [name, str(len(labels)), ", ".join(counts), measured.words()]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Audit, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--only", nargs="+", help="some of the data sets, by name")
    parser.add_argument("--experiment", nargs="+", default=[], help="runs to set beside probes")
    given = parser.parse_args()
    folders = finished_runs(given.runs, given.experiment)
    audits = []
    for one in SETS:
        if given.only and one.name not in given.only:
            continue
        began = time.monotonic()
        audits.append((made(one, given.root, given.runs, folders), time.monotonic() - began))
        sys.stderr.write(f"{one.name} {one.labels}: {audits[-1][1]:.0f} s\n")
    lines = [
        "# Audits for shortcuts",
        "",
        "Made by `tests/benchmarks/audits.py`, on the development parts alone. Each probe is a",
        "logistic regression on what must not be able to diagnose, on five grouped folds;",
        "borders and pictures without lungs are seen at 32 x 32 pixels. A probe that tells nothing",
        "proves nothing: a stronger reader of the same may (borders of the COVID cohort through a",
        "network: `borders_only_covid`, 0.790 together).",
        "A finding is asked for where 20 studies have it and 20 have not: 5 in figure1, too few",
        "to judge (`kgdx data audit figure1` says so and judges no probe), 500 in padchest.",
        "",
        *told(audits),
        *by_source(given.root, given.runs),
    ]
    text = "\n".join(lines).rstrip() + "\n"
    RESULTS.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
