"""Measure the graph at 1,000, 10,000 and 100,000 concepts, ten edges each: time and memory a step.

python tests/benchmarks/graph_scale.py

Every step runs in a process of its own, so that its peak memory is its own; a step that needs the
graph loads it first, which its time does not count and its memory does. CPU seconds stand beside
the time that passed, which other work on the machine makes longer. Training is one whole epoch, or
with `--edges N` the first N directed edges of one.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from made_graph import made_graph

RESULT = Path(__file__).parent / "results" / "graph_scale.md"
SIZES = (1_000, 10_000, 100_000)
STEPS = ("save", "load", "neighbourhood", "path", "validate", "train", "fingerprint",
         "export .html around", "export .csv", "export .graphml", "export .ttl")  # fmt: skip


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", nargs=2, metavar=("STEP", "FILE"))
    parser.add_argument("--sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--edges", type=int, help="train on so many directed edges alone")
    given = parser.parse_args()
    if given.step:
        measure(given.step[0], Path(given.step[1]), given.edges)
        return
    rows = {step: [step] for step in STEPS}
    with tempfile.TemporaryDirectory() as folder:
        for size in given.sizes:
            file = Path(folder, f"{size}.jsonl")
            for step in STEPS:
                words = [sys.executable, __file__, "--step", step, str(file)]
                words += ["--edges", str(given.edges)] if given.edges else []
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                told = done.stdout.strip() or f"failed: {done.stderr.strip().splitlines()[-1]}"
                rows[step].append(told)
                sys.stdout.write(f"{size} {step}: {told}\n")
                sys.stdout.flush()
            write(rows, given.sizes)


def write(rows: dict[str, list[str]], sizes: list[int]) -> None:
    """Write the sizes measured so far."""
    sizes = sizes[: len(rows["save"]) - 1]
    heads = [f"{size:,} concepts, {10 * size:,} edges" for size in sizes]
    told = (
        f"`python tests/benchmarks/graph_scale.py`; Python {platform.python_version()}, "
        f"{len(os.sched_getaffinity(0))} cores, of which each step uses one; other work ran beside "
        "it, so read CPU seconds."
    )
    lines = [told, "", f"| step | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in rows.values()]
    RESULT.write_text("\n".join(lines) + "\n")


def measure(step: str, file: Path, edges: int | None) -> None:
    """Run one step and print what it took."""
    from kg.files.store import load, save

    concepts = int(file.stem)
    graph = made_graph(concepts, 10 * concepts) if step == "save" else None
    if step not in ("save", "load"):
        graph = load(file)
    began, worked = time.perf_counter(), time.process_time()
    told = save(graph, file) if step == "save" else run(step, graph, file, edges)
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    sys.stdout.write(
        f"{seconds:.3g} s (CPU {work:.3g} s), {peak:.2f} GiB{f' ({told})' if told else ''}\n"
    )


def run(step: str, graph, file: Path, edges: int | None) -> str:
    """One step; what else there is to say about it."""
    from kg.ask.excerpt import excerpt
    from kg.ask.paths import Route, paths
    from kg.ask.tree import Scope
    from kg.check.validate import validate
    from kg.files.store import load
    from kg.model.arrays import neighbourhood
    from kg.render import RENDERERS

    if step == "load":
        return f"{file.stat().st_size / 1e6:.0f} MB, {len(load(file).edges):,} edges"
    if step == "fingerprint":
        return graph.fingerprint[:0]
    if step == "validate":
        return f"{len(validate(graph)):,} faults"
    some = [graph.concepts[place].id for place in range(5, len(graph.concepts), 97)][:20]
    if step == "neighbourhood":
        return f"of 20 concepts, {sum(len(neighbourhood(graph, one, 40)) for one in some)} found"
    if step == "path":
        found = [paths(graph, a, b, Route()) for a, b in zip(some[:5], some[5:10], strict=True)]
        return f"5 pairs, {sum(map(len, found))} paths"
    if step.startswith("export"):
        _, ending, *around = step.split()
        kind = RENDERERS.load(ending.removeprefix("."))
        part = excerpt(graph, some[0], Scope(1)) if around else graph
        return f"{len(kind(kind.Options()).render(part)) / 1e6:.1f} MB"
    return train(graph, edges)


def train(graph, edges: int | None) -> str:
    """An epoch of CompGCN by neighbour sampling, or so many directed edges of it."""
    import torch

    from experiments.link_prediction.fit import LinkOptions, Steps, build
    from experiments.link_prediction.triples import from_graph
    from kg.options import Part

    torch.set_num_threads(1)
    triples = from_graph(graph, seed=0)
    options = LinkOptions(
        encoder=Part(name="compgcn"), width=64, batch=2048, candidates=1024, neighbours=(8, 4)
    )
    steps = Steps(triples, options, build(triples, options), torch.Generator().manual_seed(0))
    order = torch.randperm(len(steps.edges), generator=steps.generator)[:edges]
    began = time.process_time()
    losses = [steps.step(batch).item() for batch in torch.split(order, options.batch)]
    worked = time.process_time() - began
    return (
        f"{len(order):,} of {len(steps.edges):,} directed edges in {worked:.3g} CPU seconds, "
        f"{len(order) / worked:,.0f} a second; loss {losses[0]:.2f} to {losses[-1]:.2f}"
    )


if __name__ == "__main__":
    main()
