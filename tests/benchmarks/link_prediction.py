"""Link prediction on Nations, UMLS and Kinships, and on the shipped graph; choice on validation.

python tests/benchmarks/link_prediction.py             (needs: pip install 'kgdx[benchmark]')
python tests/benchmarks/link_prediction.py --shipped
python tests/benchmarks/link_prediction.py --choose
python tests/benchmarks/link_prediction.py --only umls/compgcn/complex        (with --choose too)

The setting with the best MRR on validation (seed 0) stands in `CHOSEN`; it is trained with every
seed and measured on test. A row is added to the result table as soon as it is known.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path

import torch

from experiments.link_prediction import study
from experiments.link_prediction.fit import LinkOptions, fit
from experiments.link_prediction.ranking import known_answers

RESULTS = Path(__file__).parent / "results"
SEEDS = (0, 1, 2)

GRIDS: dict[tuple[str, str], dict[str, tuple[object, ...]]] = {
    ("plain", "complex"): {
        "width": (400, 1000),
        "penalty": (0.005, 0.01, 0.02),
        "relations": (0.0, 0.1, 0.25, 1.0),
    },
    ("compgcn", "complex"): {
        "width": (200, 400),
        "penalty": (0.01, 0.02),
        "relations": (0.25, 1.0),
    },
}
"""What `--choose` tries; the choices it made stand in `CHOSEN`."""

CHOSEN: dict[tuple[str, str, str], dict[str, object]] = {
    ("nations", "plain", "complex"): {"width": 400, "penalty": 0.01, "relations": 0.25},
    ("kinships", "plain", "complex"): {
        "width": 400, "penalty": 0.02, "relations": 1.0, "epochs": 30,
    },
    ("umls", "plain", "complex"): {"width": 400, "penalty": 0.01, "relations": 0.0},
    ("nations", "compgcn", "complex"): {"width": 200, "penalty": 0.02, "epochs": 40},
    ("kinships", "compgcn", "complex"): {
        "width": 200, "penalty": 0.01, "relations": 1.0, "epochs": 20,
    },
    ("umls", "compgcn", "complex"): {"width": 400, "penalty": 0.01},
    ("nations", "plain", "distmult"): {},
    ("umls", "plain", "distmult"): {"epochs": 40},
    ("nations", "plain", "transe"): {"epochs": 40},
    ("umls", "plain", "transe"): {"epochs": 40},
    ("nations", "plain", "rotate"): {"width": 100, "epochs": 40},
    ("umls", "plain", "rotate"): {"width": 100, "epochs": 20},
    ("nations", "rgcn", "complex"): {"width": 100, "epochs": 30},
    ("nations", "gat", "complex"): {"width": 100, "epochs": 30},
    ("nations", "hgt", "complex"): {"width": 100, "epochs": 30},
}  # fmt: skip

HEAD = (
    "| graph | model | decoder | chosen | MRR on validation | MRR on test | Hits@1 | Hits@3 "
    "| Hits@10 | without inverse leaks: MRR (share leaking) | seconds a seed |\n"
    + "|---" * 11
    + "|\n"
)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--choose", action="store_true", help="try the grids, on validation alone")
    parser.add_argument("--shipped", action="store_true")
    parser.add_argument("--only", metavar="GRAPH[/MODEL[/DECODER]]", default="")
    given = parser.parse_args()
    only = tuple(given.only.split("/")) if given.only else ()
    if given.choose:
        choose(only)
    elif given.shipped:
        shipped()
    else:
        for asked, values in CHOSEN.items():
            if asked[: len(only)] == only:
                name, model, decoder = asked
                source = study.opened(None, name, bookkeeping=False)
                add("link_prediction.md", row(source, model, decoder, values, SEEDS))


def shipped() -> None:
    """Five splits and seeds of the shipped graph, with and without bookkeeping relations."""
    for bookkeeping in (False, True):
        source = study.opened(None, None, bookkeeping=bookkeeping)
        told = " with bookkeeping" if bookkeeping else ""
        for model, values in (
            ("plain", {"penalty": 0.03, "epochs": 30}),
            ("compgcn", {"width": 100, "penalty": 0.03, "epochs": 15}),
        ):
            add("link_prediction_shipped.md", row(source, model, "complex", values, range(5), told))


def row(source, model, decoder, values, seeds, told="") -> str:
    """One line of the table."""
    options = settings(model, decoder, values)
    began = time.perf_counter()
    found = study.run(source, options, list(seeds))
    seconds = (time.perf_counter() - began) / len(found.seeds)
    summary = found.summary()
    both = summary.rows["both sides"].figures
    cells = [f"{one.mean:.3f} ± {one.deviation:.3f}" for one in both.values()]
    apart = summary.rows["without inverse leaks"].figures["mrr"]
    picked = ", ".join(f"{key} {value}" for key, value in values.items()) or "defaults"
    return (
        f"| {source.name}{told} | {model} | {decoder} | {picked} | {summary.valid:.3f} | "
        f"{' | '.join(cells)} | {apart.mean:.3f} ({summary.leaks:.1%}) | {seconds:.0f} |"
    )


def settings(model, decoder, values) -> LinkOptions:
    """Model and training from the defaults and these values."""
    return study.settings(model, decoder, [f"{key}={value}" for key, value in values.items()])


def choose(only: tuple[str, ...]) -> None:
    """Say how good each setting of a grid is on the validation edges, with seed 0."""
    for name, (model, decoder) in itertools.product(("nations", "kinships", "umls"), GRIDS):
        if (name, model, decoder)[: len(only)] != only:
            continue
        grid = GRIDS[model, decoder]
        triples = study.opened(None, name, bookkeeping=False).triples(0)
        answers = known_answers(triples)
        for picked in itertools.product(*grid.values()):
            values = dict(zip(grid, picked, strict=True))
            valid = fit(triples, answers, settings(model, decoder, values), seed=0).valid
            sys.stdout.write(f"{name} {model} {decoder} {values}: {valid.mrr:.4f}\n")
            sys.stdout.flush()


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
