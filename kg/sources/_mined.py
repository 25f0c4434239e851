"""Mining of edges from studies: findings seen together, with count and strength."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import combinations

from kg.bounds import Count
from kg.model.edges import IS_A, Edge, Evidence
from kg.options import Options as BaseOptions
from kg.sources import Facts


class MinedOptions(BaseOptions):
    """Origin of mined edges, and the least number of observations.

    Args:
        dataset: Name of the data set; leaving it out of a graph takes these edges away.
        source: Citation of the collectors.
        licence: Its terms.
        min_count: Least number of studies with the observation.
    """

    dataset: str
    source: str
    licence: str = ""
    min_count: Count = 5


def mined(
    options: MinedOptions, studies: int, *, weight: float, count: int, detail: str
) -> Evidence:
    """An item of mined evidence."""
    return Evidence(
        source=options.source,
        tag=f"data:{options.dataset} N={studies}",
        status="mined",
        dataset=options.dataset,
        licence=options.licence,
        weight=round(weight, 6),
        count=count,
        detail=detail,
    )


def association(together: int, first: int, second: int, studies: int) -> tuple[float, float]:
    """Lift and normalised pointwise mutual information of two findings.

    Args:
        together: Studies with both.
        first: Studies with the first.
        second: Studies with the second.
        studies: All studies.

    Returns:
        Lift (1 = independent) and NPMI (-1 never, 0 independent, 1 always together).
    """
    lift = together * studies / (first * second)
    if together == studies:
        return lift, 1.0
    return lift, math.log(lift) / -math.log(together / studies)


def seen_together(
    studies: Iterable[Collection[str]], options: MinedOptions, known: Facts, dropped: Counter[str]
) -> list[Edge]:
    """`co_occurs_with` edges between findings seen together more often than by chance.

    A pair of which one entails the other is left out.

    Args:
        studies: The concepts present in each study.
        options: Their origin.
        known: Facts of the graph.
        dropped: Counter of left-out items, by reason.
    """
    alone: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    total = 0
    for present in studies:
        total += 1
        alone.update(present)
        pairs.update(combinations(sorted(present), 2))
    above = entailed(known)
    edges = []
    for (one, two), count in sorted(pairs.items()):
        lift, npmi = association(count, alone[one], alone[two], total)
        if two in above.get(one, ()) or one in above.get(two, ()):
            dropped["pair of which one entails the other"] += 1
        elif count < options.min_count:
            dropped["pair seen too seldom"] += 1
        elif npmi <= 0:
            dropped["pair seen no more often than by chance"] += 1
        else:
            detail = f"lift={lift:.3g};npmi={npmi:.3f}"
            evidence = mined(options, total, weight=npmi, count=count, detail=detail)
            edges.append(Edge(one, "co_occurs_with", two, (evidence,)))
    return edges


def entailed(known: Facts) -> Mapping[str, set[str]]:
    """All concepts that each concept entails by `is_a`."""
    wider = defaultdict(set)
    for edge in known.edges:
        if edge.relation == IS_A:
            wider[edge.subject].add(edge.object)
    found: dict[str, set[str]] = {}
    for concept in wider:
        seen, queue = set[str](), [concept]
        while queue:
            new = wider.get(queue.pop(), set()) - seen
            seen |= new
            queue += new
        found[concept] = seen
    return found
