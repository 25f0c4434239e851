"""Weights of the encoders of a configuration: where they come from, and whether they train."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from encoders.image import IMAGE_ENCODERS
from encoders.text import TEXT_ENCODERS
from encoders.weights import FITTED, FROM_RUN, NONE, RANDOM, SHIPPED, weights_file
from experiments.config.mistakes import Places, point_at
from experiments.config.schema import Experiment, ImageSection
from kg.errors import InputError, together
from kg.options import Part

__all__ = ["EncoderWeights", "check_files", "check_weights", "encoder_weights"]


@dataclass(frozen=True)
class EncoderWeights:
    """Weights of one encoder.

    Args:
        reads: What the encoder reads.
        encoder: Its name.
        source: `random`, `shipped`, `fitted`, `none`, `run:RUN`, or a file or folder.
        trained: Stages that train.
    """

    reads: Literal["image", "text"]
    encoder: str
    source: str
    trained: Literal["all", "last", "none"]

    @property
    def stays_random(self) -> bool:
        """Whether random weights never train, so that what they read is noise to some degree."""
        return self.source == RANDOM and self.trained != "all"

    @property
    def words(self) -> str:
        """`efficientnet_lite0, shipped weights, frozen`."""
        if self.source == FITTED:
            return f"{self.encoder}, fitted on training images without labels"
        if self.source == NONE:
            return f"{self.encoder}, without weights"
        known = {RANDOM: "random weights", SHIPPED: "shipped weights"}
        name = known.get(self.source, f"weights {Path(self.source).name}")
        trained = {"all": "trained", "last": "last stages trained", "none": "frozen"}[self.trained]
        return f"{self.encoder}, {name}, {trained}"

    @property
    def warning(self) -> str:
        """Why its numbers say little; empty = no reason."""
        if not self.stays_random:
            return ""
        which = "frozen" if self.trained == "none" else "in part frozen"
        return (
            f"The {self.reads} encoder {self.encoder} has random weights and is {which}, as "
            "configured: it has learnt nothing, and its numbers are no measure of the method."
        )


def encoder_weights(experiment: Experiment) -> tuple[EncoderWeights, ...]:
    """Weights of the encoders that an experiment reads images and text with."""
    return tuple(_encoders(experiment))


def check_weights(experiment: Experiment, places: Places) -> None:
    """Check that random weights train or are asked for by name.

    Raises:
        InputError: If not.
    """
    try:
        random = any(encoder.stays_random for encoder in encoder_weights(experiment))
    except InputError:  # told by the check of the part
        return
    encoder = experiment.image.encoder
    if random and encoder is not None and "weights" not in encoder.options:
        where = point_at(("image", "encoder", "options", "weights"), places)
        raise InputError(
            f"{where}: {encoder.name} would read images with random weights that never train",
            "name its weights (kgdx weights list), let it train (image.frozen: false, "
            "image.trains: 0), or ask for it by `weights: random`",
        )


def check_files(experiment: Experiment) -> None:
    """Check that files and folders of weights are there and safe to read.

    A system may have some beside the encoders.

    Raises:
        InputError: If not, all of them.
    """
    mistakes = []
    parts: Mapping[str, Part | None] = {
        "image.encoder": experiment.image.encoder,
        "text.encoder": experiment.text.encoder,
        "system": experiment.system,
    }
    for where, part in parts.items():
        for key, check in FILES.items():
            value = part.options.get(key) if part is not None else None
            try:
                check(str(value or ""))
            except InputError as error:
                mistakes.append(InputError(f"{where}.options.{key}: {error.message}", error.hint))
    if mistakes:
        raise together(mistakes)


def _check_file(weights: str) -> None:
    """Check the file of weights that an option names, where it names one."""
    if weights not in ("", RANDOM, SHIPPED, FITTED, NONE) and not weights.startswith(FROM_RUN):
        weights_file(weights)


def _check_folder(folder: str) -> None:
    """Check the folder of a model that an option names, where it names one."""
    if folder:
        # imported here: transformers takes seconds
        from encoders.model_folder import check_model_folder, snapshot

        check_model_folder(snapshot(Path(folder)))


FILES = {"weights": _check_file, "folder": _check_folder}
"""Check of each option that names files."""


def _encoders(experiment: Experiment) -> Iterator[EncoderWeights]:
    if experiment.image.encoder is not None:
        yield _image_weights(experiment.image, experiment.image.encoder)
    if {experiment.text.train, experiment.text.test} - {"none", "same"}:
        encoder = experiment.text.encoder
        part = TEXT_ENCODERS.load(encoder.name)
        source = _source(part, encoder)
        yield EncoderWeights("text", encoder.name, source, "none" if part.frozen else "all")


def _image_weights(section: ImageSection, encoder: Part) -> EncoderWeights:
    source = _source(IMAGE_ENCODERS.load(encoder.name), encoder)
    trained: Literal["last", "all"] = "last" if section.trains else "all"
    return EncoderWeights("image", encoder.name, source, "none" if section.frozen else trained)


def _source(part: Any, encoder: Part) -> str:
    """Source of the weights by the options of an encoder."""
    options: Mapping[str, Any] = encoder.options
    fields = part.Options.model_fields
    pretrained = "folder" in fields or getattr(part, "frozen", False)
    usual = fields["weights"].default if "weights" in fields else SHIPPED if pretrained else RANDOM
    weights = str(options.get("weights", usual))
    return str(options.get("folder") or weights) if weights == SHIPPED else weights
