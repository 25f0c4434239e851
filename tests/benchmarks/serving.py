"""Load of `kgdx serve`: many clients, broken uploads between, one worker killed; nothing lost.

python tests/benchmarks/serving.py RUN --runs FOLDER [--studies 200 --clients 20 --workers 1]

Compares the seconds a study takes with those of the bare call of the same model in this process.
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
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from PIL import Image

from experiments.inference.predict import PredictionRequest, predict_restored
from experiments.records.folder import find_run
from experiments.runs.restore import Restored, restore

RESULT = Path(__file__).parent / "results" / "serving.md"
REPORT = "FINDINGS: Small left pleural effusion. Heart size is normal. No pneumothorax."
SIDE = 512
BROKEN = 10
"""Every so many uploads one is broken."""


def picture(seed: int) -> bytes:
    """A PNG of its own."""
    values = np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def bare(restored: Restored, count: int) -> list[float]:
    """Seconds of the bare call, one study after the other."""
    spent = []
    for seed in range(count):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a.png").write_bytes(picture(seed))
            (Path(folder) / "report.txt").write_text(REPORT)
            began = time.perf_counter()
            predict_restored([folder], restored, PredictionRequest())
            spent.append(time.perf_counter() - began)
    return spent


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
        self.broken: Counter[int] = Counter()
        self.spent: list[float] = []
        self.memory: list[float] = []

    async def alone(self, count: int) -> list[float]:
        """Seconds of studies sent one after the other."""
        async with httpx.AsyncClient(base_url=self._address, timeout=900) as client:
            return [await self._send(client, seed, self.statuses) for seed in range(count)]

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
                self.spent.append(await self._send(client, seed, self.statuses))
                if seed % BROKEN == 0:
                    await self._send(client, -1, self.broken)
                self.memory.append(self.megabytes())

    async def _send(self, client: httpx.AsyncClient, seed: int, counts: Counter[int]) -> float:
        content = b"\x89PNG broken" if seed < 0 else picture(seed)
        text = {} if seed < 0 else {"report": REPORT}
        began = time.perf_counter()
        answer = await client.post(
            "/api/predict", data=text, files={"pictures": ("a.png", content)}
        )
        counts[answer.status_code] += 1
        return time.perf_counter() - began

    async def _kill_at(self, left: int) -> None:
        while len(self._left) > left:
            await asyncio.sleep(0.05)
        self.workers()[0].send_signal(signal.SIGKILL)

    def workers(self) -> list[psutil.Process]:
        """Worker processes of the server."""
        found = self._server.children(recursive=True)
        return [one for one in found if "spawn_main" in " ".join(one.cmdline())]

    def megabytes(self) -> float:
        """Memory of the server's own process."""
        return float(self._server.memory_info().rss) / 2**20


def measured(options: Any) -> list[tuple[str, str]]:
    """Rows of the table."""
    restored = restore(find_run(options.run, options.runs))
    bare(restored, 3)  # the first calls load what later ones have
    plain = bare(restored, options.alone)
    before = set(Path(tempfile.gettempdir()).glob("kgdx-serve-*"))
    command = [sys.executable, "-m", "experiments.cli.main", "serve", "--run", options.run]
    command += ["--runs", str(options.runs), "--port", "0", "--workers", str(options.workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        load = Load(address, psutil.Process(server.pid), options.studies)
        asyncio.run(load.alone(3))
        load.statuses.clear()
        alone = asyncio.run(load.alone(options.alone))
        load.statuses.clear()
        whole = asyncio.run(load.together(options.clients))
        left = [
            one
            for folder in set(Path(tempfile.gettempdir()).glob("kgdx-serve-*")) - before
            for one in folder.iterdir()
        ]
        server.send_signal(signal.SIGINT)
    gone = not set(Path(tempfile.gettempdir()).glob("kgdx-serve-*")) - before
    early = load.memory[len(load.memory) // 4]
    ratio = statistics.median(alone) / statistics.median(plain)
    return [
        ("run", options.run),
        ("processors, workers, clients", f"{os.cpu_count()}, {options.workers}, {options.clients}"),
        ("bare call, one at a time: p50 / p95, s", quantiles(plain)),
        ("served, one at a time: p50 / p95, s", quantiles(alone)),
        ("served / bare at p50", f"{ratio:.2f}"),
        ("served, all clients at a time: p50 / p95, s", quantiles(load.spent)),
        ("studies a second, all clients", f"{options.studies / whole:.2f}"),
        ("studies sent: statuses", f"{options.studies}: {dict(load.statuses)}"),
        ("broken uploads: statuses", f"{sum(load.broken.values())}: {dict(load.broken)}"),
        ("worker killed in the middle", "1"),
        (
            "memory of the server after a quarter, at the end, MB",
            f"{early:.0f}, {load.memory[-1]:.0f}",
        ),
        ("studies left in its folder", str(len(left))),
        ("its folder is gone when it has ended", "yes" if gone else "no"),
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
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(RESULT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
