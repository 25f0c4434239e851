"""text_baseline: text alone, a language model, one pooling and one layer (IEEE Access 2024).

Reference: NLP-Powered Healthcare Insights: A Comparative Analysis for Multi-Labeling
Classification With MIMIC-CXR Dataset, IEEE Access 2024, document 10529271. Fidelity:
reconstruction; there is no code, and only the abstract could be read. Its three heads are a text
encoder with a pooling here: a language model with `pool: first`, `cnn_transformer` with `max`,
`bilstm_transformer` with `ends`; any other text encoder fits too, and any set of language models is
any set of folders. The paper trains on findings that a rule labeler read from the same text, which
measures how well the labeler is copied: text policy and leakage stand in every row here.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from encoders.batch import StudyBatch, Text
from fusion.capabilities import ClassifiesTrained
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import ShareBelow1
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["TextBaseline"]

Pool = Literal["first", "mean", "max", "ends"]


class TextBaseline(ClassifiesTrained):
    """Tokens of a text encoder, pooled, and a linear layer with one output a finding.

    Args:
        options: Pooling and dropout.
        setting: What the run is about; needs text.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            pool: From tokens to text: the first token (`[CLS]`), their mean or maximum, or the
                last state of each direction of a bidirectional network.
            dropout: Share of the pooled channels dropped in training.
            objective: Options of the objective `classification`.
        """

        pool: Pool = "mean"
        dropout: ShareBelow1 = 0.1
        objective: Classification.Options = Classification.Options()

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        if not setting.text_width:
            raise InputError("text_baseline reads text alone", "set text.test to a policy but none")
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        self.encoder = setting.text_encoder
        self.drop = nn.Dropout(options.dropout)
        self.line = nn.Linear(setting.text_width, len(setting.findings))
        width = setting.text_width
        self.objective = Classification(options.objective, setting=setting, width=width)

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One stage of classification."""
        return (Stage(),)

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`; a study without text gets the bias."""
        if batch.text is None:
            return self.line.bias.expand(len(batch.ids), -1)
        pooled = pooled_text(self._tokens(batch.text), batch.text.mask, self.options.pool)
        made: Tensor = self.line(self.drop(pooled))
        return made

    def _tokens(self, text: Text) -> Tensor:
        if text.tokens is not None:
            return text.tokens
        if self.encoder is None:
            raise ValueError("the batch has neither cached text tokens nor an encoder for words")
        tokens: Tensor = self.encoder(text.words, text.mask, text.section)
        return tokens

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The classification loss."""
        return {"classification": self.objective.of(self.logits(batch), batch.targets)}


def pooled_text(tokens: Tensor, mask: Tensor, pool: Pool) -> Tensor:
    """`[B, T, D]` and `[B, T]` to `[B, D]`; zeros where there is no word."""
    there = mask.any(1, keepdim=True)
    if pool == "mean":
        return (tokens * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
    if pool == "max":
        lowest = torch.finfo(tokens.dtype).min
        return tokens.masked_fill(~mask[..., None], lowest).amax(1) * there
    if pool == "first":
        return tokens[:, 0] * there
    last = (mask.sum(1) - 1).clamp(min=0)
    half = tokens.shape[2] // 2
    end = tokens[torch.arange(len(tokens), device=tokens.device), last]
    return torch.cat((end[:, :half], tokens[:, 0, half:]), dim=1) * there
