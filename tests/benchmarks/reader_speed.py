"""Speed and bounds of the reader of reports: beside negspacy, by length, by lexicon, in the large.

Not part of the default suite. Writes a table into `results`:

    python tests/benchmarks/reader_speed.py --root ../shared/data
    python tests/benchmarks/reader_speed.py --root ../shared/data --reports 1000000
    python tests/benchmarks/reader_speed.py --root ../shared/data --only negspacy

The readers are given findings and impression of Open-i's development part, in turn: ours as plain
Python and compiled (a wheel built for it, imported by a process of its own), and negspacy.
*First* is a new reader that has read one report before; *again* the same one on the same reports,
whose sentences it remembers; *no memory* one that remembers none. Times are of the processor,
ratios the median of the turns. Both of ours must give the same statements. Large inputs are made
up, each read by a process of its own, whose largest memory is its greatest resident set; every
made-up report is another.
"""

from __future__ import annotations

import argparse
import csv
import gc
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from made_graph import made_graph
from report_labels import RESULTS, SECTIONS, is_locked
from rival_labelers import NegSpacy

import kg.mentions.linker as linker_module
from encoders.reading.report import read_report
from encoders.study import Passage
from experiments.cli.label import label as label_command
from kg.files.store import load_shipped
from kg.mentions.linker import MentionLinker
from kg.model.graph import KnowledgeGraph

TURNS = 7
FINDINGS = (
    *("effusion", "pneumothorax", "edema", "nodule", "mass", "atelectasis", "consolidation"),
    *("granuloma", "opacity", "scar", "fracture", "calcification", "infiltrate"),
)
SIDES, SIZES = ("left", "right", "bilateral"), ("small", "large", "moderate", "tiny")


def development(root: Path) -> list[list[Passage]]:
    """Findings and impression of the reports of the development part."""
    with (root / "openi" / "openi_reports.csv").open(encoding="utf-8", newline="") as lines:
        return [
            [Passage(name, row[name]) for name in SECTIONS if row[name]]
            for row in csv.DictReader(lines)
            if not is_locked(row["uid"])
        ]


def taken(action: Callable[..., object], *given: object) -> float:
    """Processor time of an action; objects made before do not count for its garbage collection."""
    gc.collect()
    gc.freeze()
    began = time.process_time()
    action(*given)
    return time.process_time() - began


def link_all(reader: Any, texts: Sequence[Any]) -> None:
    """Read every report."""
    for report in texts:
        reader.link(report)


def beside_negspacy(root: Path) -> Iterator[str]:
    """Markdown: time of a report of each reader, and how many times faster than negspacy."""
    texts, graph = development(root), load_shipped()
    spacy = NegSpacy(graph)
    written = [[passage.text for passage in report] for report in texts]
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        compiled = compiled_reader(Path(folder), root)
        assert json.loads(compiled.stdout.readline()) == digest(graph, texts)
        for _ in range(TURNS):
            turns = {"plain": turn(graph, texts)}
            compiled.stdin.write("turn\n")
            compiled.stdin.flush()
            turns["compiled"] = json.loads(compiled.stdout.readline())
            for kind, name in product(turns, ("first", "again", "no memory")):
                times.setdefault(f"kgdx {kind}, {name}", []).append(turns[kind][name])
            times.setdefault("negspacy", []).append(taken(link_all, spacy, written))
        compiled.communicate()
    yield "| reader | microseconds a report | reports a second of one core | faster than negspacy |"
    yield "|---|---|---|---|"
    for name, kept in times.items():
        each = statistics.median(kept) / len(texts)
        ratio = statistics.median(n / k for n, k in zip(times["negspacy"], kept, strict=True))
        yield f"| {name} | {each * 1e6:.0f} | {1 / each:,.0f} | {ratio:.1f} |"


def turn(graph: KnowledgeGraph, texts: Sequence[Sequence[Passage]]) -> dict[str, float]:
    """Seconds a new reader of ours takes for the reports, again, and without a memory."""
    reader = _reader(graph, texts)
    times = {name: taken(link_all, reader, texts) for name in ("first", "again")}
    longest, linker_module.LONGEST_REMEMBERED = linker_module.LONGEST_REMEMBERED, -1
    times["no memory"] = taken(link_all, _reader(graph, texts), texts)
    linker_module.LONGEST_REMEMBERED = longest
    return times


def digest(graph: KnowledgeGraph, texts: Sequence[Sequence[Passage]]) -> str:
    """Hash of all statements of the reports, each as one would read a report and a dialogue."""
    reader, made = MentionLinker(graph), hashlib.sha256()
    for report in texts:
        spoken = [Passage("patient", passage.text) for passage in report[:1]]
        made.update(repr([tuple(one) for one in reader.link(report)]).encode())
        made.update(repr([tuple(one) for one in reader.link(spoken)]).encode())
    return made.hexdigest()


def compiled_reader(folder: Path, root: Path) -> Any:
    """A process that imports a wheel with the compiled reader and takes a turn for each line."""
    ask = {**os.environ, "HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true"}
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), "."]
    subprocess.run(build, check=True, env=ask, cwd=Path(__file__).parents[2])
    [wheel] = folder.glob("*.whl")
    shutil.unpack_archive(wheel, folder / "installed", "zip")
    command = [sys.executable, __file__, "--root", str(root), "--serve"]
    paths = {**os.environ, "PYTHONPATH": str(folder / "installed")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, env=paths, text=True, **pipes)


def serve(root: Path) -> None:
    """Say what the compiled reader reads, then the times of a turn for each line of input."""
    assert not str(linker_module.__file__).endswith(".py"), "the reader is not compiled"
    graph, texts = load_shipped(), development(root)
    sys.stdout.write(json.dumps(digest(graph, texts)) + "\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(turn(graph, texts)) + "\n")
        sys.stdout.flush()


def _reader(graph: KnowledgeGraph, texts: Sequence[Sequence[Passage]]) -> MentionLinker:
    made = MentionLinker(graph)
    made.link(texts[0])
    return made


def made_up(count: int) -> Iterator[str]:
    """Reports, each another: a number in every one, three sentences of two findings or so."""
    for place in range(count):
        first, second, third = (FINDINGS[(place // step) % len(FINDINGS)] for step in (1, 13, 169))
        size, side = SIZES[place % len(SIZES)], SIDES[place % len(SIDES)]
        yield (
            f"FINDINGS: There is a {size} {side} {first} measuring {place} mm. No {second} is seen "
            f"on image {place}, and no {third}.\nIMPRESSION: {size.capitalize()} {first}."
        )


def by_length() -> Iterator[str]:
    """Markdown: time of one report by its length; no sentence of it is remembered."""
    shipped = load_shipped()
    yield "| words of one report | seconds | microseconds a word |"
    yield "|---|---|---|"
    for count in (300, 3_000, 30_000):
        text = " ".join(made_up(count))
        words = len(text.split())
        spent = taken(MentionLinker(shipped).link, [Passage("findings", text)])
        yield f"| {words:,} | {spent:.3f} | {spent / words * 1e6:.2f} |"


def by_lexicon(texts: Sequence[Sequence[Passage]]) -> Iterator[str]:
    """Markdown: time of a report by the number of concepts, each with two made-up names."""
    shipped = load_shipped()
    yield "| concepts | seconds to make the reader | microseconds a report |"
    yield "|---|---|---|"
    for more in (0, 10_000, 40_000, 160_000):
        concepts = (*shipped.concepts, *(made_graph(more, 0).concepts if more else ()))
        graph = KnowledgeGraph(concepts, shipped.edges, shipped.label_sets)
        built = taken(MentionLinker, graph)
        spent = taken(link_all, MentionLinker(graph), texts)
        yield f"| {len(concepts):,} | {built:.2f} | {spent / len(texts) * 1e6:.0f} |"


def report_of_a_megabyte() -> str:
    """Read one report of a million characters."""
    text = " ".join(made_up(7_000))[: 10**6]
    found = MentionLinker(load_shipped()).link([Passage("findings", text)])
    return f"{len(text):,} characters, {len(found):,} statements"


def sentence_of_100_000_words() -> str:
    """Read one sentence of 100,000 words."""
    words = [FINDINGS[place * 7 % len(FINDINGS)] if place % 3 else "no" for place in range(10**5)]
    found = MentionLinker(load_shipped()).link([Passage("findings", " ".join(words))])
    return f"{len(words):,} words, {len(found):,} statements"


def many_reports(count: int) -> str:
    """Read many short reports, each another, through the library."""
    reader = MentionLinker(load_shipped())
    found = sum(len(reader.link(read_report(text))) for text in made_up(count))
    return f"{count:,} reports, {found:,} statements"


def table_of_reports(count: int, workers: int) -> str:
    """Label a csv of many short reports by the command, chexpert14 into another csv."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "reports.csv", Path(folder) / "labels.csv"
        with given.open("w", encoding="utf-8", newline="") as lines:
            table = csv.writer(lines)
            table.writerow(("id", "report"))
            table.writerows(enumerate(made_up(count)))
        size = given.stat().st_size >> 20
        arguments = [str(given), "--labels", "chexpert14", "--workers", str(workers)]
        label_command.main([*arguments, "-o", str(made)], standalone_mode=False)
        with made.open(encoding="utf-8") as lines:
            rows = sum(1 for _ in lines) - 1
    return f"{count:,} reports ({size} MiB), {rows:,} rows"


def _alone(action: Callable[..., str], numbers: Sequence[int], said: multiprocessing.Queue) -> None:
    before = time.perf_counter()
    result = action(*numbers)
    seconds = time.perf_counter() - before
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = time.process_time() + workers.ru_utime + workers.ru_stime
    # the system's own peak would count what the process held that this one was made by
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    own = int(status.partition("VmHWM:")[2].split()[0])
    said.put((result, seconds, used, own / 1024, workers.ru_maxrss / 1024))


def in_the_large(count: int) -> Iterator[str]:
    """Markdown: time and largest memory of each large input, in a process of its own."""
    yield "| input | what was read | seconds | of the processors | MiB | MiB of a worker |"
    yield "|---|---|---|---|---|---|"
    inputs: list[tuple[str, Callable[..., str], tuple[int, ...]]] = [
        ("one report of 1 MB", report_of_a_megabyte, ()),
        ("one sentence", sentence_of_100_000_words, ()),
        ("library", many_reports, (count // 10,)),
        ("library", many_reports, (count,)),
        ("`data label FILE`", table_of_reports, (count // 10, 1)),
        ("`data label FILE --workers 2`", table_of_reports, (count, 2)),
    ]
    context = multiprocessing.get_context("spawn")
    for name, action, numbers in inputs:
        said: multiprocessing.Queue = context.Queue()
        process = context.Process(target=_alone, args=(action, numbers, said))
        process.start()
        result, seconds, used, own, worker = said.get()
        process.join()
        workers = f"{worker:.0f}" if worker else ""
        yield f"| {name} | {result} | {seconds:.1f} | {used:.1f} | {own:.0f} | {workers} |"


def main() -> None:
    """Measure and write."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--root", type=Path, required=True)
    asked.add_argument("--reports", type=int, default=1_000_000, help="number of short reports")
    asked.add_argument("--only", choices=("negspacy",), help="print that part, write nothing")
    asked.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = asked.parse_args()
    warnings.filterwarnings("ignore")
    if chosen.serve:
        serve(chosen.root)
        return
    texts = development(chosen.root)
    parts: list[tuple[str, Iterable[str]]] = [
        (f"Beside negspacy, {len(texts):,} reports, {TURNS} turns", beside_negspacy(chosen.root)),
        ("By length of the text", by_length()),
        ("Large inputs", in_the_large(chosen.reports)),
        ("By size of the lexicon", by_lexicon(texts)),
    ]
    about = " ".join((__doc__ or "").split("\n\n")[3].split())
    lines = ["# Speed and bounds of the reader of reports", "", about]
    for title, rows in parts[:1] if chosen.only else parts:
        lines += ["", f"## {title}", ""]
        for row in rows:
            lines.append(row)
            sys.stdout.write(row + "\n")
            sys.stdout.flush()
    if chosen.only:
        return
    (RESULTS / "reader_speed.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
