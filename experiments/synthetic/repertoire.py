"""Findings that can be drawn, with frequency and site; diseases and symptoms.

The numbers here are the marginals of the made-up world. Associations of findings with diseases,
symptoms, sites and other findings are read from the clinical graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from encoders.study import Modality
from experiments.synthetic.person import Side, Zone

Spread = Literal["one", "both", "any"]


@dataclass(frozen=True, slots=True)
class Kind:
    """Frequency and site of a finding without any cause in the graph.

    Args:
        rate: Its frequency among studies that are not healthy.
        spread: Sides: one, both, or either one or both.
        zoned: True if its height in the lung may vary; otherwise it is at the base.
    """

    rate: float
    spread: Spread = "one"
    zoned: bool = False


FINDINGS: dict[Modality, dict[str, Kind]] = {
    "cxr": {
        "ckg:cardiomegaly": Kind(0.10, "both"),
        "ckg:pleural_effusion": Kind(0.08, "any"),
        "ckg:pneumothorax": Kind(0.13),
        "ckg:consolidation": Kind(0.05, zoned=True),
        "ckg:infiltrate": Kind(0.12, zoned=True),
        "ckg:atelectasis": Kind(0.11, "any", zoned=True),
        "ckg:lung_nodule": Kind(0.13, zoned=True),
        "ckg:lung_mass": Kind(0.09, zoned=True),
        "ckg:pulmonary_edema": Kind(0.09, "both"),
        "ckg:emphysema": Kind(0.10, "both"),
        "ckg:pulmonary_fibrosis": Kind(0.11, "both"),
        "ckg:pleural_thickening": Kind(0.11, zoned=True),
        "ckg:hiatal_hernia": Kind(0.13, "both"),
        "ckg:ground_glass_opacity": Kind(0.04, "both"),
        "ckg:central_venous_catheter": Kind(0.10),
        "ckg:endotracheal_tube": Kind(0.06, "both"),
        "ckg:pacemaker": Kind(0.08, "both"),
    },
    "ct": {
        "ckg:ground_glass_opacity": Kind(0.05, "both", zoned=True),
        "ckg:crazy_paving_pattern": Kind(0.03, "both", zoned=True),
        "ckg:consolidation": Kind(0.05, zoned=True),
        "ckg:pleural_effusion": Kind(0.06, "any"),
        "ckg:lung_nodule": Kind(0.12, zoned=True),
    },
    "ultrasound": {
        "ckg:b_lines": Kind(0.06),
        "ckg:ultrasound_consolidation": Kind(0.05),
        "ckg:irregular_pleural_line": Kind(0.05),
        "ckg:pleural_effusion": Kind(0.07),
    },
}

DEVICES = ("ckg:central_venous_catheter", "ckg:endotracheal_tube", "ckg:pacemaker")
SUPPORT_DEVICES = "ckg:support_devices"
NORMAL_AIR = "ckg:a_lines"
"""Repeats of the pleural line: the appearance of aerated lung on ultrasound, no abnormality."""

NO_FINDING = "ckg:no_finding"
COVID = "ckg:covid_19"

DISEASES: dict[Modality, dict[str, float]] = {
    "cxr": {
        "ckg:heart_failure": 0.17,
        "ckg:bacterial_pneumonia": 0.15,
        COVID: 0.15,
        "ckg:viral_pneumonia": 0.06,
        "ckg:chronic_obstructive_pulmonary_disease": 0.10,
        "ckg:lung_cancer": 0.10,
        "ckg:interstitial_lung_disease": 0.05,
    },
    "ct": {
        COVID: 0.50,
        "ckg:bacterial_pneumonia": 0.16,
        "ckg:viral_pneumonia": 0.08,
        "ckg:lung_cancer": 0.10,
    },
    "ultrasound": {COVID: 0.44, "ckg:bacterial_pneumonia": 0.40, "ckg:viral_pneumonia": 0.16},
}
"""Share of each disease among studies that are not healthy; the rest has none."""

SYMPTOMS = (
    "ckg:fever",
    "ckg:cough",
    "ckg:dyspnea",
    "ckg:chest_pain",
    "ckg:fatigue",
    "ckg:headache",
    "ckg:myalgia",
    "ckg:anosmia",
    "ckg:diarrhea",
    "ckg:pharyngitis",
    "ckg:chills",
    "ckg:hemoptysis",
    "ckg:weight_loss",
    "ckg:wheezing",
)
SYMPTOM_RATE = 0.06
"""Frequency of a symptom without any cause in the graph."""

SITES: dict[str, tuple[Zone, Side | None]] = {
    "ckg:upper_lobe": ("upper", None),
    "ckg:left_upper_lobe": ("upper", "left"),
    "ckg:right_upper_lobe": ("upper", "right"),
    "ckg:lung_apices": ("upper", None),
    "ckg:upper_lung_field": ("upper", None),
    "ckg:middle_lobe": ("middle", None),
    "ckg:lingula": ("middle", "left"),
    "ckg:middle_lung_field": ("middle", None),
    "ckg:hilum": ("middle", None),
    "ckg:lower_lobe": ("lower", None),
    "ckg:left_lower_lobe": ("lower", "left"),
    "ckg:right_lower_lobe": ("lower", "right"),
    "ckg:lung_bases": ("lower", None),
    "ckg:lower_lung_field": ("lower", None),
}
"""Height, and side if any, of the anatomical sites with a height."""

LABELS: dict[str, tuple[tuple[Modality, ...], tuple[str, ...]]] = {
    "nih14": (
        ("cxr",),
        (
            "ckg:atelectasis",
            "ckg:cardiomegaly",
            "ckg:pleural_effusion",
            "ckg:infiltrate",
            "ckg:lung_mass",
            "ckg:lung_nodule",
            "ckg:pneumonia",
            "ckg:pneumothorax",
            "ckg:consolidation",
            "ckg:pulmonary_edema",
            "ckg:emphysema",
            "ckg:pulmonary_fibrosis",
            "ckg:pleural_thickening",
            "ckg:hiatal_hernia",
            NO_FINDING,
        ),
    ),
    "covid": (("cxr", "ct", "ultrasound"), (COVID,)),
    "pocus4": (
        ("ultrasound",),
        (NO_FINDING, "ckg:bacterial_pneumonia", "ckg:viral_pneumonia", COVID),
    ),
}
"""Modalities and findings of each label set."""

LESIONS = (
    *FINDINGS["ct"],
    "ckg:lung_opacity",
    "ckg:left",
    "ckg:right",
    "ckg:bilateral",
    NO_FINDING,
)
"""Findings of CT and their side, for pictures of any kind: no label set of the graph."""
