"""Execution of a plan: runs what is missing and resumes what was interrupted, several at a time."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal, Protocol

from experiments.config.load import dump
from experiments.plans.cost import Cost, cost_of
from experiments.plans.jobs import Job, stand, with_parents
from kg.errors import RunStopped
from kg.progress import MINUTE, duration

__all__ = ["Launch", "Process", "Training", "Workers", "devices", "run_missing"]

COMMAND = (sys.executable, "-P", "-m", "experiments.cli.main")
"""Command of a run in a process of its own, so that runs share no state."""

MEMORY = 3 << 30
"""Bytes reserved for a run on the CPU: 1.3 GiB measured on Open-i, with a margin."""

MESSAGES = "messages.txt"
LOCKS = "locks"
PAUSE = 20.0
"""Seconds between two looks at a run that another process trains."""


class Process(Protocol):
    """A process that trains a run, here or on another machine."""

    @property
    def returncode(self) -> int | None:
        """Exit code; None = it was not waited for yet."""

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""

    def terminate(self) -> None:
        """Ask it to stop at a checkpoint."""


Launch = Callable[[Sequence[str], Path, Mapping[str, str], int], Process]
"""Starts a process with the words after `COMMAND`: its messages go into a file, it has these
environment variables, and holds this lock."""


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
    jobs: Iterable[Job],
    root: Path,
    runs: Path,
    places: Sequence[str],
    launch: Launch | None = None,
    *,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Run every job that is not finished, those it starts from first.

    A run that another process trains is waited for, and one that diverged is not run again. Where
    this process is interrupted, the runs that it started stop at a checkpoint, and are resumed the
    next time.

    Args:
        jobs: The runs.
        root: Folder of the data sets.
        runs: Folder of runs.
        places: Devices, one for each run at a time: the number of a GPU, or empty for the CPU.
        launch: Starts a process of a run; the default starts it on this machine.
        report: Called with a line on each run that ended.

    Raises:
        RunStopped: If a run did not finish; those that do not start from it are still run.
    """
    every = with_parents(jobs)
    standing = stand(every, runs)
    finished = {digest for digest, (state, _) in standing.items() if state == "finished"}
    over = ("finished", "diverged")
    waiting = [job for job in every if standing[job.digest][0] not in over]
    diverged = [job for job in every if standing[job.digest][0] == "diverged"]
    total, cost = len(waiting) + len(diverged), cost_of(every, standing, runs)
    execution = _Execution(
        waiting=waiting,
        finished=finished,
        failed=diverged,
        workers=Workers(root, runs, list(places), launch),
        progress=_Progress(cost, len(waiting), len(places), report),
    )
    execution.run()
    if execution.failed:
        raise RunStopped(
            f"{len(execution.failed)} of {total} runs did not finish, "
            f"the first is {execution.failed[0].name}",
            "the errors are above; the same command runs those that did not diverge",
        )


@dataclass
class _Execution:
    """Execution of the jobs of a plan that are not finished.

    Args:
        waiting: Jobs that are not started, parents first.
        finished: Hashes of the finished ones.
        workers: Processes that train.
        progress: Lines on what ended.
        failed: Jobs that did not finish.
    """

    waiting: list[Job]
    finished: set[str]
    workers: Workers
    progress: _Progress
    failed: list[Job] = field(default_factory=list)

    def run(self) -> None:
        """Run them all."""
        try:
            while self.waiting or self.workers.running:
                elsewhere = self._start_ready()
                for one in self.workers.ended(PAUSE if elsewhere else None):
                    self.progress.took.setdefault(one.job.experiment.name, []).append(one.seconds)
                    self._end(one.job, one.outcome, failed=one.process.returncode != 0)
                self.progress.running(self.workers.running)
        finally:
            self.workers.stop()

    def _start_ready(self) -> bool:
        """Start jobs whose parents are finished; returns whether another process trains one."""
        elsewhere = False
        for job in tuple(self.waiting):
            needed = {parent.digest for parent in job.parents}
            if needed & {one.digest for one in self.failed}:
                self.waiting.remove(job)
                self._end(job, "not run: what it starts from did not finish", failed=True)
            elif self.workers.places and needed <= self.finished:
                state = self.workers.start(job)
                elsewhere |= state == "elsewhere"
                if state != "elsewhere":
                    self.waiting.remove(job)
                if state == "finished":
                    self._end(job, "finished by another process", failed=False)
        return elsewhere

    def _end(self, job: Job, outcome: str, *, failed: bool) -> None:
        if failed:
            self.failed.append(job)
        else:
            self.finished.add(job.digest)
        self.progress.line(
            job, outcome, [*self.waiting, *(one.job for one in self.workers.running)]
        )


@dataclass(frozen=True, eq=False)
class Training:
    """A run that a process of its own trains.

    Args:
        job: The run.
        process: The process.
        place: Device.
        lock: Handle of the job's lock, which the process holds too.
        folder: Folder of its configuration and messages.
        began: Start by the monotonic clock.
    """

    job: Job
    process: Process
    place: str
    lock: int
    folder: tempfile.TemporaryDirectory[str]
    began: float

    @property
    def seconds(self) -> float:
        """Time since its start."""
        return time.monotonic() - self.began

    @property
    def outcome(self) -> str:
        """Time it took, or the last lines of its error."""
        if self.process.returncode == 0:
            return duration(self.seconds)
        return f"ended with {self.process.returncode}: {' '.join(self.said(2))}"

    def said(self, count: int) -> list[str]:
        """Its last messages."""
        path = Path(self.folder.name) / MESSAGES
        # another machine may not have begun yet
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return [line for line in text.splitlines() if line.strip()][-count:]

    def close(self) -> None:
        """Release the lock and remove the folder."""
        os.close(self.lock)
        self.folder.cleanup()


class Workers:
    """Processes that train runs, one in each place.

    Args:
        root: Folder of the data sets.
        runs: Folder of runs.
        places: Free devices.
        launch: Starts a process; the default starts it on this machine.
    """

    def __init__(
        self, root: Path, runs: Path, places: list[str], launch: Launch | None = None
    ) -> None:
        self.root, self.runs, self.places = root, runs, places
        self.launch = launch or _launch
        self.count = len(places)
        self._watched: dict[Future[int], Training] = {}
        self._pool = ThreadPoolExecutor(len(places))

    @property
    def running(self) -> list[Training]:
        """Runs that train."""
        return list(self._watched.values())

    def start(self, job: Job) -> Literal["started", "finished", "elsewhere"]:
        """Start or resume a job, unless another process has it."""
        lock = _locked(_lock_file(self.runs, job))
        if lock is None:
            return "elsewhere"
        state, run = stand([job], self.runs)[job.digest]
        if state in ("finished", "running"):
            os.close(lock)
            return "finished" if state == "finished" else "elsewhere"
        folder = tempfile.TemporaryDirectory(dir=self.runs / LOCKS)
        config, messages = Path(folder.name) / "config.yaml", Path(folder.name) / MESSAGES
        config.write_text(dump(job.experiment), encoding="utf-8")
        words = ("run", str(config)) if run is None else ("resume", str(run.path))
        place = self.places.pop()
        command = ("experiment", *words, "--root", str(self.root), "--runs", str(self.runs))
        process = self.launch(command, messages, _surroundings(place, self.count), lock)
        training = Training(job, process, place, lock, folder, time.monotonic())
        self._watched[self._pool.submit(process.wait)] = training
        return "started"

    def ended(self, timeout: float | None) -> Iterator[Training]:
        """Runs that have ended, once there is one, or the time or a minute is over."""
        if not self._watched:
            time.sleep(timeout or 0.0)
        for future in wait(self._watched, timeout or MINUTE, FIRST_COMPLETED).done:
            training = self._watched.pop(future)
            self.places.append(training.place)
            yield training
            if training.process.returncode == 0:
                _lock_file(self.runs, training.job).unlink(missing_ok=True)
            training.close()

    def stop(self) -> None:
        """Ask the runs that train to stop at a checkpoint, and wait until they have."""
        for training in self.running:
            training.process.terminate()
        self._pool.shutdown()
        for training in self.running:
            training.close()
        self._watched.clear()


class _Progress:
    """Lines on runs that ended, with the time that is left.

    Args:
        cost: Cost of the plan.
        total: Number of runs to run.
        workers: Runs at a time.
        report: Called with each line.
    """

    def __init__(self, cost: Cost, total: int, workers: int, report: Callable[[str], None]) -> None:
        self.cost, self.total, self.workers, self.report = cost, total, workers, report
        self.took: dict[str, list[float]] = {}
        self.told = time.monotonic()

    def line(self, job: Job, outcome: str, left: Sequence[Job]) -> None:
        """Report a run that ended, where others are left to run or running."""
        self.told = time.monotonic()
        known = list(filter(None, map(self._seconds, left)))
        spent = f"; about {duration(sum(known) / self.workers)} left" if known else ""
        self.report(f"[{self.total - len(left)}/{self.total}] {job.name}: {outcome}{spent}")

    def running(self, training: Iterable[Training]) -> None:
        """Report the runs that train, at most once a minute."""
        if time.monotonic() - self.told < MINUTE:
            return
        for one in training:
            said = "".join(f": {line}" for line in one.said(1))
            self.report(f"[{duration(one.seconds)}] {one.job.name}{said}")
        self.told = time.monotonic()

    def _seconds(self, job: Job) -> float | None:
        """Time of a run: what those of its configuration took here, else by finished runs."""
        took = self.took.get(job.experiment.name)
        return median(took) if took else self.cost.seconds[job.digest]


def _lock_file(runs: Path, job: Job) -> Path:
    return runs / LOCKS / job.digest


def _locked(path: Path) -> int | None:
    """Handle of a file that this process locked; None where another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _launch(
    words: Sequence[str], messages: Path, surroundings: Mapping[str, str], lock: int
) -> Process:
    """Start a process of this machine."""
    with messages.open("wb") as errors:
        return subprocess.Popen(
            (*COMMAND, *words),
            env={**surroundings},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            # Ctrl-C reaches this process alone, which stops the others once; where this one is
            # killed, a run goes on and keeps its lock
            start_new_session=True,
            pass_fds=(lock,),
        )


def _surroundings(place: str, shared: int) -> dict[str, str]:
    """Environment variables of a run: its GPU, or its share of the cores unless one is set."""
    if place:
        return {**os.environ, "CUDA_VISIBLE_DEVICES": place}
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // shared)), **os.environ}
