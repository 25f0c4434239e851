"""A study of link prediction: one graph, one configuration, several seeds, one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor

from encoders.graph import GraphEmbedding
from encoders.kept_vectors import keep_vectors
from experiments.link_prediction.files import ENDINGS, benchmark_folder, read_triples
from experiments.link_prediction.fit import LinkOptions, embedded, fit, ranked
from experiments.link_prediction.measure import (
    WHAT,
    Measured,
    Spread,
    chance,
    measure,
    nearest,
    over_seeds,
)  # fmt: skip
from experiments.link_prediction.ranking import LinkMetrics, known_answers
from experiments.link_prediction.triples import Triples, from_graph
from kg.errors import InputError
from kg.files.store import load, load_shipped
from kg.model.graph import KnowledgeGraph
from kg.options import parse_options

__all__ = ["PLAIN", "LinkStudy", "GraphInput", "opened", "run", "settings"]

PLAIN = "plain"
"""Name of the model without a graph network."""

_START: dict[str, dict[str, Any]] = {
    "complex": {},
    "distmult": {},
    "transe": {"optimiser": "adam", "rate": 0.01, "penalty": 0.0, "relations": 0.0},
    "rotate": {"optimiser": "adam", "rate": 0.01, "penalty": 0.0, "relations": 0.0},
}
"""Options of the training of each decoder that differ from the defaults."""

_GRAPH_NETWORK: dict[str, Any] = {"width": 400, "epochs": 30}
"""Options of the training of every graph network that differ from the defaults."""

_LAYERS = {name: {"layers": 1, "dropout": 0.3} for name in ("compgcn", "gat", "hgt", "rgcn")}
"""Options of the graph networks that have any."""


@dataclass(frozen=True)
class GraphInput:
    """A graph to embed: a clinical graph, or triples from files.

    Args:
        name: Its name.
        triples: Its edges in three splits, by seed.
        graph: The clinical graph, or None.
    """

    name: str
    triples: Callable[[int], Triples]
    graph: KnowledgeGraph | None = None

    def resolve(self, term: str) -> str:
        """The concept that a term names; in plain triples, the term itself."""
        return term if self.graph is None else self.graph.resolve(term).id

    def label(self, concept: str) -> str:
        """Name of a concept."""
        return concept if self.graph is None else self.graph.concept(concept).label


@dataclass(frozen=True)
class Line:
    """One line of the table: figures over seeds, and the ranks of one seed."""

    figures: dict[str, Spread]
    count: int


@dataclass(frozen=True)
class Summary:
    """The table of a study.

    Args:
        rows: Figures of each of `WHAT`.
        relations: Figures of each relation with test edges, most edges first.
        left_out: Number of relations without a test edge.
        leaks: Share of test edges that follow from training edges, mean over seeds.
        valid: MRR on validation, mean over seeds.
        seconds: Time of an epoch, mean over seeds.
    """

    rows: dict[str, Line]
    relations: dict[str, Line]
    left_out: int
    leaks: float
    valid: float
    seconds: float


@dataclass(frozen=True)
class Seeded:
    """Result of one seed."""

    measured: Measured
    valid: LinkMetrics
    epoch: int
    seconds: float


@dataclass(frozen=True)
class LinkStudy:
    """A finished study.

    Args:
        graph_input: The embedded graph.
        options: Model and training.
        seeds: Seeds, in order.
        found: Results of the seeds.
        chance: Metrics of a scorer with constant scores.
        triples: The first seed's triples.
        nodes: The first seed's embedded concepts, `[N, D]`.
    """

    graph_input: GraphInput
    options: LinkOptions
    seeds: tuple[int, ...]
    found: tuple[Seeded, ...]
    chance: LinkMetrics
    triples: Triples
    nodes: Tensor

    @property
    def name(self) -> str:
        """Model and decoder."""
        encoder = self.options.encoder
        return f"{PLAIN if encoder is None else encoder.name} + {self.options.decoder.name}"

    @property
    def size(self) -> str:
        """Concepts, relations and edges of each split."""
        one = self.triples
        return (
            f"{len(one.concepts)} concepts, {len(one.relations)} relations, "
            f"{len(one.train)}/{len(one.valid)}/{len(one.test)} edges"
        )

    def summary(self) -> Summary:
        """The table over seeds."""
        runs = [one.measured for one in self.found]
        rows = {what: _line([run.rows[what] for run in runs]) for what in WHAT}
        names = {name for run in runs for name in run.relations}
        lines = {
            name: _line([run.relations[name] for run in runs if name in run.relations])
            for name in sorted(names)
        }
        count = len(self.found)
        return Summary(
            rows,
            dict(sorted(lines.items(), key=lambda item: -item[1].count)),
            len(self.triples.relations) - len(names),
            sum(run.leaks for run in runs) / count,
            sum(one.valid.mrr for one in self.found) / count,
            sum(one.seconds for one in self.found) / count,
        )

    def nearest(self, concept: str, limit: int) -> Iterator[tuple[str, float]]:
        """The concepts whose vectors are nearest, with the cosine."""
        return nearest(self.nodes, self.triples.concepts, concept, limit)

    def keep(self, path: Path) -> None:
        """Keep the first seed's vectors, bound to the graph."""
        keep_vectors(
            GraphEmbedding(self.nodes, self.triples.fingerprint),
            path,
            concepts=self.triples.concepts,
            made={"options": self.options.model_dump(), "seed": self.seeds[0]},
        )

    def as_json(self) -> dict[str, Any]:
        """The study without the vectors, ready for JSON."""
        return {
            "graph": self.graph_input.name,
            "fingerprint": self.triples.fingerprint,
            "options": self.options.model_dump(),
            "summary": asdict(self.summary()),
            "chance": asdict(self.chance),
            "seeds": {
                str(seed): asdict(one) for seed, one in zip(self.seeds, self.found, strict=True)
            },
        }


def opened(
    file: Path | None, benchmark: str | None, *, bookkeeping: bool, allow_edited: bool = False
) -> GraphInput:
    """The graph named on the command line.

    Raises:
        InputError: If two are named, or the named one cannot be read.
    """
    if file is not None and benchmark is not None:
        raise InputError(f"both {file} and the benchmark {benchmark} are named", "name one")
    if benchmark is not None:
        folder = benchmark_folder(benchmark)
        return GraphInput(benchmark, lambda seed: read_triples(folder, seed=seed))
    if file is not None and (file.is_dir() or file.suffix in ENDINGS):
        return GraphInput(file.name, lambda seed: read_triples(file, seed=seed))
    graph = load_shipped() if file is None else load(file, allow_edited=allow_edited)
    return GraphInput(
        graph.name, lambda seed: from_graph(graph, seed=seed, bookkeeping=bookkeeping), graph
    )


def settings(model: str, decoder: str, pairs: Sequence[str]) -> LinkOptions:
    """Options of model and training.

    Args:
        model: A graph encoder, or `plain`.
        decoder: A decoder.
        pairs: Further settings as `key=value`.

    Raises:
        InputError: On an unknown key or a wrong value.
    """
    values = {**_START.get(decoder, {}), "decoder": {"name": decoder}}
    if model != PLAIN:
        values |= {**_GRAPH_NETWORK, "encoder": {"name": model, "options": _LAYERS.get(model, {})}}
    for one in pairs:
        key, sign, value = one.partition("=")
        if not sign:
            raise InputError(f"--set {one}: is not KEY=VALUE", "write e.g. --set epochs=20")
        values[key] = yaml.safe_load(value)
    return parse_options(LinkOptions, values, where="--set")


def run(
    graph_input: GraphInput,
    options: LinkOptions,
    seeds: Sequence[int],
    *,
    report: Callable[[str], None] = lambda _: None,
) -> LinkStudy:
    """Train and measure once for each seed."""
    found: list[Seeded] = []
    first: tuple[LinkMetrics, Triples, Tensor] | None = None
    for seed in seeds:
        triples = graph_input.triples(seed)
        answers = known_answers(triples)
        fitted = fit(
            triples,
            answers,
            options,
            seed=seed,
            report=lambda epoch, loss, valid, seed=seed: report(  # type: ignore[misc]
                f"seed {seed}, epoch {epoch}: loss {loss:.3f}, MRR on validation {valid.mrr:.3f}"
            ),
        )
        tested = ranked(fitted.model, triples, answers, triples.directed("test"))
        found.append(Seeded(measure(tested, triples), fitted.valid, fitted.epoch, fitted.seconds))
        if first is None:
            first = chance(triples, answers), triples, embedded(fitted.model, triples)
    if first is None:
        raise InputError("no seed is given", "name one")
    return LinkStudy(graph_input, options, tuple(seeds), tuple(found), *first)


def _line(metrics: Sequence[LinkMetrics]) -> Line:
    return Line(over_seeds(metrics), round(sum(one.count for one in metrics) / len(metrics)))
