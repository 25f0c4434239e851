"""zhang2020: findings and organs as nodes of a graph over the picture (Zhang 2020).

Reference: Zhang, Wang, Xu, Yu, Yuille, Xu: When Radiology Report Generation Meets Knowledge Graph,
AAAI 2020, arXiv 2002.08277. Fidelity: reconstruction; the authors published only their metric. The
layers are those of the card and of the code derived from theirs (bionlplab), the grouping by organ
is that derived code's.

Every node looks at the picture by an attention of its own; three graph convolutions pass messages
along the edges and against them; findings are read from their nodes. The root sees the whole
picture and leads to all nodes, an organ leads to its findings, and these are tied to each other.
Then, the graph held still, an LSTM writes the report and looks at the nodes for every word.

What differs, and why:
- A finding is read from its own node. The derived code reads all from the mean of the nodes
  (`read: mean`), where the name of a node means nothing.
- Edges are divided by the degrees of their two ends. The derived code takes the outgoing degrees
  of both (`degrees: rows`), by which a node that leads nowhere never gets a message.
- Organs are nodes, as in the list of the paper; in the derived code they only group findings.
- A finding that is no node is read from the nearest node that is wider by the run's graph, else
  from `other finding`; each has weights of its own.
- Any number of pictures: their answers are averaged, not summed; place and view are added.
- One LSTM writes all words, over the nodes that findings are read from; the paper's has a level of
  topics above words, and three more graph convolutions before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from encoders.batch import StudyBatch
from encoders.text import Vocabulary
from experiments.systems._abnormality_graph import (
    NODES,
    Arm,
    Degrees,
    adjacency,
    node_of,
    normalised,
)
from fusion.capabilities import ClassifiesTrained
from fusion.layers.boxes import as_map
from fusion.layers.captioning import AttentionDecoder
from fusion.layers.pools import masked_softmax
from fusion.layers.readers import ImageReader
from fusion.layers.text_decoder import written_words
from fusion.losses.sequence_cross_entropy import sequence_cross_entropy
from fusion.needs import Needs
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Module, Setting
from kg.bounds import Few, ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["Zhang2020"]


class Zhang2020(ClassifiesTrained):
    """Nodes that look at the picture, and tell each other what they see.

    Args:
        options: Sizes, and the arm of the graph.
        setting: Studies and graph; needs images.
        stages: Stages of training; empty = the default one.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            width: Width of a node.
            state: Width of a message.
            layers: Number of graph convolutions.
            dropout: Dropout on image tokens, and on what a layer adds to a node.
            token_dropout: Share of image tokens hidden in training.
            graph: The graph; all arms have the same parameters: `organs`, as published;
                `no_edges`, where a node tells only itself; `shuffled`, with every degree kept;
                `random_order`, where each finding has the edges of another; `none`, where the
                layers act on the tokens, before the nodes look at them.
            read: A finding is read from its node, or from the mean of all nodes.
            degrees: Edges are divided by the degrees of their ends, or by outgoing degrees alone.
            hidden: Width of the state of the LSTM that writes.
            words: Width of a word.
            limit: Largest number of words of a report.
            beams: Number of beams in generation; 1 = greedy.
        """

        width: Width = 128
        state: Width = 64
        layers: Few = 3
        dropout: ShareBelow1 = 0.2
        token_dropout: ShareBelow1 = 0.2
        graph: Arm = "organs"
        read: Literal["node", "mean"] = "node"
        degrees: Degrees = "ends"
        hidden: Width = 128
        words: Width = 128
        limit: Width = 60
        beams: Few = 1

    MODULES: ClassVar[Mapping[str, Module]] = {
        "image_tower": Module("reader.", "image"),
        "node_attention": Module("look."),
        "graph": Module("layers."),
    }
    edges: Tensor

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One stage of classification."""
        return (Stage(),)

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Those of the findings and of the words of reports."""
        return ("classification", "report")

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """Reports and words, where they are learnt to write."""
        return Needs(paired_report=_writes(stages), vocabulary=_writes(stages))

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        width = options.width
        self.reader = ImageReader.of(
            setting, width, dropout=options.dropout, token_dropout=options.token_dropout
        )
        self.reader.pool.requires_grad_(False)  # the nodes look instead
        self.look = nn.Linear(width, NODES - 1, bias=False)
        self.layers = nn.ModuleList(
            GraphLayer(width, options.state, options.dropout) for _ in range(options.layers)
        )
        self.score = nn.Linear(width, len(setting.findings))
        self.objective = Classification(Classification.Options(), setting=setting, width=width)
        self.decoder: AttentionDecoder | None = None
        if _writes(self.stages):
            if setting.vocabulary is None:
                raise InputError("zhang2020 writes words", "name a text.encoder with a vocabulary")
            self.decoder = AttentionDecoder(
                setting.vocabulary.size,
                width,
                hidden=options.hidden,
                words=options.words,
                dropout=options.dropout,
            )
        # the initial seed of the process is the run's: its graph is drawn anew with every seed
        generator = np.random.default_rng(torch.initial_seed())
        self.register_buffer("edges", adjacency(options.graph, generator))
        self.places = [node_of(setting.graph, finding) for finding in setting.findings]

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The losses of the stage."""
        made = {
            "classification": lambda: self.objective.of(self.logits(batch), batch.targets),
            "report": lambda: self.report(batch),
        }
        return {name: made[name]() for name in stage.objectives}

    def report(self, batch: StudyBatch) -> Tensor:
        """Cross-entropy of the words of reports, written over the nodes."""
        decoder, book = self._writer()
        if batch.paired_text is None:
            raise ValueError("the batch has no reports beside its images")
        nodes, mask = self.nodes_of_studies(batch)
        words = book.framed(batch.paired_text)[:, : self.options.limit + 2]
        real = written_words(words, book.end) & mask.any(1, keepdim=True)
        logits = decoder(nodes, mask, words[:, :-1]).logits
        return sequence_cross_entropy(logits, words[:, 1:], real)

    def generate(self, batch: StudyBatch) -> list[str]:
        """A report for each study from its images; empty without one."""
        decoder, book = self._writer()
        nodes, mask = self.nodes_of_studies(batch)
        written = decoder.write(
            nodes,
            mask,
            ends=(book.start, book.end),
            limit=self.options.limit,
            beams=self.options.beams,
            never=(book.padding, book.unknown, book.mask, book.start),
        )
        texts = zip(written.words, written.mask, mask.any(1).tolist(), strict=True)
        return [book.decode(words[real].tolist()) if there else "" for words, real, there in texts]

    def nodes_of_studies(self, batch: StudyBatch) -> tuple[Tensor, Tensor]:
        """Nodes of all images of each study, `[B, V * K, D]`, and their mask `[B, V * K]`."""
        real, nodes = batch.image_mask, self.nodes(batch)
        made = nodes.new_zeros(*real.shape, *nodes.shape[1:]).index_put((real,), nodes)
        return made.flatten(1, 2), real[:, :, None].expand(*made.shape[:3]).flatten(1)

    def _writer(self) -> tuple[AttentionDecoder, Vocabulary]:
        """The decoder of reports and its words.

        Raises:
            InputError: If no stage trains one.
        """
        if self.decoder is None or self.setting.vocabulary is None:
            raise InputError(
                "this run of zhang2020 has no words to write", "train it in a stage of `report`"
            )
        return self.decoder, self.setting.vocabulary

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`; a study without images gets the bias."""
        real = batch.image_mask
        nodes = self.nodes(batch)
        own = self.options.read == "node"
        read = nodes[:, self.places] if own else nodes.mean(1, keepdim=True)
        answers = (read * self.score.weight).sum(-1)
        per_image = answers.new_zeros(*real.shape, answers.shape[1])
        total = per_image.index_put((real,), answers).sum(1)
        return total / real.sum(1, keepdim=True).clamp_min(1) + self.score.bias

    def nodes(self, batch: StudyBatch) -> Tensor:
        """States of the nodes of every image that is there, `[R, K, D]`; the root is the first."""
        tokens, mask = self._tokens(batch)
        if not len(tokens):
            return tokens.new_zeros(0, NODES, tokens.shape[2])
        if self.options.graph == "none":
            for layer in self.layers:
                tokens = layer(tokens)
        seen = masked_softmax(self.look(tokens).transpose(1, 2), mask[:, None]) @ tokens
        whole = (tokens * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp_min(1)
        nodes = torch.cat([whole[:, None], seen], 1)
        if self.options.graph != "none":
            along = normalised(self.edges, self.options.degrees).to(nodes.dtype)
            against = normalised(self.edges.T, self.options.degrees).to(nodes.dtype)
            for layer in self.layers:
                nodes = layer(nodes, along, against)
        return nodes

    def localise(self, batch: StudyBatch, findings: tuple[str, ...]) -> Tensor:
        """Where the node of each finding looks, shares `[B, C, V, h, w]`; NaN without an image."""
        tokens, mask = self._tokens(batch)
        weights = masked_softmax(self.look(tokens).transpose(1, 2), mask[:, None])
        maps = as_map(weights.transpose(1, 2))
        shape = (*batch.image_mask.shape, len(findings), *maps.shape[2:])
        made = maps.new_full(shape, float("nan"))
        for place, finding in enumerate(findings):
            if finding in self.setting.findings:
                node = self.places[self.setting.findings.index(finding)]
                made[:, :, place][batch.image_mask] = maps[:, node - 1]
        return made.transpose(1, 2)

    def _tokens(self, batch: StudyBatch) -> tuple[Tensor, Tensor]:
        """Tokens of every image that is there, `[R, S, D]`, and their mask `[R, S]`."""
        features, real = self.reader(batch), batch.image_mask
        tokens = features.tokens.unflatten(1, (real.shape[1], -1))[real]
        return tokens, features.mask.unflatten(1, (real.shape[1], -1))[real]


def _writes(stages: tuple[Stage, ...]) -> bool:
    """Whether a stage learns to write reports."""
    return any("report" in stage.objectives for stage in stages)


class GraphLayer(nn.Module):
    """Graph convolution along the edges and against them, beside what a node has itself.

    Args:
        width: Width of a node, `D`.
        state: Width of a message.
        dropout: Dropout on what is added to a node.
    """

    def __init__(self, width: int, state: int, dropout: float) -> None:
        super().__init__()
        self.own, self.forth, self.back = (nn.Linear(width, state, bias=False) for _ in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm1d(state) for _ in range(3))
        self.join = nn.Linear(3 * state, width, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(dropout)

    def forward(
        self, nodes: Tensor, along: Tensor | None = None, against: Tensor | None = None
    ) -> Tensor:
        """New states of nodes `[R, K, D]`.

        Args:
            nodes: The states.
            along: Weight of the message from the row to the column, `[K, K]`; None = to itself.
            against: The same for the edges turned around.
        """
        forth, back = self.forth(nodes), self.back(nodes)
        if along is not None and against is not None:
            forth, back = along.T @ forth, against.T @ back
        made = [
            _of_rows(norm, message).relu()
            for norm, message in zip(self.norms, (self.own(nodes), forth, back), strict=True)
        ]
        added = self.drop(_of_rows(self.norm, self.join(torch.cat(made, -1))))
        updated: Tensor = (nodes + added).relu()
        return updated


def _of_rows(norm: nn.Module, states: Tensor) -> Tensor:
    """Batch normalisation over the nodes of all images."""
    normed: Tensor = norm(states.flatten(0, 1))
    return normed.view_as(states)
