"""Classes of the COVID-19 task as concepts of the graph, shared by the data sets that have it."""

from __future__ import annotations

from encoders.study import Stated

COVID = "ckg:covid_19"

POCUS4 = {
    "regular": "ckg:no_finding",
    "bacterial pneumonia": "ckg:bacterial_pneumonia",
    "viral pneumonia": "ckg:viral_pneumonia",
    "covid-19": COVID,
}
"""Classes of the ultrasound set; exactly one holds for each clip."""


def covid(stated: Stated) -> dict[str, Stated]:
    """Label *COVID-19 or not*."""
    return {COVID: stated}


def one_of_four(label: str, *, sure: bool = True) -> dict[str, Stated]:
    """The exclusive label: its class present (or uncertain), the others absent (or unstated)."""
    held = POCUS4[label.lower()]
    if not sure:
        return {held: "uncertain"}
    return {concept: "present" if concept == held else "absent" for concept in POCUS4.values()}
