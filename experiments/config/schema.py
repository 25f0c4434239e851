"""The shape of an experiment configuration; every key there is, with its meaning and default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from encoders.reading.augmentation import Augmentation
from fusion.stage import Stage
from kg.options import Options, Part

TextPolicy = Literal["none", "indication", "findings", "impression", "full", "redacted", "dialogue"]
GraphControl = Literal["none", "shuffled", "emptied", "noisy"]


class DataSection(Options):
    """Which data, with which labels, read how.

    Args:
        name: Data set of the catalog.
        labels: Label set; one of the data set's label choices.
        options: Options of the data set.
        uncertain: What an uncertain label becomes.
        blank: What a label that is not stated becomes.
        at_least: Findings with fewer positives in the whole development part are left out.
        require: Studies that lack one of these are left out, for every system alike.
    """

    name: str
    labels: str
    options: Mapping[str, Any] = {}
    uncertain: Literal["ignore", "zero", "one"] = "ignore"
    blank: Literal["ignore", "zero"] = "zero"
    at_least: int = 20
    require: tuple[Literal["image", "frontal", "report", "dialogue"], ...] = ()


class SplitSection(Options):
    """How studies are divided, always by group.

    Args:
        kind: `folds` (grouped cross-validation inside the development part), `fixed` (60/15/25
            by group), `locked` (train on the development part, test on the locked part),
            `official` (the parts the data set's publication gives) or `sources` (of the
            development part, one source is tested and the others train).
        folds: Number of folds.
        fold: Which fold is tested; of `sources`, which of those that can be tested, that with
            most studies first.
        seed: Seed of the division.
        validation: Share of the training groups kept for thresholds, calibration, early stop;
            unused where an official split has its own validation part.
        fraction: Share of the training groups that train: 1, 0.5, 0.2, 0.1, 0.05, 0.02 or 0.01;
            each is part of the larger ones.
    """

    kind: Literal["folds", "fixed", "locked", "official", "sources"] = "folds"
    folds: int = 5
    fold: int = Field(default=0, validate_default=True)
    seed: int = 0
    validation: float = 0.15
    fraction: float = 1.0

    @field_validator("fold")
    @classmethod
    def _is_one_of_the_folds(cls, fold: int, info: ValidationInfo) -> int:
        """How many sources there are, only the data say; keys that are wrong are not here."""
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
        """Whether its test part is one of several, over which numbers are averaged."""
        return self.kind in ("folds", "sources")


class HoldOut(Options):
    """Findings that training is not shown, to be asked zero-shot at test.

    Args:
        findings: Concept ids of the findings, where no rotation is chosen.
        rotation: Which group of findings, dealt out by the hash of their ids.
        rotations: Number of groups.
        level: `labels` takes only the labels away; `concept` also hides the finding and all that
            is narrower from concept targets, training text and evidence mined from data.
    """

    findings: tuple[str, ...] = ()
    rotation: int | None = None
    rotations: int = 4
    level: Literal["labels", "concept"] = "concept"


class TextSection(Options):
    """Which text the system may read, and by what it is encoded.

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
    """How pictures are encoded.

    Args:
        encoder: Image encoder; None = pictures are not used.
        recipe: View recipe (`whole`, `borders`).
        window: Window CT is shown in, in HU; empty = the file's own, or the lung window.
        frozen: Whether tokens are cached; a trainable backbone never reads the cache.
        trains: Last stages of a backbone that train where it is not frozen; 0 = all.
        augment: Change training pixels where the backbone is not frozen; options say how far.
        grid: Side of the token grid after pooling; 0 keeps the encoder's own.
        pool: What a pooled token holds: the mean of its cell, or mean and maximum side by side.
        reduce: Width after PCA fitted on training pictures; 0 = no reduction.
        views: Views to use; empty = all.
        limit: Most pictures of one study; slices of volumes and frames of clips are chosen evenly.
        tiles: Cut each still picture into as many tiles across and down, each shown like a picture
            of its own; 1 = whole. Slices and frames stay whole.
    """

    encoder: Part | None = Part(name="efficientnet_lite0")
    recipe: str = "whole"
    window: Literal["", "lung", "mediastinum", "bone"] = ""
    frozen: bool = True
    trains: int = 0
    augment: Annotated[
        Annotated[bool, Tag("switch")] | Annotated[Augmentation, Tag("options")],
        Discriminator(
            lambda given: "options" if isinstance(given, Mapping | Augmentation) else "switch"
        ),
    ] = True
    grid: int = 4
    pool: Literal["mean", "mean_max"] = "mean_max"
    reduce: int = 256
    views: tuple[str, ...] = ()
    limit: int = 4
    tiles: int = Field(default=1, ge=1, le=8)


DRAWN: Mapping[str, str] = {
    "shuffled": "shuffled graph",
    "noisy": "noisy graph",
    "random": "random vectors",
    "complex": "ComplEx vectors",
}
"""Controls and vectors of a graph that chance makes."""


class GraphSection(Options):
    """Which graph the run uses.

    Text is read, and supervision made of it, with the graph as it is once `leave_out` is done. What
    comes after changes the structure the model is given, and nothing of what it is taught.

    Args:
        source: `shipped` or a path to a stored graph.
        keep_test_data: Keep edges mined from the data set under test (never for a claim).
        leave_out: Further data sets or sources to leave out: edges, concepts and phrases.
        drop_relations: Relations to leave out of the structure.
        drop_sources: Sources whose evidence is left out of the structure.
        control: Replace the structure by a control of it.
        noise: Share of edges that `noisy` gives a random object.
        seed: Seed of a control, and of random or ComplEx vectors.
        vectors: What concept vectors are made of: their names, chance, or the structure alone
            (ComplEx, trained on its edges).
        width: Width of the vectors.
        encoder: What turns names into vectors (`tfidf` or `minilm`).
        lexicon: Names by which text is linked: all, or each concept's label alone.
        allow_edited: Whether the stored graph may have been edited after its build.
    """

    source: str = "shipped"
    keep_test_data: bool = False
    control: GraphControl = "none"
    noise: float = 0.0
    leave_out: tuple[str, ...] = ()
    drop_relations: tuple[str, ...] = ()
    drop_sources: tuple[str, ...] = ()
    seed: int = 0
    vectors: Literal["names", "random", "complex"] = "names"
    width: int = 128
    encoder: Literal["tfidf", "minilm"] = "tfidf"
    lexicon: Literal["all", "labels"] = "all"
    allow_edited: bool = False

    @property
    def drawn(self) -> tuple[str, ...]:
        """What chance makes of it, in words: only in these the seed has a part."""
        return tuple(DRAWN[made] for made in (self.control, self.vectors) if made in DRAWN)


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
"""How a number printed elsewhere came to be known, the surest first."""


class Published(Options):
    """A number a paper printed, with where it was read.

    Args:
        metric: What was measured.
        value: The number as printed, percent as a share.
        where: Work, and table, page or file.
        mark: How it is known, one of `MARKS`.
        differs: In what it is not of the task beside which it stands: data, split, labels, inputs.
    """

    metric: str
    value: float
    where: str
    mark: Mark
    differs: str = ""


class Start(Options):
    """Weights of a finished run that another run begins with.

    Args:
        run: Run id, or the folder of the run.
        experiment: In place of `run`: a configuration, by name or path, of which the latest
            finished run is looked for that has the seed of this one and, on the same data set, its
            split (`fraction` aside). So folds and seeds need no configuration of their own.
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
    """One experiment: everything a run needs, nothing about this machine.

    Args:
        name: Name of the experiment.
        about: One line: what it shows.
        data: Which data.
        split: How they are divided.
        text: Which text, encoded how.
        image: How pictures are encoded.
        graph: Which graph.
        metadata: Metadata of a study given to the system (probes only).
        system: The method.
        stages: Stages of training; empty = the system's own.
        seed: Seed of weights, order of studies and dropout.
        concept_studies: Fewest training studies for concept supervision of a concept.
        concept_sources: What concept targets are read from, in training only: statements of the
            full report, indexing terms coded for the study, or both.
        hold_out: Findings kept from training and asked zero-shot at test; None = none.
        precision: `32`, or `bf16` where the device has it.
        devices: Processes that share every batch, each with a device of its own; over several
            machines they are started by `torchrun`. What an objective averages over stated
            targets, or contrasts within the batch, it takes within each process's share.
        published: Numbers printed elsewhere, never mixed with ours.
        also: Further data sets that a stage may train on by name; never tested.
        start: Finished runs whose weights this run begins with.
        tasks: What is measured once training is over, of the catalog of tasks.
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
    seed: int = 0
    concept_studies: int = 10
    concept_sources: tuple[Literal["stated", "coded"], ...] = ("stated", "coded")
    hold_out: HoldOut | None = None
    precision: Literal["32", "bf16"] = "32"
    devices: int = 1
    published: tuple[Published, ...] = ()
    also: tuple[DataSection, ...] = ()
    start: tuple[Start, ...] = ()
    tasks: tuple[str, ...] = ("classification",)
