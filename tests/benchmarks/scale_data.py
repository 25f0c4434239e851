"""Scale of prepared copies: start-up beside pandas, memory from few to many studies, workers.

    python tests/benchmarks/scale_data.py [--studies 1000 100000] [--work DIR]

Everything is generated, at the size of MIMIC-CXR for the start-up (377,110 pictures of 227,835
studies). Each memory figure is the peak of a process of its own. What preparing needs grows with
the studies, which are divided with all of them at hand: it is given as kB a study. Processes are
compared by the time they spend computing, which other work on the machine does not change. Writes
`results/scale_data.md`; ends with 1 where start-up takes longer than pandas, memory of reading
grows, or a study takes more than `MOST_STUDY` kB to prepare.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from encoders.study import Passage, Study, StudyImage
from experiments.datasets.table import Table
from experiments.preparation.copy import PreparedCopy, StudyTable
from experiments.preparation.image_scan import ImageScan, Recipe, ScannedImage
from experiments.preparation.index import (
    INDEX,
    STUDIES_FILE,
    write_images,
    write_studies,
)
from experiments.preparation.prepare import prepare
from experiments.preparation.shards import Sample, Shards, write_shards
from experiments.records.atomic import write_json

IMAGES, STUDIES = 377_110, 227_835
MOST_GROWTH = 1.1
MOST_STUDY = 4.0
SIDE, SHARDS = 32, 64
PREPARED = (1_000, 20_000)
LOOKED = (100, 700)
TITLES = ("Cardiomegaly", "Pleural Effusion", "Pneumothorax", "Atelectasis")
FINDINGS = ("cardiomegaly", "pleural_effusion", "pneumothorax", "atelectasis")
RESULTS = Path(__file__).parent / "results" / "scale_data.md"
REPORT = "Findings: The heart is enlarged. No pneumothorax. Small left pleural effusion. " * 8


def studies(count: int, pictures: int) -> Iterator[Study]:
    """Made-up studies of three a patient, with reports and stated findings."""
    extra = pictures - count
    for number in range(count):
        images = tuple(
            StudyImage(f"files/p{number // 3:08d}/s{number:08d}/{place}.jpg", "cxr", "frontal")
            for place in range(1 + (number < extra))
        )
        yield Study(
            study=f"s{number:08d}",
            patient=f"p{number // 3:08d}",
            images=images,
            report=(Passage("findings", f"{number} {REPORT}"),),
            stated={
                f"ckg:{name}": "present" if number % 7 == k else "absent"
                for k, name in enumerate(FINDINGS)
            },  # fmt: skip
            dataset="table",
        )


def looked(path: str, row: int) -> ScannedImage:
    return ScannedImage(path, 300_000, 1, sha256=f"{row:064x}", shape=f"{row:064x}", row=row)


def make_copy(folder: Path, count: int, pictures: int, shards: int = 0) -> Path:
    """A copy as `data prepare` would write it, without decoding anything."""
    folder.mkdir(parents=True)
    everyone = list(studies(count, pictures))
    paths = (image.path for study in everyone for image in study.images)
    scanned = {path: looked(path, row) for row, path in enumerate(paths)}
    write_images(folder / INDEX, everyone, scanned, {})
    write_studies(folder / STUDIES_FILE, everyone, scanned)
    record = {"dataset": "table", "labels": "own", "options": {}, "root": str(folder)}
    write_json(folder / "prepared.json", record | {"fingerprint": f"{count}"})
    if shards:
        noise = np.random.default_rng(0).random((8, SIDE, SIDE)).astype(np.float16)
        samples = (
            Sample(row, study, tuple(i.path for i in study.images), noise[: len(study.images)])
            for row, study in enumerate(everyone)
        )
        about = {"studies": count, "side": SIDE, "view": "whole"}
        write_shards(folder, samples, about, shards)
    return folder


def write_csv(copy: Path, path: Path) -> None:
    """The index of a copy as the csv that pandas reads."""
    from pyarrow import csv as tables
    from pyarrow import parquet

    tables.write_csv(parquet.read_table(copy / INDEX), path)


def own_process(work: Callable[..., Any], *given: Any) -> Any:
    """What `work` gives in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, given)


def seconds(work: Callable[[], Any]) -> float:
    """Best of three, the first of which warms the disk cache."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def start_up(copy: Path, table: Path) -> tuple[float, float]:
    """Seconds to open a copy and have its first and last study; seconds of pandas for its csv."""
    import pandas

    def opened() -> None:
        found = PreparedCopy.find(copy)
        assert found is not None
        assert len(found.studies) == STUDIES
        assert found.studies[0].images
        assert found.studies[-1].images

    return seconds(opened), seconds(lambda: pandas.read_csv(table))


def peak() -> float:
    """Most memory this process ever had, in MB; what it was started from does not count."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise OSError("this system does not tell the most memory a process had")


def read_through(copy: Path) -> tuple[float, int]:
    """Peak after every study of a copy was read once."""
    pictures = sum(len(study.images) for study in StudyTable(copy / STUDIES_FILE))
    return peak(), pictures


def stream_through(copy: Path) -> tuple[float, int]:
    """Peak after an epoch of training batches from shards."""
    import torch

    from experiments.config.schema import Experiment
    from experiments.loading.stream import StreamedCohort
    from experiments.runs.build import build_preprocessor
    from kg.files.store import load_shipped

    torch.set_num_threads(1)
    experiment = Experiment.model_validate(
        {
            "name": "scale",
            "data": {"name": "table", "labels": "own"},
            "image": {"encoder": {"name": "tiny_cnn", "options": {"size": SIDE, "width": 64}},
                      "frozen": False},
            "graph": {"width": 16, "vectors": "random"},
            "system": {"name": "graph_fusion"},
            "concept_sources": [],
        }
    )  # fmt: skip
    table = StudyTable(copy / STUDIES_FILE)
    findings = tuple(f"ckg:{name}" for name in FINDINGS)
    graph = load_shipped()
    preprocessor = build_preprocessor(
        experiment, (graph, graph), findings, exclusive=False, cache=copy / "cache", runs=copy
    )
    preprocessor.fit([table[place] for place in range(500)], copy)
    cohort = StreamedCohort(table, Shards.open(copy), preprocessor, copy)
    order = cohort.order(50, 0)
    seen = sum(len(batch.ids) for batch in cohort.loader(order))
    return peak(), seen


def write_table(folder: Path, count: int) -> Path:
    """A table of studies with reports and without pictures, as a user would bring it."""
    folder.mkdir()
    with (folder / "studies.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("study", "patient", "report", *TITLES))
        for study in studies(count, count):
            stated = [int(value == "present") for value in study.stated.values()]
            writer.writerow((study.study, study.patient, study.report[0].text, *stated))
    return folder


def prepare_table(folder: Path) -> float:
    """Peak after preparing a table."""
    prepare("table", Table(), folder, folder.with_name(f"{folder.name}-prepared"))
    return peak()


def looking_cost(folder: Path, workers: int, count: int) -> float:
    """Seconds that looking at pictures computes, in this process and in its workers."""
    out = folder / f"looked-{workers}-{count}"
    out.mkdir()
    paths = [path.name for path in sorted((folder / "raw").iterdir())][:count]
    scan = ImageScan(folder / "raw", out, Recipe("1", 224), out / "squares")
    began = os.times()[:4]
    scan.scan(paths, workers)
    return sum(os.times()[:4]) - sum(began)


def draw(folder: Path, count: int) -> None:
    """JPEG pictures of 1024 pixels."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 256, (128, 128), dtype=np.uint8)
    for number in range(count):
        shifted = Image.fromarray(np.roll(rough, number, axis=1))
        shifted.resize((1024, 1024), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg")


def main() -> int:
    """Measure, write the table, and say whether it holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, nargs=2, default=[1_000, 100_000])
    parser.add_argument("--work", type=Path, default=None)
    given = parser.parse_args()
    few, many = given.studies
    lines = ["# Prepared copies at scale", "", "One run; every row compares within it.", ""]
    lines += ["| what | measured | beside | ratio |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory(dir=given.work) as name:
        folder = Path(name)
        copy = make_copy(folder / "mimic", STUDIES, IMAGES)
        write_csv(copy, folder / "index.csv")
        ours, theirs = own_process(start_up, copy, folder / "index.csv")
        lines.append(
            f"| start-up, {IMAGES:,} pictures of {STUDIES:,} studies | {ours:.3f} s | "
            f"pandas reads the csv of the index in {theirs:.2f} s | {ours / theirs:.3f} |"
        )
        ratios = [ours / theirs]
        copies = [make_copy(folder / f"{n}", n, n + n // 2, SHARDS) for n in (few, many)]
        for what, work in (
            ("studies read one by one", read_through),
            ("an epoch streamed from shards", stream_through),
        ):
            (low, _), (high, seen) = (own_process(work, one) for one in copies)
            ratios.append(high / low)
            assert seen >= 0.99 * many
            lines.append(
                f"| peak memory, {what}, {many:,} studies | {high:.0f} MB | "
                f"{few:,} studies: {low:.0f} MB | {high / low:.3f} |"
            )
        tables = [write_table(folder / f"table{n}", n) for n in PREPARED]
        low, high = (own_process(prepare_table, one) for one in tables)
        study = 1024 * (high - low) / (PREPARED[1] - PREPARED[0])
        lines.append(
            f"| peak memory, a table prepared, {PREPARED[1]:,} studies | {high:.0f} MB | "
            f"{PREPARED[0]:,} studies: {low:.0f} MB | {study:.1f} kB a study |"
        )
        draw(folder / "raw", LOOKED[1])
        looking_cost(folder, 1, 8)  # warms this process
        costs = [[looking_cost(folder, workers, n) for n in LOOKED] for workers in (1, 2)]
        one, two = (1000 * (much - little) / (LOOKED[1] - LOOKED[0]) for little, much in costs)
        begun = costs[1][0] - two * LOOKED[0] / 1000
        lines.append(
            f"| computing time of a 1024-pixel JPEG looked at and kept at 224, two processes | "
            f"{two:.1f} ms, and {begun:.1f} s to start them | one process: {one:.1f} ms | "
            f"{two / one:.2f} |"
        )
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = {"start_up": ratios[0], "memory": ratios[1:], "kB a study": study}
    sys.stdout.write(json.dumps(found) + "\n")
    return int(ratios[0] >= 1 or max(ratios[1:]) > MOST_GROWTH or study > MOST_STUDY)


if __name__ == "__main__":
    sys.exit(main())
