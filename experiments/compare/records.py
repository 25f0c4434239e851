"""Records of a comparison of several configurations on the same studies.

A number that is not defined is None, so that a record read back from its JSON equals the one that
was written, and its page is the same to the byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from experiments.config.schema import Mark, Published
from experiments.metrics.ranking import Statistic
from experiments.records.record import GraphUse, Measured
from kg.errors import InputError

__all__ = [
    "METRICS",
    "Comparison",
    "Difference",
    "Entry",
    "Family",
    "FindingScore",
    "ModalityScore",
    "Printed",
    "RareFindings",
    "Seeds",
    "Verdict",
]

FORMAT = 1

Family = Literal["primary", "secondary", "findings", "rarity", "all findings"]
Verdict = Literal["higher", "lower", "not shown", "too few"]
METRICS: dict[str, Statistic] = {"auroc_macro": "auroc", "auprc_macro": "auprc"}
"""Macro means that can be compared, and the statistic of one finding each is the mean of.

Other metrics are functions of sums over studies, and have no findings (see `study_sums`).
"""


@dataclass(frozen=True)
class Seeds:
    """Values of a number by seed.

    Args:
        values: One per seed, in the order of the seeds.
        mean: Their mean.
        sd: Their standard deviation (n - 1); None with fewer than two.
        p: Of a difference: two-sided p of the paired t test over seeds; None with fewer than
            three, or where all are equal.
    """

    values: tuple[float, ...] = ()
    mean: float | None = None
    sd: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class FindingScore:
    """Metric of one finding of one entry.

    Args:
        finding: Concept id.
        label: Its name.
        studies: Studies with a stated label and a score.
        positives: Number of them with the finding.
        too_few: Whether it has fewer positives than an averaged finding needs.
        value: The compared statistic with its interval; scores averaged over seeds.
        distance: Of a finding held out of training: distance in the graph to the nearest one
            trained; None where it was trained, or no path is known.
        roc: Sensitivity at equally spaced false positive rates from 0 to 1; empty where the
            finding is not averaged.
        precision: Precision at equally spaced recalls, likewise.
    """

    finding: str
    label: str
    studies: int
    positives: int
    too_few: bool
    value: Measured
    distance: float | None = None
    roc: tuple[float, ...] = ()
    precision: tuple[float, ...] = ()


@dataclass(frozen=True)
class ModalityScore:
    """Metric of one entry within one modality.

    Args:
        part: The modality.
        studies: Studies tested.
        positives: Positives, summed over findings.
        too_few: Whether no finding has enough positives.
        value: Macro mean with its interval.
    """

    part: str
    studies: int
    positives: int
    too_few: bool
    value: Measured


@dataclass(frozen=True)
class Printed:
    """Published number, shown with ours and not used otherwise.

    Args:
        metric: Metric.
        value: The number.
        where: Work, and table, page or file of the number.
        mark: Provenance, one of `MARKS`.
        differs: Differences from the task of the entry.
    """

    metric: str
    value: float
    where: str
    mark: Mark
    differs: str = ""

    @staticmethod
    def of(published: Published) -> Printed:
        """The number from a configuration."""
        return Printed(
            published.metric, published.value, published.where, published.mark, published.differs
        )


@dataclass(frozen=True)
class Entry:
    """A configuration with all its runs over folds and seeds: one row of a table.

    Args:
        name: Name within the comparison.
        runs: Folders of its runs below the folder of runs, by fold and seed.
        seeds: Seeds of the runs.
        folds: Tested folds or origins.
        system: Name of the system.
        dataset: Name of the data set.
        labels: Label set.
        label_source: Texts or tables the labels were derived from.
        inputs_at_test: Inputs of the system at test.
        text_policy: Text it could read at test.
        leakage: `none`, `partial` or `label_source_read`.
        split_kind: `folds`, `fixed`, `locked`, `official` or `sources`; `external` where other
            data were predicted than the runs were split on.
        manifests: SHA-256 of the split manifest of each fold.
        parameters: Number of trained parameters, of the largest run.
        seconds: Seconds of all its runs.
        graphs: Distinct graphs of the folds; empty = no graph.
        commits: Commits its runs were made at; `unknown` where code was installed.
        settings: Settings by key: those that differ within the comparison, or all.
        metrics: Metrics by name, scores averaged over seeds first.
        by_seed: The compared metric with each seed alone.
        findings: One row per finding.
        parts: One row per modality where there are several, whose mean is the macro value.
        published: Published numbers.
        by_distance: Spearman's rho of the averaged findings' statistic and distance, where they
            were held out of training.
    """

    name: str
    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    system: str
    dataset: str
    labels: str
    label_source: tuple[str, ...]
    inputs_at_test: tuple[str, ...]
    text_policy: str
    leakage: str
    split_kind: str
    manifests: Mapping[str, str]
    parameters: int
    seconds: float
    graphs: tuple[GraphUse, ...]
    commits: tuple[str, ...]
    settings: Mapping[str, str]
    metrics: Mapping[str, Measured]
    by_seed: Seeds
    findings: tuple[FindingScore, ...]
    parts: tuple[ModalityScore, ...] = ()
    published: tuple[Printed, ...] = ()
    by_distance: Measured | None = None


@dataclass(frozen=True)
class Difference:
    """First entry minus second on the same studies.

    Args:
        first: Name of the first entry.
        second: Name of the second.
        family: Tests that are corrected together: the `primary` pairs, the `secondary` ones, the
            `findings` of one pair, the three of its `rarity`, or those over `all findings`.
        metric: `auroc_macro`, `auroc_macro_all`, or `auroc` of one finding.
        finding: Concept id; empty for a macro mean.
        positives: Number of positives compared.
        value: Difference with its interval; scores averaged over seeds first, patients
            resampled within folds.
        p: Two-sided p of the bootstrap.
        p_holm: The same after Holm within the family.
        p_delong: Two-sided p of DeLong, for one finding, one fold and one row per patient.
        by_seed: Difference by seed.
        verdict: `higher` or `lower` (the first entry) only where the interval excludes zero and
            Holm's p is below 1 - level.
        over: Findings of a macro mean: `rare`, `common` or `rare minus common`; empty = all.
    """

    first: str
    second: str
    family: Family
    metric: str
    finding: str
    positives: int
    value: Measured
    p: float | None
    p_holm: float | None
    p_delong: float | None
    by_seed: Seeds
    verdict: Verdict
    over: str = ""


@dataclass(frozen=True)
class RareFindings:
    """Rare and common findings by training prevalence, and the differences over each of them.

    Args:
        below: Share of positives in training below which a finding is rare.
        shares: Share of positives in training by concept id, rarest first; mean of folds.
        rare: Concept ids of the rare findings with enough positives at test.
        common: Those of the other findings with enough positives.
        too_few: Findings with too few positives at test, in neither group.
        differences: Three per pair: over the rare, over the common, and rare minus common.
    """

    below: float
    shares: Mapping[str, float]
    rare: tuple[str, ...]
    common: tuple[str, ...]
    too_few: tuple[str, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """Several configurations on the same studies.

    Args:
        metric: The compared metric.
        entries: One row per configuration.
        differences: Paired differences, macro means first.
        studies: Studies tested, over all folds.
        groups: Number of patient groups, the unit of every interval.
        parts: Modalities that studies were ranked within; empty = all ranked together.
        resamples: Number of bootstrap resamples.
        level: Coverage of the intervals.
        at_least: Fewest positives of an averaged finding.
        notes: Notes for the reader.
        ledger: Lines of the ledger on uses of a locked test set by these runs.
        on: Name of the compared predictions of the runs.
        told: Description of these predictions.
        over_all: Differences over all findings, also those with fewer positives than `at_least`;
            empty where none is left out.
        rarity: Differences over rare and common findings; None where the runs do not record
            prevalence, or no rare or no common finding has enough positives.
    """

    metric: str
    entries: tuple[Entry, ...]
    differences: tuple[Difference, ...]
    studies: int
    groups: int
    parts: tuple[str, ...]
    resamples: int
    level: float
    at_least: int
    notes: tuple[str, ...] = ()
    ledger: tuple[Mapping[str, str], ...] = field(default=())
    on: str = "test"
    told: str = "test set"
    rarity: RareFindings | None = None
    over_all: tuple[Difference, ...] = ()

    @property
    def ranked(self) -> bool:
        """Whether findings were ranked; other metrics are functions of sums over studies."""
        return self.metric in METRICS

    @property
    def of_runs(self) -> bool:
        """Whether runs were compared; tables of predictions say nothing of their systems."""
        return any(entry.runs for entry in self.entries)

    @property
    def preface(self) -> str:
        """Prefix of sentences that names the compared predictions; empty for the test set."""
        return "" if self.on == "test" else f"On {self.told}: "

    def entry(self, name: str) -> Entry:
        """The entry of a name."""
        return next(entry for entry in self.entries if entry.name == name)

    def between(self, first: str, second: str) -> tuple[Difference, ...]:
        """Differences of a pair: its macro mean, then its findings."""
        return tuple(d for d in self.differences if (d.first, d.second) == (first, second))

    def as_json(self) -> dict[str, Any]:
        """The record as plain values."""
        return {"format": FORMAT, **asdict(self)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Comparison:
        """The record from the values of `as_json`.

        Raises:
            InputError: If it is not a comparison, or of another version.
        """
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise InputError("this is not a comparison of this version of kgdx", _AGAIN)
        fields = {key: value for key, value in values.items() if key != "format"}
        try:
            return _ADAPTER.validate_python(fields)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            raise InputError(f"comparison: {where}: {first['msg'].lower()}", _AGAIN) from None


_AGAIN = "compare again: kgdx experiment compare RUN RUN -o FILE.json"
_ADAPTER: TypeAdapter[Comparison] = TypeAdapter(Comparison)
