"""Load of `kgdx serve`: many clients, broken uploads between, one worker killed; nothing lost.

python tests/benchmarks/serving.py RUN --runs FOLDER [--studies 200 --clients 20 --workers 1]

Compares the seconds that a study takes with those of the bare call of the same model in this
process, one after the other for each study, so that both see the same load of the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import psutil
from PIL import Image

from experiments.inference.predict import PredictionRequest, predict_restored
from experiments.records.folder import find_run
from experiments.runs.restore import Restored, restore

RESULTS = Path(__file__).parent / "results"
REPORT = "FINDINGS: Small left pleural effusion. Heart size is normal. No pneumothorax."
SIDE = 512
EVERY = 10
"""Every so many studies a broken upload is sent too."""
BROKEN = (
    {"files": {"pictures": ("a.png", b"\x89PNG broken")}},
    {"files": {"pictures": ("a.zip", b"PK\x03\x04 broken")}},
    {"data": {"report": ""}},
    {"data": {"report": REPORT, "findings": "gibberish"}},
    {"content": b"--x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
)
HALF = (
    b"POST /api/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    b'Content-Disposition: form-data; name="pictures"; filename="a.png"\r\n\r\n' + bytes(400_000)
)
"""A request whose client is gone before its end."""
SETTLED = 3
"""First calls that are not counted."""


def picture(seed: int) -> bytes:
    """A PNG of its own."""
    values = np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


class Asked(NamedTuple):
    """A study that was asked for.

    Args:
        seconds: Time until its answer.
        answer: Its probabilities in order.
        work: Processor seconds of whoever answered, to the hundredth.
    """

    seconds: float
    answer: list[float]
    work: float


def bare(restored: Restored, seed: int) -> Asked:
    """The bare call for a study."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.png").write_bytes(picture(seed))
        (Path(folder) / "report.txt").write_text(REPORT)
        worked, began = processor_seconds(psutil.Process()), time.perf_counter()
        predicted, _ = predict_restored([folder], restored, PredictionRequest())
        spent = time.perf_counter() - began
        work = processor_seconds(psutil.Process()) - worked
    return Asked(spent, sorted(predicted.prediction.probabilities[0].tolist()), work)


def served(client: httpx.Client, server: psutil.Process, seed: int) -> Asked:
    """The server for a study."""
    files = {"pictures": ("a.png", picture(seed))}
    both = (server, *server.children(recursive=True))
    worked, began = processor_seconds(*both), time.perf_counter()
    answer = client.post("/api/predict", data={"report": REPORT}, files=files)
    spent, work = time.perf_counter() - began, processor_seconds(*both) - worked
    findings = answer.raise_for_status().json()["findings"]
    return Asked(spent, sorted(one["certainty"]["probability"] for one in findings), work)


def processor_seconds(*processes: psutil.Process) -> float:
    """Time that processes have worked."""
    times = [one.cpu_times() for one in processes]
    return float(sum(one.user + one.system for one in times))


class Load:
    """Clients that send studies one after the other.

    Args:
        address: Address of the server.
        server: Its process.
        studies: Whole studies that are sent.
    """

    def __init__(self, address: str, server: psutil.Process, studies: int) -> None:
        self._address = address
        self._server = server
        self._left = list(range(studies))
        self.statuses: Counter[int] = Counter()
        self.broken: Counter[int | str] = Counter()
        self.spent: list[float] = []
        self.memory: list[tuple[int, float, float]] = []
        self.rate = 0.0

    async def together(self, clients: int) -> float:
        """Seconds of all studies, sent by many at a time; one worker is killed in the middle."""
        half = len(self._left) // 2
        began = time.perf_counter()
        await asyncio.gather(self._kill_at(half), *(self._client() for _ in range(clients)))
        return time.perf_counter() - began

    async def _client(self) -> None:
        async with httpx.AsyncClient(base_url=self._address, timeout=900) as client:
            while self._left:
                seed = self._left.pop()
                files = {"pictures": ("a.png", picture(seed))}
                began = time.perf_counter()
                answer = await client.post("/api/predict", data={"report": REPORT}, files=files)
                self.spent.append(time.perf_counter() - began)
                self.statuses[answer.status_code] += 1
                if seed % EVERY == 0:
                    await self._send_broken(client, seed // EVERY)
                worker = self.workers()[-1]
                self.memory.append((worker.pid, megabytes(self._server), megabytes(worker)))

    async def _send_broken(self, client: httpx.AsyncClient, turn: int) -> None:
        kind = turn % (len(BROKEN) + 1)
        if kind < len(BROKEN):
            given: dict[str, Any] = BROKEN[kind]
            self.broken[(await client.post("/api/predict", **given)).status_code] += 1
            return
        address = httpx.URL(self._address)
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(HALF)
        await writer.drain()
        writer.close()
        self.broken["client gone"] += 1

    async def _kill_at(self, left: int) -> None:
        began = time.perf_counter()
        while len(self._left) > left:
            await asyncio.sleep(0.05)
        self.rate = len(self.spent) / (time.perf_counter() - began)
        self.workers()[0].send_signal(signal.SIGKILL)

    def workers(self) -> list[psutil.Process]:
        """Worker processes of the server; the server itself while it starts one."""
        found = self._server.children(recursive=True)
        named = [one for one in found if "spawn_main" in " ".join(one.cmdline())]
        return named or [self._server]


def megabytes(process: psutil.Process) -> float:
    """Memory of a process."""
    return float(process.memory_info().rss) / 2**20


@contextmanager
def serving(options: Any) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of a server that answers."""
    command = [sys.executable, "-m", "experiments.cli.main", "serve", "--run", options.run]
    command += ["--runs", str(options.runs), "--port", "0", "--workers", str(options.workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip(), psutil.Process(server.pid)
        finally:
            server.send_signal(signal.SIGINT)


def folders() -> set[Path]:
    """Folders of the servers of this machine."""
    return set(Path(tempfile.gettempdir()).glob("kgdx-serve-*"))


def measured(options: Any) -> list[tuple[str, str]]:
    """Rows of the table."""
    restored = restore(find_run(options.run, options.runs))
    before = folders()
    with serving(options) as (address, server):
        rows = one_by_one(restored, address, server, options.alone)
        (folder,) = folders() - before
        handles = server.num_fds()
        load = Load(address, server, options.studies)
        whole = asyncio.run(load.together(options.clients))
        rows += under_load(load, whole, options)
        time.sleep(1)  # the last connections close
        rows.append(("studies left in its folder", str(len(list(folder.iterdir())))))
        more = server.num_fds() - handles
        rows.append(("open files of the server, after less before", str(more)))
    gone = not folders() - before
    rows.append(("its folder is gone when it has ended", "yes" if gone else "no"))
    return [("run", options.run), *rows]


def one_by_one(
    restored: Restored, address: str, server: psutil.Process, count: int
) -> list[tuple[str, str]]:
    """The bare call and the server in turns, each for the same study."""
    plain, alone = [], []
    with httpx.Client(base_url=address, timeout=900) as client:
        for seed in range(-SETTLED, count):
            if seed == 0:
                plain, alone = [], []
                psutil.cpu_percent()
            first = seed % 2  # who comes first may find the processor as it likes it
            for turn in (first, 1 - first):
                if turn:
                    plain.append(bare(restored, abs(seed)))
                else:
                    alone.append(served(client, server, abs(seed)))
        busy = psutil.cpu_percent()
    pairs = list(zip(plain, alone, strict=True))
    spent = [[one.seconds for one in each] for each in (plain, alone)]
    own, work = (statistics.median(one.work for one in each) for each in (plain, alone))
    same = sum(np.allclose(one[0].answer, one[1].answer, atol=1e-6) for one in pairs)
    middle, high = (np.quantile(spent[1], one) / np.quantile(spent[0], one) for one in (0.5, 0.95))
    return [
        ("processors; busy while measured", f"{os.cpu_count()}; {busy:.0f}%"),
        (f"bare call, {count} in turn with the server: p50 / p95, s", quantiles(spent[0])),
        ("served, one at a time: p50 / p95, s", quantiles(spent[1])),
        ("served / bare: at p50, at p95", f"{middle:.2f}, {high:.2f}"),
        (
            "processor seconds a study, p50: bare, served, served / bare",
            f"{own:.3f}, {work:.3f}, {work / own:.2f}",
        ),
        ("answers equal to those of the bare call", f"{same} of {count}"),
    ]


def under_load(load: Load, whole: float, options: Any) -> list[tuple[str, str]]:
    """Rows of the time with all clients at once."""
    last = load.memory[-1][0]
    early = load.memory[len(load.memory) // 4]
    mine = [one for one in load.memory if one[0] == last]
    return [
        ("workers; clients", f"{options.workers}; {options.clients}"),
        ("served, all clients at a time: p50 / p95, s", quantiles(load.spent)),
        ("studies a second until a worker was killed", f"{load.rate:.2f}"),
        ("studies a second, its replacement included", f"{options.studies / whole:.2f}"),
        ("studies sent: statuses", f"{options.studies}: {dict(load.statuses)}"),
        ("broken uploads: statuses", f"{sum(load.broken.values())}: {dict(load.broken)}"),
        (
            "memory of the server, after a quarter and at the end, MB",
            f"{early[1]:.0f}, {load.memory[-1][1]:.0f}",
        ),
        (
            f"memory of the second worker, first and last of {len(mine)} answers, MB",
            f"{mine[0][2]:.0f}, {mine[-1][2]:.0f}",
        ),
    ]


def quantiles(seconds: list[float]) -> str:
    """Median and 95th percentile."""
    middle, high = np.quantile(seconds, (0.5, 0.95))
    return f"{middle:.3f} / {high:.3f}"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--alone", type=int, default=30)
    rows = measured(parser.parse_args())
    lines = [
        "| measured | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
    ]
    text = "\n".join(lines) + "\n"
    (RESULTS / "serving.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
