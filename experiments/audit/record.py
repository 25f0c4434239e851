"""Records of an audit's results, written as JSON, tables and pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.records.record import Measured

__all__ = [
    "Association",
    "Audit",
    "ExplainedRun",
    "LabelCount",
    "TrainTestOverlap",
    "Place",
    "ProbeResult",
    "Shuffled",
    "OriginRow",
]


@dataclass(frozen=True)
class Place:
    """AUROC of a probe in one modality, as mean of modalities, or over all studies.

    Args:
        where: A modality; `together` (the mean of the modalities); or `all` (studies of all
            modalities ranked together).
        macro: Mean over the findings with enough positives.
        findings: Each finding, by its concept id.
    """

    where: str
    macro: Measured
    findings: Mapping[str, Measured]


@dataclass(frozen=True)
class ProbeResult:
    """Result of one probe.

    Args:
        name: Name of the probe.
        about: Description of its inputs.
        reads: Inputs it read of this data set; empty where it could not be run.
        impossible: Reason why it could not be run; empty where it was.
        places: Its AUROC, the one it is judged by first.
        remark: Remark on the scores.
        verdict: Interpretation in plain words.
        seconds: Run time.
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
    """Check of the audit itself: a probe of all metadata, trained on shuffled labels.

    Args:
        mean: Mean macro AUROC over the shuffles.
        low: 2.5th percentile of them.
        high: 97.5th percentile.
        times: Number of shuffles.
        passes: Whether the interval includes 0.5 or less.
    """

    mean: float
    low: float
    high: float
    times: int
    passes: bool


@dataclass(frozen=True)
class LabelCount:
    """Number of studies that state a finding, in the development set and by modality."""

    finding: str
    label: str
    present: int
    absent: int
    not_stated: int
    by_modality: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Association:
    """Association of a finding with a metadata field: Cramer's V, from 0 (none) to 1 (full).

    Args:
        fact: Metadata field.
        finding: Concept id.
        label: Name of the finding.
        where: Modality, or `all`.
        cramers_v: Cramer's V with bias correction for many small categories.
        categories: Number of values of the field.
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
class OriginRow:
    """Labelled development studies of one origin.

    Args:
        source: Origin: web domain, paper, collection or data set.
        studies: Number of studies.
        patients: Number of patient groups.
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
class TrainTestOverlap:
    """Train/test overlap: images, texts and patients that recur.

    Args:
        pictures: Images compared.
        unreadable: Images that cannot be read.
        duplicates: Images with a near-duplicate.
        duplicate_groups: Groups of near-duplicates.
        across_patients: Groups with images of several patient groups.
        across_folds: Groups divided between training and test in some fold.
        across_official: Groups divided by the published split; None where there is none.
        official_patients: Patient groups on both sides of the published split; None likewise.
        same_text: Texts that recur word for word in several patient groups.
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
    """Comparison of a system with the best probe on the same studies.

    Args:
        system: Name of the configuration.
        inputs: Inputs at test.
        runs: Run ids, one per fold and seed.
        probe: The probe with the highest AUROC on these studies.
        run_auroc: Macro AUROC of the runs.
        probe_auroc: Macro AUROC of the probe.
        difference: Runs minus probe, paired.
        within: AUROC of the runs among studies to which the probe gives about the same score
            (covariate-adjusted AUROC).
        comparable: Share of positives that have a negative in their stratum.
        verdict: Interpretation in plain words.
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
        label_source: Texts or tables its labels were read from.
        version: Version of kgdx.
        studies: Labelled development studies audited.
        patients: Number of patient groups.
        unlabelled: Development studies without any label.
        modalities: Studies of each modality.
        folds: Number of folds.
        manifests: Hash of each fold's manifest.
        seed: Seed of folds and resamples.
        resamples: Bootstrap resamples.
        at_least: Fewest positives of an audited finding.
        counts: Label counts.
        probes: The probes.
        shuffled: Check of the audit itself; None where no metadata probe is possible.
        associations: Associations of metadata with findings, strongest first.
        sources: Origins, largest first.
        likeness: Train/test overlap.
        explained: Finished runs compared with the probes.
        remarks: Remarks on the audited findings and origins.
        options: Options of the data set that differ from their defaults.
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
    sources: tuple[OriginRow, ...]
    likeness: TrainTestOverlap
    explained: tuple[ExplainedRun, ...] = ()
    remarks: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
