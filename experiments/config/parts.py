"""Checks of the parts in a configuration: that each exists and accepts its options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.config.document import KeyPath
from experiments.config.load import read_config
from experiments.config.mistakes import Places, check_values, point_at
from experiments.config.schema import Experiment
from kg.catalog import Catalog
from kg.errors import InputError, did_you_mean
from kg.options import Part

__all__ = ["check_parts", "read_checked"]


def read_checked(config: str | Mapping[str, Any], overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of a configuration, with every key, part and option checked.

    Args:
        config: A shipped name, a path to a YAML file, or the values themselves.
        overrides: `key.path=value`, applied in order; values are read as YAML.

    Raises:
        InputError: With file, line, key and the closest right one.
    """
    loaded = read_config(config, overrides)
    check_parts(loaded.experiment, loaded.places)
    return loaded.experiment


def check_parts(experiment: Experiment, places: Places | None = None) -> None:
    """Check every part of an experiment against its class; imports the parts.

    Args:
        experiment: The experiment.
        places: Place of each key, for errors.

    Raises:
        InputError: On an unknown part, label set or objective, or an option it does not have.
    """
    written = places or {}
    for catalog, part, path in _parts(experiment):
        kind = _load(catalog, part.name, (*path, "name"), written)
        options = check_values(
            kind.Options, part.options, places=written, prefix=(*path, "options")
        )
        _check_inner(options, (*path, "options"), written)
    _check_labels(experiment, written)
    _check_losses(experiment, written)
    _check_tasks(experiment, written)
    _check_starts(experiment, written)


def _parts(experiment: Experiment) -> Iterator[tuple[Catalog[Any], Part, KeyPath]]:
    """Every part of the sections, with its catalog and key path."""
    from experiments.datasets import DATASETS
    from experiments.systems import SYSTEMS

    data = Part(name=experiment.data.name, options=experiment.data.options)
    yield DATASETS, data, ("data",)
    if experiment.image.encoder is not None:
        from encoders.image import IMAGE_ENCODERS

        yield IMAGE_ENCODERS, experiment.image.encoder, ("image", "encoder")
    if {experiment.text.train, experiment.text.test} - {"none", "same"}:
        from encoders.text import TEXT_ENCODERS

        yield TEXT_ENCODERS, experiment.text.encoder, ("text", "encoder")
    yield SYSTEMS, experiment.system, ("system",)


def _load(catalog: Catalog[Any], name: str, path: KeyPath, places: Places) -> Any:
    """A part of a catalog, with the place of its name in errors."""
    try:
        return catalog.load(name)
    except InputError as error:
        raise InputError(f"{point_at(path, places)}: {error.message}", error.hint) from None


def _check_inner(options: Any, path: KeyPath, places: Places) -> None:
    """Check the parts in the options of a system, and their options."""
    for key, catalog in _inner_catalogs().items():
        chosen: Any = getattr(options, key, None)
        if hasattr(chosen, "name") and hasattr(chosen, "options"):
            part = _load(catalog, chosen.name, (*path, key, "name"), places)
            inner = (*path, key, "options")
            check_values(part.Options, chosen.options, places=places, prefix=inner)
    objectives = getattr(options, "objectives", None)
    for name, values in (objectives if isinstance(objectives, Mapping) else {}).items():
        inner = (*path, "objectives", name)
        part = _load(_inner_catalogs()["objectives"], name, inner, places)
        check_values(part.Options, values, places=places, prefix=inner)


def _inner_catalogs() -> dict[str, Catalog[Any]]:
    """Catalog of each key of a system's options that names a part."""
    from encoders.graph import GRAPH_ENCODERS
    from fusion.heads import HEADS
    from fusion.joins import JOINS
    from fusion.objectives import OBJECTIVES

    return {
        "join": JOINS,
        "head": HEADS,
        "message_passing": GRAPH_ENCODERS,
        "objectives": OBJECTIVES,
    }


def _check_labels(experiment: Experiment, places: Places) -> None:
    """Check that the label set is one of the data set's."""
    from experiments.datasets import DATASETS

    choices = [choice.name for choice in DATASETS.load(experiment.data.name).label_choices]
    if experiment.data.labels not in choices:
        where = point_at(("data", "labels"), places)
        raise InputError(
            f"{where}: {experiment.data.name} has no labels {experiment.data.labels!r}",
            did_you_mean(experiment.data.labels, choices),
        )


def _check_losses(experiment: Experiment, places: Places) -> None:
    """Check that the losses of stages are losses of the system."""
    from experiments.systems import SYSTEMS

    part = SYSTEMS.load(experiment.system.name)
    known = part.loss_names(part.Options.model_validate(dict(experiment.system.options)))
    for place, stage in enumerate(experiment.stages):
        for name in stage.objectives:
            # a loss of another package is resolved when the system is built
            if name not in known and ":" not in name:
                where = point_at(("stages", str(place), "objectives", name), places)
                raise InputError(
                    f"{where}: {experiment.system.name} has no loss {name!r}",
                    did_you_mean(name, known) if known else "it is not trained by gradients",
                )


def _check_tasks(experiment: Experiment, places: Places) -> None:
    """Check that tasks are in the catalog; capabilities are checked when the system is built."""
    known = Catalog[Any]("experiments.tasks", "task").names()
    for name in experiment.tasks:
        if name not in known:
            where = point_at(("tasks",), places)
            raise InputError(f"{where}: there is no task {name!r}", did_you_mean(name, known))


def _check_starts(experiment: Experiment, places: Places) -> None:
    """Check the configurations of `start`; their runs are looked up at the start of the run."""
    for place, start in enumerate(experiment.start):
        try:
            if start.experiment:
                read_config(start.experiment)
        except InputError as error:
            where = point_at(("start", str(place), "experiment"), places)
            raise InputError(f"{where}: {error.message}", error.hint) from None
