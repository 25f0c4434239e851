"""RunRecord: settings, provenance and results of a run, to check, compare and repeat it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from experiments.config.aliases import VALUES, with_todays_keys
from experiments.records.atomic import write_json
from kg.errors import InputError
from kg.files.json_text import json_in

__all__ = [
    "DISTANCE",
    "FindingRow",
    "GraphUse",
    "Measured",
    "RunRecord",
    "StartedFrom",
    "Status",
    "control_words",
    "defined",
    "with_todays_names",
]

Status = Literal["running", "finished", "stopped", "diverged", "failed"]
FORMAT = 1
DISTANCE = "graph_distance"
"""Metric of a held-out finding: cost of the path to the nearest finding trained on."""


@dataclass(frozen=True)
class Measured:
    """A metric with its 95% interval; None where it is not defined.

    Args:
        value: Point estimate.
        low: Lower end of the interval.
        high: Upper end of the interval.
        findings: Number of findings a mean was taken over, where it is one.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    findings: int | None = None

    @staticmethod
    def of(value: float, low: float, high: float, findings: int | None = None) -> Measured:
        """A metric from plain numbers; not finite = not defined."""
        return Measured(defined(value), defined(low), defined(high), findings)

    def words(self, *, sign: bool = False) -> str:
        """`0.771 [0.742, 0.799]`, with `+` where `sign`; `not defined` where there is no value."""
        form = "{:+.3f}" if sign else "{:.3f}"
        if self.value is None:
            return "not defined"
        if self.low is None or self.high is None:
            return form.format(self.value)
        low, high = form.format(self.low), form.format(self.high)
        return f"{form.format(self.value)} [{low}, {high}]"


@dataclass(frozen=True)
class FindingRow:
    """Metrics of one finding on one subset of the data.

    Args:
        finding: Concept id.
        label: Its preferred name.
        part: Name of the subset: `validation`, `test`, or that of another data set.
        studies: Studies whose label was stated.
        positives: Of them, with the finding.
        basis: `trained`, `zero_shot` or `not_possible`.
        threshold: Decision threshold chosen on validation; None where none was.
        temperature: Calibration fitted on validation; None where none was.
        metrics: Metrics by name.
        remark: Reason for a missing number (`fewer than 20 positives`), or empty.
    """

    finding: str
    label: str
    part: str
    studies: int
    positives: int
    basis: str
    threshold: float | None = None
    temperature: float | None = None
    metrics: Mapping[str, Measured] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True)
class GraphUse:
    """Graph of a run.

    Args:
        name: Name of the graph.
        fingerprint: Its fingerprint after controls and left-out data.
        concepts: Number of concepts.
        edges: Number of edges.
        left_out: Data sets and sources whose evidence was left out.
        control: Control that replaced it, or `none`.
        changed: Share of its clinical edges that the control changed; of `noisy` the configured
            share, an upper limit.
        keeps_test_data: Whether evidence mined from the data under test is still in it.
        allow_edited: Whether it was allowed to be edited after its build.
    """

    name: str
    fingerprint: str
    concepts: int
    edges: int
    left_out: tuple[str, ...] = ()
    control: str = "none"
    changed: float = 0.0
    keeps_test_data: bool = False
    allow_edited: bool = False

    @property
    def words(self) -> str:
        """Start of its fingerprint, and its control: `f00d (shuffled, 66.3% ...)`."""
        control = control_words(self.control, self.changed)
        return self.fingerprint[:12] + (f" ({control})" if control else "")


def control_words(control: str, changed: float | None) -> str:
    """A control with the share of edges it changed, `shuffled, 66.3% of clinical edges changed`.

    Empty where there is no control; without the share where an older record lacks it.
    """
    if control == "none":
        return ""
    most = "up to " if control == "noisy" else ""
    share = "" if changed is None else f", {most}{changed:.1%} of clinical edges changed"
    return control + share


@dataclass(frozen=True)
class StartedFrom:
    """A finished run whose weights a run began with.

    Args:
        run: Its id.
        config_hash: Hash of its configuration.
        sha256: Hash of its weights.
        take: Modules that were taken, each with its name in the parent; none where only its trained
            encoder is used.
    """

    run: str
    config_hash: str
    sha256: str
    take: Mapping[str, str]


@dataclass(frozen=True)
class RunRecord:
    """Record of one run.

    Args:
        run: Run id, the name of its folder.
        status: `running`, `finished`, `stopped` (can be resumed), `diverged` or `failed`.
        experiment: The resolved configuration.
        config_hash: Its SHA-256.
        command: Command line that started it.
        version: Version of kgdx.
        commit: Commit of the source tree, `+changed` where it was not clean; or None.
        packages: Versions of the packages it ran with.
        system: Name of the system.
        dataset: Name of the data set.
        labels: Label set.
        label_source: Text or images the labels were read from.
        label_policy: Targets of uncertain and blank labels at test.
        inputs_at_test: Inputs of the system at test (`image`, `text`, ...).
        text_policy: Text policy at test.
        leakage: `none`, `partial` or `label_source_read`, computed.
        data_fingerprint: SHA-256 over the studies used.
        split_manifest: SHA-256 of the split manifest.
        split_counts: Number of studies in each subset.
        graph: The graph, or None where the system uses none.
        seed: Seed of the run.
        device: Device it ran on.
        started: Start in UTC, ISO 8601.
        finished: End in UTC, or None.
        seconds: Time spent training and testing, resumed runs included.
        times: Seconds of each step of the run; `train_cpu` is that of the processor in training,
            which does not grow where the machine is shared.
        memory: Most bytes that its process held, resumed runs included; 0 = not known.
        parameters: Number of trained parameters.
        chosen: Values that the system chose on validation after training, by name.
        metrics: Metrics with intervals, by subset and name.
        findings: One row for each finding and subset.
        warnings: Warnings (skipped batches, too few positives, ...).
        evaluations: Evaluations on other data sets, as returned by `evaluate`.
        tasks: Tasks that were measured.
        started_from: Finished runs whose weights it began with.
        supervision: Supervision of its weights, its parents' included: `labels`, `reports` (as
            text), `statements` (read from reports), `coded` (indexing terms).
        reason: Why it stopped before its end; empty = it did not, or was interrupted.
        data_folder: Folder of its data set, or a pseudonym of it.
        weights: Weights that the encoders began with, in words, by what they read (`image`,
            `text`); empty in records from before they were kept.
    """

    run: str
    status: Status
    experiment: Mapping[str, Any]
    config_hash: str
    command: str
    version: str
    commit: str | None
    packages: Mapping[str, str]
    system: str
    dataset: str
    labels: str
    label_source: tuple[str, ...] = ()
    label_policy: Mapping[str, str] = field(default_factory=dict)
    inputs_at_test: tuple[str, ...] = ()
    text_policy: str = "none"
    leakage: str = "none"
    data_fingerprint: str = ""
    split_manifest: str = ""
    split_counts: Mapping[str, int] = field(default_factory=dict)
    graph: GraphUse | None = None
    seed: int = 0
    device: str = "cpu"
    started: str = ""
    finished: str | None = None
    seconds: float = 0.0
    times: Mapping[str, float] = field(default_factory=dict)
    memory: int = 0
    parameters: int = 0
    chosen: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Measured]] = field(default_factory=dict)
    findings: tuple[FindingRow, ...] = ()
    warnings: tuple[str, ...] = ()
    evaluations: tuple[Mapping[str, Any], ...] = ()
    tasks: tuple[str, ...] = ("classification",)
    started_from: tuple[StartedFrom, ...] = ()
    supervision: tuple[str, ...] = ()
    reason: str = ""
    data_folder: str = ""
    weights: Mapping[str, str] = field(default_factory=dict)

    @property
    def way_on(self) -> str:
        """How to finish a run that is not finished."""
        if self.status == "diverged":
            return "run it again with a lower learning_rate"
        return f"kgdx experiment resume {self.run}"

    def as_json(self) -> dict[str, Any]:
        """The record as plain values, as in `record.json` and `experiment show --json`."""
        return {"format": FORMAT, **_plain(asdict(self))}

    def save(self, path: Path) -> None:
        """Write the record to `path` atomically."""
        write_json(path, self.as_json())

    @staticmethod
    def load(path: Path) -> RunRecord:
        """Read a record.

        Raises:
            InputError: If it is missing, damaged, or of a later version.
        """
        try:
            values = json_in(path)
            version = values.pop("format")
            if version != FORMAT:
                raise InputError(f"{path} has format {version}", f"this kgdx reads {FORMAT}")
            return _ADAPTER.validate_python(with_todays_names(values))
        except FileNotFoundError:
            raise InputError(f"there is no record {path}", "name the folder of a run") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            raise InputError(f"{path}: {where}: {first['msg'].lower()}", _DAMAGED) from None
        except (ValueError, KeyError, AttributeError, TypeError):
            raise InputError(f"{path} is not a run record", _DAMAGED) from None


def with_todays_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a record with former names of keys, inputs and systems replaced."""

    def inputs(of: Mapping[str, Any]) -> dict[str, Any]:
        names = of.get("inputs_at_test", ())
        return {"inputs_at_test": ["metadata" if one == "facts" else one for one in names]}

    system = VALUES["system.name"].get(str(values.get("system")), values.get("system"))
    return {
        **values,
        **inputs(values),
        "system": system,
        "experiment": with_todays_keys(values.get("experiment", {})),
        "evaluations": [{**one, **inputs(one)} for one in values.get("evaluations", ())],
    }


def defined(value: float) -> float | None:
    """A number; None where it is not finite."""
    return float(value) if math.isfinite(value) else None


_DAMAGED = "it was changed or damaged; run the experiment again"
_ADAPTER: TypeAdapter[RunRecord] = TypeAdapter(RunRecord)


def _plain(value: Any) -> Any:
    """Plain values: tuples as lists, and numbers that are not finite as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
