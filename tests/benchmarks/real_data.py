"""Run a family of shipped configurations on real data over folds and write their result table.

Not part of the default suite: it trains for the better part of an hour on two cores.

    python tests/benchmarks/real_data.py openi --root ../shared/data --runs runs

What is finished in `--runs` is not run again, so it can be interrupted and gone on with.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.load import config_hash, read_config
from experiments.metrics.arrays import Units
from experiments.metrics.bootstrap import Plan, bootstrap, paired
from experiments.records.folder import list_runs
from experiments.records.predictions import read_predictions
from experiments.records.record import RunRecord
from kg.store import load_shipped

RESULTS = Path(__file__).parent / "results"
FAMILIES = {
    "openi": (
        "graph_fusion_openi",
        "graph_fusion_openi_indication",
        "graph_fusion_openi_redacted",
        "graph_fusion_openi_findings",
        "image_only_openi",
        "image_text_openi_redacted",
        "text_only_openi_redacted",
        "logistic_image_openi",
        "logistic_text_openi_indication",
        "logistic_text_openi_redacted",
        "logistic_text_openi_findings",
    ),
    "covid": (
        "graph_fusion_covid",
        "graph_fusion_covid_redacted",
        "image_only_covid",
        "image_text_covid_redacted",
        "text_only_covid_redacted",
        "logistic_image_covid",
        "logistic_text_covid_redacted",
        "source_only_covid",
        "metadata_only_covid",
        "borders_only_covid",
    ),
}
"""The first of a family is the one the others are compared with."""


@dataclass(frozen=True)
class Job:
    """One run: a configuration, a fold and a seed."""

    config: str
    settings: tuple[str, ...]

    @property
    def digest(self) -> str:
        return config_hash(read_config(self.config, self.settings).experiment)


@dataclass(frozen=True)
class Scores:
    """Test scores of a configuration over its folds, averaged over nothing yet."""

    record: RunRecord
    studies: tuple[str, ...]
    findings: tuple[str, ...]
    labels: np.ndarray[Any, Any]
    probabilities: np.ndarray[Any, Any]  # [seeds, n, C]
    groups: np.ndarray[Any, Any]
    folds: np.ndarray[Any, Any]


def jobs(config: str, kind: str, folds: int, seeds: int) -> list[Job]:
    """Every run of a configuration; systems without gradients do not depend on the seed."""
    stages = read_config(config, ()).experiment.stages
    count = seeds if stages else 1
    places = range(folds) if kind == "folds" else range(1)
    return [
        Job(config, (f"split.kind={kind}", f"split.fold={fold}", f"seed={seed}"))
        for seed in range(count)
        for fold in places
    ]


def finished(runs: Path) -> dict[str, Path]:
    """Folder of each finished run by the hash of its configuration."""
    found = {}
    for folder in list_runs(runs):
        if folder.record.is_file():
            record = folder.load_record()
            if record.status == "finished":
                found[record.config_hash] = folder.path
    return found


def run_missing(wanted: list[Job], root: Path, runs: Path, workers: int) -> None:
    """Run what is not finished, some at a time, each on one core."""
    done = finished(runs)
    missing = [job for job in wanted if job.digest not in done]
    environment = {**os.environ, "OMP_NUM_THREADS": str(max((os.cpu_count() or 1) // workers, 1))}

    def run(job: Job) -> None:
        settings = [part for one in job.settings for part in ("--set", one)]
        kgdx = str(Path(sys.executable).parent / "kgdx")
        command = [kgdx, "experiment", "run", job.config, *settings]
        command += ["--root", str(root), "--runs", str(runs)]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
        note = "done" if ended.returncode == 0 else ended.stderr[-2000:]
        sys.stderr.write(f"{job.config} {' '.join(job.settings)}: {note}\n")

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, missing))


def scores(wanted: list[Job], runs: Path) -> Scores | None:
    """Test scores of one configuration; None where a run is missing."""
    done = finished(runs)
    if not all(job.digest in done for job in wanted):
        return None
    by_seed: dict[str, list[tuple[int, Any]]] = {}
    for job in wanted:
        parts = read_predictions(done[job.digest] / "predictions.parquet")
        test = next(part for part in parts if part.part == "test")
        fold = int(job.settings[1].partition("=")[2])
        by_seed.setdefault(job.settings[2], []).append((fold, test))
    first = next(iter(by_seed.values()))
    record = RunRecord.load(done[wanted[0].digest] / "record.json")
    return Scores(
        record=record,
        studies=tuple(study for _, part in first for study in part.studies),
        findings=first[0][1].findings,
        labels=np.concatenate([part.labels for _, part in first]),
        probabilities=np.stack(
            [np.concatenate([part.probabilities for _, part in each]) for each in by_seed.values()]
        ),
        groups=np.array([group for _, part in first for group in part.patients], dtype=object),
        folds=np.concatenate([np.full(len(part.studies), fold) for fold, part in first]),
    )


def modalities(root: Path) -> dict[str, str]:
    """Modality of each study of the COVID cohort."""
    from experiments.datasets.covid_multi_imaging import CovidMultiImaging

    studies = CovidMultiImaging().studies(root, labels="covid")
    return {study.study: study.images[0].modality for study in studies}


def interval(low: float, value: float, high: float, sign: bool = False) -> str:
    """A number with its interval."""
    form = "{:+.3f}" if sign else "{:.3f}"
    return f"{form.format(value)} [{form.format(low)}, {form.format(high)}]"


def table(found: dict[str, Scores], parts: dict[str, str] | None, resamples: int) -> list[str]:
    """Rows of the table: each configuration, its macro AUROC, and the first minus it."""
    names = list(dict.fromkeys(parts.values())) if parts else []
    head = ["configuration", "inputs at test", "leakage", "seeds"]
    head += [*names, "together"] if parts else ["macro AUROC"]
    head += ["first minus this", "p"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    first = next(iter(found.values()))
    plan = Plan(resamples=resamples, at_least=20)
    for name, each in found.items():
        row = [name, " + ".join(each.record.inputs_at_test), each.record.leakage]
        row.append(str(len(each.probabilities)))
        units = units_of(each, parts)
        for part in names:
            here = np.array([parts[study] == part for study in each.studies]) if parts else None
            row.append(cell(each, here, plan))
        whole = bootstrap(
            each.labels,
            each.probabilities,
            units,
            rng=np.random.default_rng(0),
            plan=plan,
        ).macro
        row.append(interval(whole.low, whole.value, whole.high))
        if each is first:
            row += ["", ""]
        else:
            assert each.studies == first.studies, f"{name} was not tested on the same studies"
            both = (first.probabilities.mean(0), each.probabilities.mean(0))
            rng = np.random.default_rng(0)
            gap = paired(each.labels, both, units, rng=rng, plan=plan).macro
            row += [interval(gap.low, gap.delta, gap.high, sign=True), f"{gap.p:.3f}"]
        lines.append("| " + " | ".join(row) + " |")
    return lines


def units_of(each: Scores, parts: dict[str, str] | None) -> Units:
    """Patients within folds, judged within modality where there are parts."""
    where = [parts[study] for study in each.studies] if parts else None
    return Units(each.groups, folds=each.folds, parts=where)


def cell(each: Scores, here: Any, plan: Plan) -> str:
    """AUROC within one modality."""
    units = Units(each.groups[here], folds=each.folds[here])
    rng = np.random.default_rng(0)
    found = bootstrap(
        each.labels[here], each.probabilities[:, here], units, rng=rng, plan=plan
    ).macro
    return interval(found.low, found.value, found.high)


def per_finding(found: dict[str, Scores], resamples: int) -> list[str]:
    """AUROC of each finding for each configuration."""
    graph = load_shipped()
    first = next(iter(found.values()))
    positives = np.nansum(first.labels, 0).astype(int)
    labels = [graph.concept(name).label for name in first.findings]
    head = ["configuration", *(f"{a} ({n})" for a, n in zip(labels, positives, strict=True))]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, each in found.items():
        areas = bootstrap(
            each.labels,
            each.probabilities,
            Units(each.groups, folds=each.folds),
            rng=np.random.default_rng(0),
            plan=Plan(resamples=resamples),
        ).findings
        lines.append(f"| {name} | " + " | ".join(f"{a.value:.3f}" for a in areas) + " |")
    return lines


def seed_spread(found: dict[str, Scores]) -> list[str]:
    """Deviation over seeds of the macro AUROC, where there are several."""
    lines = []
    for name, each in found.items():
        if len(each.probabilities) > 1:
            units = Units(each.groups, folds=each.folds)
            plan = Plan(resamples=2)
            values = [
                bootstrap(
                    each.labels, p, units, rng=np.random.default_rng(0), plan=plan
                ).macro.value
                for p in each.probabilities
            ]
            spread = f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
            lines.append(f"- {name}: one seed alone {spread} over {len(values)} seeds")
    return lines


def write_table(
    family: str, kind: str, found: dict[str, Scores], root: Path, resamples: int
) -> Path:
    """Write the result table of what is finished."""
    first = next(iter(found.values()))
    parts = modalities(root) if family == "covid" else None
    graph = first.record.graph.fingerprint[:12] if first.record.graph else "none"
    lines = [
        f"# {family}: {kind}",
        "",
        f"{len(first.studies)} studies tested, {len(set(first.groups))} patient groups; "
        f"graph {graph}, kgdx {first.record.version} at {(first.record.commit or 'unknown')[:12]}.",
        "Macro AUROC over findings with at least 20 positives, mean of folds; 95% interval from",
        f"{resamples} bootstrap resamples of patients within folds, scores averaged over seeds",
        "first. The difference is paired on the same patients.",
        "",
        *table(found, parts, resamples),
        "",
        *seed_spread(found),
        "",
        *([] if parts else per_finding(found, 200)),
    ]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{family}_{kind}.md"
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return path


def main() -> None:
    """Run, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--kind", choices=("folds", "locked"), default="folds")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--only", nargs="+", help="some configurations of the family")
    given = parser.parse_args()
    wanted = {
        config: jobs(config, given.kind, given.folds, given.seeds)
        for config in given.only or FAMILIES[given.family]
    }
    everything = sorted((j for each in wanted.values() for j in each), key=lambda j: j.settings[2])
    run_missing(everything, given.root, given.runs, given.workers)
    found = {name: made for name, each in wanted.items() if (made := scores(each, given.runs))}
    path = write_table(given.family, given.kind, found, given.root, given.resamples)
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
