"""The command `kgdx`: finds the command asked for, runs it, and turns its end into an exit code."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from experiments.cli import show
from experiments.cli.arguments import OURS, Talk, verbose_option
from experiments.cli.lazy import LazyGroup
from experiments.cli.signals import heard_signals
from kg.errors import KgdxError
from kg.files.shown import visible

__all__ = ["kgdx", "main"]

_HERE = "experiments.cli"
_BUG = 70
_WRONG_INPUT = 3
_SIGNAL = 128

COMMANDS = {
    "demo": (f"{_HERE}.demo:demo", "Train, test and report on the built-in synthetic data set."),
    "graph": (f"{_HERE}.graph:graph", "The knowledge graph: stats, show, export, ..."),
    "data": (f"{_HERE}.data:data", "Data sets: list, check, prepare, show."),
    "experiment": (f"{_HERE}.experiment:experiment", "Experiments: check, run, resume, show, ..."),
    "predict": (f"{_HERE}.predict:predict", "Findings of a picture, a study or a data set."),
    "list": (f"{_HERE}.parts:list_parts", "The parts there are: systems, encoders, joins, ..."),
    "doctor": (f"{_HERE}.doctor:doctor", "What this machine has for kgdx, and what it lacks."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
@click.version_option(package_name="kgdx")
@verbose_option
def kgdx() -> None:
    """Knowledge-graph-augmented diagnosis, for research use only.

    A clinical knowledge graph, image and text encoders, one fused classifier, and the evidence
    for each answer.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        arguments: Words after `kgdx`; those of the process where None.

    Returns:
        0 yes; 1 the answer is no; 2 command line wrong; 3 an input is wrong; 4 a run stopped
        before its end; 70 a bug; 130 interrupted; 143 terminated.
    """
    talk = Talk()
    with heard_signals() as heard, _logging_to_stderr():
        code = _run(list(sys.argv[1:] if arguments is None else arguments), talk)
        if not show.flush() and code == 0:
            return 0
        return _SIGNAL + heard[-1] if heard else code


def _run(arguments: list[str], talk: Talk) -> int:
    """Exit code of a command; everything that went wrong is printed."""
    try:
        code = kgdx.main(arguments, prog_name="kgdx", standalone_mode=False, obj=talk)
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
        show.problem(error, verbose=talk.verbose)
        _show_notes(error)
        return error.exit_code
    except OSError as error:
        return _system_refused(error, talk)
    except Exception as error:
        show.bug(error, verbose=talk.verbose)
        return _BUG
    except BaseException as error:  # training ends like this when a signal came
        return _interrupted(error)


def _exited(error: SystemExit) -> int:
    """Exit code of a library's own exit.

    click exits like this when the reader has closed the pipe, lightning with an exit of its own
    kind when it was terminated.
    """
    if type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
        return 0
    if type(error) is not SystemExit:
        return _interrupted(error, signal.SIGTERM)
    _show_notes(error)
    return 0 if error.code is None else int(error.code)


def _interrupted(error: BaseException, number: int = signal.SIGINT) -> int:
    """Say how to go on; the error may carry the signal as `number`."""
    show.note("interrupted")
    _show_notes(error)
    return _SIGNAL + int(getattr(error, "number", number))


def _system_refused(error: OSError, talk: Talk) -> int:
    """A file or folder the operating system refused is an input; anything else is our bug."""
    if error.filename is None:
        show.bug(error, verbose=talk.verbose)
        return _BUG
    refusal = KgdxError(f"{error.filename}: {error.strerror}", "check the path and its rights")
    refusal.__cause__ = error
    show.problem(refusal, verbose=talk.verbose)
    return _WRONG_INPUT


def _show_notes(error: BaseException) -> None:
    """Say how to resume, where a run's folder left that on the error that passed through it."""
    seen: BaseException | None = error
    while seen is not None:
        for line in getattr(seen, "__notes__", []):
            show.note(f"    resume with: {line}")
        seen = seen.__cause__


class _Visible(logging.Formatter):
    """Messages in which nothing commands the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


@contextmanager
def _logging_to_stderr() -> Iterator[None]:
    """Show what our packages note (from `INFO` up) on stderr; others speak for themselves."""
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
