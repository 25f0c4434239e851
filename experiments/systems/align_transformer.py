"""AlignTransformer: tags and regions are aligned, and the report is written over both (You 2021).

Reference: You, Liu, Ge, Xie, Zhang, Wu: AlignTransformer: Hierarchical Alignment of Visual Regions
and Disease Tags for Medical Report Generation, MICCAI 2021, arXiv 2203.10095; and, as the option
`feedback: jpg`, J. You, D. Li, Okumura, Suzuki: JPG - Jointly Learn to Align: Automated Disease
Prediction and Radiology Report Generation, COLING 2022. Fidelity: reconstruction; neither has
public code. Of the first, equations are those of reading notes; of JPG only the abstract was read.

Disease tags are predicted from the image. The likeliest look at the regions, what they see looks
back at the tags, and both are added: a grain. With the tags so changed this is repeated, each time
on a finer grain, and a decoder writes over all grains: a gate for each grain mixes what a word sees
of it, and a memory of the words so far steers the normalisation (`_grains`). JPG ties three tasks
together: the grains are contrasted with the report, findings are predicted from images and reports
by the same layer, and reports as the system now writes them come back as harder samples.

What differs, and why:
- Tags are the findings of the run, predicted from the pooled regions and learnt beside the report;
  the paper's ten are the likeliest of a predictor that is trained before.
- A tag has a vector for present and one for absent, mixed by its probability: of few tags the
  likeliest are mostly absent, and which ones they are says little of a study.
- Every step of attention keeps its query (a residual), is normalised, and looks at the regions. In
  the paper's formulas it looks at what the step before saw; on Open-i the third grain then differed
  between studies by 3% of its spread, and by 8% as it is now.
- A report of the system is a harder sample in that its image must fit the true report better,
  unless both are the same words, and in that findings are predicted from it; JPG's own form is not
  known. All reports are read by their words alone, cut at one length and without unknown words,
  so that nothing else tells written ones from true ones.
- Both versions have the same encoder and decoder of AlignTransformer; any image encoder stands in
  for the ResNet-50, and the run's text encoder for JPG's recurrent one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, StudyBatch, Text
from encoders.text import TEXT_SECTIONS
from experiments.systems._grains import HierarchicalAlignment, MultiGrainedDecoder
from fusion.capabilities import ClassifiesTrained
from fusion.devices import mean_of
from fusion.layers.dual import same_study_or_text
from fusion.layers.projection import Projection
from fusion.layers.readers import ImageReader, TextReader
from fusion.losses.info_nce import info_nce
from fusion.needs import Needs
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Module, Setting
from kg.bounds import Few, Positive, ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["AlignTransformer"]


class Seen(NamedTuple):
    """Images of studies, as seen by their tags.

    Args:
        regions: Image tokens.
        findings: Logits of the findings trained on, `[B, C]`.
        grains: Aligned regions and tags of each step, `[B, N, K, D]`.
    """

    regions: Features
    findings: Tensor
    grains: Tensor


class AlignTransformer(ClassifiesTrained):
    """Tags and regions aligned step by step, and a decoder over all steps.

    Args:
        options: Sizes, and the feedback.
        setting: What the run is about; needs images and a vocabulary.
        stages: Stages of training; empty = the default one.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            width: Width of regions, tags and words.
            tags: Number of the likeliest tags that look at the regions.
            alignments: Steps of alignment, each a grain.
            layers: Layers of the decoder.
            heads: Attention heads of the alignment and of the decoder.
            dropout: Dropout on image tokens, in the decoder and in the text tower.
            token_dropout: Share of image tokens hidden in training.
            limit: Largest number of words of a report.
            beams: Number of beams in generation; 1 = greedy.
            feedback: `jpg` adds a text tower, and the losses between it and the images.
            temperature: Divisor of its similarities.
        """

        width: Width = 128
        tags: Few = 10
        alignments: Few = 3
        layers: Few = 1
        heads: Few = 4
        dropout: ShareBelow1 = 0.2
        token_dropout: ShareBelow1 = 0.2
        limit: Width = 60
        beams: Few = 1
        feedback: Literal["none", "jpg"] = "none"
        temperature: Positive = 0.1

    MODULES: ClassVar[Mapping[str, Module]] = {
        "image_tower": Module("image_reader.", "image"),
        "alignment": Module("align."),
        "decoder": Module("decoder.", "text"),
    }
    JOINT = ("alignment", "text_classification", "feedback")
    """Losses of JPG: of images and reports, of findings by reports, and of written reports."""

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One stage of all losses."""
        return (Stage(objectives=dict.fromkeys(cls.loss_names(options), 1.0)),)

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Those of tags and words; and of JPG."""
        return ("classification", "report", *(cls.JOINT if options.feedback == "jpg" else ()))

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """The report to learn to write, and the words it is written with."""
        return Needs(paired_report=True, vocabulary=True)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        if setting.vocabulary is None:
            raise InputError(
                "align_transformer writes words", "name a text.encoder with a vocabulary"
            )
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        width, dropout = options.width, options.dropout
        self.image_reader = ImageReader.of(
            setting, width, dropout=dropout, token_dropout=options.token_dropout
        )
        self.score = nn.Linear(width, len(setting.findings))
        self.objective = Classification(Classification.Options(), setting=setting, width=width)
        self.present, self.absent = (nn.Embedding(len(setting.findings), width) for _ in range(2))
        self.align = HierarchicalAlignment(width, options.alignments, options.heads)
        self.decoder = MultiGrainedDecoder(
            setting.vocabulary,
            width,
            grains=options.alignments,
            layers=options.layers,
            heads=options.heads,
            limit=options.limit,
            dropout=dropout,
        )
        if options.feedback == "jpg":
            encoder: Any = setting.text_encoder
            if encoder is None:
                raise InputError(
                    "feedback: jpg reads what it writes", "name a text.encoder that trains"
                )
            self.text_reader = TextReader(
                setting.text_width, width, encoder=encoder, dropout=dropout
            )
            self.image_projection, self.text_projection = (
                Projection(width, width, (width,)) for _ in range(2)
            )

    def see(self, batch: StudyBatch) -> Seen:
        """Images, their findings, and the grains of the likeliest of them."""
        regions = self.image_reader(batch)
        findings = self.score(regions.pooled)
        number = min(self.options.tags, findings.shape[1])
        chance, tags = findings.detach().sigmoid().topk(number)
        absent = self.absent(tags)
        vectors = absent + chance[..., None] * (self.present(tags) - absent)
        grains = self.align(vectors, regions.tokens, regions.mask)
        return Seen(regions, findings, grains)

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The losses of the stage."""
        report = batch.paired_text
        if report is None:
            raise ValueError("the batch has no reports beside its images")
        seen, framed = self.see(batch), self.decoder.vocabulary.framed(report)
        own = self._plain(framed[:, 1:])
        read = cache(lambda: self._read(own))
        made: dict[str, Callable[[], Tensor]] = {
            "classification": lambda: self.objective.of(seen.findings, batch.targets),
            "report": lambda: self.decoder.loss(seen.grains, seen.regions.mask, framed),
            "alignment": lambda: self.alignment(seen, read(), same_study_or_text(batch, report)),
            "text_classification": lambda: self.text_classification(read(), batch.targets),
            "feedback": lambda: self.feedback(seen, own, read(), batch.targets),
        }
        return {name: made[name]() for name in stage.objectives}

    def alignment(self, seen: Seen, read: Features, same: Tensor) -> Tensor:
        """InfoNCE of the finest grains and of reports; see `same_study_or_text` for `same`."""
        return info_nce(
            self._images(seen),
            self.text_projection(read.pooled),
            scale=1 / self.options.temperature,
            same=same,
            mask=seen.regions.mask.any(1) & read.mask.any(1),
        )

    def text_classification(self, read: Features, targets: Tensor) -> Tensor:
        """Loss of the findings, predicted from reports by the layer that predicts the tags."""
        silent = ~read.mask.any(1, keepdim=True)
        return self.objective.of(self.score(read.pooled), targets.masked_fill(silent, float("nan")))

    def feedback(self, seen: Seen, own: Tensor, read: Features, targets: Tensor) -> Tensor:
        """Written reports as harder samples: to tell from true ones, and to find findings in.

        Args:
            seen: The images.
            own: Words of the true reports, `[B, T]`.
            read: These reports.
            targets: Targets of the findings, `[B, C]`.
        """
        words = self.decoder.written(seen.grains, seen.regions.mask)
        written = self._plain(words.words.where(words.mask, self.decoder.vocabulary.padding))
        draft, images = self._read(written), self._images(seen)
        fits, drafts_fit = (
            (images * self.text_projection(one.pooled)).sum(-1) / self.options.temperature
            for one in (read, draft)
        )
        harder = (own != written).any(1) & read.mask.any(1) & draft.mask.any(1)
        ranking = mean_of(F.softplus(drafts_fit - fits), harder)
        return ranking + self.text_classification(draft, targets)

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`; a study without images gets the bias."""
        return self.see(batch).findings

    def generate(self, batch: StudyBatch) -> list[str]:
        """A report for each study from its images; empty without one."""
        seen = self.see(batch)
        return self.decoder.write(seen.grains, seen.regions.mask, self.options.beams)

    def _images(self, seen: Seen) -> Tensor:
        """Unit vectors of the finest grains, `[B, D]`."""
        vectors: Tensor = self.image_projection(seen.grains[:, -1].mean(1))
        return vectors

    def _plain(self, words: Tensor) -> Tensor:
        """Known words of reports `[B, T]` one after the other, up to the limit, `[B, limit]`."""
        book, limit = self.decoder.vocabulary, self.options.limit
        marks = torch.tensor((book.padding, book.end, book.unknown), device=words.device)
        kept = ~torch.isin(words, marks)
        order = (~kept).long().argsort(dim=1, stable=True)
        known = words.where(kept, book.padding).gather(1, order)[:, :limit]
        return F.pad(known, (0, limit - known.shape[1]), value=book.padding)

    def _read(self, words: Tensor) -> Features:
        """Reports by their words alone, be they true ones or written."""
        there = words != self.decoder.vocabulary.padding
        section = there * TEXT_SECTIONS.index("findings")
        read: Features = self.text_reader(Text(words, None, there, section))
        return read
