"""daniels: topics of the reports, predicted from the picture, as reasons (Daniels 2019).

Reference: Daniels, Metaxas: Exploiting Visual and Report-Based Information for Chest X-Ray Analysis
by Jointly Learning Visual Classifiers and Topic Models, ISBI 2019. Fidelity: reconstruction; there
is no code, and of the paper the abstract was read: a topic model of the key terms of the findings,
the presence of each topic predicted from the picture, and diagnoses by the predicted topics alone.

Topics are a non-negative factorisation of terms by studies, begun by scikit-learn's on the training
reports and trained on together with the picture: a study's topics are read from its terms by
multiplicative updates (Lee 2001), the picture learns to predict them, and a finding is a
non-negative sum of predicted topics, so that the words of a topic are a reason.

What differs, and why:
- Which terms count is not known. Here they are the commonest words of the findings but stop words,
  weighted by TF-IDF, and a word after a negation is another term (`denied`): nearly all reports
  name an effusion, most of them to deny it.
- Topics learn from the terms alone: pictures and labels cannot make them say what no report says.
- Penalties on dense and on overlapping topics are left out, as nothing is known of their weights.
- Weights of findings and topics are kept non-negative by projection after each step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from sklearn.decomposition import NMF
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from experiments.systems._report_terms import DeniedWords
from fusion.capabilities import ClassifiesTrained
from fusion.devices import mean_of
from fusion.layers.readers import ImageReader
from fusion.layers.tf_idf import inverse_frequency, tf_idf
from fusion.needs import Needs
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Module, Setting
from kg.bounds import Count, Share, ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["Daniels"]

LOSSES = {"topics": 1.0, "presence": 1.0, "classification": 1.0}
SHOWN_WORDS, SHOWN_TOPICS = 4, 3


class Daniels(ClassifiesTrained):
    """Picture to topics, topics to findings; the topics are those of the reports.

    Args:
        options: Number and terms of the topics, and sizes.
        setting: Studies and graph; needs images, and a vocabulary of words.
        stages: Stages of training; empty = the default one.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            topics: Number of topics.
            terms: Number of terms, the commonest ones.
            rarest: Smallest share of the training reports with a term.
            commonest: Largest share of the training reports with a term.
            denied: Whether a word that a negation stands before is another term.
            sections: Sections of the report whose words are terms.
            updates: Multiplicative updates by which the topics of a study are read.
            width: Width of the image reader.
            dropout: Dropout on image tokens.
            token_dropout: Share of image tokens hidden in training.
        """

        topics: Width = 50
        terms: Width = 400
        rarest: Share = 0.003
        commonest: Share = 0.5
        denied: bool = True
        sections: tuple[str, ...] = ("findings",)
        updates: Count = 30
        width: Width = 128
        dropout: ShareBelow1 = 0.2
        token_dropout: ShareBelow1 = 0.2

    MODULES: ClassVar[Mapping[str, Module]] = {"image_tower": Module("reader.", "image")}
    terms: Tensor
    frequency: Tensor

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Losses of the topic model, of the predicted topics, and of the findings."""
        return tuple(LOSSES)

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One stage of all, after the topics were begun; weights of reasons have far to go."""
        return (Stage(objectives=LOSSES, rates={"reasons": 50.0}),)

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """The report in training, and its words."""
        return Needs(paired_report=True, vocabulary=True)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        if setting.vocabulary is None:
            raise InputError("daniels makes topics of words", "name a text.encoder of words")
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        self.reader = ImageReader.of(
            setting, options.width, dropout=options.dropout, token_dropout=options.token_dropout
        )
        self.presence = nn.Linear(options.width, options.topics)
        self.topics = nn.Parameter(torch.rand(options.topics, options.terms))
        self.reasons = nn.Parameter(0.1 * torch.rand(options.topics, len(setting.findings)))
        share = torch.tensor(setting.prevalence or (0.5,) * len(setting.findings))
        self.bias = nn.Parameter(share.clamp(1e-3, 1 - 1e-3).logit())
        self.objective = Classification(
            Classification.Options(), setting=setting, width=options.width
        )
        self.words = DeniedWords(setting.vocabulary, options.sections, denied=options.denied)
        self.register_buffer("terms", torch.full((options.terms,), -1))
        self.register_buffer("frequency", torch.zeros(options.terms))

    def prepare(self, batches: Iterable[StudyBatch]) -> None:
        """Choose the terms of the training reports, and begin the topics with their factors."""
        rows = torch.cat([self.words.of(batch.paired_text) for batch in batches])
        rows = rows[rows.any(1)]
        count = rows.sum(0).masked_fill(~self.words.counted, 0)
        least, most = (len(rows) * share for share in (self.options.rarest, self.options.commonest))
        fits = (count >= max(1, least)) & (count <= max(1, most))
        order = count.masked_fill(~fits, 0).argsort(descending=True, stable=True)
        chosen = order[: min(self.options.terms, int(fits.sum()))]
        self.terms.fill_(-1)[: len(chosen)] = chosen
        if not len(chosen):
            raise InputError(
                "the training reports have no terms", "see options.sections and rarest"
            )
        self.frequency.zero_()[: len(chosen)] = inverse_frequency(count[chosen], len(rows))
        within = tf_idf(rows[:, chosen].float(), self.frequency[: len(chosen)]).double().numpy()
        start = "nndsvda" if self.options.topics <= min(within.shape) else "random"
        model = NMF(self.options.topics, init=start, random_state=0, max_iter=400)
        activity = torch.from_numpy(model.fit_transform(within)).float()
        # a topic that is clearly there is worth one, so that presence is a probability
        scale = activity.quantile(0.95, 0).maximum(activity.amax(0) / 2).clamp_min(1e-6)
        with torch.no_grad():
            self.topics.zero_()[:, : len(chosen)] = (
                torch.from_numpy(model.components_).float() * scale[:, None]
            )

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The losses of the stage."""
        predicted = self.presence(self.reader(batch).pooled)
        rows = self.words.of(batch.paired_text)[:, self.terms].float()
        rows = tf_idf(rows, self.frequency)  # of a place without a term the frequency is zero
        said = rows.any(1)
        read = activations(rows, self.topics, self.options.updates)
        target = read.clamp_max(1)
        made = {
            "topics": lambda: mean_of((rows - read @ self.topics).square().mean(1), said),
            "presence": lambda: mean_of(
                F.binary_cross_entropy_with_logits(predicted, target, reduction="none").mean(1),
                said & batch.image_mask.any(1),
            ),
            "classification": lambda: self.objective.of(self._findings(predicted), batch.targets),
        }
        return {name: made[name]() for name in stage.objectives}

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`, by the topics that the picture predicts."""
        return self._findings(self.presence(self.reader(batch).pooled))

    def after_step(self) -> None:
        """Keep topics and reasons non-negative."""
        with torch.no_grad():
            self.topics.clamp_min_(0)
            self.reasons.clamp_min_(0)

    def evidence(self, batch: StudyBatch, findings: tuple[str, ...]) -> list[list[list[str]]]:
        """The topics that speak most for each finding of each study, by their words."""
        present = self.presence(self.reader(batch).pooled).sigmoid()
        named = [self._named(topic) for topic in self.topics]
        lines: list[list[list[str]]] = [[] for _ in batch.ids]
        for finding in findings:
            known = finding in self.setting.findings
            for study, shares in zip(lines, present, strict=True):
                study.append([])
                if known:
                    weight = self.reasons[:, self.setting.findings.index(finding)]
                    for at in (shares * weight).argsort(descending=True)[:SHOWN_TOPICS].tolist():
                        study[-1].append(
                            f"topic {named[at]} ({shares[at]:.2f} present, weight {weight[at]:.2f})"
                        )
        return lines

    def _findings(self, predicted: Tensor) -> Tensor:
        return predicted.sigmoid() @ self.reasons + self.bias

    def _named(self, topic: Tensor) -> str:
        """The weightiest words of a topic."""
        order = topic.argsort(descending=True)[:SHOWN_WORDS]
        return ", ".join(self.words.name(int(self.terms[at])) for at in order if topic[at] > 0)


@torch.no_grad()
def activations(rows: Tensor, topics: Tensor, updates: int) -> Tensor:
    """Non-negative `[B, K]` with `activations @ topics` near `rows`, by multiplicative updates.

    Args:
        rows: Terms of each text, `[B, T]`.
        topics: `[K, T]`, not negative.
        updates: Number of updates.
    """
    made = (rows.mean(1, keepdim=True) / len(topics)).sqrt().expand(-1, len(topics))
    target, overlap = rows @ topics.T, topics @ topics.T
    for _ in range(updates):
        made = made * target / (made @ overlap).clamp_min(1e-9)
    return made
