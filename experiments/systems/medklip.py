"""MedKLIP: definitions of findings as queries over the picture, taught by statements (Wu 2023).

Reference: Wu, Zhang, Zhang, Wang, Xie: MedKLIP: Medical Knowledge Enhanced Language-Image
Pre-Training for X-ray Diagnosis, ICCV 2023, arXiv 2301.02228; with `aspects` MAVL: Phan et al.:
Decomposing Disease Descriptions for Enhanced Pathology Detection, CVPR 2024. Fidelity: paper. A
text encoder turns the definition of a concept into a query, a decoder gathers image tokens, and
what it gathers says whether the concept is there (statements of the report) and where (its site
among eight).

What differs, and why:
- Definitions, sites and statements are those of kgdx, not RadGraph's 75 entities and 51 positions.
  A step asks `sampled` concepts, since decoding all costs as much as everything else together.
- Queries do not attend to each other, so that an answer is a finding's own.
- A concept that a report does not name is left out, as in the paper, or absent (`unstated`).
- Findings can be trained on labels (`classification`), by the same queries.
- MAVL's aspects are sentences that a language model wrote; here each is what the graph says by one
  relation (`aspects`), in a query of its own. Its global contrast is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from fusion.devices import mean_of
from fusion.layers.boxes import as_map
from fusion.layers.concept_queries import Arm, ConceptQueries, Unstated, draw_concepts, stated
from fusion.layers.queries import QueryDecoder
from fusion.layers.readers import ImageReader
from fusion.layers.text_vectors import TextVectors
from fusion.losses.stated_bce import stated_bce
from fusion.needs import Needs
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Basis, Module, Output, Setting, System
from kg.bounds import Count, Few, ShareBelow1, Width
from kg.options import Options as BaseOptions

__all__ = ["MedKLIP"]


class MedKLIP(System):
    """Queries of concepts that look at the picture.

    Args:
        options: Sizes, and what the queries are.
        setting: Studies and graph; needs images.
        stages: Stages of training; empty = pretraining on statements.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            width: Width of the decoder.
            layers: Layers of the decoder.
            heads: Attention heads of a layer.
            dropout: Dropout in the decoder.
            token_dropout: Share of image tokens hidden in training.
            queries: What concepts are asked by; all arms have the same parameters, those of
                `learned` are trained: `definitions`, `names`, `permuted` = definitions of other
                concepts, `random` vectors, or `learned` ones.
            aspects: Relations of the graph, each a further query of every concept (MAVL).
            sampled: Concepts that are asked in a step.
            sites: Sites among which the stated one is told.
            unstated: What a report does not name: left out, or absent.
        """

        width: Width = 128
        layers: Few = 4
        heads: Few = 4
        dropout: ShareBelow1 = 0.1
        token_dropout: ShareBelow1 = 0.2
        queries: Arm = "definitions"
        aspects: tuple[str, ...] = ()
        sampled: Count = 24
        sites: Few = 8
        unstated: Unstated = "left_out"

    MODULES: ClassVar[Mapping[str, Module]] = {
        "image_tower": Module("reader.", "image"),
        "queries": Module("queries."),
        "decoder": Module("decoder."),
    }
    asked: Tensor
    findings: Tensor
    places: Tensor

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """Pretraining on statements."""
        return (Stage(name="pretraining", objectives={"exist": 1.0, "site": 1.0}, monitor="loss"),)

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Those of statements, and that of labels."""
        return ("exist", "site", "classification")

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """Definitions, and statements where a stage learns them."""
        learns = any({"exist", "site"} & set(stage.objectives) for stage in stages)
        return Needs(definitions=True, statements=learns)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        graph, width = setting.graph, options.width
        self.text_encoder = setting.text_encoder
        self.reader = ImageReader.of(setting, width, token_dropout=options.token_dropout)
        self.reader.pool.requires_grad_(False)  # the queries look instead
        self.queries = ConceptQueries(setting, width, options.queries, options.aspects)
        self.decoder = QueryDecoder(width, options.layers, options.heads, options.dropout)
        self.exist = nn.Linear(width * self.queries.each, 1)
        self.site = nn.Linear(width, setting.text_width)
        assert setting.texts is not None
        self.site_names = TextVectors(setting.texts.names)
        self.objective = Classification(Classification.Options(), setting=setting, width=width)
        sites = [place for place, one in enumerate(graph.concepts) if one.kind == "anatomy"]
        for name, places in (
            ("asked", [graph.index[concept] for concept in setting.supervised]),
            ("findings", [graph.index[concept] for concept in setting.findings]),
            ("places", sites),
        ):
            self.register_buffer(name, torch.tensor(places, dtype=torch.long), persistent=False)

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The losses of the stage, of one decoding of all that is asked."""
        labelled = "classification" in stage.objectives
        targets = stated(batch, len(self.setting.graph.concepts), self.options.unstated)
        drawn = self.asked[:0]
        if set(stage.objectives) - {"classification"}:
            drawn = draw_concepts(self.asked, targets, self.options.sampled)
        first = self.findings if labelled else self.findings[:0]
        seen = self.decode(batch, torch.cat([first, drawn]))
        logits = self.exist(seen.flatten(2)).squeeze(-1)
        made = {}
        if labelled:
            made["classification"] = self.objective.of(logits[:, : len(first)], batch.targets)
        if "exist" in stage.objectives:
            made["exist"] = stated_bce(logits[:, len(first) :], targets[:, drawn])
        if "site" in stage.objectives:
            made["site"] = self.site_loss(seen[:, len(first) :, 0], batch, drawn)
        return {name: made[name] for name in stage.objectives}

    def site_loss(self, seen: Tensor, batch: StudyBatch, drawn: Tensor) -> Tensor:
        """Cross-entropy of the stated site among a few, of present concepts `[B, K, D]`."""
        at_sites: Tensor = self.site(seen)
        if batch.statements is None or len(self.places) < 2:
            return at_sites.sum() * 0.0
        of = batch.statements
        located = of.mask & (of.assertion == 1.0) & torch.isin(of.site, self.places)
        about = (of.concept[:, None] == drawn[:, None]) & located[:, None]
        counted, said = about.max(2)
        site = of.site.gather(1, said.clamp_min(0)).clamp_min(0)
        # the others are drawn by their distance from the true one, which is never 0
        true = torch.searchsorted(self.places, site)
        steps = torch.randint(
            1, len(self.places), (*site.shape, self.options.sites - 1), device=site.device
        )
        others = (true[..., None] + steps) % len(self.places)
        names = self.site_names(self.places, self.text_encoder)
        chosen = names[torch.cat([true[..., None], others], -1).clamp_max(len(names) - 1)]
        scores = torch.einsum("bkd,bksd->bks", at_sites, F.normalize(chosen, dim=-1))
        first = torch.zeros_like(site)
        each = F.cross_entropy(scores.flatten(0, 1), first.flatten(), reduction="none")
        return mean_of(each, counted.flatten())

    def decode(self, batch: StudyBatch, concepts: Tensor) -> Tensor:
        """What the queries of concepts `[K]` gather, `[B, K, queries of each, D]`."""
        image = self.reader(batch)
        queries = self.queries(concepts, self.text_encoder).flatten(0, 1)
        seen: Tensor = self.decoder(queries, image.tokens, image.mask)
        return seen.view(len(seen), len(concepts), self.queries.each, -1)

    def basis(self, finding: str) -> Basis:
        """Trained on labels, zero-shot by its definition, or not possible."""
        labels = any("classification" in stage.objectives for stage in self.stages)
        if labels and finding in self.setting.findings:
            return "trained"
        return "zero_shot" if self.queries.known(finding) else "not_possible"

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        """Whether each finding is there; NaN for those that are not possible."""
        answers = batch.targets.new_full((len(batch.image_mask), len(findings)), float("nan"))
        possible = [at for at, name in enumerate(findings) if self.basis(name) != "not_possible"]
        if possible:
            logits = self.exist(
                self.decode(
                    batch, self.queries.index(tuple(findings[at] for at in possible))
                ).flatten(2)
            )
            answers[:, possible] = logits.squeeze(-1).to(answers.dtype)
        return Output(answers)

    def localise(self, batch: StudyBatch, findings: tuple[str, ...]) -> Tensor:
        """Where the query of each finding looks, `[B, C, V, h, w]`; NaN without an image."""
        image, images = self.reader(batch), batch.image_mask
        possible = [at for at, name in enumerate(findings) if self.basis(name) != "not_possible"]
        queries = self.queries(
            self.queries.index(tuple(findings[at] for at in possible)), self.text_encoder
        )[:, 0]
        shares = self.decoder.attention(queries, image.tokens, image.mask)
        by_picture = shares.reshape(len(images) * len(possible), images.shape[1], -1)
        maps = as_map(by_picture.transpose(1, 2))
        maps = maps.view(len(images), len(possible), *maps.shape[1:])
        made: Tensor = maps.new_full((len(images), len(findings), *maps.shape[2:]), float("nan"))
        made[:, possible] = maps
        return made.masked_fill(~images[:, None, :, None, None], float("nan"))
