"""Python interface, `import kgdx`: run, load, predict, evaluate, compare, graph, label.

Each function is the command of its name, and returns a record with data frames. Errors of the user
are raised as `InputError`, with a hint. Importing it is light: torch, pandas and other packages are
imported by the functions that need them. For research use only.
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
    """Run an experiment: train, test and write its page.

    Args:
        config: Name of a shipped configuration, path of a YAML file, or the values themselves.
        root: Folder of data sets, one subfolder each; default `KGDX_DATA`.
        runs: Folder of runs, in which the new run gets a folder.
        overrides: Keys of the configuration; a dot is written as two underscores
            (`seed=1, split__fold=2, data__options={"studies": 40}`).

    Returns:
        The finished run.

    Raises:
        InputError: If configuration, data, graph or a part are invalid.
        RunStopped: If training stopped; `kgdx experiment resume` continues it.
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
    """Load an existing run.

    Args:
        run: Its name, an unambiguous prefix of it, or its folder.
        runs: Folder of runs.

    Raises:
        InputError: If there is none, or the prefix is ambiguous.
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
        findings: Concepts or label sets of the graph; default: the trained findings. Others are
            predicted zero-shot where possible.
        report: Text file with the report of a single input.
        dialogue: Text file with the dialogue of a single input.
        taken: Modality and view of images whose files do not state them, such as `("ct", "axial")`.
        root: Folder of data sets, one subfolder each; default `KGDX_DATA`.

    Raises:
        InputError: If the run is not finished, an input does not exist, or nothing can be read.
    """
    from experiments.inference.predict import PredictionRequest, predict_inputs

    every = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    modality, view = taken
    request = PredictionRequest(
        findings=tuple(findings),
        report=Path(report) if report is not None else None,
        dialogue=Path(dialogue) if dialogue is not None else None,
        root=_root(root),
        modality=modality,
        view=view,
    )
    return Predictions(predict_inputs([os.fspath(one) for one in every], _folder(run), request))


def evaluate(
    run: AnyRun,
    dataset: str,
    *,
    root: AnyPath | None = None,
    labels: str | None = None,
    without: Iterable[InputModality] = (),
    why_locked: str = "",
) -> Evaluation:
    """Test a finished run on another data set or label set.

    Findings are matched through the graph; studies that overlap with the training data are left
    out and counted. The evaluation is added to the run's record, its probabilities to its
    predictions.

    Args:
        run: The run, its folder, or its name in the folder `runs`.
        dataset: Data set of the catalog.
        root: Folder of data sets, one subfolder each; default `KGDX_DATA`.
        labels: Label set; the run's on its own data, else the data set's first.
        without: Modalities left out of every study: `image`, `text`, or `evidence` (the
            statements of the text).
        why_locked: Reason for using the locked test set, logged in the ledger.

    Raises:
        InputError: If no study is left to test, or data or run are invalid.
    """
    from experiments.preparation.inspection import data_root

    where = data_root(_root(root), dataset)
    from experiments.evaluation.evaluate import evaluate_run

    evaluation = evaluate_run(
        _folder(run),
        dataset,
        where,
        labels=labels,
        locked=bool(why_locked),
        why=why_locked,
        without=tuple(dict.fromkeys(without)),
    )
    return Evaluation(evaluation)


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
        experiments: Names of experiments whose finished runs in `folder` are compared.
        on: Predictions to compare: `test`, `zero_shot` (findings held out of training), or a data
            set that every run was evaluated on.
        pairs: Entries to compare, first minus second; default: the first with every other.
        metric: `auroc_macro`, `auprc_macro`, or a metric of retrieval, texts or localisation by its
            name in the records of the runs.
        published: Whether entries include published numbers.
        folder: Folder of runs.

    Raises:
        InputError: If the runs may not share a table, or a pair names no entry.
    """
    from experiments.compare.compare import compare as compare_runs
    from experiments.compare.gather import finished_runs, gather

    chosen = [_folder(one, folder) for one in runs]
    groups = gather([*chosen, *finished_runs(Path(folder), experiments)])
    keep: tuple[Literal["published"], ...] = ("published",) if published else ()
    return ComparedRuns(compare_runs(groups, on=on, pairs=pairs, metric=metric, keep=keep))


def graph(file: AnyPath | None = None) -> Graph:
    """Open a clinical knowledge graph.

    Args:
        file: A .jsonl, .ttl or .trig file; default: the shipped graph.

    Raises:
        InputError: If it cannot be read, or is not a valid graph.
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
    """Extract the findings stated in reports or dialogues.

    Args:
        texts: One text, several, or texts by id; or as a `Path` a text file, a folder of them, or
            a csv with an id column and a text column or section columns.
        labels: Label set of a table (`chexpert14`, `nih14`, `mesh`, `covid`): one row per text,
            one column per label, 1 present, 0 absent, -1 uncertain, NaN not mentioned.
        sections: Report sections of a label table: `findings_impression`, `impression` or `all`;
            None = the first, and all for statements and dialogues.
        dialogue: Whether the texts are dialogues of patient and doctor.

    Returns:
        The label table; without `labels`, one row per statement: concept, assertion,
        section, span, rule, site, side, severity and change.

    Raises:
        InputError: If a file cannot be read, or there is no such label set.
    """
    from experiments.labelling.linking import rows_of_texts
    from experiments.labelling.tables import table_columns
    from experiments.labelling.texts import Reading, raw_texts, whole
    from kg.files.store import load_shipped
    from kg.mentions.sections import DEFAULT_SECTIONS

    kind: Literal["report", "dialogue"] = "dialogue" if dialogue else "report"
    raw = (
        raw_texts(texts)
        if isinstance(texts, Path)
        else [whole(key, one) for key, one in _by_id(texts).items()]
    )
    usual = DEFAULT_SECTIONS if labels is not None and not dialogue else "all"
    shares = rows_of_texts(raw, Reading(kind, sections or usual), labels)
    rows = [row for share in shares for row in share.rows]
    return frame(rows, table_columns(load_shipped(), labels))


def _folder(run: AnyRun, runs: AnyPath = RUNS) -> RunFolder:
    from experiments.records.folder import RunFolder

    return RunFolder((run if isinstance(run, Run) else load(run, runs=runs)).path)


def _root(root: AnyPath | None) -> Path | None:
    """Folder of data sets, from the argument or the environment."""
    named = root if root is not None else os.environ.get("KGDX_DATA")
    return Path(named) if named else None


def _by_id(texts: str | Iterable[str] | Mapping[str, str]) -> Mapping[str, str]:
    """Texts by id; texts without ids are numbered from 0."""
    if isinstance(texts, Mapping):
        return texts
    return {str(n): one for n, one in enumerate([texts] if isinstance(texts, str) else texts)}
