"""StudyPreprocessor: fitted on training studies, turns any studies into a cohort of tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from encoders.contents import Contents
from encoders.study import Modality, Study, View
from experiments.config.schema import Experiment
from experiments.loading.cohort import Cohort
from experiments.loading.graphs import Graphs, split_triples
from experiments.loading.holdout import NOTHING_HELD, Held
from experiments.loading.images import ImageLoader
from experiments.loading.metadata import MetadataEncoder
from experiments.loading.targets import targets
from experiments.loading.text import TextLoader
from fusion.needs import NO_NEEDS, Needs
from fusion.system import Setting

__all__ = ["StudyPreprocessor"]


class StudyPreprocessor:
    """Preprocessing of images, text, metadata and targets for one experiment.

    Fitted on training studies or restored from a run; the same preprocessor then reads validation,
    test, another data set, or one file.

    Args:
        experiment: The configuration.
        graphs: The run's graph.
        findings: Concept ids trained on.
        exclusive: Whether exactly one of them holds.
        held: Findings held out of training.
        needs: Inputs that the system requires.
        cache: Folder of feature caches.
    """

    def __init__(
        self,
        experiment: Experiment,
        graphs: Graphs,
        findings: tuple[str, ...],
        *,
        exclusive: bool,
        held: Held = NOTHING_HELD,
        needs: Needs = NO_NEEDS,
        cache: Path,
    ) -> None:
        self.experiment, self.findings, self.exclusive = experiment, findings, exclusive
        self.graph, self.structure, self.vectors = graphs.known, graphs.structure, graphs.vectors
        self.held, self.needs = held, needs
        self._taken_over: set[str] = set()
        self.images: ImageLoader | None = None
        if experiment.image.encoder is not None:
            self.images = ImageLoader(experiment.image, cache, experiment.seed, needs)
        predicted = (*findings, *held.findings)
        self.text = TextLoader(
            experiment.text,
            self.graph,
            predicted,
            cache,
            masked=held.masked,
            lexicon=experiment.graph.lexicon,
            needs=needs,
        )
        self.metadata = MetadataEncoder(experiment.metadata)
        self.supervised: tuple[str, ...] = ()
        self.prevalence: tuple[float, ...] = ()
        self.usual: dict[Modality, View] = {}

    @property
    def contents(self) -> Contents | None:
        """Hashes of images, cached once computed; None where no images are read."""
        return None if self.images is None else self.images.contents

    @property
    def pairs(self) -> bool:
        """Whether training pairs images with their full report."""
        return self.needs.paired_report and self.images is not None

    @property
    def reads_text(self) -> bool:
        """Whether the system reads text, in training or at test."""
        policies = {self.text.training_policy, self.experiment.text.test}
        return self.pairs or policies != {"none"}

    @property
    def encodes_text(self) -> bool:
        """Whether the system has the text encoder, for texts of studies or of the graph."""
        return self.reads_text or self.needs.definitions

    @property
    def has_words(self) -> bool:
        """Whether the system is built for a vocabulary, be there text to encode or not."""
        return self.encodes_text or self.needs.vocabulary

    @property
    def learns_words(self) -> bool:
        """Whether the text encoder has a vocabulary of its own, learnt from the studies."""
        return self.encodes_text and self.text.trainable_encoder is not None

    @cached_property
    def triples(self) -> tuple[Tensor, Tensor]:
        """Edges of the graph that a system may learn, and those that it never sees."""
        return split_triples(self.structure, self.experiment.seed)

    def fit(self, studies: Sequence[Study], root: Path) -> None:
        """Fit reduction, vocabulary, metadata, prevalence and supervised concepts."""
        if self.images is not None and "image" not in self._taken_over:
            self.images.fit(studies, root)
        if self.encodes_text and "text" not in self._taken_over:
            self.text.fit(studies, paired=self.pairs)
        self.metadata.fit(studies)
        self.usual = usual_views(studies)
        truth = torch.from_numpy(self._targets(studies, self.findings))
        self.prevalence = tuple(truth.nanmean(0).nan_to_num(0.5).tolist())
        stated = self.text.concept_targets(studies, self.experiment.concept_sources)
        counts = (stated == 1).sum(0)
        self.supervised = tuple(
            concept.id
            for concept, count in zip(self.graph.concepts, counts.tolist(), strict=True)
            if count >= self.experiment.concept_studies and concept.id not in self.held.masked
        )

    def read(
        self,
        studies: Sequence[Study],
        root: Path,
        *,
        training: bool = False,
        extras: bool = False,
        findings: tuple[str, ...] | None = None,
    ) -> Cohort:
        """Read studies into a cohort.

        Args:
            studies: The studies.
            root: Folder their image paths are relative to.
            training: Read by the training policy, and add training-only targets and text.
            extras: Add training-only targets and text to what is read as at test, so that a loss
                can be measured on validation.
            findings: Concept ids of the targets; those trained on by default.
        """
        text = self.experiment.text
        policy = self.text.training_policy if training else text.test
        reads = self.reads_text and policy != "none"
        targeted = self.findings if findings is None else findings
        return Cohort(
            studies=tuple(studies),
            targets=torch.from_numpy(self._targets(studies, targeted)),
            pictures=None if self.images is None else self.images.read(studies, root),
            text=self.text.text(studies, policy, training=training) if reads else None,
            evidence=self.text.evidence(studies, policy, training=training) if reads else None,
            facts=self.metadata.read(studies) if self.metadata.names else None,
            augmentation=self.images.augmentation if self.images and training else None,
            reports={one.study: self.text.report(one, training=training) for one in studies},
            **(self._extras(studies) if training or extras else {}),
        )

    def setting(self) -> Setting:
        """Setting that the system is built with."""
        tokens, width = self.images.shape if self.images else (0, 0)
        return Setting(
            graph=self.structure,
            concept_vectors=self.vectors,
            findings=self.findings,
            exclusive=self.exclusive,
            supervised=self.supervised,
            image_width=width,
            image_tokens=tokens,
            text_width=self.text.encoder.width if self.encodes_text else 0,
            image_encoder=self.images.trainable_encoder if self.images else None,
            image_maps=self.images.maps if self.images else {},
            text_encoder=self.text.trainable_encoder if self.encodes_text else None,
            prevalence=self.prevalence,
            facts_width=self.metadata.width,
            vocabulary=self.text.encoder.vocabulary() if self.needs.vocabulary else None,
            texts=self.text.concept_texts() if self.needs.definitions else None,
        )

    def take_over(
        self,
        kind: str,
        tensors: Mapping[str, Tensor],
        plain: Mapping[str, Any],
    ) -> None:
        """Take over fitted image or text preprocessing of another run.

        Args:
            kind: Reduction of image tokens (`image`), or vocabulary (`text`).
            tensors: Tensors of the other run's `state`.
            plain: Plain values of its `state`.
        """
        if kind == "image" and self.images is not None:
            self.images.restore(tensors)
        if kind == "text" and self.has_words:
            self.text.restore(plain["words"])
        self._taken_over.add(kind)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Fitted state: tensors, and plain values ready for JSON."""
        tensors = self.images.state() if self.images else {}
        plain = {
            "words": self.text.state() if self.has_words else {},
            "facts": self.metadata.state(),
            "supervised": list(self.supervised),
            "prevalence": list(self.prevalence),
            "usual": dict(self.usual),
            "held": {"findings": self.held.findings, "masked": sorted(self.held.masked)},
            "exclusive": self.exclusive,
        }
        return tensors, plain

    def restore(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
        """Restore the fitted state."""
        if self.images is not None:
            self.images.restore(tensors)
        if self.has_words:
            self.text.restore(plain["words"])
        self.metadata.restore(plain["facts"])
        self.supervised = tuple(plain["supervised"])
        self.prevalence = tuple(plain["prevalence"])
        self.usual = dict(plain.get("usual", {}))

    def _extras(self, studies: Sequence[Study]) -> dict[str, Any]:
        """Training-only targets and text: statements of reports and coding, and paired reports."""
        sources, policy = self.experiment.concept_sources, self.needs.paired_policy
        return {
            "concept_targets": self.text.concept_targets(studies, sources),
            "paired_text": self.text.text(studies, policy, training=True) if self.pairs else None,
            "sentences": self.needs.sentences,
            "statements": self.text.statements(studies) if self.needs.statements else None,
            "triples": self.triples[0] if self.needs.triples else None,
        }

    def _targets(self, studies: Sequence[Study], findings: Sequence[str]) -> Any:
        data = self.experiment.data
        return targets(studies, findings, data.uncertain, data.blank)


def usual_views(studies: Sequence[Study]) -> dict[Modality, View]:
    """Most frequent view of each modality, the most frequent modality first.

    An image without a stated view is taken for this.
    """
    pairs = Counter((image.modality, image.view) for study in studies for image in study.images)
    counts = Counter(image.modality for study in studies for image in study.images)
    best = {modality: view for (modality, view), _ in reversed(pairs.most_common())}
    return {modality: best[modality] for modality, _ in counts.most_common()}
