"""joimternet: pictures and reports joined word by region, and hidden words told (Ji 2021).

Reference: Ji, Shaikh, Moukheiber, Srihari, Peng, Gao: Improving Joint Learning of Chest X-Ray and
Radiology Report by Word Region Alignment, MLMI 2021, arXiv 2109.01949. Fidelity: paper, with
scales, margins and weights as in the authors' code (mshaikh2/JoImTeR_MLMI_2021).

Pretraining tells which report belongs to which picture, by both as wholes and by words and the
regions they attend to, each by cross-entropy and by triplets; and it tells hidden words from those
around them. Then findings are read from the whole picture and the mean of its regions
(`reads: image`), or with the report's as well (`reads: image_and_text`, under the text policy).

What differs, and why:
- The authors draw the task of each step, words with chance 0.7; here both are in every step with
  these weights, which is the same in expectation. A direction weighs one, as in their sums.
- Triplets have all other studies as rivals, not one at random that may be the same study.
- Scores of words are smooth maxima of cosines, as printed; `summed_words` multiplies them by the
  factor on words as released, for the triplets as well.
- Reports are encoded by the text encoder of the configuration, where a learned pool stands for the
  first token; so it does for the authors' last feature map. A hidden word stays a word or becomes
  another as in BERT.
- Findings are not weighed by their frequency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, StudyBatch, Text
from fusion.devices import gathered, gathered_tokens
from fusion.layers.dual import DualEncoder, Pairs
from fusion.layers.hidden_words import WordHead, hide_words
from fusion.layers.pools import masked_mean
from fusion.layers.word_region import word_region_scores
from fusion.losses.pair_cross_entropy import pair_cross_entropy
from fusion.losses.pair_ranking import pair_ranking
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import NotNegative, Positive, Share, ShareBelow1, Width
from kg.errors import InputError

__all__ = ["JoImTeRNet"]

MATCHING, WORDS = 0.3, 0.7
"""Chance of each task in a step of the authors' training."""


class JoImTeRNet(DualEncoder):
    """Two towers aligned as wholes and word by region, one of which tells hidden words.

    Args:
        options: Sizes, scales, and what findings are read from.
        setting: What the run is about; its text encoder must be one that trains.
        stages: Stages of training.
    """

    class Options(DualEncoder.Options):
        """Options of the system.

        Args:
            attention_scale: Factor before a word's softmax over regions.
            word_scale: Factor on the cosines of words before they are pooled.
            summed_words: Scores of words times that factor, as released.
            margin: How much higher a pair should score than its rivals.
            hidden_words: Share of the words that are hidden.
            reads: What findings are read from: pictures, or pictures and the text allowed.
            head: Width of each feature that findings are read from.
            head_dropout: Dropout between them and the findings.
        """

        hidden: tuple[Width, ...] = ()
        attention_scale: Positive = 4.0
        word_scale: Positive = 5.0
        summed_words: bool = False
        margin: NotNegative = 0.5
        hidden_words: Share = 0.15
        reads: Literal["image", "image_and_text"] = "image"
        head: Width = 128
        head_dropout: ShareBelow1 = 0.5

    options: Options
    # a mean of two directions weighs two, and triplets twice as much as cross-entropy
    BETWEEN: ClassVar[Mapping[str, float]] = {
        "contrast": 2 * MATCHING,
        "local_contrast": 2 * MATCHING,
        "triplets": 2 * MATCHING,
        "local_triplets": 2 * MATCHING,
        "hidden_words": WORDS,
    }

    @classmethod
    def needs(cls, options: Any, stages: tuple[Stage, ...]) -> Needs:
        """The report beside the pictures where they are paired, and its words by number."""
        words = any("hidden_words" in stage.objectives for stage in stages)
        return replace(super().needs(options, stages), vocabulary=words)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages)
        weighed = {name for stage in self.stages for name in stage.objectives}
        width = options.width
        if weighed & {"local_contrast", "local_triplets"}:
            self.region_projection = nn.Linear(width, width)
            self.word_projection = nn.Linear(width, width)
        if "hidden_words" in weighed:
            if setting.vocabulary is None or setting.text_encoder is None:
                raise InputError("joimternet tells hidden words", "name a text.encoder that trains")
            self.tell = WordHead(width, setting.vocabulary.size)
        if self.head is not None:
            self.head = Head(options, len(setting.findings))
            if options.reads == "image_and_text":
                self._check_text()

    def between(self, pairs: Pairs, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Cross-entropy and triplets of wholes, and of words and regions; and hidden words."""
        of: dict[str, Any] = {"same": gathered(pairs.same), "mask": gathered(pairs.mask)}
        whole, local = cache(lambda: self._cosines(pairs)), cache(lambda: self._aligned(pairs))
        margin = self.options.margin
        return {
            "contrast": lambda: pair_cross_entropy(whole() * self.scale, **of),
            "local_contrast": lambda: pair_cross_entropy(local() * self.scale, **of),
            "triplets": lambda: pair_ranking(whole(), margin, **of),
            "local_triplets": lambda: pair_ranking(local(), margin, **of),
            "hidden_words": lambda: self.told(batch.paired_text),
        }

    def _cosines(self, pairs: Pairs) -> Tensor:
        """Cosine of every picture and every report, `[B, B]`."""
        return gathered(pairs.image_vectors) @ gathered(pairs.text_vectors).T

    def _aligned(self, pairs: Pairs) -> Tensor:
        """Score of every picture and every report by words and regions, `[B, B]`."""
        words, word_mask = gathered_tokens(self.word_projection(pairs.text.tokens), pairs.text.mask)
        regions, region_mask = gathered_tokens(
            self.region_projection(pairs.image.tokens), pairs.image.mask
        )
        scores = word_region_scores(
            words,
            regions,
            (word_mask, region_mask),
            attention_scale=self.options.attention_scale,
            word_scale=self.options.word_scale,
        )
        return scores * self.options.word_scale if self.options.summed_words else scores

    def told(self, text: Text | None) -> Tensor:
        """Cross-entropy of the words that were hidden, told from those around them."""
        book, tower = self.setting.vocabulary, self.text_tower
        if text is None or text.words is None or text.word is None or book is None:
            raise ValueError("the batch has no reports as words")
        assert tower is not None
        real = text.mask & (text.word >= 0)
        shown, hidden = hide_words(text.words, real, book, rate=self.options.hidden_words)
        return self.tell.loss(tower(replace(text, words=shown)).tokens, text.words, hidden)

    def findings(self, image: Features, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`, by the pictures, and by the text if read."""
        assert isinstance(self.head, Head)
        text = None
        if self.options.reads == "image_and_text" and batch.text is not None:
            assert self.text_tower is not None
            text = self.text_tower(batch.text)
        answers: Tensor = self.head(image, text)
        return answers


class Head(nn.Module):
    """Findings by pictures and texts as wholes, and by the means of their regions and words.

    Args:
        options: Its width, its dropout and what it reads.
        findings: Number of findings, `C`.
    """

    def __init__(self, options: JoImTeRNet.Options, findings: int) -> None:
        super().__init__()
        self.sides = 1 if options.reads == "image" else 2
        self.drop = nn.Dropout(options.head_dropout)
        self.project = nn.ModuleList(
            nn.Linear(options.width, options.head) for _ in range(2 * self.sides)
        )
        self.join = nn.Linear(2 * self.sides * options.head, options.head)
        self.line = nn.Linear(options.head, findings)

    def forward(self, image: Features, text: Features | None) -> Tensor:
        """Logits `[B, C]`; a text that is not there is read as zeros."""
        vectors = [image.pooled, masked_mean(image.tokens, image.mask)]
        if self.sides > 1:
            vectors += (
                [torch.zeros_like(image.pooled)] * 2
                if text is None
                else [text.pooled, masked_mean(text.tokens, text.mask)]
            )
        parts = [
            F.relu(layer(self.drop(vector)))
            for layer, vector in zip(self.project, vectors, strict=True)
        ]
        answers: Tensor = self.line(self.drop(F.relu(self.join(self.drop(torch.cat(parts, 1))))))
        return answers
