"""Generation of the synthetic data set: sampling, drawing, writing and ground truth."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from experiments.synthetic.canvas import stream
from experiments.synthetic.dialogue import write_dialogue
from experiments.synthetic.links import Links
from experiments.synthetic.planted import planted_truths
from experiments.synthetic.report import write_report
from experiments.synthetic.rules import Rules
from experiments.synthetic.studio import draw, images_of
from experiments.synthetic.truth import Truth, truth_of
from experiments.synthetic.world import Case, sample
from experiments.synthetic.writer import Writer
from kg.errors import InputError
from kg.files.json_text import json_of
from kg.model.graph import KnowledgeGraph

TRUTH = "truth.jsonl"
VERSION = 1
"""Version, raised whenever the same rules give other studies, so that old copies are made again."""


def key_of(rules: Rules, graph: KnowledgeGraph) -> str:
    """Folder name of the copy for these rules and this graph."""
    content = f"{VERSION} {rules.model_dump_json()} {graph.fingerprint}"
    return f"{rules.world}-{rules.studies}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def generate(folder: Path, rules: Rules, graph: KnowledgeGraph) -> list[Truth]:
    """Write images and ground truth of a whole data set; the same rules give the same bytes.

    The ground truth is written last and in one step, so a copy that has it is whole.

    Args:
        folder: Folder for `truth.jsonl` and `images/`; created if missing.
        rules: Number of studies, seed and world.
        graph: The clinical graph to sample through.

    Returns:
        One record for each study, as in `truth.jsonl`.

    Raises:
        InputError: If the folder cannot be written.
    """
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        truths = list(_truths(folder, rules, graph))
        lines = [json.dumps(truth, ensure_ascii=False, sort_keys=True) for truth in truths]
        partial = folder / f".{TRUTH}.{os.getpid()}"
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        partial.replace(folder / TRUTH)
    except OSError as error:
        raise InputError(
            f"{folder}: the synthetic data set cannot be written: {error.strerror}",
            "name a root that can be written, or one that holds a prepared copy",
        ) from None
    return truths


def _truths(folder: Path, rules: Rules, graph: KnowledgeGraph) -> Iterator[Truth]:
    if rules.world in ("planted", "unplanted"):
        yield from planted_truths(rules, graph)
        return
    for case in sample(rules, Links(graph)):
        images = {}
        for image in images_of(case, rules):
            drawing = draw(case, image, rules)
            path = f"images/{image.name}.png"
            Image.fromarray(drawing.pixels).save(folder / path, compress_level=3)
            images[path] = (image, drawing)
        yield truth_of(case, rules, graph, images, _texts(case, rules))


def _texts(case: Case, rules: Rules) -> tuple[Writer, Writer]:
    """Report and, for some, a dialogue; CT and ultrasound partly in Chinese too."""
    rng = stream(rules.seed, "text", case.study)
    chinese = bool(case.modality != "cxr" and rng.random() < rules.chinese)
    report = write_report(case, rng, chinese=chinese)
    if rng.random() >= rules.dialogues:
        return report, Writer()
    language = "zh" if chinese and rng.random() < 0.5 else "en"
    return report, write_dialogue(case, rng, "zh" if language == "zh" else "en")


def read_truths(path: Path) -> list[Truth]:
    """Read the ground truth of a copy.

    Raises:
        InputError: Naming the line that is no record of a study.
    """
    truths: list[Truth] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            truth = json_of(line)
        except ValueError:
            truth = None
        if not isinstance(truth, dict) or "study" not in truth or "labels" not in truth:
            raise InputError(
                f"{path}: line {number}: not the record of a study",
                "remove the folder; it is made anew from the same seed",
            )
        truths.append(truth)
    return truths
