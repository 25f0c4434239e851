"""COV-CTR: slices of chest CT with a report in English and in Chinese.

A study is one image with its two reports. The published split separates images of one patient, so
the group is the patient of the tables the images came from: `group_key` in `patients.derived.csv`
or, without it, the paper (file name up to its page) or the number in the file name. An image
without an entry in `annotation.json` has no report and no label.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from encoders.study import Language, Modality, Passage, Stated, Study, StudyImage
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._covid_labels import covid
from experiments.datasets._layout import Layout, Reading, Rejected
from experiments.datasets._near_duplicates import join, published, read_pairs
from experiments.datasets._pictures import ENDINGS, Pictures, draw
from experiments.datasets._sizes import Sizes
from experiments.datasets._tables import read_table, unique
from kg.errors import InputError
from kg.files.json_text import json_in

__all__ = ["CovCTR"]

LANGUAGES: dict[str, Language] = {"english": "en", "chinese": "zh"}
_PAGE = re.compile(r"-p\d+-.*$")


class CovCTR(Layout):
    """COV-CTR as redistributed with `annotation.json` and a folder of images."""

    licence = "none stated; pictures belong to the authors and publishers of the papers"
    citation = (
        "Li M, Liu R, Wang F, et al. Auxiliary signal-guided knowledge encoder-decoder for "
        "medical report generation. World Wide Web 2023;26:253-270. Pictures: Yang X, et al. "
        "COVID-CT-Dataset. arXiv:2003.13865 (2020)."
    )
    homepage = "https://github.com/mlii0117/COV-CTR"
    modalities: ClassVar[tuple[Modality, ...]] = ("ct",)
    label_choices = (LabelChoice("covid", ("record",), "ignore"),)
    files = (
        NeededFile("annotation.json", "reports, label and published split", "ZeroMRG, data/cov/"),
        NeededFile("images", "pictures", "ZeroMRG data/cov/images, or mlii0117/COV-CTR's zip"),
        NeededFile(
            "patients.derived.csv",
            "patient of each image",
            "file names joined to the two patient tables of UCSD-AI4H/COVID-CT",
            ("image", "group_key"),
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {"pictures": 746, "reports": 720, "groups": 385}
    locked_share = 0.2
    locked_as = "cov_ctr:"
    locked_with = "covid_multi_imaging"

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`, one for each image; entries without image are rejected."""
        self.choice(labels)
        self.need(root)
        pictures = Pictures(root, ["images"])
        entries = _entries(root / "annotation.json")
        patients = _patients(root)
        found = {pictures.find(name): name for name in entries}
        keys = {path: _key(patients, found.get(path) or published(path)) for path in pictures.all()}
        groups = join(
            [(("cov_ctr", published(path)), key) for path, key in keys.items()], read_pairs(root)
        )
        sizes = Sizes(root)
        studies = [
            _study(path, groups[keys[path]], entries.get(found.get(path) or "", []), sizes)
            for path in pictures.all()
        ]
        rejected = [
            Rejected("annotation.json", 0, "picture not found", name)
            for name in entries
            if pictures.find(name) is None
        ]
        return Reading(tuple(studies), tuple(rejected))

    def tiny(self, folder: Path) -> None:
        """Write 12 made-up slices of 6 patients with reports in both languages."""
        rng = np.random.default_rng(21)
        entries = []
        patients = [("image", "group_key")]
        for number in range(12):
            ill = number // 2 % 2
            name = f"made-up-{number}.png"
            draw(folder / "images" / name, rng, bright=bool(ill))
            patients.append((name, f"made-up patient {number // 2}"))
            english = "Ground-glass opacity in both lungs." if ill else "No lesion is seen."
            chinese = "双肺磨玻璃影。" if ill else "双肺未见明显异常。"
            for language, report in (("english", english), ("chinese", chinese)):
                entries.append({"id": name, "report": report, "COVID": ill, "label1": language})
        text = json.dumps({"train": entries}, ensure_ascii=False)
        (folder / "annotation.json").write_text(text, encoding="utf-8")
        with (folder / "patients.derived.csv").open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines).writerows(patients)


def _entries(path: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Entries by image name, over all published subsets."""
    try:
        subsets = json_in(path)
        entries = [entry for subset in subsets.values() for entry in subset]
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path}: not the expected JSON: {error}", "get the file again") from None
    found: dict[str, list[Mapping[str, Any]]] = {}
    for number, entry in enumerate(entries, start=1):
        for field in ("id", "report", "COVID", "label1"):
            if field not in entry:
                raise InputError(
                    f"{path}: entry {number} has no {field!r}",
                    f"its fields are: {', '.join(entry)}",
                )
        if str(entry["COVID"]) not in ("0", "1") or entry["label1"] not in LANGUAGES:
            raise InputError(
                f"{path}: entry {number}: COVID {entry['COVID']!r}, label1 {entry['label1']!r}",
                "COVID is 0 or 1, label1 is english or chinese",
            )
        found.setdefault(entry["id"], []).append(entry)
    return found


def _patients(root: Path) -> dict[str, str]:
    path = root / "patients.derived.csv"
    if not path.is_file():
        return {}
    rows = unique(read_table(path, ("image", "group_key")), "image")
    return {name: row["group_key"] for name, row in rows.items()}


def _key(patients: Mapping[str, str], name: str) -> str:
    """Patient of an image; without the table, its paper or the number its name begins with."""
    if name in patients:
        return patients[name]
    return _PAGE.sub("", Path(name).stem if Path(name).suffix in ENDINGS else name).split("%")[0]


def _study(path: str, group: str, entries: list[Mapping[str, Any]], sizes: Sizes) -> Study:
    labels = {str(entry["COVID"]) for entry in entries}
    if len(labels) > 1:
        raise InputError(f"annotation.json: {path} is both COVID and not", "correct its entries")
    stated: dict[str, Stated] = {}
    if labels:
        stated = covid("present" if labels == {"1"} else "absent")
    return Study(
        study=published(path),
        patient=group,
        images=(StudyImage(path, "ct", "axial"),),
        report=tuple(
            Passage("findings", entry["report"].strip(), LANGUAGES[entry["label1"]])
            for entry in entries
            if entry["report"].strip()
        ),
        stated=stated,
        dataset="cov_ctr",
        metadata={"modality": "ct", "view": "Axial", "document": _document(group)}
        | sizes.metadata(path),
    )


def _document(group: str) -> str:
    """Origin of an image: the paper, or the collection of a crawled number."""
    return re.sub(r"[_ ]*(patient)?[_ ]*\d+$", "", group.split("|")[0].strip(), flags=re.I) or group
