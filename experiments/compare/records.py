"""Comparison: what is known of several configurations measured on the same studies, as a record.

A number that is not defined is None, so that a record read back from its JSON is equal to the one
that was written, and a page made of it is the same to the byte.
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
    "PartScore",
    "Printed",
    "Rarity",
    "Seeds",
    "Verdict",
]

FORMAT = 1

Family = Literal["primary", "secondary", "findings", "rarity"]
Verdict = Literal["higher", "lower", "not shown", "too few"]
METRICS: dict[str, Statistic] = {"auroc_macro": "auroc", "auprc_macro": "auprc"}
"""Macro means that can be compared, and the statistic of one finding each is the mean of.

Other metrics are functions of sums over studies, and have no findings (see `study_sums`).
"""


@dataclass(frozen=True)
class Seeds:
    """A number measured with each seed alone.

    Args:
        values: One a seed, in the order of the seeds.
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
    """One finding of one entry.

    Args:
        finding: Concept id.
        label: Its name.
        studies: Studies with a stated label and a score.
        positives: How many of them have the finding.
        too_few: Fewer positives than a macro mean asks for: printed as too few, not averaged.
        value: The compared statistic with its interval; scores averaged over seeds.
        distance: Of a finding held out of training: distance in the graph to the nearest one
            taught; None where it was taught, or no path is known.
    """

    finding: str
    label: str
    studies: int
    positives: int
    too_few: bool
    value: Measured
    distance: float | None = None


@dataclass(frozen=True)
class PartScore:
    """One entry within one part of the studies (a modality).

    Args:
        part: The modality.
        studies: Studies tested.
        positives: Positives, summed over findings.
        too_few: No finding has enough positives here.
        value: The macro mean with its interval.
    """

    part: str
    studies: int
    positives: int
    too_few: bool
    value: Measured


@dataclass(frozen=True)
class Printed:
    """A number a paper printed: it stands beside ours and takes part in nothing.

    Args:
        metric: What was measured.
        value: The number.
        where: Work, and table, page or file it was read in.
        mark: How it is known, one of `MARKS`.
        differs: In what it is not of the task beside which it stands.
    """

    metric: str
    value: float
    where: str
    mark: Mark
    differs: str = ""

    @staticmethod
    def of(published: Published) -> Printed:
        """As a configuration has it."""
        return Printed(
            published.metric, published.value, published.where, published.mark, published.differs
        )


@dataclass(frozen=True)
class Entry:
    """One row of a table: a configuration, with all its runs over folds and seeds.

    Args:
        name: Name within the comparison.
        runs: Folders of its runs below the folder of runs, by fold and seed.
        seeds: Seeds that ran.
        folds: Folds, or sources, that were tested.
        system: Name of the system.
        dataset: Name of the data set.
        labels: Label set.
        label_source: What the labels were read from.
        inputs_at_test: What the system was given at test.
        text_policy: Text it could read at test.
        leakage: `none`, `partial` or `label_source_read`.
        split_kind: `folds`, `fixed`, `locked`, `official` or `sources`; `external` where other
            data were answered than the runs were split on.
        manifests: SHA-256 of the split manifest of each fold.
        parameters: Number of trained parameters, of the largest run.
        seconds: Seconds of all its runs.
        graphs: The graph of each fold, named once where it is the same; empty = none is used.
        commits: Commits its runs were made at; `unknown` where code was installed.
        settings: Settings by key: those that differ within the comparison, or all.
        metrics: Metrics by name, scores averaged over seeds first.
        by_seed: The compared metric with each seed alone.
        findings: One row a finding.
        parts: One row a modality where there are several; the macro is then the mean of theirs.
        published: Numbers printed elsewhere.
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
    parts: tuple[PartScore, ...] = ()
    published: tuple[Printed, ...] = ()
    by_distance: Measured | None = None


@dataclass(frozen=True)
class Difference:
    """First entry minus second on the same studies.

    Args:
        first: Name of the first entry.
        second: Name of the second.
        family: Tests that are corrected together: the `primary` pairs, the `secondary` ones, the
            `findings` of one pair, or the three of its `rarity`.
        metric: `auroc_macro`, or `auroc` of one finding.
        finding: Concept id; empty for a macro mean.
        positives: Positives that took part.
        value: The difference with its interval; scores averaged over seeds first, patients drawn
            within folds.
        p: Two-sided p of the bootstrap.
        p_holm: The same after Holm within the family.
        p_delong: Two-sided p of DeLong, where there is one finding, one fold and one row a patient.
        by_seed: The difference with each seed alone.
        verdict: `higher` or `lower` (the first entry) only where the interval leaves out zero and
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
class Rarity:
    """Findings parted by how common they are in training, and how the pairs differ over each half.

    Args:
        shares: Share of positives in training of each finding parted, by concept id, the rarest
            first; folds averaged.
        rare: Concept ids of the rarer half of those with enough positives at test.
        common: The commoner half; one more where their number is odd.
        too_few: Findings with too few positives at test, which are in neither.
        differences: Three a pair: over the rare, over the common, and the first minus the second.
    """

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
        entries: One row a configuration.
        differences: Paired differences, macro means first.
        studies: Studies tested, over all folds.
        groups: Patient groups they belong to, the unit of every interval.
        parts: Modalities the statistics were taken within; empty = studies were ranked together.
        resamples: Number of bootstrap resamples.
        level: Coverage of the intervals.
        at_least: Positives a finding needs to be averaged.
        notes: What a reader must know.
        ledger: Lines of the ledger on uses of a locked test set by these runs.
        on: Which answers of the runs were compared: part of their predictions.
        told: The same in words.
        rarity: The pairs by how common a finding is; None where the runs do not say it, or fewer
            than two findings have enough positives.
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
    rarity: Rarity | None = None

    @property
    def ranked(self) -> bool:
        """Whether findings were ranked; other metrics are functions of sums over studies."""
        return self.metric in METRICS

    @property
    def preface(self) -> str:
        """Which answers were compared, before what is said of them; empty for the test set."""
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
        """The record from what `as_json` gave, also after a round through a file.

        Raises:
            InputError: If it is not one, or of another version.
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


_AGAIN = "make it again: kgdx experiment compare RUN RUN -o FILE.json"
_ADAPTER: TypeAdapter[Comparison] = TypeAdapter(Comparison)
