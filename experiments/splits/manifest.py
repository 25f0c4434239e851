"""Splits into training, validation and test by group, written as a manifest with a hash.

The locked test set is decided first, by a hash of the group alone, so it never changes: a group is
locked if the first 8 hex digits of the SHA-256 of its key, as a share of 16^8, are below the
data set's share.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from encoders.study import SplitSubset, Study
from experiments.config.schema import FIXED_TEST, SplitSection
from experiments.records.atomic import write_json
from experiments.splits.balance import divide, fraction_of, weigh
from experiments.splits.origins import origin_groups, tested_origin
from kg.errors import InputError
from kg.files.json_text import json_in

LOCKED_LISTS = Path(__file__).parents[1] / "datasets" / "locked"


@dataclass(frozen=True)
class Manifest:
    """Assignment of studies to subsets.

    Args:
        name: Name of the split.
        dataset: Name of the data set.
        kind: `folds`, `fixed`, `locked`, `official` or `sources`.
        seed: Seed of the division.
        assignments: Subset of each study.
        groups: Group of each study.
    """

    name: str
    dataset: str
    kind: str
    seed: int
    assignments: Mapping[str, SplitSubset]
    groups: Mapping[str, str]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the content in canonical JSON; equal content gives an equal hash."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def studies(self, subset: SplitSubset) -> tuple[str, ...]:
        """Ids of the studies in a subset, sorted."""
        return tuple(sorted(study for study, where in self.assignments.items() if where == subset))

    def save(self, path: Path) -> None:
        """Write the manifest with its hash, whole or not at all."""
        write_json(path, asdict(self) | {"sha256": self.sha256})

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read a manifest.

        Raises:
            InputError: If it is missing, not a manifest, changed by hand, or leaks.
        """
        try:
            content = json_in(path)
            written = content.pop("sha256")
            manifest = cls(**content)
        except FileNotFoundError:
            raise InputError(f"{path}: not found", "run `kgdx data prepare`") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path}: not a split manifest: {error}", "write it again") from None
        if manifest.sha256 != written:
            raise InputError(f"{path}: its content is not that of its hash", "write it again")
        check(manifest)
        return manifest


def check(manifest: Manifest) -> None:
    """Refuse a manifest with a group in two subsets, or an unknown subset or group.

    Raises:
        InputError: `leakage`, with the first group and its studies, or the unknown name.
    """
    unknown = set(manifest.assignments.values()) - set(get_args(SplitSubset))
    if unknown:
        subsets = ", ".join(get_args(SplitSubset))
        raise InputError(f"{manifest.name}: no such subset: {sorted(unknown)[0]}", f"use {subsets}")
    if set(manifest.groups) != set(manifest.assignments):
        odd = sorted(set(manifest.groups) ^ set(manifest.assignments))[0]
        raise InputError(
            f"{manifest.name}: study {odd} lacks a subset or a group", "write it again"
        )
    first: dict[str, str] = {}
    for study, subset in manifest.assignments.items():
        group = manifest.groups[study]
        other = first.setdefault(group, study)
        if manifest.assignments[other] != subset:
            raise InputError(
                f"leakage: {manifest.name}: group {group} is in {manifest.assignments[other]} "
                f"({other}) and in {subset} ({study})",
                "keep all studies of a patient or source document in one subset",
            )


def fraction(key: str) -> float:
    """Position of a key in [0, 1): the first 8 hex digits of its SHA-256 over 2^32."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) / 2**32


def locked_groups(groups: Iterable[str], share: float) -> frozenset[str]:
    """Groups locked by the hash rule."""
    return frozenset(group for group in groups if fraction(group) < share)


def locked_studies(dataset: object, studies: Iterable[Study]) -> frozenset[str]:
    """Ids of the locked studies, which development never reads.

    A data set within a cohort locks the same groups as the cohort: its group keys are hashed as
    the cohort writes them, and studies in the cohort's committed list are locked too.

    Args:
        dataset: The data set; `locked_share`, `locked_as` and `locked_with` are read from it.
        studies: All its studies.
    """
    share = float(getattr(dataset, "locked_share", 0.0))
    prefix = str(getattr(dataset, "locked_as", ""))
    listed = read_locked(str(getattr(dataset, "locked_with", "")))
    return frozenset(
        study.study
        for study in studies
        if fraction(prefix + study.patient) < share or prefix + study.study in listed
    )


def official_subsets(dataset: object, root: Path) -> Mapping[str, SplitSubset]:
    """Subset of each study in the published split; empty if there is none.

    Args:
        dataset: The data set, which may have an `official_split`.
        root: Its own folder.
    """
    split_of: Callable[[Path], Mapping[str, SplitSubset]] | None
    split_of = getattr(dataset, "official_split", None)
    return split_of(root) if split_of is not None else {}


def read_locked(name: str) -> frozenset[str]:
    """Studies in the committed list of a data set's locked test set; empty if there is none."""
    path = LOCKED_LISTS / f"{name}.json"
    if not name or not path.is_file():
        return frozenset()
    return frozenset(json_in(path)["studies"])


def locked_list(dataset: object, name: str, studies: Sequence[Study]) -> dict[str, object]:
    """Committed list of a locked test set: its rule, ids and their hash; no text and no labels."""
    share = float(getattr(dataset, "locked_share", 0.0))
    groups = locked_groups({study.patient for study in studies}, share)
    ids = sorted(study.study for study in studies if study.patient in groups)
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    return {
        "dataset": name,
        "rule": f"first 8 hex digits of sha256(group) / 2^32 < {share}",
        "groups": len(groups),
        "of_groups": len({study.patient for study in studies}),
        "of_studies": len(studies),
        "sha256": digest,
        "studies": ids,
    }


def make_manifest(
    studies: Sequence[Study],
    split: SplitSection,
    *,
    dataset: str,
    locked: frozenset[str] = frozenset(),
    official: Mapping[str, SplitSubset] | None = None,
) -> Manifest:
    """Divide the studies by group, balanced by label, the same for the same seed.

    `folds`: the development studies in `split.folds` test folds, of which `split.fold` is tested;
    each of its studies is tested once over the folds. `fixed`: about 60/15/25 of the development
    studies. `locked`: development studies train, the locked test set is tested. `official`: the
    published split; without a published validation subset one is taken from training. `sources`:
    one origin of the development studies is tested, see `origins.py`; a group with studies of it
    that is tested with another origin is `unused`. In all but `locked`, locked studies are in the
    subset `locked`, which no run reads. With `split.fraction` below 1, the training groups outside
    it are `unused`.

    Args:
        studies: All studies of the data set, also those a run will not use, so that all runs
            share one manifest; each with its group as `patient`. Their stated labels, not the
            targets of a label policy, balance the subsets.
        split: Settings of the split.
        dataset: Name of the data set.
        locked: Ids of the locked studies, from `locked_studies`.
        official: Published subset of each study, from `official_subsets`.

    Raises:
        InputError: If there are too few groups, no such fold, no origin or locked test set to test,
            no official split, or one that lacks a study or separates studies of a patient.
    """
    _check_request(studies, split, locked, dataset)
    groups = {study.study: study.patient for study in studies}
    shut = {groups[study] for study in locked}
    order: dict[str, list[int]] = defaultdict(list)
    for row, study in enumerate(studies):
        if study.patient not in shut:
            order[study.patient].append(row)
    weights = weigh(order, studies)
    rng = np.random.default_rng(split.seed)
    chosen: dict[str, SplitSubset] = {group: "locked" for group in shut}
    origin = ""
    if split.kind == "official":
        placed = _published(studies, official or {}, dataset)
        chosen |= _held_out(placed, groups, weights, split, rng)
        assignments = {study: chosen.get(groups[study], placed[study]) for study in sorted(groups)}
    else:
        if split.kind == "locked":
            chosen = dict.fromkeys(shut, "test")
        silent: set[str] = set()
        if split.kind == "sources":
            open_ = [studies[row] for rows in order.values() for row in rows]
            origin = tested_origin(open_, split.fold, dataset)
            test, silent = origin_groups(open_, origin)
        else:
            test = _tested(weights, split, rng)
        rest = {group: weights[group] for group in weights if group not in test | silent}
        share = split.validation if split.kind != "fixed" else split.validation / (1 - FIXED_TEST)
        held = divide(rest, [1 - share, share], rng)[1]
        for group in weights:
            chosen[group] = "test" if group in test else "validation" if group in held else "train"
        chosen |= dict.fromkeys(silent, "unused")
        assignments = {study: chosen[group] for study, group in sorted(groups.items())}
    trained = {groups[study] for study, where in assignments.items() if where == "train"}
    rest = {group: weights[group] for group in weights if group in trained}
    left_out = trained - fraction_of(rest, split.fraction, split.seed)
    assignments |= {study: "unused" for study in assignments if groups[study] in left_out}
    manifest = Manifest(
        name=manifest_name(dataset, split, origin),
        dataset=dataset,
        kind=split.kind,
        seed=split.seed,
        assignments=assignments,
        groups=dict(sorted(groups.items())),
    )
    check(manifest)
    _check_filled(manifest)
    return manifest


def _check_request(
    studies: Sequence[Study], split: SplitSection, locked: frozenset[str], dataset: str
) -> None:
    twice = [name for name, count in Counter(s.study for s in studies).items() if count > 1]
    if twice:
        listed = ", ".join(map(repr, twice))
        raise InputError(f"{dataset}: several studies have the id {listed}", "give each its own")
    if split.kind == "locked" and not locked:
        raise InputError(
            f"{dataset} has no locked test set", "use split.kind folds or fixed for this data set"
        )


def _check_filled(manifest: Manifest) -> None:
    for subset in ("train", "validation", "test"):
        if not manifest.studies(subset):
            raise InputError(
                f"{manifest.name}: nothing is left for {subset}",
                "give more patients, fewer folds or a larger split.validation",
            )


def _published(
    studies: Sequence[Study], official: Mapping[str, SplitSubset], dataset: str
) -> Mapping[str, SplitSubset]:
    """The official split, checked to place every study."""
    if not official:
        raise InputError(
            f"{dataset}: no official split is here",
            f"get its files (see `kgdx data check {dataset}`), or use split.kind folds or fixed",
        )
    silent = [study.study for study in studies if study.study not in official]
    if silent:
        raise InputError(
            f"{dataset}: the official split does not place study {silent[0]} "
            f"({len(silent)} such studies)",
            "get the split's files again, or use split.kind folds or fixed",
        )
    return official


def _held_out(
    placed: Mapping[str, SplitSubset],
    groups: Mapping[str, str],
    weights: Mapping[str, NDArray[np.float64]],
    split: SplitSection,
    rng: np.random.Generator,
) -> dict[str, SplitSubset]:
    """Training groups held out for validation if the publication holds none out."""
    placed_groups = {groups[study]: subset for study, subset in placed.items() if study in groups}
    if "validation" in placed_groups.values():
        return {}
    rest = {group: weights[group] for group in weights if placed_groups[group] == "train"}
    held = divide(rest, [1 - split.validation, split.validation], rng)[1]
    return dict.fromkeys(held, "validation")


def manifest_name(dataset: str, split: SplitSection, origin: str = "") -> str:
    """Name of a split; it does not depend on the share of validation.

    Args:
        dataset: Name of the data set.
        split: The split.
        origin: The tested origin, for `sources`.
    """
    fold = f"-{split.fold + 1}of{split.folds}" if split.kind == "folds" else ""
    fold += f"-{origin}" if origin else ""
    share = f"-{100 * split.fraction:g}pct" if split.fraction != 1 else ""
    return f"{dataset}-{split.kind}{fold}-seed{split.seed}{share}"


def _tested(
    weights: Mapping[str, NDArray[np.float64]], split: SplitSection, rng: np.random.Generator
) -> set[str]:
    """Development groups that are tested."""
    if split.kind == "folds":
        return divide(weights, [1 / split.folds] * split.folds, rng)[split.fold]
    if split.kind == "fixed":
        return divide(weights, [1 - FIXED_TEST, FIXED_TEST], rng)[1]
    return set()
