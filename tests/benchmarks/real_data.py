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

from experiments.compare.compare import compare
from experiments.config.hashing import config_hash
from experiments.config.load import read_config
from experiments.metrics.bootstrap import Plan
from experiments.records.folder import RunFolder, list_runs
from experiments.reports.write_comparison import render

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
    "systems": (
        "image_only_openi",
        "zhang2020_convirt_openi_probe",
        "zhang2020_convirt_openi_finetune",
        "wang2018_tienet_openi",
        "graph_fusion_openi",
        "logistic_image_openi",
    ),
    "tienet": ("wang2018_tienet_openi_report",),
    "convirt": ("zhang2020_convirt_openi",),
    "lesanet": ("yan2019_lesanet_openi",),
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


def folders(wanted: list[Job], done: dict[str, Path]) -> list[RunFolder]:
    """Finished runs of one configuration; none where one of them is missing."""
    found = [RunFolder(done[job.digest]) for job in wanted if job.digest in done]
    return found if len(found) == len(wanted) else []


def write_table(name: str, groups: dict[str, list[RunFolder]], resamples: int) -> Path:
    """Write the comparison of the configurations that are finished."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    made = compare(groups, plan=Plan(resamples=resamples))
    path.write_text(render(made, ".md"), encoding="utf-8")
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
    done = finished(given.runs)
    groups = {name: found for name, each in wanted.items() if (found := folders(each, done))}
    path = write_table(f"{given.family}_{given.kind}", groups, given.resamples)
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
