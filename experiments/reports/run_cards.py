"""Data card and model card of a run's page (after Garbin and Marques 2022)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from experiments.datasets import DATASETS
from experiments.records.record import control_words
from experiments.records.studies import AGE_BANDS, ScoredStudy
from experiments.reports.document import Pair, Pairs, Paragraph, Row, Section, Table
from experiments.reports.run_files import RunFiles
from experiments.reports.subgroups import GROUPINGS, NOT_KNOWN
from experiments.reports.wording import INPUTS, LEAKAGE, exact, listed, number
from experiments.systems import SYSTEMS

__all__ = ["data_section", "model_section", "scored_section", "section_of"]

MOST_SHOWN = 8
"""Number of values of a characteristic that are listed; the rest is counted together."""
_KINDS = {
    "folds": "grouped folds inside the development set",
    "fixed": "one fixed division by patient, the locked test set left out",
    "locked": "one fixed division by patient, tested on the locked test set",
    "official": "the division of the publication",
    "sources": "one origin for testing, the others for training",
}


def section_of(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section of a record's configuration; empty where an older record lacks it."""
    section = (record.get("experiment") or {}).get(name)
    return section if isinstance(section, Mapping) else {}


def data_section(files: RunFiles) -> Section:
    """Data card: data set, labels and split."""
    record = files.record
    split = section_of(record, "split")
    counts = record.get("split_counts") or {}
    rows = (
        Pair("Data set", str(record.get("dataset") or "")),
        *_published(str(record.get("dataset") or "")),
        Pair("Data fingerprint", str(record.get("data_fingerprint") or ""), exact=True),
        Pair("Labels", str(record.get("labels") or "")),
        Pair("Labels derived from", listed(record.get("label_source"))),
        Pair("Label policy", _policy(record.get("label_policy"))),
        Pair("Studies excluded without", listed(section_of(record, "data").get("require"))),
        Pair("Leakage", _leakage(record)),
        Pair("Split", _split(split)),
        Pair("Split manifest", str(record.get("split_manifest") or ""), exact=True),
        *(Pair(f"Studies: {subset}", str(count)) for subset, count in counts.items()),
        *_manifest(files),
    )
    return Section("data", "Data and split", (Pairs(rows),), "Data")


def scored_section(files: RunFiles) -> Iterator[Section]:
    """Characteristics of the tested studies; nothing where the run kept no metadata."""
    if files.studies:
        about = Paragraph("Metadata of the studies by subset; none are kept of training studies.")
        blocks = (about, _characteristics(files.studies))
        yield Section("scored", "Study characteristics", blocks, "Studies")


def _published(name: str) -> tuple[Pair, ...]:
    """Licence and citation of a data set that ships with kgdx."""
    # a name in somebody else's record must not decide what is imported
    if name not in DATASETS.names():
        return ()
    layout = DATASETS.load(name)
    homepage = re.sub(r"^https?://|/$", "", layout.homepage)
    return (
        Pair("Licence", layout.licence),
        Pair("Citation", re.sub(r"https?://", "", layout.citation)),
        Pair("Homepage", homepage),
    )


def _leakage(record: Mapping[str, Any]) -> str:
    level = str(record.get("leakage") or "none")
    known = LEAKAGE.get(level)
    return f"{known[1]}: {known[2]}" if known else level


def _split(split: Mapping[str, Any]) -> str:
    """Description of the split."""
    kind = str(split.get("kind") or "")
    if not kind:
        return ""
    text = _KINDS.get(kind, kind)
    if kind == "folds":
        text += f": fold {split.get('fold', 0)} of {split.get('folds', 5)}"
    if kind == "sources":
        text += f": number {split.get('fold', 0)} of those that can be tested"
    text += f"; seed {split.get('seed', 0)}"
    fraction = exact(split.get("fraction"))
    if fraction is not None and fraction < 1:
        text += f"; {fraction:.0%} of the training groups used"
    return text


def _manifest(files: RunFiles) -> tuple[Pair, ...]:
    """Counts of the split manifest."""
    if files.manifest is None:
        return ()
    subsets = Counter(files.manifest.assignments.values())
    counted = ", ".join(f"{count} {subset}" for subset, count in sorted(subsets.items()))
    groups = len(set(files.manifest.groups.values()))
    together = "patient or source document: no group is in two subsets"
    return (
        Pair("The manifest divides", f"{counted}; {groups} groups"),
        Pair("Kept together", together),
    )


def _characteristics(studies: Sequence[ScoredStudy]) -> Table:
    """Number of studies of each subset by characteristic."""
    subsets = list(dict.fromkeys(study.part for study in studies))
    totals = Counter(study.part for study in studies)
    everyone = {(study.part, study.patient) for study in studies}
    groups = Counter(subset for subset, _ in everyone)
    lines = [
        Row(("Studies", *(str(totals[subset]) for subset in subsets)), strong=True),
        Row(("Patient groups", *(str(groups[subset]) for subset in subsets)), strong=True),
    ]
    for name, heading in GROUPINGS.items():
        counted = Counter((study.part, getattr(study, name) or NOT_KNOWN) for study in studies)
        overall = Counter(getattr(study, name) or NOT_KNOWN for study in studies)
        if set(overall) == {NOT_KNOWN}:
            continue
        shown = _ordered(overall)
        rest = [value for value in overall if value not in shown]
        for value in shown:
            shares = [_share(counted[subset, value], totals[subset]) for subset in subsets]
            lines.append(Row((f"{heading}: {value}", *shares)))
        if rest:
            left = (sum(counted[subset, value] for value in rest) for subset in subsets)
            shares = [_share(n, totals[subset]) for n, subset in zip(left, subsets, strict=True)]
            lines.append(Row((f"{heading}: {len(rest)} others", *shares)))
    return Table(("Characteristic", *subsets), tuple(lines))


def _ordered(values: Counter[str]) -> list[str]:
    """Age bands in their order, else the most frequent first."""
    if set(values) <= {*AGE_BANDS, NOT_KNOWN}:
        return [band for band in (*AGE_BANDS, NOT_KNOWN) if band in values]
    return sorted(values, key=lambda value: (-values[value], value))[:MOST_SHOWN]


def _share(count: int, total: int) -> str:
    return f"{count} ({count / total:.0%})"


def model_section(files: RunFiles) -> Section:
    """Model card: system, inputs, encoders, training and graph."""
    record = files.record
    rows = (
        Pair("System", str(record.get("system") or "")),
        Pair("Description", _described(str(record.get("system") or ""))),
        Pair("Output", "a probability of each finding, and a decision at its threshold"),
        Pair("Inputs at test", listed(record.get("inputs_at_test"))),
        Pair("Text read by the system", _text_policy(record)),
        Pair("Image encoder", _image(section_of(record, "image"))),
        Pair("Text encoder", _part(section_of(record, "text").get("encoder"))),
        *(Pair(f"Start of the {reads} encoder", str(words)) for reads, words in _weights(record)),
        Pair("Trained parameters", _count(record.get("parameters"))),
        Pair("Training", _training(record)),
        *_chosen(record.get("chosen")),
        Pair("Calibration", _calibration(record)),
        Pair("Weights", "in the run's folder, checkpoints/best, as safetensors"),
        *_graph(record.get("graph")),
        Pair("Intended use", "research on these data; never the care of a patient"),
    )
    return Section("model", "Model", (Pairs(rows),), "Model")


def _chosen(chosen: Any) -> tuple[Pair, ...]:
    """Parameters selected on validation after training."""
    if not isinstance(chosen, Mapping) or not chosen:
        return ()
    words = ", ".join(f"{name} {value:g}" for name, value in sorted(chosen.items()))
    return (Pair("Selected on validation", words),)


def _graph(graph: Any) -> tuple[Pair, ...]:
    """Rows on the graph of a run."""
    if not isinstance(graph, Mapping):
        return (Pair("Graph", "none"),)
    left_out = graph.get("left_out")
    size = "" if graph.get("concepts") is None else f"{graph['concepts']} and {graph.get('edges')}"
    control = control_words(str(graph.get("control") or "none"), exact(graph.get("changed")))
    kept = "included: no claim can rest on this run"
    return (
        Pair("Graph", str(graph.get("name") or "")),
        Pair("Graph fingerprint", str(graph.get("fingerprint") or ""), exact=True),
        Pair("Concepts and edges", size),
        Pair("Left out of the graph", listed(left_out) or "nothing"),
        Pair("Graph control", control),
        Pair("Edges mined from the test data", kept if graph.get("keeps_test_data") else ""),
    )


def _weights(record: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Weights that the encoders began with."""
    weights = record.get("weights")
    return weights.items() if isinstance(weights, Mapping) else ()


def _described(system: str) -> str:
    """First line of the system's file, where it ships with kgdx."""
    return SYSTEMS.describe(system) if system in SYSTEMS.names() else ""


def _image(image: Mapping[str, Any]) -> str:
    encoder = _part(image.get("encoder"))
    if not encoder:
        return ""
    return f"{encoder}; {'frozen' if image.get('frozen', True) else 'trained'}"


def _part(part: Any) -> str:
    """Name and options of a part; paths are shortened to the file name."""
    if not isinstance(part, Mapping):
        return ""
    options = part.get("options") or {}
    values = ", ".join(f"{key} {str(value).rsplit('/', 1)[-1]}" for key, value in options.items())
    return f"{part.get('name')} ({values})" if values else str(part.get("name") or "")


def _training(record: Mapping[str, Any]) -> str:
    """Description of the training stages."""
    stages = (record.get("experiment") or {}).get("stages") or ()
    lines = []
    for stage in stages:
        weights = (stage.get("objectives") or {}).items()
        objectives = ", ".join(f"{name} {weight}" for name, weight in weights)
        lines.append(
            f"{stage.get('name') or 'stage'}: {stage.get('epochs')} epochs, batches of "
            f"{stage.get('batch_size')}, learning rate {stage.get('learning_rate')}; {objectives}"
        )
    return ". ".join(lines)


def _calibration(record: Mapping[str, Any]) -> str:
    rows = [row for row in record.get("findings") or () if isinstance(row, Mapping)]
    degrees = [known for row in rows if (known := exact(row.get("temperature"))) is not None]
    if not degrees:
        return ""
    span = f"{number(min(degrees), 2)} to {number(max(degrees), 2)}"
    return f"temperatures {span}; temperatures and thresholds fitted on validation"


def _text_policy(record: Mapping[str, Any]) -> str:
    policy = str(record.get("text_policy") or "none")
    return INPUTS.get(policy, policy)


def _policy(policy: Any) -> str:
    if isinstance(policy, Mapping):
        return ", ".join(f"{name}: {value}" for name, value in policy.items())
    return str(policy or "")


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and value else ""
