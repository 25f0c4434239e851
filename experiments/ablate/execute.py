"""Execution of an ablation: runs missing and resumes interrupted runs, several at a time."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments.ablate.plan import Job, Plan, stand
from experiments.config.load import dump
from experiments.records.folder import RunFolder
from kg.errors import RunStopped

__all__ = ["devices", "run_missing"]

COMMAND = (sys.executable, "-P", "-m", "experiments.cli.main")
"""Command of a run in a process of its own, so that runs share no state."""

MEMORY = 3 << 30
"""Bytes reserved for a run on the CPU: 1.3 GiB measured on Open-i, with a margin."""


def devices(workers: int | None = None) -> tuple[str, ...]:
    """Devices for simultaneous runs: each GPU, or as many CPU runs as memory allows.

    Args:
        workers: Number of runs at a time; None = what the machine can hold.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpus:
        return tuple(str(place % gpus) for place in range(workers or gpus))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return ("",) * (workers or max(1, min(os.cpu_count() or 1, memory // MEMORY)))


def run_missing(
    plan: Plan,
    root: Path,
    runs: Path,
    places: Sequence[str],
    *,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Run every job that is not finished.

    The first of them runs alone where nothing is finished yet: it fills the feature cache that the
    others read.

    Args:
        plan: The plan.
        root: Folder of the data set.
        runs: Folder of runs.
        places: Devices, one for each run at a time: the number of a GPU, or empty for the CPU.
        report: Called with a line on each finished or failed run.

    Raises:
        RunStopped: If a run did not finish; the others are still run.
    """
    standing = stand(plan, runs)
    jobs = {job.digest: job for job in plan.jobs if standing[job.digest][0] != "finished"}
    count, failed = len(jobs), []
    free: queue.Queue[str] = queue.Queue()
    for place in places:
        free.put(place)

    def one(job: Job) -> None:
        place = free.get()
        start = time.monotonic()
        try:
            error = _run(
                job, standing[job.digest][1], root, runs, _surroundings(place, len(places))
            )
        finally:
            free.put(place)
        outcome = f"{time.monotonic() - start:.0f} s" if error is None else error
        if error is not None:
            failed.append(job)
        report(f"{_name(job)}: {outcome}")

    pending = list(jobs.values())
    if pending and count == len(plan.jobs):
        one(pending.pop(0))
    with ThreadPoolExecutor(len(places)) as pool:
        list(pool.map(one, pending))
    if failed:
        raise RunStopped(
            f"{len(failed)} of {count} runs did not finish, the first is {_name(failed[0])}",
            "the errors are above; the same command runs the missing ones",
        )


def _run(
    job: Job, broken: RunFolder | None, root: Path, runs: Path, environment: Mapping[str, str]
) -> str | None:
    """Run or resume one job; returns the last lines of its error where it did not finish."""
    shared = ("--root", str(root), "--runs", str(runs))
    with tempfile.TemporaryDirectory() as folder:
        if broken is None:
            config = Path(folder) / "arm.yaml"
            config.write_text(dump(job.experiment), encoding="utf-8")
            command = ("run", str(config))
        else:
            command = ("resume", str(broken.path))
        ended = subprocess.run(
            (*COMMAND, "experiment", *command, *shared),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    if ended.returncode == 0:
        return None
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    return f"ended with {ended.returncode}: {' '.join(lines[-2:])}"


def _surroundings(place: str, shared: int) -> dict[str, str]:
    """Environment variables of a run: its GPU, or its share of the cores."""
    kept = dict(os.environ)
    if place:
        return kept | {"CUDA_VISIBLE_DEVICES": place}
    return kept | {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // shared))}


def _name(job: Job) -> str:
    fold = "" if job.fold is None else f", fold {job.fold}"
    turn = "" if job.rotation is None else f", rotation {job.rotation}"
    setting = f", {job.setting}" if job.setting else ""
    return f"{job.arm}{setting}{fold}{turn}, seed {job.seed}"
