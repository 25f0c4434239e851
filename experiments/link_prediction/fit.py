"""Training of a link predictor: each edge predicted from both ends among many or all concepts."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from encoders.neighbours import NeighbourSampler
from experiments.link_prediction.model import LinkPredictor, Messages
from experiments.link_prediction.ranking import Answers, LinkMetrics, Ranks, measured, ranks
from experiments.link_prediction.triples import Array, Triples
from kg.bounds import Count, NotNegative, Number, Positive, Width
from kg.errors import InputError, RunStopped
from kg.options import Options, Part

__all__ = ["Fitted", "LinkOptions", "Steps", "build", "embedded", "fit", "ranked"]


class LinkOptions(Options):
    """Model and training of a link predictor.

    Args:
        encoder: The graph network, or None for plain vectors.
        decoder: The decoder.
        width: Width of a concept vector.
        epochs: Passes over the edges, in both directions.
        batch: Directed edges of a step.
        optimiser: Optimiser of all parameters.
        rate: Its learning rate.
        network_rate: Learning rate of the graph network, as a share of `rate`.
        penalty: Weight of the cubic penalty on the vectors of a step's edges (N3, Lacroix 2018).
        candidates: Concepts drawn at random as wrong answers of a step, shared by its edges;
            0 takes every concept (1-vs-all).
        relations: Weight of a second loss: prediction of the relation between two ends (Chen
            2021).
        neighbours: Edges drawn into a concept in each layer of the graph network; empty takes
            the whole graph.
        check_every: Epochs between two evaluations on the validation edges.
    """

    encoder: Part | None = None
    decoder: Part = Part(name="complex")
    width: Width = 200
    epochs: Count = 60
    batch: Count = 256
    optimiser: Literal["adagrad", "adam"] = "adagrad"
    rate: Positive = 0.1
    network_rate: Positive = 0.05
    penalty: NotNegative = 0.01
    candidates: Number = 0
    relations: NotNegative = 0.25
    neighbours: tuple[Count, ...] = ()
    check_every: Count = 5


@dataclass(frozen=True)
class Fitted:
    """A trained link predictor, from its best epoch on the validation edges.

    Args:
        model: The model.
        valid: Metrics on the validation edges, both sides.
        epoch: The best epoch.
        seconds: Time of training alone, for each epoch.
    """

    model: LinkPredictor
    valid: LinkMetrics
    epoch: int
    seconds: float


def fit(
    triples: Triples,
    answers: Answers,
    options: LinkOptions,
    *,
    seed: int,
    report: Callable[[int, float, LinkMetrics], None] = lambda *_: None,
) -> Fitted:
    """Train a model and keep the epoch that is best by MRR on the validation edges.

    An edge is never a message while it is predicted, from either end.

    Args:
        triples: The edges.
        answers: All known answers, to filter by on the validation edges.
        options: Model and training.
        seed: Seed of every draw.
        report: Called at each evaluation with epoch, mean loss and validation metrics.

    Raises:
        RunStopped: If the loss is no longer finite.
    """
    torch.manual_seed(seed)
    model = build(triples, options)
    steps = Steps(triples, options, model, torch.Generator().manual_seed(seed))
    best: Fitted | None = None
    spent = 0.0
    for epoch in range(1, options.epochs + 1):
        began = time.perf_counter()
        loss = steps.epoch()
        spent += time.perf_counter() - began
        if epoch % options.check_every and epoch < options.epochs:
            continue
        valid = measured(ranked(model, triples, answers, triples.directed("valid")))
        report(epoch, loss, valid)
        if best is None or not valid.mrr <= best.valid.mrr:
            best = Fitted(copy.deepcopy(model), valid, epoch, 0.0)
    if best is None:
        raise InputError(f"{options.epochs} epochs train nothing", "--set epochs=20")
    return Fitted(best.model.eval(), best.valid, best.epoch, spent / options.epochs)


def ranked(model: LinkPredictor, triples: Triples, answers: Answers, edges: Array) -> Ranks:
    """Ranks of directed edges `[Q, 3]` under a model, with messages along the training edges."""
    nodes = embedded(model, triples)

    def score(subjects: Tensor, kinds: Tensor) -> Tensor:
        return model.decoder.scores(model.decoder(nodes[subjects], kinds), nodes)

    return ranks(score, edges, answers, concepts=len(triples.concepts), cells=model.decoder.cells)


@torch.no_grad()
def embedded(model: LinkPredictor, triples: Triples) -> Tensor:
    """Embedded concepts `[N, D]` of a model that is not being trained."""
    training = model.training
    model.eval()
    edges = torch.from_numpy(triples.directed("train"))
    nodes = model.nodes(Messages(edges[:, [0, 2]].T.contiguous(), edges[:, 1]))
    model.train(training)
    return nodes


def build(triples: Triples, options: LinkOptions) -> LinkPredictor:
    """The untrained model.

    Raises:
        InputError: If its graph network cannot embed sampled subgraphs.
    """
    model = LinkPredictor(
        options.encoder,
        options.decoder,
        concepts=len(triples.concepts),
        kinds=triples.kinds,
        width=options.width,
    )
    if options.encoder and options.neighbours and not getattr(model.encoder, "inductive", False):
        raise InputError(
            f"{options.encoder.name}: cannot embed a sampled subgraph", "leave neighbours empty"
        )
    return model


class Steps:
    """Training steps over the same edges.

    Args:
        triples: The edges.
        options: Model and training.
        model: The model.
        generator: Source of the draws.
    """

    def __init__(
        self,
        triples: Triples,
        options: LinkOptions,
        model: LinkPredictor,
        generator: torch.Generator,
    ) -> None:
        self.options, self.model, self.generator = options, model, generator
        self.concepts = len(triples.concepts)
        self.edges = torch.from_numpy(triples.directed("train"))
        self.messages = Messages(self.edges[:, [0, 2]].T.contiguous(), self.edges[:, 1])
        self.hidden = torch.zeros(len(self.edges), dtype=torch.bool)
        self.sampler = (
            NeighbourSampler(self.messages.ends, self.concepts) if options.neighbours else None
        )
        kind = torch.optim.Adagrad if options.optimiser == "adagrad" else torch.optim.Adam
        network = [] if model.encoder is None else list(model.encoder.parameters())
        apart = {id(parameter) for parameter in network}
        rest = [parameter for parameter in model.parameters() if id(parameter) not in apart]
        groups = [{"params": rest, "lr": options.rate}]
        if network:
            groups.append({"params": network, "lr": options.rate * options.network_rate})
        self.optimiser = kind(groups)

    def epoch(self) -> float:
        """One pass; the mean loss."""
        order = torch.randperm(len(self.edges), generator=self.generator)
        losses = [self.step(batch) for batch in torch.split(order, self.options.batch)]
        mean = torch.stack(losses).mean().item()
        if mean - mean != 0:
            raise RunStopped("the loss is not finite", "train with a lower learning rate")
        return mean

    def step(self, batch: Tensor) -> Tensor:
        """One step over edges `[B]`, by index; returns its loss."""
        loss = self.loss(batch)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.detach()

    def loss(self, batch: Tensor) -> Tensor:
        """Loss of the prediction of edges `[B]`, by index."""
        subjects, kinds, objects = self.edges[batch].T
        candidates, answers = self._candidates(objects)
        nodes, place = self._nodes(batch, subjects, candidates)
        decoder, near = self.model.decoder, nodes[place[subjects]]
        scores = decoder.scores(decoder(near, kinds), nodes[place[candidates]])
        loss = cross_entropy(scores, answers)
        far = nodes[place[objects]]
        if self.options.relations:
            between = cross_entropy(decoder.kind_scores(near, far), kinds)
            loss = loss + self.options.relations * between
        if self.options.penalty:
            sizes = (decoder.sizes(near), decoder.relation_sizes(kinds), decoder.sizes(far))
            cubes = sum(size.pow(3).sum() for size in sizes)
            loss = loss + self.options.penalty / len(batch) * cubes
        return loss

    def _candidates(self, objects: Tensor) -> tuple[Tensor, Tensor]:
        """Candidate concepts `[K]`, and the index of the right one `[B]`."""
        if not self.options.candidates:
            return torch.arange(self.concepts), objects
        size = (self.options.candidates,)
        drawn = torch.randint(self.concepts, size, generator=self.generator)
        candidates, places = torch.unique(torch.cat((objects, drawn)), return_inverse=True)
        return candidates, places[: len(objects)]

    def _nodes(self, batch: Tensor, subjects: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Embedded concepts `[n, D]`, and the index of each concept of the graph in them `[N]`."""
        everything = torch.arange(self.concepts)
        if self.model.encoder is None:
            return self.model.vectors, everything
        half = len(self.edges) // 2
        self.hidden.zero_()
        self.hidden[batch] = self.hidden[(batch + half) % len(self.edges)] = True
        if self.sampler is None:
            kept = ~self.hidden
            messages = Messages(self.messages.ends[:, kept], self.messages.kinds[kept])
            return self.model.nodes(messages), everything
        seeds = torch.unique(torch.cat((subjects, candidates)))
        drawn = self.sampler.sample(seeds, self.options.neighbours, self.generator)
        subgraph = drawn.without(self.hidden)
        place = torch.full((self.concepts,), -1)
        place[seeds] = torch.arange(len(seeds))
        return self.model.nodes_of(subgraph, self.messages.kinds[subgraph.places]), place
