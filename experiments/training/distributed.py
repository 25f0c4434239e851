"""Processes that train one run together, one for each device, on one machine or many.

Where `devices` asks for several and nothing else started this process, the run starts the others
itself. Under `torchrun` (`torchrun ... --no-python kgdx experiment run CONFIG`) every process runs
the same command, the first is the main process and the others are workers; the folder of runs
must be shared.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from kg.errors import InputError, RunStopped

__all__ = ["SINGLE_PROCESS", "ProcessContext", "is_worker", "process_group"]

WAIT = timedelta(hours=12)
"""Longest time a process waits for the others: the main one reads and encodes the data first."""
WORKER = "experiments.runner.worker"
STORE = "kgdx"
FOLDER = "folder"
ARRIVED = "arrived"


@dataclass(frozen=True)
class ProcessContext:
    """One process of those that train a run.

    Args:
        rank: Rank of this process; rank 0 is the main one, which alone measures and writes.
        processes: Number of processes.
        here: Number of them on this machine.
        folder: The run's folder.
    """

    rank: int = 0
    processes: int = 1
    here: int = 1
    folder: Path = Path()

    @property
    def is_single(self) -> bool:
        """Whether there is no other process."""
        return self.processes == 1

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which measures and writes."""
        return self.rank == 0

    def from_main(self, value: float) -> float:
        """Value of the main process, in every process."""
        if self.is_single:
            return value
        shared = torch.tensor(value, dtype=torch.float64)
        distributed.broadcast(shared, 0)
        return float(shared)

    def largest(self, value: float) -> float:
        """Largest value of all processes, in every one."""
        if self.is_single:
            return value
        largest = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return float(largest)

    def total(self, value: Tensor) -> Tensor:
        """Sum over all processes, in every one."""
        if self.is_single:
            return value
        total = value.detach().clone()
        distributed.all_reduce(total)
        return total

    def check_batch(self, size: int, where: str) -> None:
        """Refuse a batch that cannot be shared equally.

        Raises:
            InputError: If it cannot.
        """
        if size % self.processes:
            raise InputError(
                f"{where}: {self.processes} devices cannot share a batch of {size} equally",
                f"choose a multiple of {self.processes}",
            )


SINGLE_PROCESS = ProcessContext()


def is_worker() -> bool:
    """Whether this process is a worker of a run with another main process."""
    return int(os.environ.get("RANK", "0")) > 0


@contextmanager
def process_group(folder: Path, root: Path, devices: int = 0) -> Iterator[ProcessContext]:
    """Process group of a run, for the length of the block.

    Args:
        folder: The run's folder; a worker receives it and need not know it.
        root: Folder of the data set, for the processes started here.
        devices: Devices the configuration asks for, all machines together; a worker need not
            know.

    Raises:
        InputError: If this machine has fewer, or `torchrun` started another number of processes.
        RunStopped: If another process of the run ended before its time.
    """
    started = {key: os.environ.get(key) for key in ("WORLD_SIZE", "LOCAL_WORLD_SIZE")}
    if started["WORLD_SIZE"] is None and devices == 1:
        yield ProcessContext(folder=folder)
        return
    _check(devices, started)
    with _others(root, devices, start=started["WORLD_SIZE"] is None) as others:
        try:
            yield _join(folder, others)
        except RuntimeError:  # a collective that one process left
            _check_alive(others)
            raise
        finally:
            if distributed.is_initialized():
                distributed.destroy_process_group()


def _check(devices: int, started: dict[str, str | None]) -> None:
    """Refuse an impossible number of devices before any process is started."""
    size = int(started["WORLD_SIZE"] or devices)
    if size != devices and not is_worker():
        raise InputError(
            f"devices: {devices} were requested, torchrun started {size} processes",
            f"--set devices={size}",
        )
    here = int(started["LOCAL_WORLD_SIZE"] or devices)
    if torch.cuda.is_available() and torch.cuda.device_count() < here:
        raise InputError(
            f"devices: {here} were requested, this machine has {torch.cuda.device_count()}",
            f"--set devices={torch.cuda.device_count()}, or torchrun over several machines",
        )


@contextmanager
def _others(root: Path, devices: int, *, start: bool) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Worker processes, started and ended with the block; none where `start` is false."""
    if not start:
        yield []
        return
    before = dict(os.environ)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": devices}
    shared |= {"LOCAL_WORLD_SIZE": devices, "GROUP_RANK": 0}

    def place(rank: int) -> dict[str, str]:
        values = shared | {"RANK": rank, "LOCAL_RANK": rank}
        return before | {key: str(value) for key, value in values.items()}

    # -P: a folder called `experiments` where the user stands is not this package;
    # a session of its own: an interrupt from the keyboard is the main process's to pass on;
    # a pipe that is never written: it closes with the main process, and they end with it
    command = [sys.executable, "-P", "-m", WORKER, str(root)]
    others = [
        subprocess.Popen(command, env=place(rank), stdin=subprocess.PIPE, start_new_session=True)
        for rank in range(1, devices)
    ]
    os.environ |= place(0)
    try:
        yield others
    except BaseException:
        for other in others:
            other.kill()  # it writes nothing
        raise
    finally:
        os.environ.clear()
        os.environ |= before
        for other in others:
            other.wait()


def _check_alive(others: list[subprocess.Popen[bytes]]) -> None:
    """Refuse to wait for a worker that has ended."""
    ended = [code for code in (other.poll() for other in others) if code]
    if ended:
        raise RunStopped(
            f"another process of the run ended with {ended[0]}",
            "see its messages above; resume with fewer devices or after fixing the cause",
        )


def _join(folder: Path, others: list[subprocess.Popen[bytes]]) -> ProcessContext:
    """Meet the other processes, and send or receive the run's folder."""
    place = {key: int(os.environ[key]) for key in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")}
    rank, size, here = place["RANK"], place["WORLD_SIZE"], place["LOCAL_WORLD_SIZE"]
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    # torchrun keeps a store at that port, which its processes may use as well
    held = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    base = TCPStore(
        address, port, size, rank == 0 and not held, timeout=WAIT, wait_for_workers=False
    )
    store: Any = PrefixStore(STORE, base)
    store.add(ARRIVED, 1)
    while store.add(ARRIVED, 0) < size:
        _check_alive(others)
        time.sleep(0.1)
    distributed.init_process_group(
        store=store, rank=rank, world_size=size, timeout=WAIT, device_id=None
    )
    if rank == 0:
        store.set(FOLDER, str(folder.absolute()))
    shared = Path(store.get(FOLDER).decode())
    return ProcessContext(rank, size, here, shared)
