"""CheXzero: pictures against impressions, answered by prompts alone (Tiu 2022).

Reference: Tiu, Talius, Patel, Langlotz, Ng, Rajpurkar: Expert-level detection of pathologies from
unannotated chest X-ray images via self-supervised learning, Nature Biomedical Engineering 2022.
Fidelity: paper. Picture and impression are contrasted with a learned temperature as in CLIP
(Radford 2021), and the chance of a finding is the softmax of the prompts `{finding}` and
`no {finding}`.

What differs, and why:
- Equal impressions are no rivals, since many say the same.
- The denial of `no finding` is `finding`; in the authors' code it is a double one.
- The towers begin as the configuration says; those of the paper have the weights of CLIP.
- The softmax is over scaled similarities, as in training. The authors' code leaves out the scale
  (`scaled_answers: false`), so that all chances lie near one half, in the same order.
- The authors average ten checkpoints. A run here is one: compare or average runs of several seeds.
"""

from __future__ import annotations

from torch import Tensor

from encoders.batch import Features
from fusion.layers.dual import DualEncoder
from fusion.needs import Needs
from kg.bounds import Positive, Width

__all__ = ["CheXzero"]


class CheXzero(DualEncoder):
    """Two towers as in CLIP, trained on impressions.

    Args:
        options: Sizes, and whether answers are scaled.
        setting: What the run is about.
        stages: Stages of training.
    """

    class Options(DualEncoder.Options):
        """Options of the system.

        Args:
            scaled_answers: Whether the learned scale counts in answers to prompts.
        """

        hidden: tuple[Width, ...] = ()
        temperature: Positive = 0.07
        learned_temperature: bool = True
        scaled_answers: bool = True

    options: Options
    PAIRED = Needs(paired_report=True, paired_policy="impression")
    PROMPTS = "impression"

    def similarity(self, image: Features, text: Features) -> Tensor:
        """Similarity of every image with every prompt, `[B, A]`."""
        similarity = super().similarity(image, text)
        return similarity if self.options.scaled_answers else similarity / self.scale
