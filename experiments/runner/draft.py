"""Draft of a configuration: what the studies of a data set suggest, all else in comments."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoders.study import Study
from encoders.weights import EFFICIENTNET_LITE0
from experiments.config.schema import DataSection
from experiments.loading.targets import label_set_of, leakage, positives
from experiments.preparation.open_dataset import OpenDataset, open_dataset
from experiments.runner.commented import Chosen, commented_yaml
from experiments.systems import SYSTEMS
from fusion.stage import Stage
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.options import parse_options

__all__ = ["draft"]

AT_LEAST = (20, 10, 5, 3, 1)
"""Fewest positives of a finding: the usual number first."""
WIDTHS = (256, 128, 64, 32, 16)
"""Widths after PCA: the usual one first."""
_BOUNDARY = 2000
"""Studies from which one of five folds leaves enough to test."""
_FEW = 200
"""Studies below which batches are small."""
_NEED_REPORTS = ("contrast", "concept_supervision")


@dataclass(frozen=True)
class _Facts:
    """What the studies of a data set are like.

    Args:
        opened: The data set.
        studies: Its studies outside the locked test set.
        counts: Positives of each finding of its label set, by label.
        exclusive: Whether exactly one finding holds.
        one_class: Whether no finding is stated both present and absent.
    """

    opened: OpenDataset
    studies: Sequence[Study]
    counts: Mapping[str, int]
    exclusive: bool
    one_class: bool

    @staticmethod
    def of(opened: OpenDataset) -> _Facts:
        graph = load_shipped()
        chosen = label_set_of(opened.dataset, opened.root, opened.choice.name, graph)
        studies = [study for study in opened.development if study.stated]
        if not studies:
            raise InputError(f"no study of {opened.name} has a label", "see `kgdx data check`")
        counts = positives(studies)
        label = {concept.id: concept.label for concept in graph.concepts}
        absent = {
            name for study in studies for name, state in study.stated.items() if state == "absent"
        }
        return _Facts(
            opened=opened,
            studies=studies,
            counts={label[name]: counts.get(name, 0) for name in chosen.findings},
            exclusive=chosen.exclusive,
            one_class=not any(counts.get(name) and name in absent for name in chosen.findings),
        )

    @property
    def patients(self) -> int:
        """Number of patients."""
        return len({study.patient for study in self.studies})

    def having(self, kind: str) -> int:
        """Number of studies with `images`, a `report` or a `dialogue`."""
        return sum(bool(getattr(study, kind)) for study in self.studies)

    def asked(self, at_least: int) -> int:
        """Number of findings with so many positives."""
        return sum(count >= at_least for count in self.counts.values())


def draft(data: DataSection, system: str, root: Path, cache: Path) -> str:
    """A configuration in YAML, with the meaning of every key and the reason of each choice.

    Args:
        data: The data set, its labels and its options.
        system: Name of the system.
        root: Folder of data sets, or the data set's own.
        cache: Folder of caches, where data sets that kgdx generates are written.

    Raises:
        InputError: If the data set cannot be read, or there is no such system.
    """
    part: Any = SYSTEMS.load(system)
    facts = _Facts.of(open_dataset(data, root, cache))
    options = parse_options(part.Options, {}, where=f"system.{system}")
    stages = [_stage(stage, facts) for stage in part.default_stages(options)]
    maps = bool(part.needs(options, tuple(part.default_stages(options))).image_maps)
    chosen = {
        "name": Chosen(f"{data.name}_{system}"),
        "about": Chosen(f"{system} on {data.name}, drafted from {len(facts.studies)} studies."),
        "data": Chosen(_data(data, facts)),
        "split": Chosen({"kind": _split(facts)}),
        "text": Chosen(_text(facts)),
        "image": Chosen(_image(facts, maps=maps)),
        "system": Chosen({"name": Chosen(system)}),
        "stages": Chosen(stages),
    }
    return commented_yaml(
        chosen,
        f"Drafted from {data.name}: {len(facts.studies)} labelled studies of {facts.patients} "
        f"patients, {facts.having('images')} with images, {facts.having('report')} with a report, "
        f"{facts.having('dialogue')} with a dialogue.",
    )


def _data(data: DataSection, facts: _Facts) -> dict[str, Chosen]:
    blank = facts.opened.choice.blank
    why = "As the data set means it."
    if facts.one_class and blank == "ignore":
        blank, why = "zero", "No finding is stated absent, so what is not stated counts as absent."
    kept: dict[str, Chosen] = {
        "name": Chosen(data.name),
        "labels": Chosen(facts.opened.choice.name),
        **({"options": Chosen(dict(data.options))} if data.options else {}),
        "blank": Chosen(blank, why),
        "at_least": _at_least(facts),
    }
    return kept


def _at_least(facts: _Facts) -> Chosen:
    """Fewest positives of a finding that is asked, and what each number costs."""
    chosen = next((number for number in AT_LEAST if facts.asked(number)), 1)
    known = "; ".join(f"{number} asks {facts.asked(number)}" for number in AT_LEAST)
    rarest = sorted(facts.counts.items(), key=lambda pair: pair[1])[:8]
    price = f"Of {len(facts.counts)} findings {known}. The rarest: " + ", ".join(
        f"{name} {count}" for name, count in rarest
    )
    price += (
        ". The price of a smaller number: wide intervals, and a finding with fewer than "
        f"{AT_LEAST[0]} tested positives does not count in the macro mean."
    )
    return Chosen(chosen, "All classes stay: one of them holds." if facts.exclusive else price)


def _split(facts: _Facts) -> Chosen:
    if facts.opened.official:
        return Chosen("official", "The data set has a published split.")
    if len(facts.studies) < _BOUNDARY:
        return Chosen("fixed", f"{len(facts.studies)} studies: one run tests a quarter of them.")
    return Chosen("folds", "One run tests one fold; a plan tests every study once.")


def _text(facts: _Facts) -> dict[str, Chosen]:
    """Text policies: none where images are read, else the policy that leaks least."""
    origin = facts.opened.choice.origin
    leaks = "; ".join(
        f"{policy} leaks {leakage(policy, origin).replace('_', ' ')}"
        for policy in ("indication", "findings", "redacted", "full", "dialogue")
    )
    if facts.having("images"):
        return {"test": Chosen("none", f"Images alone are tested. With text: {leaks}.")}
    policy = "redacted" if facts.having("report") else "dialogue"
    return {"test": Chosen(policy, f"There are no images. {leaks}.")}


def _image(facts: _Facts, *, maps: bool) -> dict[str, Chosen]:
    """Image section: shipped weights, and a width that the training images can fill."""
    if not facts.having("images"):
        return {"encoder": Chosen(None, "No study has an image.")}
    training = round(0.6 * facts.having("images"))
    width = next((width for width in WIDTHS if width <= training), WIDTHS[-1])
    why = f"About {training} training studies with images: no more directions than studies."
    usual = "As usual." if width == WIDTHS[0] else why
    frozen = {"frozen": Chosen(False, "The system reads feature maps.")} if maps else {}
    encoder = Chosen({"name": Chosen("efficientnet_lite0")}, "Its weights are installed.")
    if importlib.util.find_spec(EFFICIENTNET_LITE0.package) is None:
        encoder = Chosen({"name": Chosen("tiny_cnn")}, "No weights are installed, so it trains.")
        frozen = {"frozen": Chosen(False)}
    return {
        "encoder": encoder,
        **frozen,
        "reduce": Chosen(width, usual),
    }


def _stage(stage: Stage, facts: _Facts) -> dict[str, Chosen]:
    """A stage of the system's own, with small batches for few studies."""
    objectives = dict(stage.objectives)
    without = not facts.having("report") and set(_NEED_REPORTS) & set(objectives)
    if without:
        objectives = {name: w for name, w in objectives.items() if name not in _NEED_REPORTS}
    why = f"Without {' and '.join(sorted(without))}: there are no reports." if without else ""
    few = len(facts.studies) < _FEW
    size = min(stage.batch_size, 16) if few else stage.batch_size
    kept = stage.model_dump(mode="json", exclude_defaults=True)
    return {
        **{key: Chosen(value) for key, value in kept.items()},
        "name": Chosen(stage.name),
        "objectives": Chosen(objectives, why),
        "epochs": Chosen(stage.epochs),
        "batch_size": Chosen(size, "Few studies: more steps an epoch." if few else ""),
        "learning_rate": Chosen(stage.learning_rate),
    }
