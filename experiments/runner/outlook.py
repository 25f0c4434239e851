"""Outlook: what a run will do, found out on a sample of its studies and without training."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from encoders.study import Study
from experiments.config.schema import Experiment
from experiments.config.weights import EncoderWeights, encoder_weights
from experiments.loading.data_source import SUBSETS, those
from experiments.loading.targets import positives
from experiments.records.surroundings import peak_memory
from experiments.runner.monitors import check_monitor
from experiments.runs.build import RunContext, build_context
from experiments.runs.run_studies import RunStudies, spread
from experiments.tasks import check_tasks
from fusion.stage import Stage
from kg.progress import duration

__all__ = ["Outlook", "look_ahead"]

FEWEST = 16
"""Fewest training studies that are read."""
TIMED = 8
"""Studies whose images are read to measure the time."""
_LISTED = 8
"""Findings that are listed with their positives; the rest is counted."""


@dataclass(frozen=True)
class Outlook:
    """What a run will do.

    Args:
        studies: Studies and patients of each subset.
        findings: Positives of each finding that is trained on, by subset.
        left_out: Positives of each finding of the label set that has too few.
        parameters: Number of parameters of the system.
        trained: Number of those that train.
        weights: Weights of the encoders.
        stages: Each stage of training in words.
        images: Number of images of all studies.
        reading: Seconds for reading all images; those in the cache take none.
        training: Seconds for training.
        memory: Bytes of memory.
    """

    studies: Mapping[str, tuple[int, int]]
    findings: Mapping[str, Mapping[str, int]]
    left_out: Mapping[str, int]
    parameters: int
    trained: int
    weights: tuple[EncoderWeights, ...]
    stages: tuple[str, ...]
    images: int
    reading: float
    training: float
    memory: int

    def rows(self, experiment: Experiment) -> Iterator[tuple[str, str]]:
        """What will be done, in ten lines."""
        data, split, text = experiment.data, experiment.split, experiment.text
        total = sum(count for count, _ in self.studies.values())
        yield "data", f"{data.name}, labels {data.labels}: {total} studies, {self.images} images"
        each = (f"{n} {name} of {p} patients" for name, (n, p) in self.studies.items())
        yield "split", f"{split.kind}: {', '.join(each)}"
        counted = [f"{name} {'/'.join(map(str, n.values()))}" for name, n in self.findings.items()]
        more = f" and {len(counted) - _LISTED} more" if len(counted) > _LISTED else ""
        listed = f"{', '.join(counted[:_LISTED])}{more}"
        yield "findings", f"{len(counted)}, positives {'/'.join(self.studies)}: {listed}"
        few = ", ".join(f"{name} {count}" for name, count in list(self.left_out.items())[:_LISTED])
        yield "left out", f"{few or 'none'} (data.at_least is {data.at_least})"
        yield "text", f"train {text.train}, test {text.test}"
        yield (
            "system",
            f"{experiment.system.name}, {self.trained:,} of {self.parameters:,} parameters train",
        )
        yield "weights", "; ".join(f"{one.reads}: {one.words}" for one in self.weights) or "none"
        yield "training", "; ".join(self.stages) or "fitted without gradient steps"
        read, trained = duration(self.reading), duration(self.training)
        yield "time", f"about {read} to read images, {trained} to train; then the tests"
        yield "memory", f"about {self.memory / 2**30:.1f} GiB"


def look_ahead(experiment: Experiment, root: Path, runs: Path) -> Outlook:
    """What a run will do; whatever it would refuse is refused here.

    Args:
        experiment: The configuration.
        root: Folder of data sets.
        runs: Folder of runs; images that are read are cached there, as by the run.

    Raises:
        InputError: As the run would, before it trains.
    """
    cache = runs / "cache"
    context = build_context(experiment, root, cache=cache, runs=runs, sample=_sample(experiment))
    chosen = context.chosen
    assert chosen is not None
    check_tasks(context.system, context.tasks)
    for place in range(len(context.system.stages)):
        check_monitor(context, place)
    images = sum(len(s.images) for name in SUBSETS for s in chosen.subsets[name])
    findings, left_out = _findings(chosen)
    training, stages = _training(context, len(chosen.subsets["train"]))
    parameters = list(context.system.parameters())
    return Outlook(
        studies={
            name: (len(chosen.subsets[name]), len({one.patient for one in chosen.subsets[name]}))
            for name in SUBSETS
        },
        findings=findings,
        left_out=left_out,
        parameters=sum(one.numel() for one in parameters),
        trained=sum(one.numel() for one in parameters if one.requires_grad),
        weights=encoder_weights(experiment),
        stages=stages,
        images=images,
        reading=_image_seconds(context, chosen.subsets["train"]) * images,
        training=training,
        memory=_memory(context, images),
    )


def _sample(experiment: Experiment) -> int:
    """Number of training studies that are enough for every fit of the preprocessing."""
    image = experiment.image
    tokens = image.grid**2 if image.grid else 1
    return max(FEWEST, 1 + image.reduce // tokens) if image.frozen else FEWEST


def _findings(chosen: RunStudies) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    """Positives of findings that are trained on by subset, and of those that are left out."""
    supervision = chosen.supervision
    counts = {str(name): positives(chosen.subsets[name]) for name in SUBSETS}
    label = {concept.id: concept.label for concept in supervision.graph.concepts}
    trained = {
        label[finding]: {name: of.get(finding, 0) for name, of in counts.items()}
        for finding in supervision.findings
    }
    used = {*supervision.findings, *supervision.held.findings}
    left = {
        label[finding]: sum(of.get(finding, 0) for of in counts.values())
        for finding in supervision.label_set.findings
        if finding not in used
    }
    return trained, left


def _image_seconds(context: RunContext, training: Sequence[Study]) -> float:
    """Seconds of reading one image, by some that were not read yet where there are such."""
    if context.preprocessor.images is None:
        return 0.0
    read = {study.study for study in context.cohorts["train"].studies}
    others = those(training, lambda study: study.study not in read)
    few = spread(others or training, TIMED)
    began = time.monotonic()
    context.preprocessor.images.read(few, context.root)
    spent = time.monotonic() - began
    return spent / max(sum(len(study.images) for study in few), 1)


def _training(context: RunContext, studies: int) -> tuple[float, tuple[str, ...]]:
    """Seconds of training, by one step of each stage, and the stages in words."""
    seconds, words = 0.0, []
    for stage in context.system.stages:
        batches = -(-studies // stage.batch_size)
        steps = stage.epochs * -(-batches // stage.accumulate)
        steps = min(steps, stage.steps) if stage.steps else steps
        seconds += _step_seconds(context, stage) * steps * stage.accumulate
        words.append(
            f"{stage.name}: {stage.epochs} epochs, {steps} steps of "
            f"{stage.batch_size * stage.accumulate} studies"
        )
    return seconds, tuple(words)


def _step_seconds(context: RunContext, stage: Stage) -> float:
    """Seconds of one batch of a stage, by the second of two steps on the sample."""
    cohort, system = context.cohorts["train"], context.system
    places = range(min(stage.batch_size, len(cohort)))
    batch = cohort.batch(places, training=True)
    for _ in range(2):
        began = time.monotonic()
        losses = system.losses(batch, stage)
        total = torch.stack([stage.objectives[name] * loss for name, loss in losses.items()]).sum()
        if total.requires_grad:
            torch.autograd.backward(total)
        system.zero_grad(set_to_none=True)
        spent = time.monotonic() - began
    return spent * stage.batch_size / max(len(places), 1)


def _memory(context: RunContext, images: int) -> int:
    """Bytes: what this process took, and the images and states of the optimiser it did not hold."""
    pictures = context.cohorts["validation"].pictures
    each = 0 if pictures is None else pictures.values[0].numel() * pictures.values.element_size()
    trained = sum(p.numel() for p in context.system.parameters() if p.requires_grad)
    return peak_memory() + images * each + 8 * trained
