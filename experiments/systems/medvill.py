"""MedViLL: hidden words and matching over pictures and reports in one transformer (Moon 2022).

Reference: Moon, Lee, Shin, Kim, Choi: Multi-Modal Understanding and Generation for Medical Images
and Text via Vision-Language Pre-Training, IEEE JBHI 2022, arXiv 2105.11333. Fidelity: paper, with
masks, weights and negatives as in the authors' code (SuperSupermoon/MedViLL).

In pretraining half of the pictures are shown with the report of a study that has other labels;
from picture and words, some of them hidden, the stream tells the hidden words, and by its first
mark whether the two belong together. Who attends to whom is an option: `bi_autoregressive`, the
paper's, `seq2seq` to write reports later, `full` or `non_cross`. Then findings are read from
picture and report, with full attention, pictures and reports are matched pair by pair, and reports
are written, word by word, by a stream that is trained on to tell hidden ones (loss `report`).

What differs, and why:
- Three tenths of the image tokens are hidden in training, as of the paper's 256 tokens 76 are; at
  test, where the authors draw too, all are read, so that an answer is the same each time.
- A wrong report is one of the batch; of labels not stated, that is a label of its own. Pretraining
  thus reads labels, and what follows is not free of them.
- The stream begins as a BERT where the text encoder is one; else it is small, and random. The head
  that tells words is not tied to their vectors.
- There is no mark between image and words, which embeddings of their kind tell apart.
- Pairs are matched by the pretrained head; the authors train it once more for retrieval.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, StudyBatch, Text
from fusion.devices import mean_of
from fusion.layers.hidden_words import WordHead, hide_words
from fusion.layers.mismatched import mismatch
from fusion.layers.single_stream import Attention
from fusion.layers.stream_classifier import StreamClassifier
from fusion.layers.stream_writer import hidden_report, write_reports
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Few, Share, ShareBelow1, Width
from kg.errors import InputError

__all__ = ["MedViLL"]


class Shown(NamedTuple):
    """Losses of pictures shown with their own or a wrong report.

    Args:
        words: Loss of the hidden words.
        matching: Loss of telling whether picture and report are of one study.
    """

    words: Tensor
    matching: Tensor


class MedViLL(StreamClassifier):
    """A single stream, pretrained on pairs that are or are not.

    Args:
        options: Sizes and attention.
        setting: What the run is about.
        stages: Stages of training.
    """

    class Options(StreamClassifier.Options):
        """Options of the system.

        Args:
            attention: Which tokens attend to which in pretraining.
            hidden_words: Share of the words that are hidden.
            wrong: Share of the pictures shown with a wrong report.
            hidden_to_write: Share of the words that are hidden where reports are learnt to write.
            limit: Largest number of words of a report.
            beams: Number of beams in generation; 1 = greedy.
        """

        token_dropout: ShareBelow1 = 0.3
        attention: Attention = "bi_autoregressive"
        hidden_words: Share = 0.15
        wrong: Share = 0.5
        hidden_to_write: Share = 0.5
        limit: Width = 60
        beams: Few = 1

    PRETRAINING: ClassVar = {"hidden_words": 1.0, "matching": 1.0}
    options: Options

    @classmethod
    def loss_names(cls, options: Any) -> tuple[str, ...]:
        """Those of pretraining, of writing and of the findings."""
        return (*cls.PRETRAINING, "report", "classification")

    @classmethod
    def pretrains(cls, stages: tuple[Stage, ...]) -> bool:
        """Whether a stage reads reports beside pictures."""
        return super().pretrains(stages) or any("report" in stage.objectives for stage in stages)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages)
        if self.pretrains(self.stages):
            width = self.stream.width
            self.tell = WordHead(width, self.stream.vocabulary.size)
            self.fits = nn.Linear(width, 1)

    def made(self, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Findings by both; hidden words and matching, of one reading."""
        shown = cache(lambda: self.shown(batch))
        return {
            **super().made(batch),
            "hidden_words": lambda: shown().words,
            "matching": lambda: shown().matching,
            "report": lambda: self.report(batch),
        }

    def shown(self, batch: StudyBatch) -> Shown:
        """Show pictures with their own or a wrong report, some words of it hidden."""
        if batch.paired_text is None:
            raise ValueError("the batch has no reports beside its images")
        options, book = self.options, self.stream.vocabulary
        image = self.image_tower(batch)
        words, mask = self.stream.words(batch.paired_text)
        pairs = batch.image_mask.any(1) & mask.any(1)
        at, own = mismatch(batch.targets, pairs, share=options.wrong)
        words, mask = words[at], mask[at]
        shown, hidden = hide_words(
            words, mask & (words != book.end), book, rate=options.hidden_words
        )
        joint = self.stream(image, self.stream.embed(shown, mask), options.attention)
        fits = self.fits(joint.first)[:, 0]
        each = F.binary_cross_entropy_with_logits(fits, own.to(fits.dtype), reduction="none")
        return Shown(self.tell.loss(joint.text.tokens, words, hidden), mean_of(each, pairs))

    def report(self, batch: StudyBatch) -> Tensor:
        """Loss of the hidden words of reports, each told from the picture and earlier words."""
        if batch.paired_text is None:
            raise ValueError("the batch has no reports beside its images")
        rate, image = self.options.hidden_to_write, self.image_tower(batch)
        return hidden_report(self.stream, self.tell, image, batch.paired_text, rate=rate)

    def generate(self, batch: StudyBatch) -> list[str]:
        """A report for each study from its images; empty without one.

        Raises:
            InputError: If no stage has learnt words.
        """
        if not self.pretrains(self.stages):
            raise InputError(
                "this run of medvill has not learnt words", "train it in a stage of `report`"
            )
        image, options = self.image_tower(batch), self.options
        return write_reports(
            self.stream, self.tell, image, limit=options.limit, beams=options.beams
        )

    @torch.no_grad()
    def match(self, batch: StudyBatch, text: Text) -> Tensor:
        """Logits of every image with every text, `[B, A]`; NaN where one is not there."""
        image = self.image_tower(batch)
        words, mask = self.stream.words(text)
        read = self.stream.embed(words, mask)
        scores: Tensor = image.tokens.new_full((len(image.mask), len(mask)), float("nan"))
        for row, there in enumerate(image.mask):
            if there.any():
                tokens = image.tokens[row, there].expand(len(mask), -1, -1)
                alone = Features(tokens, there[there].expand(len(mask), -1), tokens[:, 0])
                joint = self.stream(alone, read, self.options.attention)
                scores[row] = self.fits(joint.first)[:, 0]
        return scores.masked_fill(~mask.any(1), float("nan"))
