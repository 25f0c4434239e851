"""Montgomery: 138 chest X-rays of Montgomery County, 58 with tuberculosis, readings, lung masks."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from experiments.datasets import Download, NeededFile
from experiments.datasets._tuberculosis import Tuberculosis

__all__ = ["Montgomery"]

ARCHIVE = "https://openi.nlm.nih.gov/imgs/collections/NLM-MontgomeryCXRSet.zip"


class Montgomery(Tuberculosis):
    """The American set of the National Library of Medicine (`MontgomerySet`)."""

    prefix = "MCUCXR"
    licence = "public, the National Library of Medicine and Montgomery County to be named"
    citation = (
        "Jaeger S, Candemir S, Antani S, et al. Two public chest X-ray datasets for "
        "computer-aided screening of pulmonary diseases. Quant Imaging Med Surg 2014;4(6):475-477."
    )
    homepage = "https://lhncbc.nlm.nih.gov/LHC-downloads/downloads.html"
    files = (
        replace(Tuberculosis.files[0], downloads=(Download(ARCHIVE, unpack=True),)),
        *Tuberculosis.files[1:],
        NeededFile(
            "ManualMask/leftMask|ManualMask/rightMask",
            "outlines of the lungs, for probes that see lungs alone or none",
            "NLM, with the images",
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {"pictures": 138, "normal": 80, "tuberculosis": 58}

    def written(self, age: int, remark: str) -> str:
        """A made-up reading: sex, age and remark on one line each."""
        return f"Patient's Sex: {'MF'[age % 2]} \nPatient's Age: {age + 30:03d}Y\n{remark}\n"
