"""The Python interface, `import kgdx`: run, load, predict, evaluate, compare, graph, label.

Each function does what the command of its name does, and gives a result with a record and data
frames. What can be mended is raised as `InputError`, which says how. Importing it is light: torch,
pandas and the rest are imported by the function that needs them. For research use only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from experiments.api.frames import frame
from experiments.api.knowledge_graph import Graph
from experiments.api.results import ComparedRuns, Evaluation, Predictions, Run
from kg.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame

    from encoders.study import Modality, View
    from experiments.config.schema import Experiment
    from experiments.evaluation.missing_modality import InputModality
    from experiments.records.folder import RunFolder

__all__ = [
    "ComparedRuns",
    "Evaluation",
    "Graph",
    "InputError",
    "Predictions",
    "Run",
    "compare",
    "evaluate",
    "graph",
    "label",
    "load",
    "predict",
    "run",
]

RUNS = "runs"
AnyPath = str | os.PathLike[str]
AnyRun = Run | AnyPath


def run(
    config: str | Path | Mapping[str, Any] | Experiment,
    *,
    root: AnyPath | None = None,
    runs: AnyPath = RUNS,
    **overrides: Any,
) -> Run:
    """Run an experiment: train, test, and write its page.

    Args:
        config: Name of a shipped configuration, path of a YAML file, or the values themselves.
        root: Folder that holds data sets by name; `KGDX_DATA` where not given.
        runs: Folder of runs; a new one is made in it.
        overrides: Keys of the configuration; a dot is written as two underscores
            (`seed=1, split__fold=2, data__options={"studies": 40}`).

    Returns:
        The finished run.

    Raises:
        InputError: If configuration, data, graph or a part are not as they must be.
        RunStopped: If training could not go on; `kgdx experiment resume` goes on with it.
    """
    from experiments.config.load import as_overrides
    from experiments.config.parts import read_checked
    from experiments.config.schema import Experiment
    from experiments.preparation.inspection import data_root

    values = config.model_dump(mode="json") if isinstance(config, Experiment) else config
    values = values if isinstance(values, Mapping) else str(values)
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    experiment = read_checked(values, as_overrides(dotted))
    where = data_root(_root(root), experiment.data.name)
    from experiments.runner.run import run_experiment

    folder = Path(runs).absolute()
    return Run(folder / run_experiment(experiment, root=where, runs=folder, command="kgdx.run"))


def load(run: AnyPath, *, runs: AnyPath = RUNS) -> Run:
    """Load a run that was made before.

    Args:
        run: Its name, the clear beginning of it, or its folder.
        runs: Folder of runs.

    Raises:
        InputError: If there is none, or the beginning fits several.
    """
    from experiments.records.folder import find_run

    return Run(find_run(os.fspath(run), Path(runs)).path.absolute())


def predict(
    inputs: AnyPath | Sequence[AnyPath],
    run: AnyRun,
    *,
    findings: Iterable[str] = (),
    report: AnyPath | None = None,
    dialogue: AnyPath | None = None,
    taken: tuple[Modality | None, View | None] = (None, None),
    root: AnyPath | None = None,
) -> Predictions:
    """Predict the findings of each input with a finished run.

    Args:
        inputs: Images, volumes, clips, study folders, or names of data sets; one or several.
        run: The run, its folder, or its name in the folder `runs`.
        findings: Concepts or label sets of the graph; those trained on where not given. Others are
            answered zero-shot where that is possible.
        report: Text file with the report of the one input.
        dialogue: Text file with the dialogue of the one input.
        taken: Modality and view of images that do not say so, such as `("ct", "axial")`.
        root: Folder that holds data sets by name; `KGDX_DATA` where not given.

    Raises:
        InputError: If the run is not finished, an input does not exist, or nothing can be read.
    """
    from experiments.inference.predict import PredictionRequest, predict_inputs

    given = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    modality, view = taken
    asked = PredictionRequest(
        findings=tuple(findings),
        report=Path(report) if report is not None else None,
        dialogue=Path(dialogue) if dialogue is not None else None,
        root=_root(root),
        modality=modality,
        view=view,
    )
    return Predictions(predict_inputs([os.fspath(one) for one in given], _folder(run), asked))


def evaluate(
    run: AnyRun,
    dataset: str,
    *,
    root: AnyPath | None = None,
    labels: str | None = None,
    without: Iterable[InputModality] = (),
    why_locked: str = "",
) -> Evaluation:
    """Test a finished run on another data set, or on its own under another label set.

    Findings are matched through the graph; studies that the run has learnt from are left out and
    counted. The evaluation is added to the run's record, its probabilities to the predictions.

    Args:
        run: The run, its folder, or its name in the folder `runs`.
        dataset: Data set of the catalog.
        root: Folder that holds data sets by name; `KGDX_DATA` where not given.
        labels: Label set; the run's on its own data, else the data set's first.
        without: Modalities withheld from every study: `image`, `text`, or `evidence` (what the
            text states).
        why_locked: Reason to test the locked test set, and nothing else; it is kept in the ledger.

    Raises:
        InputError: If nothing is left to test, or data or run are not as they must be.
    """
    from experiments.preparation.inspection import data_root

    where = data_root(_root(root), dataset)
    from experiments.evaluation.evaluate import evaluate_run

    made = evaluate_run(
        _folder(run),
        dataset,
        where,
        labels=labels,
        locked=bool(why_locked),
        why=why_locked,
        without=tuple(dict.fromkeys(without)),
    )
    return Evaluation(made)


def compare(
    *runs: AnyRun,
    experiments: Iterable[str] = (),
    on: str = "test",
    pairs: Sequence[tuple[str, str]] | None = None,
    metric: str = "auroc_macro",
    published: bool = False,
    folder: AnyPath = RUNS,
) -> ComparedRuns:
    """Compare configurations on the same studies, paired by patient and seed.

    All folds and seeds of one configuration are one entry.

    Args:
        runs: Finished runs, their folders, or their names in `folder`.
        experiments: Names of experiments, of which all finished runs in `folder` are taken.
        on: Answers to compare: `test`, `zero_shot` (findings held out of training), or a data set
            that every run was evaluated on.
        pairs: Names of the entries to compare, first minus second; else the first with every other.
        metric: `auroc_macro`, `auprc_macro`, or a metric of retrieval, texts or localisation by its
            name in the records of the runs.
        published: Whether entries keep the numbers printed elsewhere.
        folder: Folder of runs.

    Raises:
        InputError: If the runs may not share a table, or a pair names no entry.
    """
    from experiments.compare.compare import compare as compared
    from experiments.compare.gather import finished_runs, gather

    chosen = [_folder(one, folder) for one in runs]
    groups = gather([*chosen, *finished_runs(Path(folder), experiments)])
    keep: tuple[Literal["published"], ...] = ("published",) if published else ()
    return ComparedRuns(compared(groups, on=on, pairs=pairs, metric=metric, keep=keep))


def graph(file: AnyPath | None = None) -> Graph:
    """Open a clinical knowledge graph.

    Args:
        file: A .jsonl, .ttl or .trig file; the shipped graph where not given.

    Raises:
        InputError: If it cannot be read, or is not a sound graph.
    """
    from kg.files.store import SHIPPED, load

    path = SHIPPED if file is None else Path(file)
    return Graph(load(path), path)


def label(
    texts: str | Path | Iterable[str] | Mapping[str, str],
    labels: str | None = None,
    *,
    sections: str | None = None,
    dialogue: bool = False,
) -> DataFrame:
    """Label reports or dialogues: what they state about the concepts of the shipped graph.

    Args:
        texts: One text, several, or texts by id; or as a `Path` a text file, a folder of them, or
            a csv with an id column and a text column or one for each section.
        labels: Label set of a table (`chexpert14`, `nih14`, `mesh`, `covid`): a row for each text,
            a column for each label, 1 present, 0 absent, -1 uncertain, NaN not mentioned.
        sections: Sections a label table counts: `findings_impression`, `impression` or `all`; None
            = the first, and all where statements or dialogues are read.
        dialogue: Whether the texts are dialogues of patient and doctor.

    Returns:
        The label table; where none is asked for, a row for each statement: concept, assertion,
        section, span, rule, site, side, severity and change.

    Raises:
        InputError: If a file cannot be read, or there is no such label set.
    """
    from experiments.labelling.linking import link_texts
    from experiments.labelling.tables import STATEMENT_COLUMNS, label_rows, statement_rows
    from experiments.labelling.texts import counted, read_text, read_texts
    from kg.files.store import load_shipped
    from kg.mentions.sections import DEFAULT_SECTIONS

    kind: Literal["report", "dialogue"] = "dialogue" if dialogue else "report"
    shipped = load_shipped()
    read = (
        read_texts(texts, kind)
        if isinstance(texts, Path)
        else [read_text(key, one, kind) for key, one in _by_id(texts).items()]
    )
    usual = DEFAULT_SECTIONS if labels is not None and not dialogue else "all"
    linked = link_texts(counted(read, sections or usual))
    if labels is not None:
        return frame(label_rows(linked, shipped, labels))
    return frame(statement_rows(linked, shipped), STATEMENT_COLUMNS)


def _folder(run: AnyRun, runs: AnyPath = RUNS) -> RunFolder:
    from experiments.records.folder import RunFolder

    return RunFolder((run if isinstance(run, Run) else load(run, runs=runs)).path)


def _root(root: AnyPath | None) -> Path | None:
    """The folder of data sets that was given, or that the environment names."""
    named = root if root is not None else os.environ.get("KGDX_DATA")
    return Path(named) if named else None


def _by_id(texts: str | Iterable[str] | Mapping[str, str]) -> Mapping[str, str]:
    """Texts by their id; those that have none are counted from 0."""
    if isinstance(texts, Mapping):
        return texts
    return {str(n): one for n, one in enumerate([texts] if isinstance(texts, str) else texts)}
