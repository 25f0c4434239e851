"""The command `kgdx`: runs a subcommand, prints its errors and returns the exit code."""

from __future__ import annotations

import errno
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from experiments.cli import show
from experiments.cli.arguments import OURS, Verbosity, verbose_option
from experiments.cli.lazy import LazyGroup
from experiments.cli.signals import remembered_signals
from kg.errors import KgdxError
from kg.files.shown import visible

__all__ = ["kgdx", "main"]

_HERE = "experiments.cli"
_BUG = 70
_WRONG_INPUT = 3
_SIGNAL = 128
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

COMMANDS = {
    "demo": (f"{_HERE}.demo:demo", "Train, test and report on synthetic data, in minutes."),
    "graph": (f"{_HERE}.graph:graph", "Knowledge graph: build, query, show and export."),
    "data": (f"{_HERE}.data:data", "Data sets: list, fetch, check, prepare and show."),
    "init": (f"{_HERE}.init:init", "Draft a configuration from the studies of a data set."),
    "experiment": (
        f"{_HERE}.experiment:experiment",
        "Experiments: run, resume, compare and report.",
    ),
    "compare": (f"{_HERE}.compare_tables:compare_tables", "Compare tables of any predictions."),
    "predict": (f"{_HERE}.predict:predict", "Predict findings of an image, a study or a data set."),
    "explain": (
        f"{_HERE}.explain:explain",
        "Explain the answer for a study: where, by which words and facts.",
    ),
    "serve": (f"{_HERE}.serve:serve", "Serve a web page that answers for uploaded studies."),
    "list": (f"{_HERE}.parts:list_parts", "List available systems, encoders, data sets and more."),
    "weights": (f"{_HERE}.weights:weights", "Weights of encoders: list and convert."),
    "schema": (f"{_HERE}.schema:schema", "Write the JSON schema of configurations, for editors."),
    "doctor": (f"{_HERE}.doctor:doctor", "Check software, hardware and folders of this machine."),
    "completion": (f"{_HERE}.completion:completion", "Turn on completion in your shell."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
@click.version_option(package_name="kgdx")
@verbose_option
def kgdx() -> None:
    """Knowledge-graph-augmented diagnosis, for research use only.

    A clinical knowledge graph, image and text encoders, one fused classifier, and the evidence
    for each prediction.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        arguments: Words after `kgdx`; those of the process where None.

    Returns:
        0 success; 1 a check failed; 2 wrong command line; 3 wrong input; 4 a run stopped before
        its end; 70 a bug; 130 interrupted; 143 terminated.
    """
    verbosity = Verbosity()
    with remembered_signals() as received, _logging_to_stderr():
        code = _run(list(sys.argv[1:] if arguments is None else arguments), verbosity)
        if not show.flush() and code == 0:
            return 0
        return _SIGNAL + received[-1] if received else code


def _run(arguments: list[str], verbosity: Verbosity) -> int:
    """Exit code of a command; errors are printed."""
    try:
        code = kgdx.main(arguments, prog_name="kgdx", standalone_mode=False, obj=verbosity)
        return code if isinstance(code, int) else 0
    except click.Abort as error:
        return _interrupted(error)
    except click.ClickException as error:
        error.message = visible(error.message)  # type: ignore[misc]
        error.show()
        return error.exit_code
    except SystemExit as error:
        return _exited(error)
    except KgdxError as error:
        show.problem(error, verbose=verbosity.verbose)
        _show_notes(error)
        return error.exit_code
    except OSError as error:
        return _system_refused(error, verbosity)
    except Exception as error:
        show.bug(error, verbose=verbosity.verbose)
        return _BUG
    except BaseException as error:  # training ends like this when a signal came
        return _interrupted(error)


def _exited(error: SystemExit) -> int:
    """Exit code of a `SystemExit` raised by a library.

    click raises it when the pipe was closed at the other end, lightning a subclass of it when it
    was terminated.
    """
    if type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
        return 0
    if type(error) is not SystemExit:
        return _interrupted(error, signal.SIGTERM)
    _show_notes(error)
    return 0 if error.code is None else int(error.code)


def _interrupted(error: BaseException, number: int = signal.SIGINT) -> int:
    """Print the resume command; the error may carry the signal as `number`."""
    show.note("interrupted")
    _show_notes(error)
    return _SIGNAL + int(getattr(error, "number", number))


def _system_refused(error: OSError, verbosity: Verbosity) -> int:
    """Exit code of an `OSError`: wrong input if a disk is full or it names a file, else a bug."""
    if error.errno in _FULL:
        place = "" if error.filename is None else f"{error.filename}: "
        refusal = KgdxError(f"{place}{error.strerror}", "free space, or write to another disk")
    elif error.filename is not None:
        hint = "check the path and its permissions"
        refusal = KgdxError(f"{error.filename}: {error.strerror}", hint)
    else:
        show.bug(error, verbose=verbosity.verbose)
        return _BUG
    refusal.__cause__ = error
    show.problem(refusal, verbose=verbosity.verbose)
    return _WRONG_INPUT


def _show_notes(error: BaseException) -> None:
    """Print the resume commands that a run's folder noted on the error."""
    cause: BaseException | None = error
    while cause is not None:
        for line in getattr(cause, "__notes__", []):
            show.note(f"    resume with: {line}")
        cause = cause.__cause__


class _Visible(logging.Formatter):
    """Messages in which nothing commands the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """Log messages of our packages (from `INFO` up) to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Visible("%(message)s"))
    loggers = [logging.getLogger(name) for name in OURS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


if __name__ == "__main__":
    sys.exit(main())
