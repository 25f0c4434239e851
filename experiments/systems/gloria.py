"""GLoRIA: global and local contrastive learning, words against regions (Huang 2021).

Reference: Huang, Shen, Lungren, Yeung: GLoRIA: A Multimodal Global-Local Representation Learning
Framework for Label-efficient Medical Image Recognition, ICCV 2021. Fidelity: paper, with the
scales of the authors' code (marshuang80/gloria). Picture and sentence are contrasted as wholes, and
by how well each word agrees with the regions it attends to.

What differs, and why:
- Words are pooled by the root of the sum of powers, as in the paper. The code leaves out the root,
  so that its scores are five times as large and a text of many words outweighs its rivals.
- Equal sentences, and texts of the same study, are no rivals, since reports repeat themselves.
- Regions are the tokens the tower reads, of all pictures of a study, and its vector is a learned
  pool of them. Of the authors' ResNet-50, regions are those of `layer3` and the vector is the mean
  of `layer4`.
- Words are the tokens of the text encoder, not word pieces added up over its last four layers.
- Zero-shot, a finding's prompt is contrasted with its denial, and words are pooled as in training.
  The authors take the largest word (`word_pool: max`), no denial, the best of five prompts, and
  z-scores over the tested pictures, so that an answer depends on those of others.
- Retrieval is by the global vectors alone.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from encoders.batch import Features, StudyBatch
from fusion.layers.dual import DualEncoder, Pairs
from fusion.layers.pools import masked_mean
from fusion.layers.word_region import Pool, word_region_scores
from fusion.losses.word_region_contrast import word_region_contrast
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Positive, Width

__all__ = ["GLoRIA"]


class GLoRIA(DualEncoder):
    """Two towers that agree as wholes, and word by word.

    Args:
        options: Sizes and scales.
        setting: What the run is about.
        stages: Stages of training.
    """

    class Options(DualEncoder.Options):
        """Options of the system.

        Args:
            attention_scale: Factor before a word's softmax over regions.
            word_scale: Sharpness of the smooth maximum over words.
            word_pool: How prompts pool their words.
            local_temperature: Divisor of local scores; that of the authors' code is 0.02.
        """

        hidden: tuple[Width, ...] = ()
        attention_scale: Positive = 4.0
        word_scale: Positive = 5.0
        word_pool: Pool = "sum"
        local_temperature: Positive = 0.1

    options: Options
    BETWEEN = {"contrast": 1.0, "local_contrast": 1.0}
    PAIRED = Needs(paired_report=True, sentences=True)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages, pool=masked_mean)
        if self.text_tower is not None:
            self.region_projection = nn.Linear(options.width, options.width, bias=False)

    def between(self, pairs: Pairs, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Contrast of wholes, and of words with the regions they attend to."""
        return {
            "contrast": lambda: self.contrast(pairs),
            "local_contrast": lambda: word_region_contrast(
                pairs.text.tokens,
                self.region_projection(pairs.image.tokens),
                (pairs.text.mask, pairs.image.mask),
                scale=1 / self.options.local_temperature,
                attention_scale=self.options.attention_scale,
                word_scale=self.options.word_scale,
                same=pairs.same,
            ),
        }

    def similarity(self, image: Features, text: Features) -> Tensor:
        """Mean of global and local similarity of every image with every text, `[B, A]`."""
        local = word_region_scores(
            text.tokens,
            self.region_projection(image.tokens),
            (text.mask, image.mask),
            attention_scale=self.options.attention_scale,
            word_scale=self.options.word_scale,
            pool=self.options.word_pool,
        )
        local = local * image.mask.any(1, keepdim=True) / self.options.local_temperature
        return (super().similarity(image, text) + local) / 2
