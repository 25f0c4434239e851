"""Published label columns as concepts of the graph, where several data sets have them."""

from __future__ import annotations

NIH14 = {
    "Atelectasis": "ckg:atelectasis",
    "Cardiomegaly": "ckg:cardiomegaly",
    "Effusion": "ckg:pleural_effusion",
    "Infiltration": "ckg:infiltrate",
    "Mass": "ckg:lung_mass",
    "Nodule": "ckg:lung_nodule",
    "Pneumonia": "ckg:pneumonia",
    "Pneumothorax": "ckg:pneumothorax",
    "Consolidation": "ckg:consolidation",
    "Edema": "ckg:pulmonary_edema",
    "Emphysema": "ckg:emphysema",
    "Fibrosis": "ckg:pulmonary_fibrosis",
    "Pleural_Thickening": "ckg:pleural_thickening",
    "Hernia": "ckg:hiatal_hernia",
    "normal": "ckg:no_finding",
}
"""NIH-14 findings, and `normal` as the gold table of Open-i calls their absence."""

CHEXPERT14 = {
    "Atelectasis": "ckg:atelectasis",
    "Cardiomegaly": "ckg:cardiomegaly",
    "Consolidation": "ckg:consolidation",
    "Edema": "ckg:pulmonary_edema",
    "Enlarged Cardiomediastinum": "ckg:enlarged_cardiomediastinum",
    "Fracture": "ckg:fracture",
    "Lung Lesion": "ckg:lung_lesion",
    "Lung Opacity": "ckg:lung_opacity",
    "No Finding": "ckg:no_finding",
    "Pleural Effusion": "ckg:pleural_effusion",
    "Pleural Other": "ckg:pleural_other",
    "Pneumonia": "ckg:pneumonia",
    "Pneumothorax": "ckg:pneumothorax",
    "Support Devices": "ckg:support_devices",
}
"""CheXpert's labels, in the order the readme of Open-i's machine-labelled table gives."""
