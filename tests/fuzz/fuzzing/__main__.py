"""The fuzzer: changed files of every format, each read by a process of its own, and a table.

    make fuzz                          twenty minutes, seed 0
    python -m fuzzing --seed 1 --minutes 5 --only png dcm
    python -m fuzzing --seed 1 --only png --number 4711 --show

An input is known by seed, format and number: the same three give the same bytes, whatever else ran.
Ends with 1 where an input failed; those are kept in a folder.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzzing.formats import Format, formats
from fuzzing.process import Outcome, attempt

COLUMNS = ("seed", "format", "inputs", "refused", "read", "with note", "failing", "MiB", "seconds")


@dataclass
class Row:
    """What came of the inputs of one format."""

    format: str
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    memory: int = 0
    seconds: float = 0.0

    def add(self, number: int, outcome: Outcome) -> None:
        """Count one input."""
        self.counts[outcome.kind] += 1
        self.memory = max(self.memory, outcome.memory)
        self.seconds = max(self.seconds, outcome.seconds)
        if outcome.kind == "failing":
            self.failures.append((number, outcome.detail))
        elif outcome.kind == "refused":
            self.reasons[outcome.detail.split(":")[0][:40]] += 1

    def cells(self, seed: int) -> tuple[object, ...]:
        """Cells of the table."""
        kinds = [self.counts[kind] for kind in ("refused", "read", "noted", "failing")]
        total = sum(self.counts.values())
        return seed, self.format, total, *kinds, self.memory >> 20, f"{self.seconds:.1f}"


def fuzz(
    form: Format, seed: int, numbers: range, seconds: float, keep: Path, verbose: bool = False
) -> Row:
    """Read changed files of one format until the time or the numbers are used up."""
    row = Row(form.name)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        doors = form.doors(_made(folder / "sound"))
        if not doors:
            form.door([], 0, None)(form.put(_made(folder / "sound"), form.seeds[0]))
        ends = time.monotonic() + seconds
        for number in numbers:
            if time.monotonic() > ends:
                break
            given = form.input(Random(f"{seed}/{form.name}/{number}"))
            place = _made(folder / str(number))
            path, sound = form.put(place, given.content), None
            if given.sound is not None:
                sound = place / "sound"
                sound.write_bytes(given.sound)
            outcome = attempt(form.door(doors, number, sound), path)
            row.add(number, outcome)
            if verbose:
                sys.stderr.write(f"{number} {outcome}\n")
            if outcome.kind == "failing":
                sys.stderr.write(f"{seed} {form.name} {number}: {outcome.detail}\n")
                keep.mkdir(parents=True, exist_ok=True)
                kept = f"{seed}-{form.name.replace(' ', '_')}-{number}-{form.file}"
                (keep / kept).write_bytes(given.content)
            _clear(place)
    return row


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink() if path.is_file() or path.is_symlink() else None
    if not any(folder.iterdir()):
        folder.rmdir()


def main() -> int:
    """Fuzz every format in turn, each in a process of its own."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as made:
        known = formats(Path(made))
        chosen = asked.only or list(known)
        share = 60 * asked.minutes / len(chosen)
        first = asked.number or 0
        numbers = range(first, first + 1) if asked.number is not None else range(asked.inputs)
        rows = []
        for name in chosen:
            context = multiprocessing.get_context("fork")
            ours, theirs = context.Pipe()
            work = (known[name], asked.seed, numbers, share, asked.keep, asked.show)
            process = context.Process(target=_worker, args=(theirs, *work))
            process.start()
            theirs.close()
            try:
                rows.append(ours.recv())
            finally:
                process.join()
            sys.stderr.write(f"{' '.join(map(str, rows[-1].cells(asked.seed)))}\n")
    _print(rows, asked.seed)
    if asked.reasons:
        sys.stdout.write(json.dumps({row.format: row.reasons for row in rows}, indent=1) + "\n")
    return int(any(row.failures for row in rows))


def _worker(answer: object, *work: object) -> None:
    answer.send(fuzz(*work))  # type: ignore[attr-defined, arg-type]


def _print(rows: list[Row], seed: int) -> None:
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(row.cells(seed) for row in rows)]
    text = "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
    sys.stdout.write(f"{text}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=20.0, help="for all formats together")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of each format at most")
    parser.add_argument("--only", nargs="+", metavar="FORMAT", help="these formats alone")
    parser.add_argument("--number", type=int, help="one input alone")
    parser.add_argument("--show", action="store_true", help="print what came of each input")
    parser.add_argument("--reasons", action="store_true", help="print reasons of refusal")
    parser.add_argument("--keep", type=Path, default=Path("fuzz_failures"), metavar="FOLDER")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
