"""Hassan: an image network and a text network joined in one of three ways (Hassan 2022).

Reference: Hassan, Sirshar, Akram, Farooq: Analysis of Multimodal Representation Learning across
Medical Images and Reports using Multiple Vision and Language Pre-Trained Models, IBCAST 2022.
Fidelity: interpretation; neither text nor code could be read, and that this is the work meant is
probable only. Its design is that of Li, Wang, Luo: A Comparison of Pre-Trained Vision-and-Language
Models for Multimodal Representation Learning across Medical Images and Reports, 2020.

ResNet, DenseNet or VGG (`image.encoder`), and BERT or a bidirectional GRU (`text.encoder`), are
joined by concatenation of their pooled outputs; by a single stream, as VisualBERT; or by two
streams with attention across, as LXMERT (Tan 2019). The report is read at test too.

What differs, and why:
- Image tokens are places of a feature map, not regions of a detector, which has no chest images.
- Streams begin with random weights; only a BERT as text encoder is itself the single stream.
- Places are told by the image tokens' own embedding, so the boxes of LXMERT's regions are zeros.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from transformers import LxmertConfig, LxmertModel

from encoders.batch import Features, StudyBatch
from fusion.capabilities import ClassifiesTrained
from fusion.layers.pools import masked_mean
from fusion.layers.readers import ImageReader, TextReader, nothing
from fusion.layers.single_stream import SingleStream, StreamOptions
from fusion.needs import Needs
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Module, Setting
from kg.errors import InputError

__all__ = ["Hassan"]


class Hassan(ClassifiesTrained):
    """Findings by images and text, joined.

    Args:
        options: The join and its sizes.
        setting: Studies and graph; requires images and text.
        stages: Stages of training; empty = the default ones.
    """

    class Options(StreamOptions):
        """Options of the system.

        Args:
            join: Concatenation, a single stream, or two streams.
        """

        join: Literal["concat", "single_stream", "two_stream"] = "concat"

    MODULES: ClassVar = {"image_tower": Module("image_tower.", "image")}

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        if not setting.text_width:
            raise InputError("hassan joins images and text", "set text.test to a policy but none")
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        width, drop = options.width, options.dropout
        self.single_stream: SingleStream | None = None
        self.two_stream: TwoStream | None = None
        if options.join == "single_stream":
            self.single_stream = SingleStream(options, setting)
            width = self.single_stream.width
        elif options.join == "two_stream":
            self.two_stream = TwoStream(options)
        self.image_tower = ImageReader.of(setting, width, dropout=drop)
        self.text_tower: TextReader | None = None
        pretrained = getattr(setting.text_encoder, "model", None)
        # a stream that is itself the text encoder embeds the words
        if self.single_stream is None or self.single_stream.bert is not pretrained:
            encoder = setting.text_encoder
            self.text_tower = TextReader(
                setting.text_width, width, encoder=encoder, dropout=drop, pool=masked_mean
            )
        if options.join != "concat":
            self.image_tower.pool.requires_grad_(False)  # the streams pool instead
        joined = 2 * width if options.join == "concat" else width
        self.head = nn.Sequential(
            nn.Dropout(drop),
            nn.Linear(joined, width),
            nn.GELU(),
            nn.Linear(width, len(setting.findings)),
        )
        self.objective = Classification(Classification.Options(), setting=setting, width=width)

    @classmethod
    def default_stages(cls, options: Any) -> tuple[Stage, ...]:
        """One stage of classification."""
        return (Stage(),)

    @classmethod
    def needs(cls, options: Any, stages: tuple[Stage, ...]) -> Needs:
        """The words of the text by number, for a single stream."""
        return Needs(vocabulary=options.join == "single_stream")

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The classification loss."""
        return {"classification": self.objective.of(self.logits(batch), batch.targets)}

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`, by images and the text allowed."""
        image, text = self.image_tower(batch), self.text(batch)
        if self.single_stream is not None:
            joined = self.single_stream(image, text).first
        elif self.two_stream is not None:
            joined = self.two_stream(image, text)
        else:
            joined = torch.cat([image.pooled, text.pooled], 1)
        logits: Tensor = self.head(joined)
        return logits

    def text(self, batch: StudyBatch) -> Features:
        """Vectors of the words allowed; one masked token where no study has any."""
        if batch.text is None:
            return nothing(len(batch.ids), self.image_tower.project.out_features, batch.targets)
        if self.text_tower is None:
            assert self.single_stream is not None
            return self.single_stream.embed(*self.single_stream.words(batch.text))
        read: Features = self.text_tower(batch.text)
        return read


class TwoStream(nn.Module):
    """LXMERT: words and image tokens in a transformer each, with attention across in the last.

    Args:
        options: Sizes; `layers` is the number of layers of words, of image tokens and across, each.
    """

    def __init__(self, options: StreamOptions) -> None:
        super().__init__()
        if options.width % options.heads:
            raise InputError(
                f"width {options.width} is not shared by {options.heads} heads",
                "make width a multiple of heads",
            )
        self.model = LxmertModel(
            LxmertConfig(
                vocab_size=1,
                hidden_size=options.width,
                num_attention_heads=options.heads,
                intermediate_size=4 * options.width,
                l_layers=options.layers,
                r_layers=options.layers,
                x_layers=options.layers,
                visual_feat_dim=options.width,
                hidden_dropout_prob=options.dropout,
                attention_probs_dropout_prob=options.dropout,
                max_position_embeddings=options.positions,
            )
        )
        self.model.embeddings.word_embeddings.requires_grad_(False)  # words come as vectors
        self.mark = nn.Parameter(torch.randn(1, 1, options.width) * 0.02)

    def forward(self, image: Features, text: Features) -> Tensor:
        """Pooled state of the mark before the words, plus the mean state of the image, `[B, D]`."""
        studies, words = text.mask.shape
        if words >= self.model.config.max_position_embeddings:
            raise InputError(
                f"a text has {words} words, and the streams have places for "
                f"{self.model.config.max_position_embeddings - 1}",
                "lower max_length of text.encoder, or raise positions of the system",
            )
        there = torch.ones_like(text.mask[:, :1])
        read = self.model(
            inputs_embeds=torch.cat([self.mark.expand(studies, -1, -1), text.tokens], 1),
            attention_mask=torch.cat([there, text.mask], 1).float(),
            visual_feats=image.tokens,
            visual_pos=image.tokens.new_zeros(*image.tokens.shape[:2], 4),
            visual_attention_mask=image.mask.float(),
        )
        joined: Tensor = read.pooled_output + masked_mean(read.vision_output, image.mask)
        return joined
