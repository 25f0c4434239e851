"""Surroundings of a run: version of kgdx, commit, versions of packages, time and memory."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

__all__ = ["code_commit", "code_version", "now", "package_versions", "peak_memory"]


def code_version() -> str:
    """Version of kgdx, `unknown` where it is not installed."""
    try:
        return version("kgdx")
    except PackageNotFoundError:
        return "unknown"


def code_commit() -> str | None:
    """Commit of the source tree this code is in, with `+changed` where it is not clean.

    None where the code is installed rather than checked out, or git is missing.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+changed" if changed else commit


def package_versions() -> dict[str, str]:
    """Installed version of every package kgdx requires, extras included, sorted by name."""
    versions = {}
    for requirement in _requirements():
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return dict(sorted(versions.items()))


def now() -> str:
    """The time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def peak_memory() -> int:
    """Most bytes that this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _requirements() -> list[str]:
    try:
        return requires("kgdx") or []
    except PackageNotFoundError:
        return []


def _git(root: Path, *arguments: str) -> str:
    """Output of a git command, empty where it fails or git is missing."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
