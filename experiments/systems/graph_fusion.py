"""graph_fusion: concepts of the graph as queries over pictures, text and evidence (this project).

The fused classifier of kgdx. Findings are concepts, so the same weights answer for findings and
label sets never seen in training. Text beyond the text policy is read in training only, as
concept targets and for contrast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from encoders.batch import StudyBatch
from fusion.classifier import ClassifierOptions, KnowledgeClassifier
from fusion.needs import Needs
from fusion.objectives import OBJECTIVES
from fusion.stage import Stage
from fusion.system import Basis, Module, Output, Setting, System
from kg.errors import InputError, did_you_mean
from kg.options import parse_options

__all__ = ["GraphFusion"]

PRIOR_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Weights of the graph's prior that validation chooses from."""

DEFAULT_OBJECTIVES = {
    "classification": 1.0,
    "concept_supervision": 1.0,
    "hierarchy": 0.1,
    "contrast": 0.05,
    "link_prediction": 0.1,
}


class GraphFusion(System):
    """The fused classifier with its objectives.

    Args:
        options: Sizes, open channels of the graph and options of the objectives.
        setting: What the run is about.
    """

    class Options(ClassifierOptions):
        """Options of the classifier, and of each objective by name.

        Args:
            objectives: Options of objectives by name.
        """

        objectives: Mapping[str, Mapping[str, Any]] = {}

    MODULES: ClassVar[Mapping[str, Module]] = {
        "image_tower": Module("classifier.image_reader.", "image"),
        "text_tower": Module("classifier.text_reader.", "text"),
        "concepts": Module("classifier.concept_reader."),
    }

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One stage of every objective."""
        return (Stage(objectives=DEFAULT_OBJECTIVES),)

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Every objective of the catalog."""
        return tuple(OBJECTIVES.names())

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """The whole report beside the pictures where they are contrasted."""
        return Needs(paired_report=any("contrast" in stage.objectives for stage in stages))

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        self.classifier = KnowledgeClassifier(options, setting)
        names = dict.fromkeys(name for stage in self.stages for name in stage.objectives)
        unused = set(options.objectives) - set(names)
        if unused:
            raise InputError(
                f"system.options.objectives.{min(unused)}: no stage uses this objective",
                did_you_mean(min(unused), names),
            )
        self.objectives = nn.ModuleDict({name: self._objective(name) for name in names})

    def _objective(self, name: str) -> nn.Module:
        part = OBJECTIVES.load(name)
        where = f"system.options.objectives.{name}"
        chosen = parse_options(part.Options, self.options.objectives.get(name, {}), where=where)
        built: nn.Module = part(chosen, setting=self.setting, width=self.options.width)
        return built

    def prepare(self, batches: Iterable[StudyBatch]) -> None:
        """Fit the prior on what training texts state."""
        if self.classifier.prior is None:
            return
        stated = [batch.evidence for batch in batches if batch.evidence is not None]
        if stated:
            self.classifier.prior.fit(torch.cat(stated))

    def choose(self, measure: Callable[[], float]) -> Mapping[str, float]:
        """Choose the weight of the prior, the smallest of those that do best on validation."""
        prior = self.classifier.prior
        if prior is None:
            return {}
        reached = {}
        for weight in PRIOR_WEIGHTS:
            prior.weight.fill_(weight)
            reached[weight] = measure()
        best = max(reached, key=lambda weight: (reached[weight], -weight))
        prior.weight.fill_(best)
        return {"weight of the prior": best}

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """Scalar loss of each objective of the stage, unweighted."""
        made = self.classifier(batch)
        return {name: self.objectives[name](made, batch) for name in stage.objectives}

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        """Answer for any findings; NaN, and no attention, for those that are not possible."""
        possible = tuple(finding for finding in findings if self.basis(finding) != "not_possible")
        made = self.classifier.predict(batch, possible)
        if possible == findings:
            return made
        places = [place for place, finding in enumerate(findings) if finding in possible]

        def spread(values: Tensor, elsewhere: float) -> Tensor:
            shape = (values.shape[0], len(findings), *values.shape[2:])
            spread_out = values.new_full(shape, elsewhere)
            spread_out[:, places] = values
            return spread_out

        return Output(
            logits=spread(made.logits, float("nan")),
            attention={name: spread(values, 0.0) for name, values in made.attention.items()},
            gates=None if made.gates is None else spread(made.gates, 0.0),
        )

    def basis(self, finding: str) -> Basis:
        """Trained, zero-shot for any other concept, or not possible without given vectors."""
        if finding in self.setting.findings:
            return "trained"
        known = finding in self.setting.graph.index
        return "zero_shot" if known and self.options.vectors == "given" else "not_possible"

    def neighbours(self, finding: str) -> tuple[str, ...]:
        """Concepts in the graph neighbourhood of a finding, in the order of its attention."""
        index, _, mask = self.classifier.concept_reader.neighbourhood((finding,))
        concepts = self.setting.graph.concepts
        return tuple(concepts[place].id for place in index[0][mask[0]].tolist())

    def predict_without(
        self, batch: StudyBatch, findings: tuple[str, ...], hidden: Tensor
    ) -> Output:
        """Answer for findings of the graph without some places of their memories, `[C, K]`."""
        return self.classifier.predict(batch, findings, hidden)

    def predict_on_edges(
        self, batch: StudyBatch, findings: Sequence[tuple[str, ...]], scale: Tensor
    ) -> list[Tensor]:
        """Logits `[B, C]` on versions of the graph: so much of each directed edge."""
        return self.classifier.predict_on_edges(batch, findings, scale)

    def stated(self, batch: StudyBatch) -> tuple[Tensor, Tensor]:
        """Concept of each token of evidence and whether there is one, `[B, L]` each."""
        if batch.evidence is None or not self.options.evidence:
            nothing = torch.zeros(len(batch.ids), 0, dtype=torch.long)
            return nothing, nothing.bool()
        return self.classifier.evidence_reader.places(batch.evidence)
