"""VinDr-CXR's labels of whole images: its 22 local classes and six global diagnoses.

PhysioNet's `image_labels_train.csv` (three readers an image) and `image_labels_test.csv` (one
consensus). The two tables spell one column differently. A blank cell states nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from encoders.study import Stated
from experiments.datasets._columns import Columns, read_columns
from kg.model.graph import LabelSet

__all__ = ["COLUMNS", "FILES", "GLOBAL", "LOCAL", "image_labels", "label_set"]

FILES = {
    subset: f"annotations/image_labels_{subset}.csv|image_labels_{subset}.csv"
    for subset in ("train", "test")
}
LOCAL = {
    "Aortic enlargement": "ckg:aortic_enlargement",
    "Atelectasis": "ckg:atelectasis",
    "Calcification": "ckg:calcification",
    "Cardiomegaly": "ckg:cardiomegaly",
    "Clavicle fracture": "ckg:clavicle_fracture",
    "Consolidation": "ckg:consolidation",
    "Edema": "ckg:pulmonary_edema",
    "Emphysema": "ckg:emphysema",
    "Enlarged PA": "ckg:pulmonary_artery_enlargement",
    "ILD": "ckg:interstitial_lung_disease",
    "Infiltration": "ckg:infiltrate",
    "Lung Opacity": "ckg:lung_opacity",
    "Lung cavity": "ckg:pulmonary_cavity",
    "Lung cyst": "ckg:lung_cyst",
    "Mediastinal shift": "ckg:mediastinal_shift",
    "Nodule/Mass": "ckg:nodule_mass",
    "Pleural effusion": "ckg:pleural_effusion",
    "Pleural thickening": "ckg:pleural_thickening",
    "Pneumothorax": "ckg:pneumothorax",
    "Pulmonary fibrosis": "ckg:pulmonary_fibrosis",
    "Rib fracture": "ckg:rib_fracture",
    "Other lesion": "ckg:other_lesion",
}
"""Concept of each local class, which was boxed."""
OTHER, NONE = "ckg:other_diseases", "ckg:no_finding"
GLOBAL = {
    "COPD": "ckg:chronic_obstructive_pulmonary_disease",
    "Lung tumor": "ckg:lung_tumor",
    "Pneumonia": "ckg:pneumonia",
    "Tuberculosis": "ckg:tuberculosis",
    "Other diseases": OTHER,
    "No finding": NONE,
}
"""Concept of each diagnosis of the whole image."""
SPELLINGS = {"Other disease": OTHER}
COLUMNS = ("image_id", *(name for name in (*LOCAL, *GLOBAL) if name != "Other diseases"))
"""Columns both tables have."""


def label_set() -> LabelSet:
    """The 28 labels, in the order of the tables."""
    both = LOCAL | GLOBAL
    return LabelSet("vindr28", "", tuple(both.values()), tuple(both), no_finding=NONE)


def image_labels(root: Path, readers: int) -> dict[str, dict[str, Stated]]:
    """Labels of each image by its readers; empty without the tables.

    Args:
        root: The data set's root.
        readers: Number of the three readers who must state a label for it to be present; with
            fewer it is uncertain.
    """
    found: dict[str, dict[str, Stated]] = {}
    for subset, table in _tables(root):
        needed = readers if subset == "train" else 1
        votes: dict[str, Counter[tuple[str, Stated]]] = defaultdict(Counter)
        names = LOCAL | GLOBAL | SPELLINGS
        said = table.stated({name: names[name] for name in names if name in table})
        for name, stated in zip(table["image_id"], said, strict=True):
            votes[name].update(stated.items())
        found |= {name: _decided(count, needed) for name, count in votes.items()}
    return found


def _decided(votes: Counter[tuple[str, Stated]], needed: int) -> dict[str, Stated]:
    """Labels stated by enough readers; one who sees nothing does not overrule one who does."""
    concepts = dict.fromkeys(concept for concept, _ in votes)
    stated: dict[str, Stated] = {}
    for concept in concepts:
        yes = votes[concept, "present"]
        stated[concept] = "present" if yes >= needed else "uncertain" if yes else "absent"
    seen = {value for concept, value in stated.items() if concept != NONE}
    if NONE in stated and seen & {"present", "uncertain"}:
        stated[NONE] = "absent" if "present" in seen else "uncertain"
    return stated


def _tables(root: Path) -> Iterator[tuple[str, Columns]]:
    for subset, places in FILES.items():
        path = next((root / place for place in places.split("|") if (root / place).is_file()), None)
        if path is not None:
            yield subset, read_columns(path, COLUMNS, ("Other diseases", "Other disease"))
