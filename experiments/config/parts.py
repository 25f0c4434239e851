"""Checks of the parts in a configuration: that each exists and accepts its options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from experiments.config.document import KeyPath
from experiments.config.load import read_config, try_config
from experiments.config.mistakes import Places, check_values, point_at, read_values
from experiments.config.schema import Experiment, ImageSection
from fusion.stage import OPTIMISERS, SCHEDULES
from kg.catalog import Catalog
from kg.errors import InputError, did_you_mean, together
from kg.options import Options, Part

__all__ = ["catalog_at", "check_parts", "inner_catalogs", "read_checked"]


def read_checked(config: str | Mapping[str, Any], overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of a configuration, with every key, part and option checked.

    Args:
        config: A shipped name, a path to a YAML file, or the values themselves.
        overrides: `key.path=value`, applied in order; values are read as YAML.

    Raises:
        InputError: With file, line, key and the closest right one.
    """
    loaded, mistakes = try_config(config, overrides)
    if loaded is not None:
        mistakes += _mistakes(loaded.experiment, loaded.places)
    if loaded is None or mistakes:
        raise together(mistakes)
    return loaded.experiment


def check_parts(experiment: Experiment, places: Places | None = None) -> None:
    """Check every part of an experiment against its class; imports the parts.

    Args:
        experiment: The experiment.
        places: Place of each key, for errors.

    Raises:
        InputError: On unknown parts, label sets or objectives, or wrong options, all of them.
    """
    mistakes = list(_mistakes(experiment, places or {}))
    if mistakes:
        raise together(mistakes)


def _mistakes(experiment: Experiment, places: Places) -> Iterator[InputError]:
    """The mistake of each check that fails."""
    for check in _checks(experiment, places):
        try:
            check()
        except InputError as error:
            yield error


def _checks(experiment: Experiment, places: Places) -> Iterator[Callable[[], None]]:
    for catalog, part, path in _parts(experiment):
        yield partial(_check_part, catalog, part, path, places)
    yield from (
        partial(check, experiment, places)
        for check in (_check_labels, _check_losses, _check_tasks, _check_starts, _check_weights)
    )
    for place, stage in enumerate(experiment.stages):
        path = ("stages", str(place))
        yield partial(_check_in_stage, OPTIMISERS, stage.optimiser, (*path, "optimiser"), places)
        yield partial(_check_in_stage, SCHEDULES, stage.schedule, (*path, "schedule"), places)


def _check_part(catalog: Catalog[Any], part: Part, path: KeyPath, places: Places) -> None:
    """Check a part, its options, and the parts in them."""
    kind = _load(catalog, part.name, (*path, "name"), places).Options
    options, mistakes = read_values(kind, part.options, places=places, prefix=(*path, "options"))
    try:
        _check_inner(options, (*path, "options"), places)
    except InputError as error:
        mistakes.append(error)
    if mistakes:
        raise together(mistakes)


def _parts(experiment: Experiment) -> Iterator[tuple[Catalog[Any], Part, KeyPath]]:
    """Every part of the sections, with its catalog and key path."""
    from experiments.datasets import DATASETS
    from experiments.systems import SYSTEMS

    further = ((("also", str(place)), one) for place, one in enumerate(experiment.also))
    for path, section in ((("data",), experiment.data), *further):
        yield DATASETS, Part(name=section.name, options=section.options), path
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
    """Check the parts in the options of a part, and their options."""
    for key, catalog in inner_catalogs().items():
        chosen: Any = getattr(options, key, None)
        if hasattr(chosen, "name") and hasattr(chosen, "options"):
            part = _load(catalog, chosen.name, (*path, key, "name"), places)
            inner = (*path, key, "options")
            check_values(part.Options, chosen.options, places=places, prefix=inner)
    objectives = getattr(options, "objectives", None)
    for name, values in (objectives if isinstance(objectives, Mapping) else {}).items():
        inner = (*path, "objectives", name)
        part = _load(inner_catalogs()["objectives"], name, inner, places)
        check_values(part.Options, values, places=places, prefix=inner)


def inner_catalogs() -> dict[str, Catalog[Any]]:
    """Catalog of each key of a system's options that names a part."""
    from encoders.graph import GRAPH_ENCODERS
    from encoders.text import TEXT_ENCODERS
    from fusion.heads import HEADS
    from fusion.joins import JOINS
    from fusion.objectives import OBJECTIVES

    return {
        "encoder": TEXT_ENCODERS,
        "join": JOINS,
        "head": HEADS,
        "message_passing": GRAPH_ENCODERS,
        "objectives": OBJECTIVES,
    }


def catalog_at(section: type[BaseModel], key: str) -> Catalog[Any] | None:
    """Catalog of the part that a key of a section or of options names; None where it names none."""
    from encoders.image import IMAGE_ENCODERS
    from experiments.systems import SYSTEMS

    annotation = section.model_fields[key].annotation
    if annotation is not Part and Part not in get_args(annotation):
        return None
    own = {(ImageSection, "encoder"): IMAGE_ENCODERS, (Experiment, "system"): SYSTEMS}
    return own.get((section, key), inner_catalogs().get(key))


def _check_labels(experiment: Experiment, places: Places) -> None:
    """Check that the label set is one of the data set's, where there is such a data set."""
    from experiments.datasets import DATASETS

    choices = [experiment.data.labels]
    with suppress(InputError):
        choices = [choice.name for choice in DATASETS.load(experiment.data.name).label_choices]
    if experiment.data.labels not in choices:
        where = point_at(("data", "labels"), places)
        raise InputError(
            f"{where}: {experiment.data.name} has no labels {experiment.data.labels!r}",
            did_you_mean(experiment.data.labels, choices),
        )


def _check_losses(experiment: Experiment, places: Places) -> None:
    """Check that the losses of stages are losses of the system, where that can be built."""
    from experiments.systems import SYSTEMS

    try:
        part = SYSTEMS.load(experiment.system.name)
        known = part.loss_names(part.Options.model_validate(dict(experiment.system.options)))
    except (InputError, ValidationError):  # told by its own check
        return
    for place, stage in enumerate(experiment.stages):
        for name in stage.objectives:
            # a loss of another package is resolved when the system is built
            if name not in known and ":" not in name:
                where = point_at(("stages", str(place), "objectives", name), places)
                raise InputError(
                    f"{where}: {experiment.system.name} has no loss {name!r}",
                    did_you_mean(name, known) if known else "it is not trained by gradients",
                )


def _check_in_stage(
    known: Mapping[str, type[Options]], part: Part, path: KeyPath, places: Places
) -> None:
    """Check the optimiser or the schedule of a stage, and its options."""
    if part.name not in known:
        raise InputError(
            f"{point_at((*path, 'name'), places)}: there is no {path[-1]} {part.name!r}",
            did_you_mean(part.name, known),
        )
    check_values(known[part.name], part.options, places=places, prefix=(*path, "options"))


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


def _check_weights(experiment: Experiment, places: Places) -> None:
    """Check that weights are there, and not random by oversight."""
    from experiments.config.weights import check_weights

    check_weights(experiment, places)
