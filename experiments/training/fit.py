"""Training of one stage with Lightning's Trainer, resumed exactly where it stopped."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.plugins.environments import TorchElasticEnvironment

from experiments.loading.loader import reading_failed
from experiments.loading.sampling import epoch_sample
from experiments.records.atomic import write_text
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import RunFolder
from experiments.records.journal import read_metrics
from experiments.runs.build import RunContext
from experiments.training.callbacks import CheckpointCallback
from experiments.training.checkpoints import SafeCheckpointIO
from experiments.training.distributed import ProcessContext
from experiments.training.progress import ProgressCallback
from experiments.training.task import Task
from experiments.training.tracking import trackers
from fusion.stage import Stage
from kg.errors import RunStopped

__all__ = ["fit_stage"]

log = logging.getLogger(__name__)

KNOWN = (
    ".*treespec.*",
    # the loader cuts batches from memory and the sampler resumes by itself
    ".*does not have many workers.*",
    ".*dataloader is not resumable.*",
    ".*module.s. in eval mode.*",
)
"""Lightning warnings that do not apply here."""


def fit_stage(
    folder: RunFolder,
    context: RunContext,
    place: int,
    measure: Callable[[], dict[str, float]],
    *,
    process: ProcessContext,
    resume: Path | None,
) -> None:
    """Train one stage and load its best weights into the system.

    Where memory runs out, the batch is halved, gradients of twice as many batches are summed
    and training goes on from the last checkpoint, so the step stays that of the stage.

    Args:
        folder: The run's folder.
        context: The built run.
        place: Place of the stage in the run.
        measure: Gives the validation metrics of the current weights.
        process: This process.
        resume: Checkpoint to go on from, or None.

    Raises:
        InputError: If the stage trains nothing.
        RunStopped: If a single study does not fit into memory, a process that reads studies died
            or hangs, or training diverged.
    """
    stage = context.system.stages[place]
    trained = [parameter for parameter in context.system.parameters() if parameter.requires_grad]
    split = 1
    while True:
        try:
            _fit(folder, context, place, measure, process=process, resume=resume, split=split)
            break
        except (RuntimeError, MemoryError) as error:
            if lost := reading_failed(error):
                raise lost from error
            if not _memory_ran_out(error):
                raise
            split *= 2
            _check_smaller(place, stage, split, process, error)
            log.warning("memory ran out: each batch is split into %d from here on", split)
            last = folder.checkpoints / "last"
            if (last / "state.json").is_file() and load_checkpoint(last).state["stage"] == place:
                resume = last
        finally:
            # a parameter this stage froze may be trained by the next one
            for parameter in trained:
                parameter.requires_grad_(True)
    best = load_checkpoint(
        folder.checkpoints / "best", like=context.system.state_dict(), identity=context.identity()
    )
    context.system.load_state_dict(dict(best.tensors))


def _memory_ran_out(error: BaseException) -> bool:
    """Whether memory ran out; each allocator has words of its own."""
    message = str(error).lower()
    return isinstance(error, MemoryError) or any(
        words in message
        for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


def _check_smaller(
    place: int, stage: Stage, split: int, process: ProcessContext, error: BaseException
) -> None:
    """Give up where splitting a batch by `split` cannot help."""
    if not process.is_single:  # the others are in the middle of the step
        raise RunStopped(
            "memory ran out on one of several devices",
            f"lower stages.{place}.batch_size and raise accumulate as much",
        ) from error
    if split > stage.batch_size:
        raise RunStopped(
            "memory ran out with a batch of one study",
            "choose a smaller image.encoder size, system width, or another device",
        ) from error


def _fit(
    folder: RunFolder,
    context: RunContext,
    place: int,
    measure: Callable[[], dict[str, float]],
    *,
    process: ProcessContext,
    resume: Path | None,
    split: int,
) -> None:
    stage = context.system.stages[place]
    cohort = context.cohorts["train"]
    size = -(-stage.batch_size // split)
    share = {"rank": process.rank, "processes": process.processes}
    sample: Any = epoch_sample(cohort, stage, place)
    order = cohort.order(size, context.experiment.seed, sample=sample, **share)
    together = stage.accumulate * split
    steps = stage.epochs * -(-len(order) // together)
    steps = min(steps, stage.steps) if stage.steps else steps
    task = Task(context.system, place, steps, order, process)
    callback = CheckpointCallback(folder, measure, context.identity(), stage=place, process=process)
    progress = [ProgressCallback(stage, lambda: callback.measured)] if process.is_main else []
    loader = cohort.loader(order)
    callback.listen(loader)
    if resume is not None and process.is_main:
        rewind_journal(folder, resume)
    trainer = pl.Trainer(
        **_devices(process),
        max_epochs=stage.epochs,
        max_steps=stage.steps or -1,
        accumulate_grad_batches=together,
        precision="bf16-mixed" if _half(context.experiment.precision) else "32-true",
        callbacks=[callback, *progress],
        plugins=[SafeCheckpointIO(context.identity()), *_environment(process)],
        default_root_dir=folder.path,
        logger=trackers(folder, context.experiment) if process.is_main else False,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    path: Any = None if resume is None else str(resume)
    with warnings.catch_warnings():
        for message in KNOWN:
            warnings.filterwarnings("ignore", message=message)
        try:
            trainer.fit(task, loader, ckpt_path=path)
        finally:
            callback.restore_handlers()


def rewind_journal(folder: RunFolder, resume: Path) -> None:
    """Drop metrics measured after the checkpoint; steps count from 0 in every stage."""
    state = load_checkpoint(resume).state
    here = (int(state["stage"]), int(state["global_step"]))
    rows = read_metrics(folder.metrics)
    kept = [row for row in rows if (row["stage"], row["step"]) <= here]
    write_text(folder.metrics, "".join(json.dumps(row) + "\n" for row in kept))


def _half(precision: str) -> bool:
    """Whether to train in mixed precision: where configured and on a GPU."""
    return precision == "bf16" and torch.cuda.is_available()


def _devices(process: ProcessContext) -> dict[str, Any]:
    """Devices of the trainer: one, or those of processes that are running already."""
    if process.is_single:
        return {"devices": 1}
    # the parameters a step uses depend on the modalities its studies have
    strategy = "ddp_find_unused_parameters_true"
    nodes = process.processes // process.here
    return {"devices": process.here, "num_nodes": nodes, "strategy": strategy}


def _environment(process: ProcessContext) -> list[TorchElasticEnvironment]:
    """Cluster environment for processes that Lightning did not start."""
    return [] if process.is_single else [TorchElasticEnvironment()]
