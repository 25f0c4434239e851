"""How much of the graph public text supports: drawn edges beside false ones, judged blind.

    python tests/benchmarks/graph_precision.py draw --size 300
    python tests/benchmarks/graph_precision.py score

`draw` writes clinical edges, stratified by relation, and as many false edges of the same relation
and degrees, in random order and without their sources, to `annotated/graph_precision.tsv`, and
which is which to `graph_precision_key.tsv` beside it. The verdict of a row is `supported`, with the
source and a short quotation, or `not supported`; the key stays closed until every row has one.
`score` then prints, relation by relation, the share of edges that are supported (Wilson intervals)
and of false edges that pass.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kg.controls.graph_controls import Ends, swap_ends
from kg.files.store import load_shipped
from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph

HERE = Path(__file__).parent
TABLE = HERE / "annotated" / "graph_precision.tsv"
KEY = HERE / "annotated" / "graph_precision_key.tsv"
COLUMNS = ("row", "subject", "relation", "object", "meaning", "verdict", "source", "quote")
SUPPORTED, REFUSED = "supported", "not supported"
FEWEST, SEED = 3, 19


class Claim(NamedTuple):
    """An edge to judge."""

    subject: str
    relation: str
    object: str


def pairs_of(graph: KnowledgeGraph) -> dict[str, list[Ends]]:
    """Ends of the edges of each clinical relation, each pair once."""
    found: dict[str, dict[Ends, None]] = defaultdict(dict)
    for edge in graph.edges:
        if not RELATIONS[edge.relation].bookkeeping:
            found[edge.relation][edge.subject, edge.object] = None
    return {relation: list(pairs) for relation, pairs in sorted(found.items())}


def strata(sizes: dict[str, int], size: int) -> dict[str, int]:
    """Number drawn of each relation: its share, but at least `FEWEST` or all there are."""
    total = sum(sizes.values())
    return {
        name: min(count, max(FEWEST, round(size * count / total))) for name, count in sizes.items()
    }


def false_pairs(
    graph: KnowledgeGraph, relation: str, pairs: list[Ends], generator: np.random.Generator
) -> list[Ends]:
    """Pairs with the relation's degrees between which the graph has no edge at all."""
    linked = {frozenset((edge.subject, edge.object)) for edge in graph.edges}
    swapped = swap_ends(pairs, RELATIONS[relation].symmetric, generator)
    return [pair for pair in dict.fromkeys(swapped) if frozenset(pair) not in linked]


def drawn(graph: KnowledgeGraph, size: int, seed: int) -> list[tuple[Claim, bool]]:
    """Claims in random order, each with whether it is an edge of the graph."""
    generator = np.random.default_rng(seed)
    every = pairs_of(graph)
    claims = []
    for relation, count in strata({name: len(of) for name, of in every.items()}, size).items():
        wrong = false_pairs(graph, relation, every[relation], generator)
        for pairs, holds in ((every[relation], True), (wrong, False)):
            for place in generator.permutation(len(pairs))[:count]:
                subject, target = pairs[place]
                claims.append((Claim(subject, relation, target), holds))
    return [claims[place] for place in generator.permutation(len(claims))]


def write(graph: KnowledgeGraph, size: int, seed: int) -> None:
    """Write the table to judge and, apart from it, the key."""
    claims = drawn(graph, size, seed)
    with TABLE.open("w", encoding="utf-8", newline="") as table:
        rows = csv.writer(table, delimiter="\t", lineterminator="\n")
        rows.writerow(COLUMNS)
        for number, (claim, _) in enumerate(claims, start=1):
            labels = [graph.concept(end).label for end in (claim.subject, claim.object)]
            meaning = RELATIONS[claim.relation].meaning
            rows.writerow([number, claim.subject, claim.relation, claim.object,
                           f"{labels[0]} / {labels[1]}: {meaning}", "", "", ""])  # fmt: skip
    lines = [f"{number}\t{int(holds)}\n" for number, (_, holds) in enumerate(claims, start=1)]
    KEY.write_text("row\tin_graph\n" + "".join(lines), encoding="utf-8")


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95% interval of a proportion."""
    z = 1.959964
    share, spread = hits / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a table."""
    with path.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table, delimiter="\t"))


def judged() -> dict[str, tuple[list[bool], list[bool]]]:
    """For each relation, whether each edge and each false edge was supported."""
    rows, key = read(TABLE), {row["row"]: row["in_graph"] == "1" for row in read(KEY)}
    if open_rows := [row["row"] for row in rows if row["verdict"] not in (SUPPORTED, REFUSED)]:
        raise SystemExit(f"not judged yet: rows {', '.join(open_rows[:10])} ...")
    if bare := [
        r["row"] for r in rows if r["verdict"] == SUPPORTED and not (r["source"] and r["quote"])
    ]:
        raise SystemExit(f"supported without source and quote: rows {', '.join(bare)}")
    found: dict[str, tuple[list[bool], list[bool]]] = defaultdict(lambda: ([], []))
    for row in rows:
        found[row["relation"]][0 if key[row["row"]] else 1].append(row["verdict"] == SUPPORTED)
    return dict(sorted(found.items()))


def scored() -> Iterator[str]:
    """The table of results in Markdown."""
    found = judged()
    yield "| relation | edges supported | 95% | false edges that pass | 95% |"
    yield "|---|---:|---|---:|---|"
    whole = (
        [v for one, _ in found.values() for v in one],
        [v for _, one in found.values() for v in one],
    )
    for name, sides in (*found.items(), ("**all**", whole)):
        cells = []
        for verdicts in sides:
            low, high = wilson(sum(verdicts), len(verdicts)) if verdicts else (0.0, 1.0)
            share = f"{sum(verdicts)} of {len(verdicts)}"
            cells += [share, f"{low:.2f}-{high:.2f}"]
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Draw the claims, or score the judged ones."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("step", choices=("draw", "score"))
    parser.add_argument("--size", type=int, default=300)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    if given.step == "draw":
        write(load_shipped(), given.size, given.seed)
        return
    for line in scored():
        print(line)  # noqa: T201


if __name__ == "__main__":
    main()
