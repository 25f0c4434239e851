"""The fuzzer: changed files of every format, each read by a process of its own, and a table.

    make fuzz                          in twenty minutes, seed 0
    python -m fuzzing --seed 1 --minutes 5 --only png dcm
    python -m fuzzing --seed 1 --only png --number 4711 --show

An input is known by seed, format and number: the same three give the same bytes, whatever else ran.
Ends with 1 where an input failed; those are kept in a folder.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from fuzzing.doors import Door
from fuzzing.formats import Format, Input, formats
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


def fuzz(form: Format, asked: argparse.Namespace, seconds: float) -> Row:
    """Read changed files of one format until the time or the numbers are used up."""
    row = Row(form.name)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "sound").mkdir()
        doors = form.doors(folder / "sound")
        ends = time.monotonic() + seconds
        for number in asked.numbers:
            if time.monotonic() > ends:
                break
            given = form.input(Random(f"{asked.seed}/{form.name}/{number}"))
            outcome = _attempted(form, doors, number, given, folder / str(number))
            row.add(number, outcome)
            if asked.show:
                sys.stderr.write(f"{number} {outcome}\n")
            if outcome.kind == "failing":
                sys.stderr.write(f"{asked.seed} {form.name} {number}: {outcome.detail}\n")
                asked.keep.mkdir(parents=True, exist_ok=True)
                kept = f"{asked.seed}-{form.name.replace(' ', '_')}-{number}-{form.file}"
                (asked.keep / kept).write_bytes(given.content)
    return row


def _attempted(form: Format, doors: list[Door], number: int, given: Input, place: Path) -> Outcome:
    """What came of one input in a folder of its own, which is removed again."""
    place.mkdir()
    path, sound = form.put(place, given.content), None
    if given.sound is not None:
        sound = place / "sound"
        sound.write_bytes(given.sound)
    outcome = attempt(form.door(doors, number, sound), path)
    shutil.rmtree(place)
    return outcome


def main() -> int:
    """Fuzz every format in turn, each in a process of its own."""
    with tempfile.TemporaryDirectory() as made:
        known = formats(Path(made))
        asked = _arguments(list(known))
        rows = []
        for name in asked.only:
            context = multiprocessing.get_context("fork")
            ours, theirs = context.Pipe()
            share = 60 * asked.minutes / len(asked.only)
            process = context.Process(target=_worker, args=(theirs, known[name], asked, share))
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


def _worker(answer: Connection, form: Format, asked: argparse.Namespace, seconds: float) -> None:
    answer.send(fuzz(form, asked, seconds))


def _print(rows: list[Row], seed: int) -> None:
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(row.cells(seed) for row in rows)]
    text = "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
    sys.stdout.write(f"{text}\n")


def _arguments(known: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    say = parser.add_argument
    say("--seed", type=int, default=0)
    # each format needs some seconds before it begins
    say("--minutes", type=float, default=17.0, help="for all formats together")
    say("--inputs", type=int, default=1_000_000, help="of each format at most")
    say("--only", nargs="+", choices=known, default=known, metavar="FORMAT", help="these alone")
    say("--number", type=int, help="one input alone")
    say("--show", action="store_true", help="print what came of each input")
    say("--reasons", action="store_true", help="print reasons of refusal")
    say("--keep", type=Path, default=Path("fuzz_failures"), metavar="FOLDER")
    asked = parser.parse_args()
    asked.numbers = range(asked.inputs) if asked.number is None else [asked.number]
    return asked


if __name__ == "__main__":
    sys.exit(main())
