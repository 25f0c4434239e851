"""One thread a process, processes that end with their test, a browser, the growth of work, files.

Threads of OpenMP do not survive the forks of some tests.
"""

from __future__ import annotations

import gc
import os

# before torch is imported, which reads it once
os.environ["OMP_NUM_THREADS"] = "1"

import ctypes
import multiprocessing
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CANARY = "CANARY^PATIENT"

# a shell ignores it for what it starts in the background; tests that interrupt would never end
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Processes:
    """Starts processes that end with the test, also where it fails or the tests are killed.

    None has a time limit of its own: that of pytest ends the test, and with it the process.
    """

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str] | BaseProcess] = []

    def start(self, *command: object, **options: Any) -> subprocess.Popen[str]:
        """A command, in a session of its own."""
        words = [str(word) for word in command]
        options = {"text": True, "start_new_session": True, **options}
        process = subprocess.Popen(words, preexec_fn=_end_with_tests, **options)  # noqa: PLW1509
        self._started.append(process)
        return process

    def run(self, *command: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """A command once it has ended, and every process of its own that holds its output open."""
        process = self.start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def python(self, code: str, *words: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """A fresh Python that has run a few lines of code."""
        return self.run(sys.executable, "-c", code, *words, **options)

    def fork(self, work: Callable[..., object], *given: object) -> BaseProcess:
        """A copy of this process that does the work and ends."""
        process = multiprocessing.get_context("fork").Process(target=_forked, args=(work, *given))
        process.start()
        self._started.append(process)
        return process

    def end(self) -> None:
        """End whatever still runs of what was started, and of what that started."""
        for process in self._started:
            process.kill()
            with suppress(ProcessLookupError):
                os.killpg(process.pid or 0, signal.SIGKILL)
            process.wait() if isinstance(process, subprocess.Popen) else process.join()


def _end_with_tests() -> None:
    """Have the system kill this process when the one that started it is gone (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 = PR_SET_PDEATHSIG


def _forked(work: Callable[..., object], *given: object) -> None:
    os.setsid()
    _end_with_tests()
    work(*given)


@contextmanager
def _started() -> Iterator[Processes]:
    processes = Processes()
    try:
        yield processes
    finally:
        processes.end()


@pytest.fixture
def processes() -> Iterator[Processes]:
    """The only way a test starts a process."""
    with _started() as given:
        yield given


@pytest.fixture(scope="module")
def module_processes() -> Iterator[Processes]:
    """The same for fixtures of a module."""
    with _started() as given:
        yield given


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Opens a page in headless Chromium; gives back the page as its scripts left it."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(names)}")
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync")
    flags += ("--disable-background-networking", "--window-size=1500,900")
    # the clock of the page: it goes on when the page waits, whatever else the machine does
    flags += ("--virtual-time-budget=20000", "--dump-dom")

    def show(page: str) -> str:
        folder = tmp_path_factory.mktemp("browser")
        (folder / "page.html").write_text(page, encoding="utf-8")
        profile = f"--user-data-dir={folder / 'profile'}"
        with _started() as processes:
            shown = processes.run(browser, *flags, profile, (folder / "page.html").as_uri())
        assert shown.returncode == 0, shown.stderr
        return shown.stdout

    return show


@pytest.fixture(scope="session")
def calls() -> Callable[[Callable[[], object]], int]:
    """How many functions, of Python and of C, some work calls."""

    def count(work: Callable[[], object]) -> int:
        found = 0

        def heard(frame: object, event: str, argument: object) -> None:
            nonlocal found
            found += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(heard)
        try:
            work()
        finally:
            sys.setprofile(before)
        return found

    return count


@pytest.fixture(scope="session")
def growth() -> Callable[[Callable[[int], object], int], float]:
    """How many times as much eight times the work takes: 8 where it is linear, 64 if quadratic.

    Measured in processor time of this thread, which is not spent while others have the processor,
    and without garbage collection, which costs what earlier tests left; each the lesser of two.
    """

    def spent(work: Callable[[int], object], amount: int) -> float:
        gc.collect()
        gc.disable()
        try:
            began = time.thread_time()
            work(amount)
            return time.thread_time() - began
        finally:
            gc.enable()

    def measure(work: Callable[[int], object], amount: int) -> float:
        pairs = [(spent(work, amount), spent(work, 8 * amount)) for _ in range(2)]
        little, much = map(min, zip(*pairs, strict=True))
        return much / little

    return measure


@pytest.fixture(scope="session")
def written() -> Callable[..., Path]:
    """Writes a DICOM file of pixels `[H, W]`, `[n, H, W]` or `[H, W, 3]`; its name is a canary."""
    return _written


def _written(path: Path, pixels: np.ndarray, *, preamble: bool = True, **fields: object) -> Path:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.PatientName, ds.PatientID = CANARY, CANARY
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    ds.SamplesPerPixel = 3 if colour else 1
    ds.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = pixels.shape[:2] if colour else pixels.shape[-2:]
    if pixels.ndim == 3 and not colour:
        ds.NumberOfFrames = len(pixels)
    ds.BitsAllocated = ds.BitsStored = pixels.dtype.itemsize * 8
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes()
    for name, value in fields.items():
        setattr(ds, name, value)
    if preamble:
        ds.save_as(path, enforce_file_format=True)
    else:
        ds.file_meta = FileMetaDataset()
        ds.save_as(path, implicit_vr=True, little_endian=True)
    return path
