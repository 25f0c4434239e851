"""Tracking of a run by TensorBoard or MLflow: losses and metrics through Lightning's loggers.

TensorBoard writes into the run's folder, MLflow into `mlflow.db` beside it, or to the server of
`MLFLOW_TRACKING_URI` where the user has set it. Nothing else leaves the machine: MLflow's reports
on its own use are switched off.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger

from experiments.config.schema import Experiment, Tracker
from experiments.records.folder import RunFolder
from experiments.records.record import RunRecord
from kg.errors import InputError

__all__ = ["check_trackers", "numbers_of", "trackers", "track_result"]

PACKAGES: Mapping[Tracker, tuple[str, ...]] = {
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
}
"""Packages that a tracker needs."""


def check_trackers(experiment: Experiment) -> None:
    """Raise where a tracker is not installed, before anything else is done.

    Raises:
        InputError: With the command that installs it.
    """
    for name in experiment.track:
        absent = [one for one in PACKAGES[name] if importlib.util.find_spec(one) is None]
        if absent:
            raise InputError(
                f"track: {name} needs {', '.join(absent)}, which is not installed",
                "pip install 'kgdx[track]', or leave the key out",
            )


def trackers(folder: RunFolder, experiment: Experiment) -> list[Logger]:
    """Loggers of a run, opened again where an earlier stage or process began them."""
    made = {"tensorboard": _tensorboard, "mlflow": _mlflow}
    return [made[name](folder, experiment) for name in experiment.track]


def track_result(folder: RunFolder, experiment: Experiment, record: RunRecord) -> None:
    """Log configuration and metrics of a run that has ended."""
    values = experiment.model_dump(mode="json", exclude={"about", "published", "track"})
    metrics = {
        f"{part}/{name}": measured.value
        for part, measures in record.metrics.items()
        for name, measured in measures.items()
    }
    for logger in trackers(folder, experiment):
        logger.log_hyperparams({**values, "config_hash": record.config_hash})
        logger.log_metrics(numbers_of(metrics))
        logger.finalize("success" if record.status == "finished" else "failed")


def numbers_of(row: Mapping[str, Any]) -> dict[str, float]:
    """The defined numbers of a row of metrics."""
    return {name: float(value) for name, value in row.items() if isinstance(value, int | float)}


def _tensorboard(folder: RunFolder, experiment: Experiment) -> Logger:
    return TensorBoardLogger(folder.path, name="tensorboard", version="")


def _mlflow(folder: RunFolder, experiment: Experiment) -> Logger:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    runs = folder.path.parent.absolute()
    place = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{runs / 'mlflow.db'}")
    client = MlflowClient(place)
    known = client.get_experiment_by_name(experiment.name)
    wanted = f"attributes.run_name = '{folder.run}'"
    begun = client.search_runs([known.experiment_id], wanted) if known else []
    return MLFlowLogger(
        experiment.name,
        run_name=folder.run,
        run_id=begun[0].info.run_id if begun else None,
        tracking_uri=place,
        artifact_location=(runs / "mlflow").as_uri(),
    )
