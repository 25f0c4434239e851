"""Start of a run with weights of finished runs, checked to fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from encoders.weights import FROM_RUN
from experiments.config.hashing import config_hash
from experiments.config.load import resolve
from experiments.config.schema import Experiment
from experiments.loading.preprocessor import StudyPreprocessor
from experiments.records.atomic import atomic_path
from experiments.records.checkpoint import Checkpoint, load_checkpoint
from experiments.records.folder import RunFolder, find_run, run_name
from experiments.records.record import RunRecord, StartedFrom
from experiments.runs.exposure import Exposure
from experiments.splits.manifest import Manifest
from experiments.systems import SYSTEMS
from fusion.system import Module, System
from kg.errors import InputError, did_you_mean

__all__ = [
    "Parent",
    "hand_over_reading",
    "open_parents",
    "parent_experiment",
    "take_weights",
    "with_encoder_file",
    "write_trained_encoder",
]

IMAGE_ENCODER = "image_encoder.safetensors"

SAME_IMAGES = ("encoder", "recipe", "window", "frozen", "grid", "pool", "reduce")
"""Keys of `image` that determine tokens."""

LISTED = 10
"""Largest number of names that an error lists."""


@dataclass(frozen=True)
class Parent:
    """A finished run whose weights are taken over.

    Args:
        folder: Its folder.
        record: Its record.
        take: Modules of the new system by name, each with the parent's module it takes.
        weights: Its best checkpoint.
        reading: Its fitted preprocessing.
        modules: Its modules by name.
    """

    folder: RunFolder
    record: RunRecord
    take: Mapping[str, str]
    weights: Checkpoint
    reading: Checkpoint
    modules: Mapping[str, Module]

    @classmethod
    def open(cls, run: str, take: Mapping[str, str], runs: Path) -> Parent:
        """Open a run and check the hashes of its checkpoints.

        Args:
            run: Run id, or the folder of the run.
            take: Modules that are taken over.
            runs: Folder that holds the runs.

        Raises:
            InputError: If there is no such run, it is not finished, or a file of it was changed.
        """
        folder = find_run(run, runs)
        record = folder.load_record()
        if record.status != "finished":
            raise InputError(
                f"start: {folder.run} is {record.status}, not finished",
                record.way_on,
            )
        return cls(
            folder=folder,
            record=record,
            take=take,
            weights=load_checkpoint(folder.checkpoints / "best"),
            reading=load_checkpoint(folder.checkpoints / "reader"),
            modules=SYSTEMS.load(record.system).MODULES,
        )

    @property
    def exposure(self) -> Exposure:
        """Its exposure, that of its own parents included."""
        return Exposure.of(self.folder, Manifest.load(self.folder.splits))

    def started_from(self) -> StartedFrom:
        """The parent in the form of records."""
        return StartedFrom(
            run=self.folder.run,
            config_hash=self.record.config_hash,
            sha256=self.weights.sha256,
            take=dict(self.take),
        )


def open_parents(experiment: Experiment, runs: Path) -> tuple[Parent, ...]:
    """Runs that an experiment starts from: those of `start`, and that of its image encoder.

    Args:
        experiment: The configuration.
        runs: Folder that holds the runs.

    Raises:
        InputError: As `Parent.open`.
    """
    run = _encoder_run(experiment)
    starts = [
        (start.run or latest_run(start.experiment, experiment, runs), start.take)
        for start in experiment.start
    ]
    if run:
        starts.append((run, {}))
    return tuple(Parent.open(name, take, runs) for name, take in starts)


def parent_experiment(name: str, experiment: Experiment) -> Experiment:
    """Configuration that an experiment may start from.

    Args:
        name: Its shipped name, or a path.
        experiment: The experiment, which gives the seed and, on the same data set, the split.
    """
    written = resolve(name)
    split = written.split
    if written.data.name == experiment.data.name:
        split = experiment.split.model_copy(update={"fraction": split.fraction})
    return written.model_copy(update={"split": split, "seed": experiment.seed})


def latest_run(name: str, experiment: Experiment, runs: Path) -> str:
    """Latest finished run of a configuration that an experiment may start with.

    Args:
        name: Shipped name of the configuration, or a path.
        experiment: The experiment (see `parent_experiment`).
        runs: Folder that holds the runs.

    Raises:
        InputError: If there is none, with the command that runs it.
    """
    matching = parent_experiment(name, experiment)
    digest = config_hash(matching)
    folders = [RunFolder(path.parent) for path in runs.glob(f"{run_name(matching)}*/record.json")]
    finished = [
        record
        for record in (folder.load_record() for folder in folders)
        if record.status == "finished" and record.config_hash == digest
    ]
    if not finished:
        raise InputError(
            f"start: no finished run of {name} in {runs} has the split and seed of this run",
            _command(name, resolve(name), matching),
        )
    return max(finished, key=lambda record: record.finished or "").run


def _command(name: str, written: Experiment, matching: Experiment) -> str:
    """Command that runs a configuration with another split and seed."""
    seed = "" if matching.seed == written.seed else f" --set seed={matching.seed}"
    before = written.split.model_dump()
    changed = [
        f" --set split.{key}={value}"
        for key, value in matching.split.model_dump().items()
        if value != before[key]
    ]
    return f"kgdx experiment run {name}{''.join(changed)}{seed}"


def with_encoder_file(experiment: Experiment, runs: Path) -> Experiment:
    """The experiment with the weights file of an image encoder trained by a finished run.

    The weights `run:RUN` of its configuration become `run:FILE`.

    Raises:
        InputError: If there is no such run, or it trained no image encoder.
    """
    run = _encoder_run(experiment)
    if not run or experiment.image.encoder is None:
        return experiment
    path = find_run(run, runs).weights / IMAGE_ENCODER
    if not path.is_file():
        raise InputError(
            f"image.encoder.options.weights: {run} trained no image encoder",
            "name a run with image.frozen: false, or take a module of it by `start:`",
        )
    options = {**experiment.image.encoder.options, "weights": f"{FROM_RUN}{path}"}
    encoder = experiment.image.encoder.model_copy(update={"options": options})
    image = experiment.image.model_copy(update={"encoder": encoder})
    return experiment.model_copy(update={"image": image})


def write_trained_encoder(folder: RunFolder, preprocessor: StudyPreprocessor) -> None:
    """Write the image encoder of a run, where it was trained, for use by other runs."""
    encoder = preprocessor.images.trainable_encoder if preprocessor.images else None
    if encoder is not None:
        folder.weights.mkdir(exist_ok=True)
        with atomic_path(folder.weights / IMAGE_ENCODER) as temporary:
            save_file(dict(encoder.state_dict()), temporary)


def hand_over_reading(parents: Sequence[Parent], preprocessor: StudyPreprocessor) -> None:
    """Hand over fitted preprocessing of the parents that their weights depend on.

    Raises:
        InputError: If images or text are preprocessed otherwise than by the parent.
    """
    system = SYSTEMS.load(preprocessor.experiment.system.name)
    for parent in parents:
        for ours, theirs in parent.take.items():
            module = _module(system.MODULES, ours, f"start.take.{ours}")
            parents_module = _module(
                parent.modules, theirs, f"start.take.{ours} of {parent.folder.run}"
            )
            for kind in sorted({module.reads, parents_module.reads} - {""}):
                _check_same_reading(parent, preprocessor.experiment, kind)
                preprocessor.take_over(kind, parent.reading.tensors, parent.reading.state)


def take_weights(parents: Sequence[Parent], system: System) -> None:
    """Load the weights of the parents into a new system.

    Raises:
        InputError: Listing every tensor that is missing or does not fit.
    """
    if not parents:
        return
    state = system.state_dict()
    for parent in parents:
        for ours, theirs in parent.take.items():
            taken = _taken(parent, system.MODULES[ours], parent.modules[theirs])
            expected = {name for name in state if name.startswith(system.MODULES[ours].prefix)}
            faults = [f"{name} is not there" for name in sorted(expected - set(taken))]
            faults += [f"{name} has no place" for name in sorted(set(taken) - expected)]
            faults += [
                f"{name} is {tuple(taken[name].shape)}, expected {tuple(state[name].shape)}"
                for name in sorted(expected & set(taken))
                if taken[name].shape != state[name].shape
            ]
            if faults:
                shown = "".join(f"\n    - {line}" for line in faults[:LISTED])
                more = f"\n    - and {len(faults) - LISTED} more" if len(faults) > LISTED else ""
                raise InputError(
                    f"start: {theirs} of {parent.folder.run} does not fit {ours}:{shown}{more}",
                    "give both systems the same sizes and the same input",
                )
            state |= taken
    system.load_state_dict(state)


def _taken(parent: Parent, ours: Module, theirs: Module) -> dict[str, Tensor]:
    """Tensors of the parent's module under their new names."""
    return {
        ours.prefix + name.removeprefix(theirs.prefix): tensor
        for name, tensor in parent.weights.tensors.items()
        if name.startswith(theirs.prefix)
    }


def _module(modules: Mapping[str, Module], name: str, where: str) -> Module:
    if name not in modules:
        raise InputError(f"{where}: there is no module {name!r}", did_you_mean(name, modules))
    return modules[name]


def _check_same_reading(parent: Parent, experiment: Experiment, kind: str) -> None:
    """Refuse weights whose input was preprocessed otherwise."""
    theirs: Mapping[str, Any] = parent.record.experiment.get(kind, {})
    ours: Mapping[str, Any] = getattr(experiment, kind).model_dump(mode="json")
    keys = SAME_IMAGES if kind == "image" else ("encoder", "language")
    differing = [key for key in keys if key in theirs and theirs[key] != ours[key]]
    if differing:
        key = differing[0]
        raise InputError(
            f"start: {parent.folder.run} read with {kind}.{key} {theirs[key]!r}, "
            f"this run reads with {ours[key]!r}",
            f"give both runs the same {', '.join(f'{kind}.{name}' for name in differing)}",
        )


def _encoder_run(experiment: Experiment) -> str:
    """Run whose trained image encoder is used; empty = none."""
    encoder = experiment.image.encoder
    weights = "" if encoder is None else str(encoder.options.get("weights", ""))
    return weights.removeprefix(FROM_RUN) if weights.startswith(FROM_RUN) else ""
