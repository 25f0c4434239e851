"""Cards of a run's page: the data and their split, and the model (Garbin and Marques 2022)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.datasets import DATASETS
from experiments.records.record import control_words
from experiments.records.studies import AGE_BANDS, ScoredStudy
from experiments.reports.document import Pair, Pairs, Row, Section, Table, Words
from experiments.reports.run_files import RunFiles
from experiments.reports.subgroups import GROUPINGS, NOT_KNOWN
from experiments.reports.wording import INPUTS, LEAKAGE, exact, listed, number
from experiments.systems import SYSTEMS

__all__ = ["data_section", "model_section", "scored_section", "section_of"]

MOST_SHOWN = 8
"""Values of a characteristic that are listed; the rest is counted together."""
_KINDS = {
    "folds": "grouped folds inside the development set",
    "fixed": "one fixed division by patient, the locked test set left out",
    "locked": "one fixed division by patient, tested on the locked test set",
    "official": "the division of the publication",
    "sources": "one source is tested, the others train",
}


def section_of(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section of a record's configuration; empty where an older record lacks it."""
    found = (record.get("experiment") or {}).get(name)
    return found if isinstance(found, Mapping) else {}


def data_section(files: RunFiles) -> Section:
    """What the data are, and how they were divided and labelled."""
    record = files.record
    split = section_of(record, "split")
    counts = record.get("split_counts") or {}
    rows = (
        Pair("Data set", str(record.get("dataset") or "")),
        *_published(str(record.get("dataset") or "")),
        Pair("Data fingerprint", str(record.get("data_fingerprint") or ""), exact=True),
        Pair("Labels", str(record.get("labels") or "")),
        Pair("Labels were read from", listed(record.get("label_source"))),
        Pair("Label policy", _policy(record.get("label_policy"))),
        Pair("Studies left out without", listed(section_of(record, "data").get("require"))),
        Pair("Leakage", _leakage(record)),
        Pair("Split", _split(split)),
        Pair("Split manifest", str(record.get("split_manifest") or ""), exact=True),
        *(Pair(f"Studies: {part}", str(count)) for part, count in counts.items()),
        *_manifest(files),
    )
    return Section("data", "Data and split", (Pairs(rows),), "Data")


def scored_section(files: RunFiles) -> Iterator[Section]:
    """Who was scored; nothing where the run kept no facts of its studies."""
    if files.studies:
        said = Words("What is known of the studies of each part; of training studies none is kept.")
        blocks = (said, _characteristics(files.studies))
        yield Section("scored", "Who was scored", blocks, "Studies")


def _published(name: str) -> tuple[Pair, ...]:
    """Licence and citation of a data set that ships with kgdx."""
    # a name in a record of someone else must not decide what is imported
    if name not in DATASETS.names():
        return ()
    layout = DATASETS.load(name)
    homepage = re.sub(r"^https?://|/$", "", layout.homepage)
    return (
        Pair("Licence", layout.licence),
        Pair("Citation", re.sub(r"https?://", "", layout.citation)),
        Pair("Given at", homepage),
    )


def _leakage(record: Mapping[str, Any]) -> str:
    level = str(record.get("leakage") or "none")
    known = LEAKAGE.get(level)
    return f"{known[1]}: {known[2]}" if known else level


def _split(split: Mapping[str, Any]) -> str:
    """How the studies were divided, in words."""
    kind = str(split.get("kind") or "")
    if not kind:
        return ""
    said = _KINDS.get(kind, kind)
    if kind == "folds":
        said += f": fold {split.get('fold', 0)} of {split.get('folds', 5)}"
    if kind == "sources":
        said += f": number {split.get('fold', 0)} of those that can be tested"
    said += f"; seed {split.get('seed', 0)}"
    fraction = exact(split.get("fraction"))
    if fraction is not None and fraction < 1:
        said += f"; {fraction:.0%} of the training groups trained"
    return said


def _manifest(files: RunFiles) -> tuple[Pair, ...]:
    """What the split manifest itself counts."""
    if files.manifest is None:
        return ()
    parts = Counter(files.manifest.assignments.values())
    counted = ", ".join(f"{count} {part}" for part, count in sorted(parts.items()))
    groups = len(set(files.manifest.groups.values()))
    together = "patient or source document: no group is in two parts"
    return (
        Pair("The manifest divides", f"{counted}; {groups} groups"),
        Pair("Kept together", together),
    )


def _characteristics(studies: Sequence[ScoredStudy]) -> Table:
    """Studies of each part by each characteristic."""
    parts = list(dict.fromkeys(study.part for study in studies))
    totals = Counter(study.part for study in studies)
    everyone = {(study.part, study.patient) for study in studies}
    of_part = Counter(part for part, _ in everyone)
    lines = [
        Row(("Studies", *(str(totals[part]) for part in parts)), strong=True),
        Row(("Patient groups", *(str(of_part[part]) for part in parts)), strong=True),
    ]
    for name, heading in GROUPINGS.items():
        counted = Counter((study.part, getattr(study, name) or NOT_KNOWN) for study in studies)
        overall = Counter(getattr(study, name) or NOT_KNOWN for study in studies)
        if set(overall) == {NOT_KNOWN}:
            continue
        shown = _ordered(overall)
        rest = [value for value in overall if value not in shown]
        for value in shown:
            shares = [_share(counted[part, value], totals[part]) for part in parts]
            lines.append(Row((f"{heading}: {value}", *shares)))
        if rest:
            left = (sum(counted[part, value] for value in rest) for part in parts)
            shares = [_share(n, totals[part]) for n, part in zip(left, parts, strict=True)]
            lines.append(Row((f"{heading}: {len(rest)} others", *shares)))
    return Table(("Of", *parts), tuple(lines))


def _ordered(values: Counter[str]) -> list[str]:
    """Age bands in their order, else the most frequent first."""
    if set(values) <= {*AGE_BANDS, NOT_KNOWN}:
        return [band for band in (*AGE_BANDS, NOT_KNOWN) if band in values]
    return sorted(values, key=lambda value: (-values[value], value))[:MOST_SHOWN]


def _share(count: int, total: int) -> str:
    return f"{count} ({count / total:.0%})"


def model_section(files: RunFiles) -> Section:
    """What the system is, what it reads, and what it was trained with."""
    record = files.record
    rows = (
        Pair("System", str(record.get("system") or "")),
        Pair("What it is", _described(str(record.get("system") or ""))),
        Pair("Gives", "a probability for each finding, and yes or no at its threshold"),
        Pair("Inputs at test", listed(record.get("inputs_at_test"))),
        Pair("Text the system may read", _readable(record)),
        Pair("Image encoder", _image(section_of(record, "image"))),
        Pair("Text encoder", _part(section_of(record, "text").get("encoder"))),
        Pair("Trained parameters", _count(record.get("parameters"))),
        Pair("Training", _training(record)),
        *_chosen(record.get("chosen")),
        Pair("Calibration", _calibration(record)),
        Pair("Weights", "in the run's folder, checkpoints/best, as safetensors"),
        *_graph(record.get("graph")),
        Pair("Meant for", "research on these data; never the care of a patient"),
    )
    return Section("model", "Model", (Pairs(rows),), "Model")


def _chosen(chosen: Any) -> tuple[Pair, ...]:
    """What was chosen on validation after training, where anything was."""
    if not isinstance(chosen, Mapping) or not chosen:
        return ()
    words = ", ".join(f"{name} {value:g}" for name, value in sorted(chosen.items()))
    return (Pair("Chosen on validation", words),)


def _graph(graph: Any) -> tuple[Pair, ...]:
    """Which graph it uses."""
    if not isinstance(graph, Mapping):
        return (Pair("Graph", "none is used"),)
    left_out = graph.get("left_out")
    size = "" if graph.get("concepts") is None else f"{graph['concepts']} and {graph.get('edges')}"
    control = control_words(str(graph.get("control") or "none"), exact(graph.get("changed")))
    kept = "still in the graph: no claim can rest on this run"
    return (
        Pair("Graph", str(graph.get("name") or "")),
        Pair("Graph fingerprint", str(graph.get("fingerprint") or ""), exact=True),
        Pair("Concepts and edges", size),
        Pair("Left out of the graph", listed(left_out) or "nothing"),
        Pair("Graph replaced by a control", control),
        Pair("Edges mined from the data under test", kept if graph.get("keeps_test_data") else ""),
    )


def _described(system: str) -> str:
    """First line of the system's file, where it ships with kgdx."""
    return SYSTEMS.describe(system) if system in SYSTEMS.names() else ""


def _image(image: Mapping[str, Any]) -> str:
    said = _part(image.get("encoder"))
    if not said:
        return ""
    return f"{said}; {'frozen' if image.get('frozen', True) else 'trained'}"


def _part(part: Any) -> str:
    """A part of a catalog with its options; of a path only the file's name is told."""
    if not isinstance(part, Mapping):
        return ""
    options = part.get("options") or {}
    said = ", ".join(f"{key} {str(value).rsplit('/', 1)[-1]}" for key, value in options.items())
    return f"{part.get('name')} ({said})" if said else str(part.get("name") or "")


def _training(record: Mapping[str, Any]) -> str:
    """The stages in a line each."""
    stages = (record.get("experiment") or {}).get("stages") or ()
    said = []
    for stage in stages:
        weights = (stage.get("objectives") or {}).items()
        objectives = ", ".join(f"{name} {weight}" for name, weight in weights)
        said.append(
            f"{stage.get('name') or 'stage'}: {stage.get('epochs')} epochs, batches of "
            f"{stage.get('batch_size')}, learning rate {stage.get('learning_rate')}; {objectives}"
        )
    return ". ".join(said)


def _calibration(record: Mapping[str, Any]) -> str:
    rows = [row for row in record.get("findings") or () if isinstance(row, Mapping)]
    degrees = [known for row in rows if (known := exact(row.get("temperature"))) is not None]
    if not degrees:
        return ""
    span = f"{number(min(degrees), 2)} to {number(max(degrees), 2)}"
    return f"temperatures {span}, fitted on validation, as the thresholds"


def _readable(record: Mapping[str, Any]) -> str:
    policy = str(record.get("text_policy") or "none")
    return INPUTS.get(policy, policy)


def _policy(policy: Any) -> str:
    if isinstance(policy, Mapping):
        return ", ".join(f"{name}: {value}" for name, value in policy.items())
    return str(policy or "")


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and value else ""
