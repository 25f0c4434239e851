"""RunFolder: files of a run, and the lock that lets only one process write them."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.config.hashing import config_hash
from experiments.config.load import dump
from experiments.config.schema import Experiment
from experiments.records.atomic import remove_leftovers, write_text
from experiments.records.record import RunRecord, Status
from experiments.records.surroundings import now
from kg.errors import InputError, RunStopped, did_you_mean

__all__ = ["RunFolder", "find_run", "list_runs", "run_name"]

KILLED = "its process was killed"
"""Reason of a run whose record says `running` while no process holds its folder."""
_MOST = 10_000


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; made by `create`, opened by `find_run`.

    Args:
        path: The folder; its name is the run id.
    """

    path: Path

    @staticmethod
    def create(runs: Path, experiment: Experiment) -> RunFolder:
        """Make a new folder under `runs` and write the resolved configuration into it.

        Raises:
            InputError: If it cannot be written.
        """
        name = run_name(experiment)
        folder = RunFolder(_make(runs, name))
        write_text(folder.config, dump(experiment))
        folder.checkpoints.mkdir()
        return folder

    @property
    def run(self) -> str:
        """Run id."""
        return self.path.name

    @property
    def config(self) -> Path:
        """Resolved configuration; runs again as it is."""
        return self.path / "config.yaml"

    @property
    def record(self) -> Path:
        """The run record."""
        return self.path / "record.json"

    @property
    def metrics(self) -> Path:
        """One JSON line for each measurement during training."""
        return self.path / "metrics.jsonl"

    @property
    def predictions(self) -> Path:
        """Probabilities of every study scored."""
        return self.path / "predictions.parquet"

    @property
    def studies(self) -> Path:
        """Attributes of every study scored."""
        return self.path / "studies.parquet"

    @property
    def scores(self) -> Path:
        """Contributions of each study to metrics of retrieval and generation."""
        return self.path / "scores.parquet"

    @property
    def texts(self) -> Path:
        """Reports generated for the test studies, beside the true ones."""
        return self.path / "texts.parquet"

    @property
    def splits(self) -> Path:
        """The split manifest."""
        return self.path / "splits.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        """Folder of trained encoders, each as a file that other runs can use."""
        return self.path / "weights"

    @property
    def log(self) -> Path:
        """Log of the run."""
        return self.path / "log.txt"

    @property
    def report(self) -> Path:
        """The page of the run."""
        return self.path / "report.html"

    @property
    def signature(self) -> Path:
        """Signature of all other files, where the run was signed."""
        return self.path / "signature.json"

    @property
    def lock(self) -> Path:
        """Lock of the process that writes the folder."""
        return self.path / "lock"

    def load_record(self) -> RunRecord:
        """The run record; of a killed process `stopped`, though it could not write so."""
        record = RunRecord.load(self.record)
        if record.status == "running" and not self.in_use:
            return replace(record, status="stopped", reason=KILLED)
        return record

    @property
    def in_use(self) -> bool:
        """Whether a process holds the folder."""
        try:
            handle = os.open(self.path / "lock", os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Lock the folder for this process, and clear leftovers of a killed one.

        The lock is the operating system's and is released when a process dies. If the
        block ends with an error, a record that says `running` is marked `stopped` (interrupts
        and `RunStopped`) or `failed`, and the command to resume is added to the error. An
        empty folder is removed.

        Raises:
            InputError: If another process holds the folder.
        """
        handle = _lock(self.lock)
        try:
            remove_leftovers(self.path)
            yield
        except BaseException as error:
            stopped = isinstance(error, RunStopped) or not isinstance(error, Exception)
            reason = error.message if isinstance(error, RunStopped) else ""
            status = self._mark("stopped" if stopped else "failed", reason)
            self._clear_if_empty()
            if status == "stopped" and any(self.checkpoints.glob("*/*")):
                error.add_note(f"kgdx experiment resume {shlex.quote(str(self.path))}")
            raise
        finally:
            os.close(handle)

    def _mark(self, status: Status, reason: str) -> Status | None:
        """Record the end of an interrupted run; returns the status in the record."""
        try:
            record = self.load_record()
            if record.status == "running":
                record = replace(record, status=status, reason=reason, finished=now())
                record.save(self.record)
        except InputError:  # an unwritable record must not hide the first error
            return None
        return record.status

    def _clear_if_empty(self) -> None:
        """Remove the folder of a run that holds nothing but its configuration."""
        begun = {self.config, self.log, self.lock}
        if not {path for path in self.path.rglob("*") if path.is_file()} - begun:
            shutil.rmtree(self.path, ignore_errors=True)


def run_name(experiment: Experiment) -> str:
    """`<name>-<start of the configuration's hash>-<seed>`, safe as a folder name."""
    name = re.sub(r"[^\w.-]+", "-", experiment.name).strip("-.") or "run"
    return f"{name[:80]}-{config_hash(experiment)[:8]}-{experiment.seed}"


def list_runs(runs: Path) -> list[RunFolder]:
    """Runs under a folder, in order of their names."""
    return [RunFolder(path.parent) for path in sorted(runs.glob("*/config.yaml"))]


def find_run(name_or_path: str | Path, runs: Path) -> RunFolder:
    """The run of a name under `runs`, an unambiguous prefix of it, or a path.

    Raises:
        InputError: If there is none, or the prefix fits several.
    """
    for path in (runs / name_or_path, Path(name_or_path)):
        if (path / "config.yaml").is_file():
            return RunFolder(path)
    known = [folder.run for folder in list_runs(runs)]
    fits = [run for run in known if run.startswith(str(name_or_path))]
    if len(fits) == 1:
        return RunFolder(runs / fits[0])
    if fits:
        raise InputError(f"{name_or_path} begins several runs", f"choose of: {', '.join(fits)}")
    raise InputError(
        f"there is no run {name_or_path} in {runs}", did_you_mean(str(name_or_path), known)
    )


def _make(runs: Path, name: str) -> Path:
    """Make a folder `name`, or `name-2`, ... where it exists already."""
    for count in range(1, _MOST):
        path = runs / (name if count == 1 else f"{name}-{count}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            hint = "name a folder that can be written with --runs"
            raise InputError(f"{path} cannot be made: {error.strerror}", hint) from None
        return path
    raise InputError(f"{runs} holds {_MOST} runs called {name}", "clear some away")


def _lock(path: Path) -> int:
    """Lock a file until the handle is closed; it names the process."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        hint = "mend the rights, or copy the run to a folder that can be written"
        raise InputError(f"{path.parent} cannot be written: {error.strerror}", hint) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(handle, 100).decode(errors="replace").strip()
        os.close(handle)
        raise InputError(
            f"{path.parent} is in use by another process ({holder or 'unknown'})",
            "wait for it to end, or start a new run",
        ) from None
    os.ftruncate(handle, 0)
    os.write(handle, f"process {os.getpid()} since {now()}\n".encode())
    return handle
