"""TieNet: writes the report over the picture and classifies by both (Wang 2018).

Reference: Wang, Peng, Lu, Lu and Summers, TieNet: Text-Image Embedding Network for Common Thorax
Disease Classification and Reporting in Chest X-Rays, CVPR 2018, arXiv 1801.04334. Fidelity:
reconstruction; there is no official code, and equations are those of the paper as the reproduction
MLforHealth/TieNetReproduction and reading notes give them.

An LSTM with soft attention over image tokens reads the report, or writes it. Its states are pooled
to the attention-encoded text embedding (AETE), and where it looked, weighed by the words that
matter, pools the picture (SW-GAP); one linear layer classifies by both. What is given at test
decides the mode, study by study: with findings or impression, these are read (the paper's
auto-annotation, which re-reads the text that labels come from); without, the system reads what it
has written itself.

It differs in that words are learnt from the start and not taken from word2vec, in that any image
encoder stands in for the ResNet-50, and in sizes, which are options. The term of the reproduction
that spreads attention evenly over the picture is left out, as it is not in the paper.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, StudyBatch, Text
from encoders.text import Vocabulary
from fusion.capabilities import ClassifiesTrained
from fusion.layers.captioning import AttentionDecoder
from fusion.layers.pools import SelfAttentivePool
from fusion.layers.readers import ImageReader
from fusion.losses.balanced_bce import balanced_bce
from fusion.losses.sequence_cross_entropy import sequence_cross_entropy
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Module, Setting
from kg.bounds import Few, ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions
from kg.options import Part

__all__ = ["TieNet"]


class Read(NamedTuple):
    """What came of reading reports over pictures.

    Args:
        findings: Logits of the findings trained on, `[B, C]`.
        words: Logits of each next word, `[B, T, W]`.
        mask: True where there is a word to come, the mark of the end included, `[B, T]`.
    """

    findings: Tensor
    words: Tensor
    mask: Tensor


class TieNet(ClassifiesTrained):
    """Text-image embedding network.

    Args:
        options: Sizes.
        setting: What the run is about; needs pictures and a vocabulary.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            width: Width of an image token after the transition layer.
            hidden: Width of the LSTM's state.
            words: Width of a word.
            attention: Width of the layer within AETE.
            heads: Heads of AETE.
            dropout: Dropout on image tokens, before the next word, and before the findings.
            limit: Most words of a report that are read or written.
            beams: Reports held in the search while writing; 1 takes the likeliest word each time.
        """

        width: Width = 256
        hidden: Width = 256
        words: Width = 200
        attention: Width = 2000
        heads: Few = 5
        dropout: ShareBelow1 = 0.5
        limit: Width = 60
        beams: Few = 1

    MODULES: ClassVar = {
        "image_tower": Module("image_reader.", "image"),
        "decoder": Module("decoder.", "text"),
    }

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One stage of both losses, weighed as in the reproduction."""
        adam = Part(name="adam")
        return (
            Stage(
                objectives={"classification": 0.85, "report": 0.15},
                optimiser=adam,
                learning_rate=1e-3,
                weight_decay=1e-4,
                clip=5.0,
            ),
        )

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Balanced cross-entropy of findings, and cross-entropy of words."""
        return ("classification", "report")

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """The report to learn to write, and the words it is written with."""
        return Needs(paired_report=True, vocabulary=True)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        if setting.vocabulary is None:
            raise InputError("tienet writes words", "name a text.encoder with a vocabulary")
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        self.vocabulary: Vocabulary = setting.vocabulary
        self.image_reader = ImageReader.of(setting, options.width, dropout=options.dropout)
        self.image_reader.pool.requires_grad_(False)  # SW-GAP pools instead
        self.decoder = AttentionDecoder(
            self.vocabulary.size,
            options.width,
            hidden=options.hidden,
            words=options.words,
            dropout=options.dropout,
        )
        self.aete = SelfAttentivePool(options.hidden, options.attention, options.heads)
        self.classify = nn.Sequential(
            nn.Dropout(options.dropout),
            nn.Linear(options.hidden + options.width, len(setting.findings)),
        )

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """Loss of the findings, and of the words of reports that are there."""
        image = self.image_reader(batch)
        words, given = self._words(image, batch.paired_text if batch.text is None else batch.text)
        read = self._read(image, words)
        mask = read.mask & given[:, None]
        losses = {
            "classification": balanced_bce(read.findings, batch.targets),
            "report": sequence_cross_entropy(read.words, words[:, 1:], mask),
        }
        return {name: losses[name] for name in stage.objectives}

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings, `[B, C]`, by the report given, else by the one written."""
        image = self.image_reader(batch)
        return self._read(image, self._words(image, batch.text)[0]).findings

    def generate(self, batch: StudyBatch) -> list[str]:
        """A report for each study from its pictures alone; empty without one."""
        image = self.image_reader(batch)
        written = self._written(image.tokens, image.mask)
        return [self.vocabulary.decode(words) for words in written.tolist()]

    def _read(self, image: Features, words: Tensor) -> Read:
        """Read the words `[B, T + 1]` of reports, from mark to mark, over the pictures."""
        decoded = self.decoder(image.tokens, image.mask, words[:, :-1])
        ended = words[:, 1:] == self.vocabulary.end
        mask = (ended.cumsum(1) - ended.long()) == 0
        text, weights = self.aete(decoded.states, mask)
        importance = weights.amax(1, keepdim=True)
        saliency = importance @ decoded.attention
        picture = (saliency @ image.tokens)[:, 0]
        findings = self.classify(torch.cat([text, picture], -1))
        return Read(findings, decoded.logits, mask)

    def _words(self, image: Features, text: Text | None) -> tuple[Tensor, Tensor]:
        """Words of the reports given, else of those written, `[B, T + 1]`; and which were given.

        After the mark of the end, what is there means nothing.
        """
        if text is None:
            words = self._written(image.tokens, image.mask)
            return words, torch.zeros_like(image.mask[:, 0])
        words = self.vocabulary.framed(text)[:, : self.options.limit + 2]
        given = words[:, 1] != self.vocabulary.end
        if bool(given.all()):
            return words, given
        written = self._written(image.tokens[~given], image.mask[~given])
        longest = max(words.shape[1], written.shape[1])
        words, written = (
            F.pad(each, (0, longest - each.shape[1]), value=self.vocabulary.end)
            for each in (words, written)
        )
        words[~given] = written
        return words, given

    def _written(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Reports written over pictures, from mark to mark; without a picture nothing between."""
        book = self.vocabulary
        generated = self.decoder.write(
            tokens,
            mask,
            ends=(book.start, book.end),
            limit=self.options.limit,
            beams=self.options.beams,
            never=(book.padding, book.unknown, book.mask, book.start),
        )
        words = F.pad(generated.words, (1, 1), value=book.end)
        words[~mask.any(1)] = book.end
        words[:, 0] = book.start
        return words
