"""Image probes: the outer frame of each image, or the image with the lungs blanked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from encoders.reading.picture import read_picture
from encoders.reading.transforms import whole
from experiments.audit.fitting import scores_of_dense
from experiments.audit.probes import BearsOn, NotPossible, Probed
from experiments.audit.subject import Subject
from experiments.audit.thumbnail import NAME
from experiments.config.schema import ImageSection
from experiments.datasets._boxes import Region
from experiments.loading.images import ImageLoader
from experiments.metrics.arrays import FloatArray
from experiments.systems.logistic_image import LogisticImage
from kg.options import Part

__all__ = ["BordersProbe", "LungsMaskedProbe"]

SIDE = 32
"""Side of a thumbnail in pixels."""
MOST = 6
"""Maximum number of images read of one study."""


@dataclass(frozen=True)
class BordersProbe:
    """Logistic regression on the outer frame of each image (`logistic_image`).

    Args:
        cache: Folder of feature caches.
        encoder: Image encoder; empty = thumbnails.
    """

    cache: Path
    encoder: str = ""
    name: str = "borders"
    about: str = "the outer frame of each image, its middle blanked"
    bears_on: BearsOn = "images"

    def run(self, subject: Subject, labels: FloatArray) -> Probed:
        """Scores of the probe.

        Raises:
            NotPossible: If no study has an image.
        """
        if not any(study.images for study in subject.studies):
            raise NotPossible("no study has an image")
        section = ImageSection(
            encoder=Part(name=self.encoder or NAME),
            recipe="borders",
            grid=0,
            reduce=0,
            pool="mean",
            limit=MOST,
        )
        reader = ImageLoader(section, self.cache, subject.options.seed)
        images = reader.read(subject.studies, subject.opened.root)

        tokens = images.values.float().mean(1)
        rows = pooled([tokens[at[at >= 0]] for at in images.rows], tokens.shape[1])
        size = reader.encoder.preprocessing.size
        reads = f"{self.encoder or 'grey pixels'} of the frame at {size} x {size}"
        return Probed(
            scores_of_dense(subject, lambda fold: rows, LogisticImage.Options(), labels), reads
        )


@dataclass(frozen=True)
class LungsMaskedProbe:
    """Logistic regression on thumbnails with blanked lungs, where the lungs are marked.

    Args:
        lungs: Marked lungs of each image, by its path.
    """

    lungs: Mapping[str, Sequence[Region]]
    name: str = "image without lungs"
    about: str = "the image with both lungs blanked"
    bears_on: BearsOn = "images"

    def run(self, subject: Subject, labels: FloatArray) -> Probed:
        """Scores of the probe, NaN for studies without an image whose lungs are marked.

        Raises:
            NotPossible: If no image has marked lungs.
        """
        marked = [
            [image.path for image in study.images if image.path in self.lungs]
            for study in subject.studies
        ]
        has = np.array([bool(paths) for paths in marked])
        if not has.any():
            raise NotPossible("these images have no outline or box of the lungs")
        rows = pooled(
            [
                torch.stack([self._masked(subject.opened.root, path) for path in paths]) if paths
                else torch.zeros(0, SIDE**2)
                for paths in marked
            ],
            SIDE**2,
        )  # fmt: skip
        known = np.where(has[:, None], labels, np.nan)
        scores = scores_of_dense(subject, lambda fold: rows, LogisticImage.Options(), known)
        return Probed(
            np.where(has[:, None], scores, np.nan),
            reads=f"grey pixels outside the lungs at {SIDE} x {SIDE}",
            remark=f"{int(has.sum())} of {len(has)} studies have an image with marked lungs",
        )

    def _masked(self, root: Path, path: str) -> Tensor:
        grey = read_picture(root / path, target=SIDE).copy()
        height, width = grey.shape
        for region in self.lungs[path]:
            rows = slice(round(region.top * height), round(region.bottom * height))
            grey[rows, round(region.left * width) : round(region.right * width)] = 0
        return torch.from_numpy(whole(grey, SIDE)).flatten()


def pooled(tokens: Sequence[Tensor], width: int) -> Tensor:
    """Mean and maximum over the images of each study, `[n, 2 * D]`; zeros without images."""
    return torch.stack(
        [
            torch.cat([some.mean(0), some.amax(0)]) if len(some) else torch.zeros(2 * width)
            for some in tokens
        ]
    )
