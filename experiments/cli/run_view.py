"""Runs on the command line: rows of the list, and the whole record of one."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.cli import show
from experiments.records.folder import RunFolder, list_runs
from experiments.records.record import Measured, RunRecord
from kg.errors import InputError

__all__ = [
    "interval",
    "note_end",
    "print_evaluation",
    "print_faithfulness",
    "print_record",
    "run_rows",
]

MAIN = "auroc_macro"
"""Metric that stands for a run, where it has been measured."""
_SHOWN = ("auroc", "auprc")


def run_rows(runs: Path) -> list[dict[str, Any]]:
    """One row per run; a run without a readable record has the status `no record`."""
    rows: list[dict[str, Any]] = []
    for folder in list_runs(runs):
        try:
            record = folder.load_record()
        except InputError as error:
            told = {"error": error.message, "next": error.hint}
            rows.append({"run": folder.run, "status": "no record", **told})
            continue
        auroc = record.metrics.get("test", {}).get(MAIN)
        every = record.metrics.get("test", {}).get(f"{MAIN}_all")
        row = {
            "run": record.run,
            "status": record.status,
            "system": record.system,
            "dataset": record.dataset,
            "inputs_at_test": list(record.inputs_at_test),
            "text_policy": record.text_policy,
            "leakage": record.leakage,
            "seed": record.seed,
            "auroc_macro": auroc.value if auroc else None,
            "auroc_macro_all": every.value if every else None,
            "started": record.started,
            "reason": record.reason,
            "data_folder": record.data_folder,
            "next": _next(folder, record),
        }
        rows.append(row)
    return rows


def _over(name: str, measured: Measured, record: RunRecord, subset: str) -> str:
    """Number of findings of a mean, and of those with few positives."""
    from experiments.metrics.bootstrap import ALL, USUAL

    if measured.findings is None:
        return ""
    counted = f"{measured.findings} findings"
    few = sum(
        row.positives < USUAL.at_least
        for row in record.findings
        if row.part == subset
        and (area := row.metrics.get("auroc")) is not None
        and area.value is not None
        and (name.endswith(ALL) or not row.remark)
    )
    return f"{counted}, {few} with fewer than {USUAL.at_least} positives" if few else counted


def _next(folder: RunFolder, record: RunRecord) -> str:
    """What to do next about a run: the command, behind the reason why it ended early."""
    if record.status == "running":
        return "wait until it ends"
    if record.status == "diverged":
        return f"{record.reason}: {record.way_on}"
    path = shlex.quote(str(folder.path))
    if record.status == "finished":
        return f"kgdx experiment report {path} -o {path}.html"
    named = Path(record.data_folder).is_absolute()  # under a key of pseudonyms it is none
    root = f" --root {shlex.quote(record.data_folder)}" if named else ""
    resume = f"kgdx experiment resume {path}{root}"
    return f"{record.reason}: {resume}" if record.reason else resume


def print_record(folder: RunFolder, record: RunRecord) -> None:
    """Print the inputs, settings and metrics of a run."""
    show.table(("run", ""), [*_summary(record), ("next", _next(folder, record))])
    for subset, metrics in record.metrics.items():
        show.result("")
        rows = [
            (name, interval(measured), _over(name, measured, record, subset))
            for name, measured in metrics.items()
        ]
        show.table((f"on {subset}", "value [95% interval]", "mean over"), rows)
    for subset in dict.fromkeys(row.part for row in record.findings):
        show.result("")
        _print_findings(record, subset)
    for warning in record.warnings:
        show.note(f"note: {warning}")
    show.note("For research use only: not a medical device.")


def note_end(record: RunRecord, page: Path) -> None:
    """Print the main metric of a run that has ended, its interval and its page to stderr.

    The mean over all findings stands beside it where it leaves out some with few positives.
    """
    tested = record.metrics.get("test", {})
    main = [name for name in (MAIN, f"{MAIN}_all") if name in tested] or list(tested)[:1]
    for name in main:
        over = _over(name, tested[name], record, "test")
        words = "95% interval" + (f", over {over}" if over else "")
        show.note(f"{name} on test {interval(tested[name])} ({words})")
    for warning in record.warnings:
        show.note(f"note: {warning}")
    if page.is_file():
        show.note(f"page {page.absolute()}")


def print_evaluation(evaluation: Mapping[str, Any]) -> None:
    """Print the evaluation of a run on another data set or label set."""
    plain = [(k, v) for k, v in evaluation.items() if not isinstance(v, Mapping | list | tuple)]
    plain += [(k, evaluation[k]) for k in ("inputs_at_test", "without") if evaluation.get(k)]
    show.table(("evaluation", ""), plain)
    metrics = evaluation.get("metrics", {})
    for basis, values in metrics.items():
        show.result("")
        known = {name: interval(value) for name, value in values.items()}
        rows = [(name, text) for name, text in known.items() if text != "not defined"]
        show.table((f"{basis} findings", "value [95% interval]"), rows)
    agrees = [(name, interval(value)) for name, value in evaluation.get("agreement", {}).items()]
    if any(text != "not defined" for _, text in agrees):
        show.result("")
        show.table(("agreement over all findings", "value [95% interval]"), agrees)
    show.result("")
    cells = [
        (
            row["label"],
            row["basis"],
            f"{row['positives']}/{row['studies']}",
            *(interval(row["metrics"].get(name)) for name in _SHOWN),
            _remark(row["positives"], row["remark"]),
        )
        for row in evaluation.get("findings", ())
    ]
    show.table(("finding", "basis", "positives", *_SHOWN, "remark"), cells)
    for reason, count in evaluation.get("skipped", {}).items():
        show.note(f"left out: {count} {reason}")
    listed = {
        "without_equivalent": "not trained",
        "not_possible": "not possible",
        "too_rare": "too rare to test",
    }
    for key, heading in listed.items():
        if evaluation.get(key):
            show.note(f"{heading}: {', '.join(evaluation[key])}")
    for warning in evaluation.get("warnings", ()):
        show.note(f"note: {warning}")
    show.note("For research use only: not a medical device.")


def print_faithfulness(curves: Mapping[str, Any]) -> None:
    """Print the deletion curves of a run, one table per kind of evidence."""
    for name, curve in curves["sources"].items():
        rows = [
            (
                point["deleted"],
                *(interval(point[which]) for which in ("attended", "random", "difference")),
                interval(point["auroc_attended"]),
                interval(point["auroc_random"]),
            )
            for point in curve["points"]
        ]
        most = "largest share" if name == "edges" else "most attended"
        heads = (most, "random", "difference", f"AUROC, {most}", "AUROC, random")
        show.table((f"deleted {name}", *heads), rows)
        show.result(
            f"area between the curves ({curve['studies']} studies, {curve['findings']} findings): "
            f"{interval(curve['area'])}"
        )
        show.result("")
    if curves["sources"]:
        show.note("Values are drops of the predicted class's probability; negative ones are rises.")
    for name, found in curves["evidence"].items():
        rows = [
            (measure.replace("_", " "), interval(value))
            for measure, value in found.items()
            if measure != "studies"
        ]
        show.table((f"{name.replace('_', ' ')} ({found['studies']} studies)", ""), rows)
        show.result("")


def interval(measured: Measured | Mapping[str, Any] | float | None) -> str:
    """`0.771 [0.742, 0.799]`; `not defined` where there is no value."""
    if isinstance(measured, Mapping):
        known = {key: measured.get(key) for key in ("value", "low", "high")}
        measured = Measured(**known)
    if measured is None or isinstance(measured, float):
        measured = Measured(measured)
    return measured.words()


def _summary(record: RunRecord) -> list[tuple[str, object]]:
    """Inputs and settings that the metrics depend on."""
    graph = record.graph
    left_out = ", ".join(graph.left_out) if graph and graph.left_out else "nothing"
    return [
        ("run", record.run),
        ("status", record.status),
        *([("reason", record.reason)] if record.reason else []),
        ("system", record.system),
        ("data set", f"{record.dataset}, labels {record.labels}"),
        ("data folder", record.data_folder or "not recorded"),
        ("labels read from", list(record.label_source)),
        ("inputs at test", list(record.inputs_at_test)),
        ("text policy", record.text_policy),
        ("leakage", record.leakage),
        *((f"{reads} encoder", words) for reads, words in record.weights.items()),
        ("studies", ", ".join(f"{n} {subset}" for subset, n in record.split_counts.items())),
        ("split manifest", record.split_manifest[:12]),
        ("graph", f"{graph.name} {graph.words}" if graph else "none"),
        ("left out of the graph", left_out),
        ("seed", record.seed),
        ("device", record.device),
        ("seconds", round(record.seconds)),
        ("commit", record.commit[:12] if record.commit else "installed"),
    ]


def _remark(positives: int, remark: str) -> str:
    """Remark on a finding; a run of one fold averages also those with few positives."""
    from experiments.metrics.bootstrap import USUAL

    few = "too few positives, yet averaged"
    return remark or (few if positives < USUAL.at_least else "")


def _print_findings(record: RunRecord, subset: str) -> None:
    rows = [row for row in record.findings if row.part == subset]
    measured = {name for row in rows for name in row.metrics}
    shown = [name for name in _SHOWN if name in measured]
    cells = [
        (
            row.label,
            f"{row.positives}/{row.studies}",
            *(interval(row.metrics.get(name)) for name in shown),
            "; ".join(
                word
                for word in (row.basis, _remark(row.positives, row.remark))
                if word not in ("trained", "")
            ),
        )
        for row in rows
    ]
    show.table((f"finding on {subset}", "positives", *shown, "remark"), cells)
