"""Results of the Python interface: records with data frames.

Heavy packages are imported only when a frame or record is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.api.frames import finding_frame, flat, frame, metric_frame, wide

if TYPE_CHECKING:
    from pandas import DataFrame

    from experiments.compare.records import Comparison
    from experiments.config.schema import Experiment
    from experiments.inference.predict import Predicted
    from experiments.records.folder import RunFolder
    from experiments.records.record import RunRecord

__all__ = ["ComparedRuns", "Evaluation", "Predictions", "Run"]


@dataclass(frozen=True)
class Run:
    """A run: its record, metrics, probabilities and page.

    Everything is read from the run's folder on access, so that a later `evaluate` is included.

    Args:
        path: Folder of the run, named like the run.
    """

    path: Path

    @property
    def name(self) -> str:
        """Name of the run, for all commands."""
        return self.path.name

    @property
    def record(self) -> RunRecord:
        """The whole record: configuration, hashes, data, graph, seed, times, metrics, warnings.

        Raises:
            InputError: If it is missing or damaged.
        """
        return self._folder.load_record()

    @property
    def experiment(self) -> Experiment:
        """The resolved configuration."""
        from experiments.config.load import resolve

        return resolve(str(self._folder.config))

    @property
    def metrics(self) -> DataFrame:
        """One row per subset and metric, with its 95% interval."""
        return metric_frame(self.record.as_json()["metrics"], "part")

    @property
    def findings(self) -> DataFrame:
        """One row per subset and finding: positives, threshold, metrics with intervals."""
        return finding_frame(self.record.as_json()["findings"])

    @property
    def predictions(self) -> DataFrame:
        """One row per predicted study and finding: label (NaN = not stated) and probability.

        Raises:
            InputError: If the run has no predictions yet, or the file is damaged.
        """
        from experiments.records.predictions import predictions_table

        frame: DataFrame = predictions_table(self._folder.predictions).to_pandas()
        return frame

    @property
    def studies(self) -> DataFrame:
        """One row per predicted study: patient, modality, view, sex, age band."""
        from experiments.records.studies import read_studies

        return frame([asdict(row) for row in read_studies(self._folder.studies)])

    @property
    def history(self) -> DataFrame:
        """One row per measurement during training."""
        from experiments.records.journal import read_metrics

        return frame(read_metrics(self._folder.metrics))

    @property
    def page(self) -> Path:
        """The page of the run: one html file that needs no network."""
        return self._folder.report

    @property
    def _folder(self) -> RunFolder:
        from experiments.records.folder import RunFolder

        return RunFolder(self.path)


@dataclass(frozen=True)
class Predictions:
    """Predictions of a run for new inputs.

    Args:
        record: Probabilities as a matrix, basis and threshold of each finding, rejected images.
    """

    record: Predicted

    @property
    def table(self) -> DataFrame:
        """One row per study and finding; the probability is NaN where it is not possible."""
        from experiments.inference.prediction_rows import prediction_rows

        return frame(prediction_rows(self.record))

    @property
    def probabilities(self) -> DataFrame:
        """One row per study, one column per finding by its name."""
        from pandas import DataFrame

        prediction = self.record.prediction
        return DataFrame(
            prediction.probabilities, list(prediction.studies), list(self.record.labels)
        )

    @property
    def rejected(self) -> DataFrame:
        """One row per image that could not be read, with the reason."""
        return frame(self.record.rejected, ("study", "image", "reason"))

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the reader."""
        return self.record.notes


@dataclass(frozen=True)
class Evaluation:
    """Evaluation of a finished run on another data set or label set.

    Args:
        record: The evaluation from the run's record.
    """

    record: Mapping[str, Any]

    @property
    def metrics(self) -> DataFrame:
        """One row per basis (`trained`, `zero_shot`) and metric, with its 95% interval."""
        return metric_frame(self.record["metrics"], "basis")

    @property
    def findings(self) -> DataFrame:
        """One row per finding: basis, positives, threshold, metrics with intervals."""
        return finding_frame(self.record["findings"])

    @property
    def skipped(self) -> Mapping[str, int]:
        """Number of studies left out, by reason."""
        counts: Mapping[str, int] = self.record["skipped"]
        return counts

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings on the numbers."""
        return tuple(self.record["warnings"])


@dataclass(frozen=True)
class ComparedRuns:
    """Configurations on the same studies, paired by patient and seed.

    Args:
        record: The whole comparison.
    """

    record: Comparison

    @property
    def entries(self) -> DataFrame:
        """One row per configuration: inputs and metrics with intervals."""
        columns = (
            "name",
            "system",
            "dataset",
            "labels",
            "text_policy",
            "leakage",
            "seeds",
            "folds",
        )
        rows = [asdict(entry) for entry in self.record.entries]
        return frame(
            [{**{key: row[key] for key in columns}, **wide(row["metrics"])} for row in rows]
        )

    @property
    def findings(self) -> DataFrame:
        """One row per configuration and finding, with the compared metric."""
        return frame(
            [
                {"name": entry.name, **flat(asdict(row))}
                for entry in self.record.entries
                for row in entry.findings
            ]
        )

    @property
    def differences(self) -> DataFrame:
        """One row per pair and finding: difference, interval, p and verdict.

        The finding is empty for differences of macro means.
        """
        rows = [flat(asdict(row)) for row in self.record.differences]
        return frame([{k: v for k, v in row.items() if k != "by_seed"} for row in rows])

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the reader."""
        return self.record.notes

    def save(self, path: str | Path) -> Path:
        """Write the comparison as .html, .md, .tex, .csv or .json, by file ending.

        Raises:
            InputError: If there is no such format, or it cannot be written.
        """
        from experiments.records.atomic import write_text
        from experiments.reports.write_comparison import render

        path = Path(path)
        write_text(path, render(self.record, path.suffix))
        return path
