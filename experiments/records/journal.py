"""Journal of a run: metrics during training, one JSON line each, and its log."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.privacy.pseudonyms import pseudonym_of_path
from experiments.records.atomic import write_text
from kg.errors import InputError, RunStopped
from kg.files.json_text import json_of

__all__ = ["append_metrics", "log_to", "read_metrics", "rewind_metrics"]

PACKAGES = ("kg", "encoders", "fusion", "experiments")


def append_metrics(path: Path, row: Mapping[str, Any]) -> None:
    """Append one measurement as a JSON line; an incomplete last line is ended first.

    Raises:
        InputError: If the file cannot be written.
    """
    line = json.dumps(dict(row), ensure_ascii=False) + "\n"
    try:
        with path.open("ab+") as file:
            if file.tell() > 0:
                file.seek(-1, 2)
                line = line if file.read(1) == b"\n" else "\n" + line
            file.write(line.encode())
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", "free space") from error


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All measurements in order, without incomplete lines."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            rows.append(json_of(line))
        except ValueError:  # noqa: PERF203 - one bad line must not lose the others
            continue
    return rows


def rewind_metrics(path: Path, key: str, last: float) -> None:
    """Drop measurements made after the checkpoint a run resumes from.

    Args:
        path: The file.
        key: Counter in each row (`step`).
        last: Largest value to keep; rows without the counter are kept.
    """
    kept = [row for row in read_metrics(path) if row.get(key, last) <= last]
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept))


class _LogFormatter(logging.Formatter):
    """Formatter of a log file: a path among the arguments of a message is a pseudonym."""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.args, tuple):
            record = copy.copy(record)
            record.args = tuple(map(pseudonym_of_path, record.args or ()))
        return super().format(record)


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Append log messages of the four packages (from `INFO` up) to a file.

    So is the reason why a run stopped, which the command line prints by itself.
    """
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", "mend rights") from error
    form = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    handler.setFormatter(_LogFormatter(form))
    handler.setLevel(logging.INFO)
    loggers = [logging.getLogger(name) for name in PACKAGES]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        if logger.getEffectiveLevel() > logging.INFO:
            logger.setLevel(logging.INFO)
    try:
        yield
    except RunStopped as error:
        values = {"name": __name__, "levelname": "ERROR", "msg": str(error)}
        handler.handle(logging.makeLogRecord(values))
        raise
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        handler.close()
