"""ConVIRT: contrastive learning of pictures and sentences of their reports (Zhang 2020).

Reference: Zhang, Jiang, Miura, Manning, Langlotz: Contrastive Learning of Medical Visual
Representations from Paired Images and Text, arXiv 2010.00747, MLHC 2022.
Fidelity: paper. The authors published lists for retrieval and no code; from the paper come the
random sentence of each report, maximum over its words, perceptrons into the space, temperature 0.1
and the weight 0.75 of finding the sentence by the picture.

What differs, and why: reports are not always of different words, so that equal sentences (and the
same study) are not taken for rivals. A study's pictures are read together and none is drawn at
random. On cached tokens the towers stand on a frozen backbone, and pictures are not augmented;
with `image.frozen: false` they are, but never mirrored. The text encoder is that of the
configuration; the paper's is ClinicalBERT with its first six layers frozen. Prompts
(`DualEncoder`) are an addition: the paper asks nothing zero-shot but retrieval.

Stages weigh `contrast` (pretraining) or `classification` (fine-tuning of the image tower with a
linear head, begun with the weights of a pretrained run by `start:`). For the paper's linear
classification see `linear_probe`.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from encoders.batch import StudyBatch
from fusion.layers.dual import DualEncoder, Pairs
from fusion.layers.pools import masked_max
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Share

__all__ = ["ConVIRT"]


class ConVIRT(DualEncoder):
    """Two towers that learn which sentence belongs to which picture.

    Args:
        options: Sizes, and the weights of the loss.
        setting: What the run is about.
        stages: Stages of training.
    """

    class Options(DualEncoder.Options):
        """Options of the system.

        Args:
            text_by_image: Weight of finding the sentence by the picture; the picture by the
                sentence has the rest.
        """

        text_by_image: Share = 0.75

    options: Options
    PAIRED = Needs(paired_report=True, sentences=True)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages, pool=masked_max)

    def between(self, pairs: Pairs, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Picture and sentence of a study are nearer than those of different ones."""
        return {"contrast": lambda: self.contrast(pairs, self.options.text_by_image)}
