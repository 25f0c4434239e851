"""lara: pictures and reports as bags of words, aligned in a latent space (M-LSA, Lara 2020).

Reference: Lara, Contreras, Otalora, Müller, González: Multimodal Latent Semantic Alignment for
Automated Prostate Tissue Classification and Retrieval, MICCAI 2020. Fidelity: paper, with the
settings of the authors' code (juselara1/MLSA); its tissue is another one here.

A picture is the bag of visual words its tokens are nearest to, a report the bag of its words and
pairs of words, both TF-IDF. Each is compared to all training cases by a kernel; a linear latent
space rebuilds that kernel, predicts the findings, and is aligned with the one of the other
modality. At test the picture stands alone.

What differs, and why:
- The error of a rebuilt kernel is that of each case. The authors' code averages over all pairs of
  cases, since it makes diagonal matrices where it means to take the diagonal (`pairs: all`).
- Batches, and cases up to a number (`cases`), where the paper has 235 studies and takes all at
  once. Rows of zeros fill up fewer cases and change nothing. The error of a kernel grows with the
  cases, so that its weight is less where there are more; the decoder begins at zero and answers
  begin at the findings' prevalence, since training would otherwise first have to undo chance.
- Tokens are those of the run's frozen encoder; the paper first trains one on patches of the slides.
- Findings that may hold together have sigmoids in place of a softmax.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor
from torch.nn import functional as F

from encoders.batch import StudyBatch, Text
from experiments.systems._latent_space import (
    Distance,
    Embedded,
    Kernel,
    LatentSpace,
    SpaceOptions,
    distance_of,
    kernel_error,
)
from experiments.systems._report_terms import NONE, once, word_pairs
from fusion.capabilities import ClassifiesTrained
from fusion.devices import mean_of
from fusion.needs import Needs
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Share, Width
from kg.errors import InputError
from kg.options import Part

__all__ = ["Lara"]

LOSSES = {
    "classification": 1.0,
    "text_classification": 1.0,
    "image_kernel": 0.1,
    "text_kernel": 0.1,
    "alignment": 1.0,
}
FITTED = 50_000
"""Most tokens that visual words are made of."""
FAR = 1e4
"""Coordinate of a visual word that no token is near to."""


class Lara(ClassifiesTrained):
    """Latent semantic embeddings of pictures and reports, aligned.

    Args:
        options: Words, kernels and sizes.
        setting: Studies and graph; needs cached image tokens, and words of reports.
        stages: Stages of training; empty = the default one.
    """

    class Options(SpaceOptions):
        """Options of the system.

        Args:
            colour: Whether images are read in colour, as slides must be.
            codebook: Number of visual words.
            terms: Largest number of words and pairs of words of the reports.
            rarest: Smallest share of the training reports with a term.
            commonest: Largest share of the training reports with a term.
            image_kernel: Kernel of bags of visual words.
            text_kernel: Kernel of bags of terms.
            distance: Distance of a study's picture and report in the latent spaces.
            pairs: Error of a rebuilt kernel: of each case with its `own`, or averaged over `all`
                pairs of cases as in the authors' code.
        """

        colour: bool = False
        codebook: Width = 400
        terms: Width = 2000
        rarest: Share = 0.01
        commonest: Share = 0.5
        image_kernel: Kernel = "cosine"
        text_kernel: Kernel = "linear"
        distance: Distance = "cosine"
        pairs: Literal["own", "all"] = "own"

    centres: Tensor
    terms: Tensor

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Losses of the findings, of the kernels, and of the alignment."""
        return tuple(LOSSES)

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One stage of all losses, weighed as in the authors' code."""
        return (Stage(objectives=LOSSES, optimiser=Part(name="adam"), weight_decay=0.0, clip=0.0),)

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """The report, in training; colour, where configured."""
        return Needs(paired_report=True, colour=options.colour)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        if setting.image_encoder is not None or not setting.image_width:
            raise InputError("lara reads frozen image features", "set image.frozen: true")
        if not setting.text_width:
            raise InputError("lara reads words of reports", "name a text.encoder of words")
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        share = setting.prevalence or (0.5,) * len(setting.findings)
        self.image = LatentSpace(options.codebook, share, options, options.image_kernel)
        self.text = LatentSpace(options.terms, share, options, options.text_kernel)
        self.objective = Classification(Classification.Options(), setting=setting, width=0)
        self.register_buffer("centres", torch.zeros(options.codebook, setting.image_width))
        self.register_buffer("terms", torch.full((options.terms,), NONE))

    def prepare(self, batches: Iterable[StudyBatch]) -> None:
        """Find visual words and terms, and keep the training cases."""
        kept = list(batches)
        if any(batch.image_tokens is None for batch in kept):
            raise ValueError("the batch has no cached image tokens")
        tokens = torch.cat([b.image_tokens[b.image_mask].flatten(0, 1) for b in kept])  # type: ignore[index]
        drawn = tokens[torch.randperm(len(tokens))[:FITTED]].float().numpy()
        number = min(self.options.codebook, len(drawn))
        seed = int(torch.randint(2**31, ()))
        model = MiniBatchKMeans(number, batch_size=1024, n_init=1, random_state=seed).fit(drawn)
        self.centres.fill_(FAR)[:number] = torch.from_numpy(model.cluster_centers_)
        keys = [word_pairs(batch.paired_text) for batch in kept]
        found, seen = torch.unique(torch.cat([once(each) for each in keys]), return_counts=True)
        documents = sum(len(each) for each in keys)
        least = max(1.0, self.options.rarest * documents)
        fits = (seen >= least) & (seen <= self.options.commonest * documents) & (found < NONE)
        found, seen = found[fits], seen[fits]
        chosen = found[seen.argsort(descending=True, stable=True)[: len(self.terms)]]
        self.terms.fill_(NONE)[: len(chosen)] = chosen.sort().values
        self.image.keep(torch.cat([self.visual_words(batch) for batch in kept]))
        self.text.keep(torch.cat([self.counted(each) for each in keys]))

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The losses of the stage."""
        image = self.image(self.visual_words(batch))
        text = self.text(self.counted(word_pairs(batch.paired_text)))
        made: Mapping[str, Callable[[], Tensor]] = {
            "classification": lambda: self.objective.of(image.logits, batch.targets),
            "text_classification": lambda: self.objective.of(
                text.logits, batch.targets.masked_fill(~text.there[:, None], float("nan"))
            ),
            "image_kernel": lambda: self._error(self.image, image),
            "text_kernel": lambda: self._error(self.text, text),
            "alignment": lambda: mean_of(
                distance_of(image.latent, text.latent, self.options.distance).square(),
                image.there & text.there,
            ),
        }
        return {name: made[name]() for name in stage.objectives}

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings, `[B, C]`, by the images alone."""
        logits: Tensor = self.image(self.visual_words(batch)).logits
        return logits

    def embed_image(self, batch: StudyBatch) -> Tensor:
        """Unit vectors of the images in the latent space, `[B, D]`; NaN without one."""
        return _unit(self.image(self.visual_words(batch)))

    def embed_text(self, text: Text) -> Tensor:
        """Unit vectors of texts in the latent space, `[B, D]`; NaN without a known term."""
        return _unit(self.text(self.counted(word_pairs(text))))

    def visual_words(self, batch: StudyBatch) -> Tensor:
        """Counts of the visual words of each study, `[B, codebook]`."""
        made = self.centres.new_zeros(len(batch.ids), len(self.centres))
        if batch.image_tokens is None or not batch.image_mask.any():
            return made
        study = batch.image_mask.nonzero()[:, :1]
        tokens = batch.image_tokens[batch.image_mask].float()
        # the nearest centre, by the parts of a squared distance that differ between centres
        nearest = (tokens @ self.centres.T - self.centres.square().sum(1) / 2).argmax(-1)
        return made.index_put((study, nearest), made.new_ones(()), accumulate=True)

    def counted(self, keys: Tensor) -> Tensor:
        """Counts of the terms of texts whose words and pairs are `[B, T]`, `[B, terms]`."""
        place = torch.searchsorted(self.terms, keys).clamp_max(len(self.terms) - 1)
        known = (self.terms[place] == keys) & (keys < NONE)
        made = self.centres.new_zeros(len(keys), len(self.terms))
        return made.scatter_add_(1, place, known.to(made.dtype))

    def _error(self, space: LatentSpace, studies: Embedded) -> Tensor:
        return kernel_error(
            studies.kernel, studies.rebuilt, space.between, studies.there, self.options.pairs
        )


def _unit(studies: Embedded) -> Tensor:
    """Unit vectors `[B, D]`; NaN where a study has no word."""
    vectors = F.normalize(studies.latent, dim=1)
    return vectors.masked_fill(~studies.there[:, None], float("nan"))
