"""Division of groups of studies into subsets of given shares, balanced by label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from encoders.study import Study
from kg.errors import InputError

__all__ = ["LADDER", "divide", "fraction_of", "weigh"]

LADDER = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
"""Shares of the training groups a run may train on; each is taken from the one before it."""


def weigh(
    order: Mapping[str, list[int]], studies: Sequence[Study]
) -> dict[str, NDArray[np.float64]]:
    """Counts of each group, in a fixed order: its studies, and its present and absent labels.

    Labels are counted within each modality, since a cohort's classes and modalities are tied.
    """
    kinds = [study.images[0].modality if study.images else "" for study in studies]
    carried = [
        [(kind, *pair) for pair in study.stated.items() if pair[1] != "uncertain"]
        for kind, study in zip(kinds, studies, strict=True)
    ]
    place = {label: at for at, label in enumerate(sorted({x for row in carried for x in row}), 1)}
    weights = {}
    for group, rows in sorted(order.items()):
        weights[group] = np.zeros(len(place) + 1)
        weights[group][0] = len(rows)
        for row in rows:
            weights[group][[place[label] for label in carried[row]]] += 1
    return weights


def divide(
    weights: Mapping[str, NDArray[np.float64]], shares: Sequence[float], rng: np.random.Generator
) -> list[set[str]]:
    """Divide groups into subsets of given shares, greedily balancing studies and labels.

    Groups with the rarest labels are placed first, each in the subset that lacks its labels most,
    in units of the label's whole count; a seeded shuffle decides ties.
    """
    names = list(weights)
    if not names:
        return [set() for _ in shares]
    table = np.stack([weights[name] for name in names])
    total = np.maximum(table.sum(axis=0), 1e-9)
    # rounded, so that the order in which a machine sums never decides between equal cases
    rarity = (table / total).max(axis=1).round(9)
    shuffled = rng.permutation(len(names))
    lacking = np.outer(shares, total)
    subsets: list[set[str]] = [set() for _ in shares]
    for place in shuffled[np.argsort(-rarity[shuffled], kind="stable")]:
        need = ((lacking / total) * (table[place] / total)).sum(axis=1) / np.asarray(shares)
        chosen = int(np.argmax(need.round(9)))
        subsets[chosen].add(names[place])
        lacking[chosen] -= table[place]
    return subsets


def fraction_of(
    weights: Mapping[str, NDArray[np.float64]], fraction: float, seed: int
) -> frozenset[str]:
    """A share of the groups, balanced by label; of one seed, a smaller share is in a larger one.

    Args:
        weights: Counts of each group, from `weigh`.
        fraction: One of `LADDER`.
        seed: Seed of the division.

    Raises:
        InputError: If the share is none of them.
    """
    if fraction not in LADDER:
        shares = ", ".join(f"{share:g}" for share in LADDER)
        raise InputError(f"split.fraction {fraction:g}", f"choose one of {shares}")
    left = dict(weights)
    for rung, (above, share) in enumerate(pairwise(LADDER)):
        if above <= fraction:
            break
        rng = np.random.default_rng([seed, rung])
        kept = divide(left, [1 - share / above, share / above], rng)[1]
        left = {group: weights[group] for group in weights if group in kept}
    return frozenset(left)
