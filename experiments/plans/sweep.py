"""Sweep: settings of one configuration suggested by optuna, each tried by a run of its own.

The space is that of plans (`tuning.SPACE`). A setting is judged by validation studies alone: a run
that does worse than the median of the others after as many validations is stopped. Trials are kept
in one storage file, so that the same command goes on where it was interrupted.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from experiments.plans.execute import Training, Workers
from experiments.plans.jobs import Job, stand
from experiments.plans.tuning import own_setting, space_of, validation_score, with_setting
from experiments.records.folder import RunFolder, run_name
from experiments.records.journal import read_metrics
from kg.errors import InputError

__all__ = ["Sweep", "TrialRow"]

STORAGE = "optuna.log"
WORD = "tune"
STARTUP = 4
"""Trials that are never stopped early, so that there is a median."""
LOOK = 2.0
"""Seconds between two looks at the validations of the runs that train."""
REASON, RUN = "reason", "run"


@dataclass(frozen=True)
class TrialRow:
    """One tried setting.

    Args:
        number: Its number.
        setting: Value of each hyperparameter.
        score: Metric on validation; None where the run was stopped early or did not finish.
        state: `finished`, `stopped early`, `not finished` or `waiting`.
        run: Its run, where there is one.
        reason: Why it did not finish.
    """

    number: int
    setting: dict[str, float]
    score: float | None
    state: str
    run: str
    reason: str


STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "not finished",
}


@dataclass
class _Tried:
    """A trial whose run trains.

    Args:
        trial: The trial.
        reported: Number of its validations that optuna knows.
        stopped: Whether it was asked to stop early.
    """

    trial: Any
    reported: int = 0
    stopped: bool = False


class Sweep:
    """The trials of a configuration in a folder of runs.

    Args:
        job: The run of the configuration with its own values, which is the first trial.
        metric: Metric on validation that is maximised (`auroc_macro` or `auprc_macro`).
        runs: Folder of runs.

    Raises:
        InputError: If the configuration has nothing of the space.
    """

    def __init__(self, job: Job, metric: str, runs: Path) -> None:
        self.job, self.metric, self.runs = job, metric, runs
        self.space, self.own = space_of(job.experiment), own_setting(job.experiment)
        if not self.space:
            raise InputError(
                f"{job.name}: its system has nothing to tune", "see kgdx experiment tune --help"
            )
        self.folder = runs / "sweeps" / f"{run_name(job.experiment)}-{metric}"
        self.folder.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(self.folder / STORAGE))),
            study_name=job.digest,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
            direction="maximize",
            load_if_exists=True,
        )
        # another seed where trials are there already, or the first suggestions would come again
        seed = np.random.SeedSequence([job.experiment.seed, len(self.study.trials)])
        self.study.sampler = optuna.samplers.TPESampler(
            seed=int(seed.generate_state(1)[0]), constant_liar=True
        )
        self._tried: dict[str, _Tried] = {}

    def run(self, trials: int, workers: Workers, report: Callable[[str], None]) -> None:
        """Try settings until there are as many trials.

        Args:
            trials: Number of trials, those of earlier calls included.
            workers: Processes that train.
            report: Called with a line on each trial that ended.

        Raises:
            InputError: If another process tunes this configuration.
        """
        with self._alone():
            self._ask_again()
            try:
                self._start(trials, workers)
                while self._tried:
                    for training in workers.ended(LOOK):
                        self._end(training, report)
                    for training in workers.running:
                        self._watch(training)
                    self._start(trials, workers)
            finally:
                workers.stop()

    def rows(self) -> list[TrialRow]:
        """The trials, but those that were interrupted and asked again."""
        return [
            TrialRow(
                one.number,
                dict(one.params),
                one.value if one.state == TrialState.COMPLETE else None,
                STATES.get(one.state, "waiting"),
                one.user_attrs.get(RUN, ""),
                one.user_attrs.get(REASON, ""),
            )
            for one in self.study.trials
            if one.params and (one.state != TrialState.FAIL or REASON in one.user_attrs)
        ]

    def best(self) -> tuple[TrialRow, Job] | None:
        """The best finished trial and its run; None where none has finished."""
        finished = [row for row in self.rows() if row.score is not None]
        if not finished:
            return None
        row = max(finished, key=lambda one: (one.score, -one.number))
        return row, self._job(row.setting)

    def _job(self, setting: dict[str, float]) -> Job:
        if setting == self.own:
            return self.job
        return with_setting(self.job.experiment.name, self.job, setting, WORD)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the sweep while it runs."""
        with (self.folder / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                hint = "wait for it, or end it and go on from here"
                raise InputError(f"{self.folder}: another process tunes this", hint) from None
            yield

    def _ask_again(self) -> None:
        """Queue the own values first, and the settings whose runs were interrupted."""
        if not self.study.trials:
            self.study.enqueue_trial(self.own)
        for one in self.study.get_trials(states=(TrialState.RUNNING,)):
            self.study.tell(one.number, state=TrialState.FAIL)
            self.study.enqueue_trial(one.params or self.own)

    def _start(self, trials: int, workers: Workers) -> None:
        """Start trials in the free places."""
        ended = sum(row.state != "waiting" for row in self.rows())
        while workers.places and ended + len(self._tried) < trials:
            trial = self.study.ask()
            setting = {
                one.name: trial.suggest_float(one.name, one.low, one.high, log=one.factor)
                for one in self.space
            }
            job = self._job(setting)
            state = workers.start(job)
            if state == "started":
                self._tried[job.digest] = _Tried(trial)
                continue
            ended += 1
            if state == "finished":
                self._tell_score(trial, job)
            else:
                self._fail(trial, "another process trains the same run")

    def _watch(self, training: Training) -> None:
        """Stop the run of a trial where its validations are worse than the median."""
        tried = self._tried[training.job.digest]
        if not tried.stopped and self._report(tried, training.job):
            tried.stopped = True
            training.process.terminate()

    def _report(self, tried: _Tried, job: Job) -> bool:
        """Tell optuna the new validations of a run; returns whether it would stop it."""
        values = self._validations(job)
        new = values[tried.reported :]
        for step, value in enumerate(new, tried.reported):
            tried.trial.report(value, step)
        tried.reported = len(values)
        return bool(new) and tried.trial.should_prune()

    def _validations(self, job: Job) -> list[float]:
        """Values of the metric on validation in the journal of a run that trains."""
        _, folder = stand([job], self.runs)[job.digest]
        if folder is None or not folder.metrics.is_file():
            return []
        values = (row.get(f"validation/{self.metric}") for row in read_metrics(folder.metrics))
        return [value for value in values if isinstance(value, float) and value == value]

    def _end(self, training: Training, report: Callable[[str], None]) -> None:
        """Tell optuna how a run ended."""
        tried = self._tried.pop(training.job.digest)
        number, outcome = tried.trial.number, training.outcome
        self._report(tried, training.job)
        if training.process.returncode == 0:
            said = f"{self.metric} {self._tell_score(tried.trial, training.job)} on validation"
        elif tried.stopped:
            self._note_run(tried.trial, training.job)
            self.study.tell(tried.trial, state=TrialState.PRUNED)
            said = f"stopped early after {tried.reported} validations"
        else:
            said = outcome
            self._fail(tried.trial, outcome)
        report(f"trial {number}: {said}")

    def _tell_score(self, trial: Any, job: Job) -> str:
        """Tell optuna the score of a finished run; returns it in words."""
        score = validation_score(self._note_run(trial, job), self.metric)
        if score != score:
            self._fail(trial, "no finding has both classes on validation")
            return "not defined"
        self.study.tell(trial, score)
        return f"{score:.3f}"

    def _note_run(self, trial: Any, job: Job) -> RunFolder:
        """Note the run of a trial."""
        _, folder = stand([job], self.runs)[job.digest]
        if folder is None:
            raise FileNotFoundError(f"{job.name} has no run in {self.runs}")
        trial.set_user_attr(RUN, folder.run)
        return folder

    def _fail(self, trial: Any, reason: str) -> None:
        trial.set_user_attr(REASON, reason)
        self.study.tell(trial, state=TrialState.FAIL)
