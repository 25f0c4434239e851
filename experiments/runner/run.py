"""Runner of an experiment from configuration to record: build, train, measure, write."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from experiments.config.load import resolve
from experiments.config.schema import Experiment
from experiments.config.weights import check_files
from experiments.explanation.examples import write_examples
from experiments.explanation.unusual import write_familiar
from experiments.loading.cohort import batches
from experiments.privacy.free_text import check_text, text_of_examples
from experiments.records.checkpoint import load_checkpoint, save_checkpoint
from experiments.records.folder import RunFolder
from experiments.records.journal import log_to, read_metrics
from experiments.records.ledger import note_use
from experiments.records.record import RunRecord
from experiments.records.surroundings import now, peak_memory
from experiments.runner.monitors import check_monitor, monitored
from experiments.runs.build import RunContext, build_context
from experiments.runs.exposure import write_exposure
from experiments.runs.run_record import finished_record, started_record
from experiments.runs.start import write_trained_encoder
from experiments.tasks import TASKS, check_tasks
from experiments.tasks.classification import ClassificationResult
from experiments.training.callbacks import StopRequested
from experiments.training.distributed import (
    SINGLE_PROCESS,
    ProcessContext,
    is_worker,
    process_group,
)
from experiments.training.fit import fit_stage
from experiments.training.tracking import check_trackers, track_result
from fusion.stage import Stage
from kg.errors import InputError, RunDiverged

__all__ = ["run_worker", "resume_run", "run_experiment", "train"]

log = logging.getLogger(__name__)


def run_experiment(experiment: Experiment, *, root: Path, runs: Path, command: str = "") -> str:
    """Run an experiment in a new folder under `runs`.

    Args:
        experiment: The configuration.
        root: Folder of the data set.
        runs: Folder that holds runs; feature caches are kept in `runs/cache`.
        command: Command line, for the record.

    Returns:
        The run id.

    Raises:
        InputError: If data, graph, weights or a component are not what the configuration says.
        RunStopped: If training could not go on; record and checkpoint are kept.
    """
    if is_worker():
        return run_worker(root).run
    check_files(experiment)
    folder = RunFolder.create(runs, experiment)
    with folder.hold(), log_to(folder.log):
        _execute(folder, experiment, root, command, resume=False)
    return folder.run


def resume_run(folder: RunFolder, root: Path) -> None:
    """Resume a run from its last checkpoint, to the same weights as without interruption.

    Raises:
        InputError: If the run is finished or diverged, or data, graph or split have changed.
    """
    if is_worker():
        run_worker(root)
        return
    record = folder.load_record()
    if record.status == "finished":
        raise InputError(f"{folder.run} is finished", "look at it: kgdx experiment show")
    if record.status == "diverged":
        raise InputError(f"{folder.run} diverged and would again: {record.reason}", record.way_on)
    experiment = resolve(str(folder.config))
    with folder.hold(), log_to(folder.log):
        _execute(folder, experiment, root, record.command, resume=True)


def run_worker(root: Path) -> RunFolder:
    """Train as a worker of a run: build the same run, measure and write nothing.

    Args:
        root: Folder of the data set on this machine.

    Returns:
        The run's folder, as the main process gave it.
    """
    with process_group(Path(), root) as process:
        folder = RunFolder(process.folder)
        experiment = resolve(str(folder.config))
        set_global_state(experiment)
        context = build_context(experiment, root, cache=folder.path.parent / "cache")
        train(folder, context, process)
    return folder


def set_global_state(experiment: Experiment) -> None:
    """Set the global state of the process: seed, determinism and log level of Lightning."""
    torch.manual_seed(experiment.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Lightning's notes on itself do not help the user of a run; its warnings do
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _execute(
    folder: RunFolder, experiment: Experiment, root: Path, command: str, *, resume: bool
) -> None:
    """Build the run, train the stages that are left, and measure the tasks."""
    began = time.monotonic()
    check_trackers(experiment)
    set_global_state(experiment)
    context = build_context(experiment, root, cache=folder.path.parent / "cache")
    check_tasks(context.system, context.tasks)
    check_text(text_of_examples(experiment.examples))
    before = folder.load_record() if resume else None
    record = started_record(folder, experiment, context, command, before)
    for warning in record.warnings:
        log.warning("%s", warning)
    if before is not None:
        _check_same(before, record)
    else:
        context.manifest.save(folder.splits)
        write_exposure(folder, context, [parent.exposure for parent in context.parents])
    record.save(folder.record)
    times = {"assemble": time.monotonic() - began}
    try:
        done = _train_and_measure(folder, context, root, record, times)
    except StopRequested as stop:
        log.warning("stopped by %s", signal.Signals(stop.number).name)
        spent = record.seconds + time.monotonic() - began
        replace(record, status="stopped", seconds=spent).save(folder.record)
        os.kill(os.getpid(), stop.number)  # no step is half done now
        raise KeyboardInterrupt from None
    except RunDiverged as error:
        spent = record.seconds + time.monotonic() - began
        diverged = replace(record, status="diverged", reason=error.message, seconds=spent)
        _end(folder, experiment, diverged)
        raise
    _end(folder, experiment, replace(done, seconds=record.seconds + time.monotonic() - began))


def _train_and_measure(
    folder: RunFolder,
    context: RunContext,
    root: Path,
    record: RunRecord,
    times: dict[str, float],
) -> RunRecord:
    """Train, and measure the tasks; `times` receives the seconds of both."""
    began, computed, experiment = time.monotonic(), time.process_time(), context.experiment
    with process_group(folder.path, root, experiment.devices) as process:
        chosen = train(folder, context, process)
    times["train"] = time.monotonic() - began
    times["train_cpu"] = time.process_time() - computed
    if experiment.split.kind == "locked":
        note_use(folder.path.parent, _locked_use(record))
    results = [TASKS.load(name)().measure(folder, context) for name in context.tasks]
    for result in results:
        if isinstance(result, ClassificationResult):
            write_examples(folder, context, result)
            write_familiar(folder, context)
    write_trained_encoder(folder, context.preprocessor)
    times["test"] = time.monotonic() - began - times["train"]
    done = finished_record(record, results, times)
    return replace(done, chosen=chosen, warnings=(*done.warnings, *_skipped_steps(folder)))


def _end(folder: RunFolder, experiment: Experiment, record: RunRecord) -> None:
    """Save the record of a run that has ended, log its metrics, and write its page."""
    most = max(record.memory, peak_memory())
    replace(record, finished=now(), memory=most).save(folder.record)
    track_result(folder, experiment, record)
    from experiments.reports.run_page import write_run_page

    write_run_page(folder.path)


def _skipped_steps(folder: RunFolder) -> Iterator[str]:
    """Warnings about steps that were not finite."""
    counts = {row["stage"]: row["skipped"] for row in read_metrics(folder.metrics)}
    for stage, count in counts.items():
        if count:
            yield f"stage {stage}: {count} steps were not finite and were skipped"


def train(
    folder: RunFolder, context: RunContext, process: ProcessContext = SINGLE_PROCESS
) -> Mapping[str, float]:
    """Fit what needs no gradients, train the stages that are left, and load the best weights.

    Returns:
        Values that the system chose on validation at the end.
    """
    identity = context.identity()
    for place, stage in enumerate(context.system.stages):
        process.check_batch(stage.batch_size, f"stages.{place}.batch_size")
        check_monitor(context, place)
    if process.is_main:
        tensors, plain = context.preprocessor.state()
        save_checkpoint(folder.checkpoints / "reader", tensors, plain, identity)
    last = folder.checkpoints / "last"
    begun = (last / "state.json").is_file()
    if not begun:
        training = context.cohorts["train"]
        context.system.prepare(batches(training, range(len(training)), training=True))
    first = int(load_checkpoint(last, identity=identity).state["stage"]) if begun else 0
    for place in range(first, len(context.system.stages)):
        resume = last if begun and place == first else None
        measure = partial(monitored, context, context.system.stages[place])
        fit_stage(folder, context, place, measure, process=process, resume=resume)
    best = folder.checkpoints / "best"
    chosen = context.system.choose(lambda: monitored(context, Stage())["auroc_macro"])
    if process.is_main and (chosen or not context.system.stages):
        state = (
            dict(load_checkpoint(best, identity=identity).state) if context.system.stages else {}
        )
        save_checkpoint(best, context.system.state_dict(), state, identity)
    return chosen


def _locked_use(record: RunRecord) -> dict[str, str]:
    """Ledger entry of a run that is tested on the locked test set."""
    return {
        "run": record.run,
        "config_hash": record.config_hash,
        "dataset": record.dataset,
        "labels": record.labels,
        "manifest": record.split_manifest,
        "why": str(record.experiment.get("about") or record.experiment["name"]),
    }


def _check_same(before: RunRecord, now: RunRecord) -> None:
    """Refuse to resume with other data, another graph or another split."""
    pairs: Mapping[str, tuple[object, object]] = {
        "data": (before.data_fingerprint, now.data_fingerprint),
        "split": (before.split_manifest, now.split_manifest),
        "the runs it starts with": (before.started_from, now.started_from),
        "graph": (
            before.graph and before.graph.fingerprint,
            now.graph and now.graph.fingerprint,
        ),
    }
    changed = [name for name, (was, is_now) in pairs.items() if was != is_now]
    if changed:
        raise InputError(
            f"{before.run}: {' and '.join(changed)} changed since it was started",
            "put them back, or start a new run",
        )
