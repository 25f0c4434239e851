"""Results of the Python interface: each a record, and the data frames one asks of it next.

Nothing heavy is imported before a frame or record is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

    from experiments.compare.records import Comparison
    from experiments.config.schema import Experiment
    from experiments.inference.predict import Predicted
    from experiments.records.folder import RunFolder
    from experiments.records.record import RunRecord
    from kg.model.concepts import Concept
    from kg.model.graph import KnowledgeGraph

__all__ = ["ComparedRuns", "Evaluation", "Graph", "Predictions", "Run", "frame"]

INTERVAL = ("value", "low", "high")
FINDING = ("finding", "label", "part", "studies", "positives", "basis", "threshold", "remark")


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
        return _metrics(self.record.as_json()["metrics"], "part")

    @property
    def findings(self) -> DataFrame:
        """A row for each subset and finding: positives, threshold, metrics with intervals."""
        return _findings(self.record.as_json()["findings"])

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

        return frame(prediction_rows(self.record)).astype({"probability": float})

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
        return _metrics(self.record["metrics"], "basis")

    @property
    def findings(self) -> DataFrame:
        """A row for each finding: basis, positives, threshold, metrics with intervals."""
        return _findings(self.record["findings"])

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
        return frame([{**{key: row[key] for key in told}, **_wide(row["metrics"])} for row in rows])

    @property
    def findings(self) -> DataFrame:
        """A row for each configuration and finding, with the compared metric."""
        return frame(
            [
                {"name": entry.name, **_flat(asdict(row))}
                for entry in self.record.entries
                for row in entry.findings
            ]
        )

    @property
    def differences(self) -> DataFrame:
        """A row for each pair and finding: the difference, its interval, p and the verdict.

        The finding is empty where the difference is one of macro means.
        """
        rows = [_flat(asdict(row)) for row in self.record.differences]
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


@dataclass(frozen=True)
class Graph:
    """A clinical knowledge graph: its tables, and questions to it.

    Args:
        record: The graph, immutable.
        file: File it was read from.
    """

    record: KnowledgeGraph
    file: Path

    @property
    def concepts(self) -> DataFrame:
        """A row for each concept: id, name, kind, synonyms, ids in other vocabularies, source."""
        from kg.model.plain import as_plain

        return frame([as_plain(one) for one in self.record.concepts]).drop(columns="phrases")

    @property
    def edges(self) -> DataFrame:
        """A row for each edge, with the number of items of evidence for it."""
        return frame(
            [
                (edge.subject, edge.relation, edge.object, edge.label_set, len(edge.evidence))
                for edge in self.record.edges
            ],
            ("subject", "relation", "object", "label_set", "evidence"),
        )

    @property
    def evidence(self) -> DataFrame:
        """A row for each item of evidence: its edge, source, status, licence, weight, count."""
        from kg.model.plain import as_plain

        return frame(
            [
                {"subject": e.subject, "relation": e.relation, "object": e.object, **as_plain(item)}
                for e in self.record.edges
                for item in e.evidence
            ]
        )

    @property
    def label_sets(self) -> DataFrame:
        """A row for each finding of each label set, with its published column."""
        return frame(
            [
                (one.name, finding, column)
                for one in self.record.label_sets
                for finding, column in zip(one.findings, one.columns, strict=True)
            ],
            ("label_set", "finding", "column"),
        )

    def concept(self, term: str) -> Concept:
        """The concept of an id, name or synonym.

        Raises:
            InputError: If there is none, or the term is ambiguous; with the candidates.
        """
        return self.record.resolve(term)

    def paths(self, start: str, end: str, *, longest: int = 4, limit: int = 5) -> DataFrame:
        """The shortest paths between two concepts, a row for each edge; empty if there are none.

        Args:
            start: Id, name or synonym of the first concept.
            end: The same of the last.
            longest: Most steps.
            limit: Most paths.
        """
        from kg.ask.paths import Route, paths

        ends = self.concept(start).id, self.concept(end).id
        found = paths(self.record, *ends, Route(longest=longest, limit=limit))
        return frame(
            [
                (place, number, edge.subject, edge.relation, edge.object)
                for place, path in enumerate(found)
                for number, step in enumerate(path.steps)
                for edge in step.edges
            ],
            ("path", "step", "subject", "relation", "object"),
        )

    def query(self, text: str, *, seconds: float = 60.0) -> DataFrame:
        """The answer to a SPARQL query; that of an ASK or CONSTRUCT is one cell.

        Args:
            text: The query; the prefixes rdf rdfs owl skos xsd ckg kgdx RO BFO are known.
            seconds: Seconds it may take, loading included.

        Raises:
            InputError: If it is not SPARQL, or takes longer.
        """
        from kg.ask.query import query_file, term

        answer = query_file(self.file, text, seconds=seconds)
        if answer.columns:
            return frame(([term(cell) for cell in row] for row in answer.rows), answer.columns)
        return frame([(answer.yes if answer.turtle is None else answer.turtle,)], ("answer",))


def frame(rows: Iterable[Any], columns: tuple[str, ...] | None = None) -> DataFrame:
    """Rows as a data frame, NaN for None, so that what is a number has a column of numbers.

    Args:
        rows: Mappings, or tuples in the order of the columns.
        columns: Names of the columns; needed where there may be no rows.
    """
    from pandas import DataFrame

    made = DataFrame(list(rows), columns=list(columns) if columns else None)
    return made.where(made.notna(), float("nan")).infer_objects()


def _metrics(values: Mapping[str, Mapping[str, Mapping[str, Any]]], of: str) -> DataFrame:
    """Metrics by what they are of and by name, one a row."""
    return frame(
        (
            (what, name, *(measured[key] for key in (*INTERVAL, "findings")))
            for what, metrics in values.items()
            for name, measured in metrics.items()
        ),
        (of, "metric", *INTERVAL, "findings"),
    )


def _findings(rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """Rows of findings with each metric and the ends of its interval in columns of their own."""
    made = [
        {**{key: value for key, value in row.items() if key != "metrics"}, **_wide(row["metrics"])}
        for row in rows
    ]
    return frame(made) if made else frame((), FINDING)


def _wide(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        name if key == "value" else f"{name}_{key}": measured[key]
        for name, measured in metrics.items()
        for key in INTERVAL
    }


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the ends of the interval of its value beside it."""
    return {**row, **{key: row["value"][key] for key in INTERVAL}}
