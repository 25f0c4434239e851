"""Shenzhen: 662 chest X-rays of Shenzhen No. 3 Hospital, 336 with tuberculosis, with readings."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from experiments.datasets import Download
from experiments.datasets._tuberculosis import Tuberculosis

__all__ = ["Shenzhen"]

ARCHIVE = "https://openi.nlm.nih.gov/imgs/collections/ChinaSet_AllFiles.zip"


class Shenzhen(Tuberculosis):
    """The Chinese set of the National Library of Medicine (`ChinaSet_AllFiles`)."""

    prefix = "CHNCXR"
    licence = "public, the National Library of Medicine and the hospital to be named"
    citation = (
        "Jaeger S, Candemir S, Antani S, et al. Two public chest X-ray datasets for "
        "computer-aided screening of pulmonary diseases. Quant Imaging Med Surg 2014;4(6):475-477."
    )
    homepage = "https://lhncbc.nlm.nih.gov/LHC-downloads/downloads.html"
    files = (
        replace(Tuberculosis.files[0], downloads=(Download(ARCHIVE, unpack=True),)),
        *Tuberculosis.files[1:],
    )
    expected: ClassVar[dict[str, int]] = {"pictures": 662, "normal": 326, "tuberculosis": 336}

    def written(self, age: int, remark: str) -> str:
        """A made-up reading: sex and age in the first line."""
        return f"{('male', 'female')[age % 2]} {age + 30}yrs\n{remark}\n"
