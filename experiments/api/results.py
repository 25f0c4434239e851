"""Results of the Python interface: each a record, and the data frames one asks of it next.

Nothing heavy is imported before a frame or record is asked for.
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
    """A run: its record, what was measured, every probability it gave, and its page.

    Everything is read from the run's folder when it is asked for, so that a later `evaluate` shows.

    Args:
        path: Folder of the run; its name is the run's.
    """

    path: Path

    @property
    def name(self) -> str:
        """Name of the run, as every command takes it."""
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
        """The resolved configuration, which runs again as it is."""
        from experiments.config.load import resolve

        return resolve(str(self._folder.config))

    @property
    def metrics(self) -> DataFrame:
        """A row for each subset and metric, with its 95% interval."""
        return metric_frame(self.record.as_json()["metrics"], "part")

    @property
    def findings(self) -> DataFrame:
        """A row for each subset and finding: positives, threshold, metrics with intervals."""
        return finding_frame(self.record.as_json()["findings"])

    @property
    def predictions(self) -> DataFrame:
        """A row for each study and finding scored: label (NaN = not stated) and probability.

        Raises:
            InputError: If the run has not come so far, or the file is damaged.
        """
        from experiments.records.predictions import predictions_table

        frame: DataFrame = predictions_table(self._folder.predictions).to_pandas()
        return frame

    @property
    def studies(self) -> DataFrame:
        """A row for each study scored: patient, modality, view, sex, age band."""
        from experiments.records.studies import read_studies

        return frame([asdict(row) for row in read_studies(self._folder.studies)])

    @property
    def history(self) -> DataFrame:
        """A row for each measurement during training."""
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
    """Answers of a run for new inputs.

    Args:
        record: Probabilities as a matrix, basis and threshold of each finding, what was rejected.
    """

    record: Predicted

    @property
    def table(self) -> DataFrame:
        """A row for each study and finding; the probability is NaN where it is not possible."""
        from experiments.inference.prediction_rows import prediction_rows

        return frame(prediction_rows(self.record))

    @property
    def probabilities(self) -> DataFrame:
        """A row for each study, a column for each finding by its name."""
        from pandas import DataFrame

        made = self.record.prediction
        return DataFrame(made.probabilities, list(made.studies), list(self.record.labels))

    @property
    def rejected(self) -> DataFrame:
        """A row for each image that could not be read, with the reason."""
        return frame(self.record.rejected, ("study", "image", "reason"))

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes a reader must know."""
        return self.record.notes


@dataclass(frozen=True)
class Evaluation:
    """Test of a finished run on other data, or under another label set.

    Args:
        record: The evaluation as the run's record keeps it.
    """

    record: Mapping[str, Any]

    @property
    def metrics(self) -> DataFrame:
        """A row for each basis (`trained`, `zero_shot`) and metric, with its 95% interval."""
        return metric_frame(self.record["metrics"], "basis")

    @property
    def findings(self) -> DataFrame:
        """A row for each finding: basis, positives, threshold, metrics with intervals."""
        return finding_frame(self.record["findings"])

    @property
    def skipped(self) -> Mapping[str, int]:
        """Studies that were not scored, counted by reason."""
        counts: Mapping[str, int] = self.record["skipped"]
        return counts

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings a reader must know before believing the numbers."""
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
        """A row for each configuration: what it was given, and its metrics with intervals."""
        told = ("name", "system", "dataset", "labels", "text_policy", "leakage", "seeds", "folds")
        rows = [asdict(entry) for entry in self.record.entries]
        return frame([{**{key: row[key] for key in told}, **wide(row["metrics"])} for row in rows])

    @property
    def findings(self) -> DataFrame:
        """A row for each configuration and finding, with the compared metric."""
        return frame(
            [
                {"name": entry.name, **flat(asdict(row))}
                for entry in self.record.entries
                for row in entry.findings
            ]
        )

    @property
    def differences(self) -> DataFrame:
        """A row for each pair and finding: the difference, its interval, p and the verdict.

        The finding is empty where the difference is one of macro means.
        """
        rows = [flat(asdict(row)) for row in self.record.differences]
        return frame([{k: v for k, v in row.items() if k != "by_seed"} for row in rows])

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes a reader must know."""
        return self.record.notes

    def save(self, path: str | Path) -> Path:
        """Write it as .html, .md, .tex, .csv or .json, by the ending.

        Raises:
            InputError: If there is no such format, or it cannot be written.
        """
        from experiments.records.atomic import write_text
        from experiments.reports.write_comparison import render

        path = Path(path)
        write_text(path, render(self.record, path.suffix))
        return path
