"""Measure the graph tools: start, load and SPARQL beside rdflib, import of ontologies, coverage.

python tests/benchmarks/graph_tools.py --root ../shared/data
python tests/benchmarks/graph_tools.py --root ../shared/data --only load
"""

from __future__ import annotations

import argparse
import ast
import csv
import gzip
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyoxigraph as ox

from kg.ask.coverage import coverage, coverage_of_names
from kg.build.recipe import build
from kg.check.comparison import against_labels, against_vocabulary
from kg.check.validate import validate
from kg.files.store import load_shipped

HERE = Path(__file__).parent
RESULT = HERE / "results" / "graph_tools.md"
PADCHEST = {
    "table": "padchest_labels/PADCHEST_labels_physician_subset.csv.gz", "patient": "PatientID",
    "study": "StudyID", "labels": "Labels", "separator": "list", "label_set": "padchest",
}  # fmt: skip
LABEL_SETS = ("chexpert14", "nih14", "padchest", "vinbigdata15")

OURS = """
from pathlib import Path
from kg.ask.sparql import store_of
began = time.process_time()
store = store_of(Path(sys.argv[1]))
loaded = time.process_time()
answer = [tuple(str(v.value) for v in row) for row in store.query(sys.argv[2])]
"""
RDFLIB = """
from rdflib import Graph
began = time.process_time()
form = {"owl": "xml", "ttl": "turtle", "nt": "nt"}[sys.argv[1].rpartition(".")[2]]
store = Graph().parse(sys.argv[1], format=form)
loaded = time.process_time()
answer = [tuple(str(v) for v in row) for row in store.query(sys.argv[2])]
"""
REPORT = """
done = time.process_time()
# of this program alone: what getrusage says is never less than its parent had
status = open("/proc/self/status").read()
peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps([loaded - began, done - loaded, peak, answer]))
"""
HEAD = "import json, sys, time"

CIDO_QUERY = """SELECT (COUNT(*) AS ?n) {
  ?s <http://www.w3.org/2000/01/rdf-schema#subClassOf> ?o ;
     <http://www.w3.org/2000/01/rdf-schema#label> ?l }"""
MILLION_QUERY = """SELECT ?o (COUNT(*) AS ?n) { ?s <urn:r:3> ?o . ?o <urn:r:5> ?t }
  GROUP BY ?o ORDER BY DESC(?n) ?o LIMIT 5"""


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=7)
    parts = {
        "start": lambda: _start(given.repeats),
        "load": lambda: _load(given.root),
        "imports": lambda: _imports(given.root),
        "shipped": lambda: _shipped(given.root),
    }
    parser.add_argument("--only", choices=parts, help="measure this and leave the rest as it is")
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    head = (
        "# Graph tools\n\n`python tests/benchmarks/graph_tools.py --root DIR`; Python "
        f"{platform.python_version()}, {cores} cores, medians; every ratio is of one run."
    )
    before = RESULT.read_text(encoding="utf-8").split("\n\n## ")[1:] if given.only else []
    kept = dict(zip(parts, (f"## {one.strip()}" for one in before), strict=False))
    measured = {given.only} if given.only else set(parts)
    told = ["\n\n".join(run()) if name in measured else kept[name] for name, run in parts.items()]
    RESULT.write_text("\n\n".join([head, *told]) + "\n", encoding="utf-8")
    sys.stdout.write(f"written to {RESULT}\n")


def _timed(words: list[str]) -> tuple[float, float]:
    """Seconds by the clock and of processor time."""
    began, used = time.perf_counter(), _children()
    subprocess.run(words, capture_output=True, check=True)
    return time.perf_counter() - began, _children() - used


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _start(repeats: int) -> list[str]:
    """The commands take turns, so that a busy moment meets all of them."""
    python = sys.executable
    tool = [python, "-m", "experiments.cli.main", "graph"]
    commands = {
        "python -c pass": [python, "-c", "pass"],
        "python -c 'import click'": [python, "-c", "import click"],
        "kgdx graph show atelectasis": [*tool, "show", "atelectasis"],
        "kgdx graph path covid_19 atelectasis": [*tool, "path", "covid_19", "atelectasis"],
        "kgdx graph stats": [*tool, "stats"],
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, words in commands.items():
            times[name].append(_timed(words))
    clock = {name: statistics.median(t for t, _ in found) for name, found in times.items()}
    used = {name: statistics.median(t for _, t in found) for name, found in times.items()}
    rows = [f"| `{name}` | {clock[name]:.3f} | {used[name]:.3f} |" for name in commands]
    held = [
        said
        for said, found in (("by the clock", clock), ("of processor time", used))
        if found["kgdx graph show atelectasis"] <= 2 * found["python -c 'import click'"] + 0.3
    ]
    return [
        "## Start",
        "\n".join(
            ["| command | seconds by the clock | of processor time |", "|---|---|---|", *rows]
        ),
        "Bound for `graph show`: twice `import click` plus 0.3 s; held "
        f"{' and '.join(held) or 'by neither'}.",
    ]


def _measured(script: str, path: Path, query: str) -> tuple[float, float, float, list[list[str]]]:
    words = [sys.executable, "-c", HEAD + script + REPORT, str(path), query]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    load, ask, peak, answer = json.loads(done.stdout)
    return load, ask, peak, answer


def _load(root: Path) -> list[str]:
    rows, goals = [], []
    with tempfile.TemporaryDirectory() as folder:
        million = Path(folder) / "million.nt"
        turtle = million.with_suffix(".ttl")
        _write_million(million)
        store = ox.Store()
        store.bulk_load(path=str(million), format=ox.RdfFormat.N_TRIPLES)
        prefixes = {"n": "urn:n:", "r": "urn:r:"}
        store.dump(str(turtle), format=ox.RdfFormat.TURTLE, prefixes=prefixes,
                   from_graph=ox.DefaultGraph())  # fmt: skip
        del store
        cido = root / "ontologies" / "CIDO-ontology__cido" / "cido-edit.owl"
        files = ((cido, CIDO_QUERY, 5, "CIDO (38,176 triples, RDF/XML)"),
                 (million, MILLION_QUERY, 1, "1,000,000 triples (N-Triples)"),
                 (turtle, MILLION_QUERY, 1, "the same (Turtle)"))  # fmt: skip
        for path, query, repeats, said in files:
            ours, theirs = [], []
            for _ in range(repeats):
                ours.append(_measured(OURS, path, query))
                theirs.append(_measured(RDFLIB, path, query))
            same = "same" if ours[0][3] == theirs[0][3] else "DIFFERENT"
            one, two = ([statistics.median(t[k] for t in runs) for k in range(3)]
                        for runs in (ours, theirs))  # fmt: skip
            for name, found in (("kgdx", one), ("rdflib", two)):
                rows.append(f"| {said} | {name} | {found[0]:.2f} | {found[1]:.3f} | "
                            f"{found[2]:.0f} |")  # fmt: skip
            ratios = [second / first for first, second in zip(one, two, strict=True)]
            goals.append(f"{said} {'reached' if ratios[0] >= 10 else 'NOT reached'}")
            rows.append(f"| {said}, answers {same} | *rdflib : kgdx* | **{ratios[0]:.1f}** | "
                        f"**{ratios[1]:.1f}** | {ratios[2]:.1f} |")  # fmt: skip
    head = ["| file | tool | load, s | query, s | peak memory, MiB |", "|---|---|---|---|---|"]
    return [
        "## Load and SPARQL beside rdflib",
        "Both in a process of their own, in turns; seconds of processor time, all threads "
        "together. The load of kgdx includes its check for entities that lie outside the file.",
        "\n".join([*head, *rows]),
        f"Goal, to load ten times as fast as rdflib: {'; '.join(goals)}.",
    ]


def _write_million(path: Path) -> None:
    """100,000 nodes with ten edges each, the targets spread by a fixed rule."""
    with path.open("w", encoding="ascii") as file:
        for node in range(100_000):
            for edge in range(10):
                target = (node * 7919 + edge * 104_729 + (node * node) % 8191) % 100_000
                file.write(f"<urn:n:{node}> <urn:r:{edge}> <urn:n:{target}> .\n")


def _imports(root: Path) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "ontologies.yaml"
        recipe.write_text((HERE / "ontologies.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        for place in (root / "ontologies").iterdir():
            (Path(folder) / place.name).symlink_to(place.resolve())
        began = time.perf_counter()
        result = build(recipe)
        seconds = time.perf_counter() - began
    rows, why = [], []
    for taken in result.taken:
        counts = (taken.concepts, taken.joined, taken.new_concepts, taken.edges, taken.new_edges,
                  sum(taken.dropped.values()))  # fmt: skip
        rows.append(f"| {taken.source} | {' | '.join(str(count) for count in counts)} |")
        why += [
            f"| {taken.source} | {reason} | {count} |"
            for reason, count in sorted(taken.dropped.items(), key=lambda pair: -pair[1])
            if count
        ]
    conflicts = Counter(conflict.kind for conflict in result.conflicts)
    listed = [f"| {kind} | {count} |" for kind, count in conflicts.most_common()]
    head = ["| source | concepts | joined to known ones | new | edges | new edges | dropped |",
            "|---|---|---|---|---|---|---|"]  # fmt: skip
    return [
        "## Import of every ontology",
        f"One recipe (`tests/benchmarks/ontologies.yaml`), in the order of the rows, in "
        f"{seconds:.0f} s: {len(result.graph.concepts):,} concepts, {len(result.graph.edges):,} "
        "edges. *Dropped* counts statements, not terms; the reasons follow.",
        "\n".join([*head, *rows]),
        "\n".join(["| source | dropped because | count |", "|---|---|---|", *why]),
        "Conflicts, all listed in the table beside the graph:",
        "\n".join(["| conflict | count |", "|---|---|", *listed]),
    ]


def _shipped(root: Path) -> list[str]:
    graph = load_shipped()
    faults = Counter(fault.severity for fault in validate(graph))
    rows = []
    for name in LABEL_SETS:
        found = coverage(graph, graph.label_set(name))
        known = [row for row in found if row.concept]
        clinical = sum(row.edges > 0 for row in known)
        rows.append(f"| {name} | {len(found)} | {len(known)} | {clinical} |")
    labels, images = _padchest_labels(root)
    found = coverage_of_names(graph, sorted(labels))
    missing = [row.label for row in found if not row.concept]
    told = ", ".join(f"{label} ({labels[label]})" for label in missing)
    head = ["| label set | labels | are concepts | have clinical edges |", "|---|---|---|---|"]
    return [
        "## The shipped graph",
        f"{len(graph.concepts):,} concepts, {len(graph.edges):,} edges, "
        f"{sum(len(e.evidence) for e in graph.edges):,} items of evidence; fingerprint "
        f"`{graph.fingerprint}`; {faults['error']} errors, {faults['warning']} warnings, "
        f"{faults['info']} remarks of `graph validate`.",
        "\n".join([*head, *rows]),
        f"Of the {len(labels)} labels in the physician-labelled part of the PadChest table itself "
        f"({images:,} images), {len(labels) - len(missing)} are found by name; not: {told}, with "
        "the number of images.",
        *_compared(root),
    ]  # fmt: skip


def _compared(root: Path) -> list[str]:
    """`is_a` beside the NIH and PadChest tables, identifiers beside their vocabularies."""
    tables = {
        "NIH ChestX-ray14 (112,120 images)": {
            "table": "nih_chestxray14_labels/Data_Entry_2017_v2020.csv.gz",
            "patient": "Patient ID", "labels": "Finding Labels", "label_set": "nih14",
            "columns": {"No Finding": "No finding"}},
        "PadChest, every label that is not named counted as absent": PADCHEST,
        "PadChest, wider labels than the named one not stated": {
            **PADCHEST, "most_specific": True},
    }  # fmt: skip
    ontologies = root / "ontologies"
    vocabularies = {
        "RadLex 2017 table": ontologies / "tekram__radlex-mapper" / "Radlex.csv",
        "Symptom Ontology": ontologies / "DiseaseOntology__SymptomOntology" / "symp.obo",
        "Human Disease Ontology, infectious disease slim":
            ontologies / "DiseaseOntology__HumanDiseaseOntology" / "DO_infectious_disease_slim.owl",
    }  # fmt: skip
    graph, rows = load_shipped(), []
    for name, options in tables.items():
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
            json.dump({**options, "patients": "all",
                       "table": str((root / str(options["table"])).resolve())}, file)  # fmt: skip
        found = list(against_labels(graph, Path(file.name)))
        Path(file.name).unlink()
        rows.append(f"| {name} | {len(found)} `is_a_against_labels` |")
    for name, path in vocabularies.items():
        counts = Counter(fault.rule for fault in against_vocabulary(graph, path))
        told = ", ".join(f"{count} `{rule}`" for rule, count in sorted(counts.items()))
        rows.append(f"| {name} | {told or 'nothing'} |")
    return ["\n".join(["| compared with | found |", "|---|---|", *rows])]


def _padchest_labels(root: Path) -> tuple[Counter[str], int]:
    path = root / "padchest_labels" / "PADCHEST_labels_physician_subset.csv.gz"
    labels: Counter[str] = Counter()
    images = 0
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            images += 1
            if row["Labels"].startswith("["):
                labels.update({word.strip() for word in ast.literal_eval(row["Labels"])} - {""})
    return labels, images


if __name__ == "__main__":
    main()
