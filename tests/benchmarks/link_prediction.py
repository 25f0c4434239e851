"""Link prediction on Nations, UMLS and Kinships, and on the shipped graph; choice on validation.

python tests/benchmarks/link_prediction.py             (needs: pip install 'kgdx[benchmark]')
python tests/benchmarks/link_prediction.py --shipped

Of each grid the setting with the best MRR on validation (seed 0) is trained with every seed and
measured on test, once. A row is added to the result table as soon as it is known.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path

import torch

from experiments.training.links import study
from experiments.training.links.fit import LinkOptions, fit
from experiments.training.links.ranking import known_answers

RESULTS = Path(__file__).parent / "results"
SEEDS = (0, 1, 2)

GRIDS: dict[tuple[str, str], dict[str, tuple[object, ...]]] = {
    ("plain", "complex"): {"width": (400,), "penalty": (0.01, 0.02), "relations": (0.0, 0.25, 1.0)},
    ("plain", "distmult"): {"penalty": (0.01, 0.02), "relations": (0.25,)},
    ("plain", "transe"): {"rate": (0.003, 0.01), "epochs": (40,)},
    ("plain", "rotate"): {"width": (100,), "rate": (0.01,), "epochs": (40,)},
    ("compgcn", "complex"): {"width": (200,), "epochs": (40,), "penalty": (0.01, 0.02)},
    ("rgcn", "complex"): {"width": (64,), "batch": (512,), "epochs": (40,)},
    ("gat", "complex"): {"width": (64,), "batch": (512,), "epochs": (40,)},
    ("hgt", "complex"): {"width": (64,), "batch": (512,), "epochs": (40,)},
}

HEAD = (
    "| graph | model | decoder | chosen | MRR on validation | MRR on test | Hits@1 | Hits@3 "
    "| Hits@10 | without inverse leaks: MRR (share leaking) | seconds a seed |\n"
    + "|---" * 11
    + "|\n"
)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=["nations", "umls", "kinships"])
    parser.add_argument("--models", nargs="*", default=[model for model, _ in GRIDS])
    parser.add_argument("--shipped", action="store_true")
    given = parser.parse_args()
    if given.shipped:
        shipped()
        return
    for (model, decoder), grid in GRIDS.items():
        if model in given.models:
            for name in given.only:
                source = study.opened(None, name, bookkeeping=False)
                add("link_prediction.md", row(source, model, decoder, grid, SEEDS))


def shipped() -> None:
    """Five splits and seeds of the shipped graph, with and without bookkeeping relations."""
    for bookkeeping in (False, True):
        source = study.opened(None, None, bookkeeping=bookkeeping)
        told = " with bookkeeping" if bookkeeping else ""
        for model in ("plain", "compgcn"):
            grid = {"width": (200,), "epochs": (30,), "penalty": (0.01, 0.03, 0.1)}
            add("link_prediction_shipped.md", row(source, model, "complex", grid, range(5), told))


def row(source, model, decoder, grid, seeds, told="") -> str:
    """One line of the table."""
    options = chosen(source, model, decoder, grid)
    began = time.perf_counter()
    found = study.run(source, options, list(seeds))
    seconds = (time.perf_counter() - began) / len(found.seeds)
    summary = found.summary()
    both = summary.rows["both sides"].figures
    cells = [f"{one.mean:.3f} ± {one.deviation:.3f}" for one in both.values()]
    apart = summary.rows["without inverse leaks"].figures["mrr"]
    picked = ", ".join(f"{key} {getattr(options, key)}" for key in grid)
    return (
        f"| {source.name}{told} | {model} | {decoder} | {picked} | {summary.valid:.3f} | "
        f"{' | '.join(cells)} | {apart.mean:.3f} ({summary.leaks:.1%}) | {seconds:.0f} |"
    )


def chosen(source, model, decoder, grid) -> LinkOptions:
    """The setting of a grid that is best on the validation edges of seed 0."""
    choices = [
        study.settings(model, decoder, [f"{k}={v}" for k, v in zip(grid, values, strict=True)])
        for values in itertools.product(*grid.values())
    ]
    if len(choices) == 1:
        return choices[0]
    triples = source.triples(0)
    answers = known_answers(triples)
    return max(choices, key=lambda one: fit(triples, answers, one, seed=0).valid.mrr)


def add(name: str, line: str) -> None:
    """Add a line to a result table, in place of the one it repeats."""
    path = RESULTS / name
    lines = path.read_text().splitlines()[2:] if path.exists() else []
    same = line.split("|")[1:4]
    kept = [one for one in lines if one.split("|")[1:4] != same]
    path.write_text(HEAD + "\n".join([*kept, line]) + "\n")
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
