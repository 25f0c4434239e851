"""Schema of an experiment configuration: every key with its meaning and default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from encoders.reading.augmentation import Augmentation
from experiments.privacy.free_text import Examples
from fusion.stage import Stage
from kg.bounds import Count, Few, FewOrNone, Number, Seed, Share, Width
from kg.options import Options, Part

TextPolicy = Literal["none", "indication", "findings", "impression", "full", "redacted", "dialogue"]
GraphControl = Literal["none", "shuffled", "emptied", "noisy"]
Duplicates = Literal["refuse", "join", "list"]
Tracker = Literal["tensorboard", "mlflow"]
FIXED_TEST = 0.25
"""Share of the groups that the split `fixed` tests."""


class DataSection(Options):
    """Data set, labels and label policy.

    Args:
        name: Name of the data set.
        labels: Label set; one of the data set's label choices.
        options: Options of the data set.
        uncertain: Target of an uncertain label.
        blank: Target of a label that is not stated.
        at_least: Smallest number of positives of a finding among all development studies.
        require: Modalities that a study must have, for every system alike.
        duplicates: Treatment of an image that several patients share: `refuse` = they count as one
            patient, and opposite labels are an error; `join` = they do, whatever the labels;
            `list` = it is only reported, and a split may separate them.
    """

    name: str
    labels: str
    options: Mapping[str, Any] = {}
    uncertain: Literal["ignore", "zero", "one"] = "ignore"
    blank: Literal["ignore", "zero"] = "zero"
    at_least: Number = 20
    require: tuple[Literal["image", "frontal", "report", "dialogue"], ...] = ()
    duplicates: Duplicates = "refuse"


class SplitSection(Options):
    """Split of the studies, always by group.

    Args:
        kind: `folds` (grouped cross-validation on the development studies), `fixed` (60/15/25 by
            group), `locked` (train on the development studies, test on the locked ones),
            `official` (the published split) or `sources` (one origin of the development studies
            is tested, the others train).
        folds: Number of folds.
        fold: Number of the tested fold; of `sources`, number of the tested origin, largest
            first.
        seed: Seed of the split.
        validation: Share of the training groups kept for thresholds, calibration, early stop;
            unused where an official split has its own validation subset.
        fraction: Share of the training groups that train: 1, 0.5, 0.2, 0.1, 0.05, 0.02 or 0.01;
            each is contained in the larger ones.
    """

    kind: Literal["folds", "fixed", "locked", "official", "sources"] = "folds"
    folds: int = Field(default=5, ge=2, le=1000)
    fold: int = Field(default=0, ge=0, le=1000, validate_default=True)
    seed: Seed = 0
    validation: float = Field(default=0.15, gt=0, lt=1 - FIXED_TEST)
    fraction: float = Field(default=1.0, gt=0, le=1)

    @field_validator("fold")
    @classmethod
    def _is_one_of_the_folds(cls, fold: int, info: ValidationInfo) -> int:
        """Check the number of the fold; that of an origin is checked with the data."""
        folds = info.data.get("folds")
        if info.data.get("kind") == "folds" and folds is not None and not 0 <= fold < folds:
            raise PydanticCustomError(
                "no_such_fold",
                "none of the {folds} folds has this number, they count from 0",
                {"folds": folds},
            )
        return fold

    @property
    def one_of_several(self) -> bool:
        """Whether its test set is one of several, over which numbers are averaged."""
        return self.kind in ("folds", "sources")


class HoldOut(Options):
    """Findings held out of training and tested zero-shot.

    Args:
        findings: Concept ids of the findings, where no rotation is chosen.
        rotation: Number of the group of findings, divided by the hash of their ids.
        rotations: Number of groups.
        level: `labels` removes only the labels; `concept` also removes the finding and all narrower
            ones from concept targets, training text and evidence mined from data.
    """

    findings: tuple[str, ...] = ()
    rotation: Number | None = None
    rotations: Count = 4
    level: Literal["labels", "concept"] = "concept"


class TextSection(Options):
    """Text policies and text encoder.

    Args:
        train: Policy in training; `same` = as at test.
        test: Policy at test.
        encoder: Text encoder.
        language: Language to read where a study has both; `any` reads all.
    """

    train: TextPolicy | Literal["same"] = "same"
    test: TextPolicy = "none"
    encoder: Part = Part(name="tiny_transformer")
    language: Literal["en", "zh", "es", "any"] = "en"


class ImageSection(Options):
    """Image encoder and preprocessing of images.

    Args:
        encoder: Image encoder; None = no images.
        recipe: View recipe (`whole`, `borders`).
        window: CT window; empty = the file's own, or the lung window.
        frozen: Whether the encoder is frozen and its tokens are cached.
        trains: Number of last stages of the backbone that train where not frozen; 0 = all.
        augment: Augmentation of training pixels where not frozen, or its options.
        grid: Side of the token grid after pooling; 0 keeps the encoder's own.
        pool: Pooling of a cell: its mean, or mean and maximum side by side.
        reduce: Width after PCA fitted on training images; 0 = no reduction.
        views: Views to use; empty = all.
        limit: Most images of a study; slices of volumes and frames of clips are evenly spaced.
        tiles: Number of tiles across and down that a still image is cut into, each read as an
            image of its own; 1 = whole. Slices and frames stay whole.
    """

    encoder: Part | None = Part(name="efficientnet_lite0")
    recipe: str = "whole"
    window: Literal["", "lung", "mediastinum", "bone"] = ""
    frozen: bool = True
    trains: FewOrNone = 0
    augment: Annotated[
        Annotated[bool, Tag("switch")] | Annotated[Augmentation, Tag("options")],
        Discriminator(
            lambda value: "options" if isinstance(value, Mapping | Augmentation) else "switch"
        ),
    ] = True
    grid: FewOrNone = 4
    pool: Literal["mean", "mean_max"] = "mean_max"
    reduce: Number = 256
    views: tuple[str, ...] = ()
    limit: Count = 4
    tiles: int = Field(default=1, ge=1, le=8)


DRAWN: Mapping[str, str] = {
    "shuffled": "shuffled graph",
    "noisy": "noisy graph",
    "random": "random vectors",
    "complex": "ComplEx vectors",
    "transe": "TransE vectors",
}
"""Randomised graphs and vectors by configuration value."""


class GraphSection(Options):
    """Graph of the run.

    Text is read and supervision made with the graph after `leave_out`. All later keys change the
    structure for the system, and not its supervision.

    Args:
        source: `shipped` or a path to a stored graph.
        keep_test_data: Keep edges mined from the test data (never for a claim).
        leave_out: Further data sets or sources to leave out: edges, concepts and phrases.
        drop_relations: Relations to leave out of the structure.
        drop_sources: Sources whose evidence is left out of the structure.
        control: Control that replaces the structure.
        noise: Share of edges that `noisy` gives a random object.
        seed: Seed of a control, and of random, ComplEx or TransE vectors.
        vectors: Concept vectors from names, random, or from the structure alone (ComplEx or TransE,
            trained on its edges).
        width: Width of the vectors.
        encoder: Encoder of names (`tfidf` or `minilm`).
        lexicon: Names by which text is linked: all, or each concept's label alone.
        allow_edited: Whether the stored graph may have been edited after its build.
    """

    source: str = "shipped"
    keep_test_data: bool = False
    control: GraphControl = "none"
    noise: Share = 0.0
    leave_out: tuple[str, ...] = ()
    drop_relations: tuple[str, ...] = ()
    drop_sources: tuple[str, ...] = ()
    seed: Seed = 0
    vectors: Literal["names", "random", "complex", "transe"] = "names"
    width: Width = 128
    encoder: Literal["tfidf", "minilm"] = "tfidf"
    lexicon: Literal["all", "labels"] = "all"
    allow_edited: bool = False

    @property
    def drawn(self) -> tuple[str, ...]:
        """Randomised components in words; only these depend on the seed."""
        return tuple(DRAWN[name] for name in (self.control, self.vectors) if name in DRAWN)


Mark = Literal["A", "N", "C", "2nd", "M-hi", "M-med", "M-lo"]
MARKS: Mapping[str, str] = {
    "A": "read in the paper's own abstract or title page, or in the authors' README",
    "N": "read in results the authors' repository keeps, perhaps not those of the paper's table",
    "C": "read in the authors' source code",
    "2nd": "read in another work, such as a survey or a comparison",
    "M-hi": "from memory, rather sure; not verified",
    "M-med": "from memory, not sure; not verified",
    "M-lo": "from memory, hardly more than a guess: look it up before it is quoted",
}
"""Provenance of published numbers, the most reliable first."""


class Published(Options):
    """A published number with its reference.

    Args:
        metric: Name of the metric.
        value: The number as printed, percent as a share.
        where: Work, and table, page or file.
        mark: Provenance, one of `MARKS`.
        differs: Differences from the task here: data, split, labels, inputs.
    """

    metric: str
    value: float = Field(allow_inf_nan=False)
    where: str
    mark: Mark
    differs: str = ""


class Start(Options):
    """Weights of a finished run that another run begins with.

    Args:
        run: Run id, or the folder of the run.
        experiment: In place of `run`: a configuration, by name or path, whose latest finished run
            is used that has the seed of this one and, on the same data set, its split
            (`fraction` aside). So folds and seeds need no configuration of their own.
        take: Modules of the new system by name, each with the module of the finished run whose
            weights it takes.
    """

    run: str = ""
    experiment: str = ""
    take: Mapping[str, str]

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if bool(self.run) == bool(self.experiment):
            raise PydanticCustomError(
                "run_or_experiment", "name either a run or an experiment, and not both"
            )
        return self


class Experiment(Options):
    """One experiment: all settings of a run, none of the machine.

    Args:
        name: Name of the experiment.
        about: Purpose in one line.
        data: Data set and labels.
        split: Split of the studies.
        text: Text policies and encoder.
        image: Image encoder and preprocessing.
        graph: Knowledge graph.
        metadata: Metadata of a study given to the system (probes only).
        system: The method.
        stages: Stages of training; empty = the system's own.
        seed: Seed of weights, order of studies and dropout.
        concept_studies: Fewest training studies for concept supervision of a concept.
        concept_sources: Origin of concept targets, in training only: statements of the full report,
            indexing terms coded for the study, or both.
        hold_out: Findings held out of training and tested zero-shot; None = none.
        precision: `32`, or `bf16` where the device has it.
        devices: Number of processes that share every batch, each with its own device; over several
            machines they are started by `torchrun`. Objectives average over stated targets within
            each process's share, and contrast within the whole batch.
        published: Published numbers, never mixed with own ones.
        also: Further data sets that a stage may train on by name; never tested.
        start: Finished runs whose weights this run begins with.
        tasks: Tasks that are measured after training, by name.
        examples: What a run writes of its example studies, and of reports it generates, beside the
            findings: `none`, their `text`, or `all` = images too; None = all, but none where
            `KGDX_PSEUDONYM_KEY` is set. With that key, text is de-identified.
        track: Where losses and metrics are logged beside the run's folder (`pip install
            'kgdx[track]'`). It changes no result, so it is no part of the configuration's hash.
    """

    name: str
    about: str = ""
    data: DataSection
    split: SplitSection = SplitSection()
    text: TextSection = TextSection()
    image: ImageSection = ImageSection()
    graph: GraphSection = GraphSection()
    metadata: tuple[str, ...] = ()
    system: Part
    stages: tuple[Stage, ...] = ()
    seed: Seed = 0
    concept_studies: Number = 10
    concept_sources: tuple[Literal["stated", "coded"], ...] = ("stated", "coded")
    hold_out: HoldOut | None = None
    precision: Literal["32", "bf16"] = "32"
    devices: Few = 1
    published: tuple[Published, ...] = ()
    also: tuple[DataSection, ...] = ()
    start: tuple[Start, ...] = ()
    tasks: tuple[str, ...] = ("classification",)
    examples: Examples | None = None
    track: tuple[Tracker, ...] = ()
