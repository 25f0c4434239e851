"""What an audit found, as plain records: ready for JSON, for a page and for a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.records.record import Measured

__all__ = [
    "Association",
    "Audit",
    "ExplainedRun",
    "LabelCount",
    "Likeness",
    "Place",
    "ProbeResult",
    "Shuffled",
    "SourceRow",
]


@dataclass(frozen=True)
class Place:
    """AUROC of a probe somewhere: in one modality, together, or over everything.

    Args:
        where: A modality; `together` (the mean of the modalities); or `all` (studies of all
            modalities ranked with each other).
        macro: Mean over the findings with enough positives.
        findings: Each finding, by its concept id.
    """

    where: str
    macro: Measured
    findings: Mapping[str, Measured]


@dataclass(frozen=True)
class ProbeResult:
    """What came of one probe.

    Args:
        name: What it is called.
        about: What it reads, in plain words.
        reads: What it read of this data set; empty where it was not possible.
        impossible: Why it could not be run; empty where it was.
        places: Its AUROC, the one it is judged by first.
        remark: What has to be known of it beside.
        verdict: What follows, in plain words.
        seconds: Time it took.
    """

    name: str
    about: str
    reads: str = ""
    impossible: str = ""
    places: tuple[Place, ...] = ()
    remark: str = ""
    verdict: str = ""
    seconds: float = 0.0

    @property
    def judged(self) -> Measured:
        """The macro AUROC it is judged by."""
        return self.places[0].macro if self.places else Measured(None)


@dataclass(frozen=True)
class Shuffled:
    """Check of the audit itself: a probe that reads all facts, taught shuffled labels.

    Args:
        mean: Mean macro AUROC over the shuffles.
        low: 2.5th percentile of them.
        high: 97.5th percentile.
        times: Number of shuffles.
        passes: Whether chance is within.
    """

    mean: float
    low: float
    high: float
    times: int
    passes: bool


@dataclass(frozen=True)
class LabelCount:
    """Studies that state a finding, in the labelled development set and its modalities."""

    finding: str
    label: str
    present: int
    absent: int
    not_stated: int
    by_modality: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Association:
    """How strongly a finding hangs together with a fact: Cramer's V, 0 = not at all, 1 = fully.

    Args:
        fact: The fact.
        finding: Concept id.
        label: Its name.
        where: Modality, or `all`.
        cramers_v: With bias correction, so that many small categories do not make it large.
        categories: Values the fact takes.
        studies: Studies that state both.
    """

    fact: str
    finding: str
    label: str
    where: str
    cramers_v: float
    categories: int
    studies: int


@dataclass(frozen=True)
class SourceRow:
    """Labelled development studies of one source.

    Args:
        source: The source.
        studies: Its studies.
        patients: Their groups.
        present: Positives of each finding, by concept id.
        absent: Negatives of each.
        can_be_tested: Whether it can be left out and tested (`split: {kind: sources}`).
    """

    source: str
    studies: int
    patients: int
    present: Mapping[str, int]
    absent: Mapping[str, int]
    can_be_tested: bool


@dataclass(frozen=True)
class Likeness:
    """What would let a test study be known from training.

    Args:
        pictures: Images looked at.
        unreadable: Of them, those that cannot be read.
        duplicates: Images that nearly equal another one.
        duplicate_groups: Groups of such images.
        across_patients: Groups with images of several patient groups.
        across_folds: Groups parted between training and test in some fold.
        across_official: Groups parted by the published split; None where there is none.
        official_patients: Patient groups on both sides of the published split; None likewise.
        same_text: Texts that stand word for word in studies of several patient groups.
        same_text_studies: Studies with such a text.
        texts: Studies with text.
    """

    pictures: int = 0
    unreadable: int = 0
    duplicates: int = 0
    duplicate_groups: int = 0
    across_patients: int = 0
    across_folds: int = 0
    across_official: int | None = None
    official_patients: int | None = None
    same_text: int = 0
    same_text_studies: int = 0
    texts: int = 0


@dataclass(frozen=True)
class ExplainedRun:
    """How much of a system's score the best probe explains, on the same studies.

    Args:
        system: Name of the configuration.
        inputs: What it reads at test.
        runs: Run ids, one a fold and seed.
        probe: The probe with the highest AUROC on these studies.
        run_auroc: Macro AUROC of the runs.
        probe_auroc: Macro AUROC of the probe.
        difference: Runs minus probe, paired.
        within: AUROC of the runs among studies to which the probe gives about the same score
            (covariate-adjusted AUROC).
        comparable: Share of positives that have a negative beside them in their stratum.
        verdict: What follows, in plain words.
    """

    system: str
    inputs: tuple[str, ...]
    runs: tuple[str, ...]
    probe: str
    run_auroc: Measured
    probe_auroc: Measured
    difference: Measured
    within: Measured
    comparable: float
    verdict: str = ""


@dataclass(frozen=True)
class Audit:
    """An audit of one data set by one label set.

    Args:
        dataset: Name of the data set.
        labels: Label set.
        label_source: What its labels were read from.
        version: Version of kgdx.
        studies: Labelled development studies audited.
        patients: Their groups.
        unlabelled: Development studies without any label.
        modalities: Studies of each modality.
        folds: Number of folds.
        manifests: Hash of each fold's manifest.
        seed: Seed of folds and resamples.
        resamples: Bootstrap resamples.
        at_least: Fewest positives of a finding that is asked for.
        counts: Labels.
        probes: The probes.
        shuffled: Check of the audit itself; None where no probe of facts is possible.
        associations: Facts tied to findings, strongest first.
        sources: Sources, largest first.
        likeness: What would let a test study be known from training.
        explained: Finished runs beside the probes.
        remarks: What has to be known before reading on.
        options: Options of the data set that are not the usual ones.
    """

    dataset: str
    labels: str
    label_source: tuple[str, ...]
    version: str
    studies: int
    patients: int
    unlabelled: int
    modalities: Mapping[str, int]
    folds: int
    manifests: tuple[str, ...]
    seed: int
    resamples: int
    at_least: int
    counts: tuple[LabelCount, ...]
    probes: tuple[ProbeResult, ...]
    shuffled: Shuffled | None
    associations: tuple[Association, ...]
    sources: tuple[SourceRow, ...]
    likeness: Likeness
    explained: tuple[ExplainedRun, ...] = ()
    remarks: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
