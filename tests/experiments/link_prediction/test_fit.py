"""Training of link predictors: learns a rule, hides what it asks for, keeps vectors."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from encoders.decoders import DECODERS
from encoders.graph import GRAPH_ENCODERS
from encoders.kept_vectors import read_vectors
from experiments.cli.main import main
from experiments.link_prediction import study
from experiments.link_prediction.fit import LinkOptions, Steps, embedded, fit
from experiments.link_prediction.model import LinkPredictor, Messages
from experiments.link_prediction.ranking import known_answers
from experiments.link_prediction.triples import from_rows
from kg.errors import InputError, RunStopped
from kg.options import Part


@pytest.fixture(scope="module")
def stairs():
    """Six steps of five concepts; every edge leads one or two steps up; one in three held out."""
    rows = [
        (f"c{place:02}", name, f"c{other:02}")
        for name, steps in (("next", 1), ("second", 2))
        for place in range(30)
        for other in range(30)
        if other // 5 == place // 5 + steps
    ]
    kept = [row for place, row in enumerate(rows) if place % 6 not in (1, 4)]
    return from_rows([kept, rows[1::6], rows[4::6]])


def trained(stairs, seed=0, **options):
    known = known_answers(stairs)
    return fit(stairs, known, LinkOptions(width=16, epochs=8, batch=32, **options), seed=seed)


@pytest.mark.parametrize("decoder", DECODERS.names())
def test_every_decoder_learns_better_than_chance(stairs, decoder):
    options = study.settings("plain", decoder, ["width=16", "epochs=25", "batch=32", "rate=0.05"])
    found = fit(stairs, known_answers(stairs), options, seed=0)
    assert found.valid.mrr > 0.5  # chance is 0.1


@pytest.mark.parametrize("name", GRAPH_ENCODERS.names())
def test_every_graph_network_trains_on_the_whole_graph_and_on_parts(stairs, name):
    inductive = GRAPH_ENCODERS.load(name).inductive
    for neighbours in ((), (4, 4)) if inductive else ((),):
        found = fit(
            stairs,
            known_answers(stairs),
            LinkOptions(encoder=Part(name=name), width=16, epochs=2, batch=16, candidates=8,
                        neighbours=neighbours, optimiser="adam", rate=0.01),
            seed=0,
        )  # fmt: skip
        assert 0 < found.valid.mrr <= 1


def test_a_network_bound_to_its_graph_refuses_parts_of_it(stairs):
    with pytest.raises(InputError, match="random_vectors: cannot embed a sampled subgraph"):
        trained(stairs, encoder=Part(name="random_vectors"), neighbours=(4,))


def test_same_seed_same_vectors(stairs):
    first, again, other = (trained(stairs, seed) for seed in (1, 1, 2))
    assert torch.equal(embedded(first.model, stairs), embedded(again.model, stairs))
    assert not torch.equal(embedded(first.model, stairs), embedded(other.model, stairs))
    assert first.valid == again.valid


def test_all_neighbours_are_the_whole_graph(stairs):
    whole, parts = (
        trained(stairs, encoder=Part(name="compgcn", options={"dropout": 0.0}), penalty=0.0,
                optimiser="adam", rate=0.01, neighbours=neighbours)
        for neighbours in ((), (50, 50, 50))
    )  # fmt: skip
    torch.testing.assert_close(
        embedded(parts.model, stairs), embedded(whole.model, stairs), atol=2e-3, rtol=1e-2
    )


@pytest.mark.parametrize("neighbours", [(), (9, 9)])
def test_an_edge_is_no_message_while_it_is_asked_for(stairs, neighbours, monkeypatch):
    options = LinkOptions(encoder=Part(name="rgcn"), width=8, neighbours=neighbours)
    heard = []
    nodes, nodes_of = LinkPredictor.nodes, LinkPredictor.nodes_of

    def listening(self, messages):
        heard.append(messages)
        return nodes(self, messages)

    def listening_to_a_part(self, part, kinds):
        heard.append(Messages(part.concepts[part.ends], kinds))
        return nodes_of(self, part, kinds)

    monkeypatch.setattr(LinkPredictor, "nodes", listening)
    monkeypatch.setattr(LinkPredictor, "nodes_of", listening_to_a_part)
    model = LinkPredictor(options.encoder, options.decoder, concepts=30, kinds=4, width=8)
    steps = Steps(stairs, options, model, torch.Generator().manual_seed(0))
    batch = torch.tensor([3, 17, 145])
    steps.loss(batch)
    ((ends, kinds),) = heard
    said = {tuple(row) for row in torch.stack((ends[0], kinds, ends[1]), 1).tolist()}
    half = len(steps.edges) // 2
    for edge in torch.cat((batch, (batch + half) % len(steps.edges))).tolist():
        assert tuple(steps.edges[edge].tolist()) not in said
    assert said if neighbours else len(said) == len(steps.edges) - 6


def test_what_diverges_is_said_so(stairs):
    with pytest.raises(RunStopped, match="not finite"):
        trained(stairs, optimiser="adam", rate=1e20, relations=1.0)


def test_the_command(tmp_path, capsys, stairs):
    for part in ("train", "valid", "test"):
        rows = [
            "\t".join((stairs.concepts[s], stairs.relations[r], stairs.concepts[o]))
            for s, r, o in getattr(stairs, part).tolist()
        ]
        (tmp_path / f"{part}.txt").write_text("\n".join(rows))
    kept = tmp_path / "out.safetensors"
    words = ["graph", "embed", str(tmp_path), "--decoder", "distmult", "--set", "epochs=3",
             "--set", "width=8", "--seed", "1", "--seed", "2", "--near", "c00"]  # fmt: skip
    assert main([*words, "-o", str(kept)]) == 0
    out, notes = capsys.readouterr()
    assert out.startswith("test edges\tMRR\tHits@1\tHits@3\tHits@10\tranks\nboth sides\t")
    assert "equal scores\t" in out
    assert "nearest to c00" in out
    assert "seed 2, epoch 3" in notes
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["seeds"]) == {"1", "2"}
    assert len(told["nearest"]["c00"]) == 8

    embedding, made = read_vectors(kept, stairs.fingerprint)
    assert embedding.nodes.shape == (30, 8)
    assert made["options"]["decoder"]["name"] == "distmult"
    assert torch.equal(load_file(kept)["vectors"], embedding.nodes)
    with pytest.raises(InputError, match="not of another"):
        read_vectors(kept, "another graph")
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InputError, match="holds no embedded concepts"):
        read_vectors(tmp_path / "bad.safetensors", stairs.fingerprint)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--decoder", "complx"], "did you mean 'complex'"),
        (["--model", "rgnc"], "did you mean 'rgcn'"),
        (["--set", "epoch=3"], "did you mean 'epochs'"),
        (["--set", "epochs"], "is not KEY=VALUE"),
        (["--set", "neighbours=8,4"], "write [first, second, ...]"),
        (["--near", "atelectass"], "did you mean"),
        (["-o", "vectors.pt"], "written as .safetensors"),
        (["--benchmark", "fb15k"], "there is no benchmark"),
        (["none.tsv"], "No such file"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(words, said, capsys):
    assert main(["graph", "embed", *words]) == 3
    assert said in capsys.readouterr().err
