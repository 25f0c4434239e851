"""Ray: the processes of runs on the machines of a ray cluster, which share the folder of runs.

Ray places each run where a GPU, or a core, is free. Its reports on its own use are switched off.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError

from experiments.plans import execute
from experiments.plans.execute import MEMORY, Process
from kg.errors import InputError

__all__ = ["LOCAL", "RayMachines", "ray_machines"]

LOCAL = "local"
"""Address of a cluster of this machine alone, started for the sweep."""


_OWN = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
"""Environment variables that ray sets for what it gave a process."""


class _Runner:
    """A process that trains a run, on the machine where ray placed it.

    Args:
        words: The command, after the name of Python.
        messages: File of its messages, in the shared folder of runs.
        surroundings: Environment variables of the process that asked for it.
    """

    def __init__(
        self, words: Sequence[str], messages: str, surroundings: Mapping[str, str]
    ) -> None:
        mine = {name: os.environ[name] for name in _OWN if name in os.environ}
        with Path(messages).open("wb") as errors:
            self.process = subprocess.Popen(
                (sys.executable, *words),
                env={**surroundings, **mine},
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        return self.process.wait()

    def terminate(self) -> None:
        """Ask it to stop at a checkpoint."""
        self.process.terminate()


class _RayProcess:
    """Handle of a process on another machine.

    Args:
        runner: The actor that started it.
    """

    def __init__(self, runner: Any) -> None:
        self.runner = runner
        self.returncode: int | None = None

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        try:
            code: int = ray.get(self.runner.wait.remote())
            ray.kill(self.runner)
        except RayActorError:
            # the process may train on without its runner, and holds its run until it ends
            code = -signal.SIGKILL
        self.returncode = code
        return code

    def terminate(self) -> None:
        """Ask it to stop at a checkpoint."""
        self.runner.terminate.remote()


@dataclass(frozen=True)
class RayMachines:
    """The machines of a connected cluster."""

    @cached_property
    def gpus(self) -> int:
        """Number of GPUs of all machines."""
        return int(ray.cluster_resources().get("GPU", 0))

    def places(self, workers: int | None = None) -> tuple[str, ...]:
        """A place for each run at a time: each GPU, or as many CPU runs as memory allows."""
        total = ray.cluster_resources()
        fit = min(int(total.get("CPU", 1)), int(total.get("memory", 0)) // MEMORY)
        return ("",) * (workers or self.gpus or max(1, fit))

    def launch(
        self, words: Sequence[str], messages: Path, surroundings: Mapping[str, str], lock: int
    ) -> Process:
        """Start a process where ray has room for it."""
        needs = {"num_gpus": 1, "num_cpus": 1} if self.gpus else {"num_cpus": 1}
        # the second thread carries the request to stop while the first one waits
        actor = ray.remote(_Runner).options(max_concurrency=2, **needs)
        command = (*execute.COMMAND[1:], *words)
        return _RayProcess(actor.remote(command, str(messages), dict(surroundings)))


@contextmanager
def ray_machines(address: str) -> Iterator[RayMachines]:
    """Connect to a cluster, or start one of this machine.

    Args:
        address: `local`, `auto` (the cluster this machine belongs to), or `host:port`.

    Raises:
        InputError: If there is no cluster at the address, or none could be started.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    here = {"include_dashboard": False} if address == LOCAL else {}
    try:
        ray.init(address, logging_level="WARNING", log_to_driver=False, **here)
    except Exception as error:  # ray has no class of its own for what goes wrong here
        hint = "start a cluster (ray start --head), or leave --ray out"
        raise InputError(f"ray, address {address}: {error}", hint) from error
    try:
        yield RayMachines()
    finally:
        ray.shutdown()
