"""Splits of edges: twins together, nothing left without an edge to learn from; files."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from experiments.link_prediction.files import benchmark_folder, read_triples
from experiments.link_prediction.triples import SPLITS, Triples, from_graph, from_rows
from kg.errors import InputError
from kg.files.store import load_shipped


@pytest.fixture(scope="module")
def shipped():
    return load_shipped()


@pytest.mark.parametrize("bookkeeping", [False, True])
def test_split_of_the_shipped_graph(shipped, bookkeeping):
    made = from_graph(shipped, seed=3, bookkeeping=bookkeeping)
    edges = [getattr(made, part) for part in SPLITS]
    assert sum(map(len, edges)) == (4633 if bookkeeping else 3434)
    assert ("member_of" in made.relations) == bookkeeping
    tenth = sum(map(len, edges)) / 10
    assert all(abs(len(part) - tenth) < 5 for part in edges[1:])
    # twins (an inverse, or the other end of a symmetric edge) share their two ends
    ends = [{frozenset(row) for row in part[:, [0, 2]].tolist()} for part in edges]
    assert not ends[0] & (ends[1] | ends[2])
    assert not ends[1] & ends[2]
    for column in ([0, 2], [1]):
        assert set(np.unique(np.concatenate(edges[1:])[:, column])) <= set(
            np.unique(edges[0][:, column])
        )
    again, other = (from_graph(shipped, seed=s, bookkeeping=bookkeeping) for s in (3, 4))
    assert np.array_equal(again.test, made.test)
    assert not np.array_equal(other.test, made.test)
    assert made.fingerprint == shipped.fingerprint


def test_both_directions():
    edges = np.array([[0, 0, 1], [2, 1, 0]])
    empty = edges[:0]
    made = Triples(("a", "b", "c"), ("near", "of"), edges, empty, empty, "", frozenset({"near"}))
    assert made.kinds == 4
    assert made.inverse.tolist() == [0, 3, 0, 1]
    assert made.directed("train").tolist() == [[0, 0, 1], [2, 1, 0], [1, 0, 0], [0, 3, 2]]


def test_an_edge_written_twice_counts_once():
    row, other = ("a", "r", "b"), ("b", "q", "c")
    made = from_rows([[row, row], [row, other], [other, ("c", "r", "a")]])
    assert [len(getattr(made, part)) for part in SPLITS] == [1, 1, 1]
    assert made.concepts == ("a", "b", "c")
    assert made.relations == ("q", "r")
    assert made.fingerprint != from_rows([[row], [other], []]).fingerprint


def test_files(tmp_path, monkeypatch):
    package = tmp_path / "pykeen"
    folder = package / "datasets" / "umls"
    folder.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    for part in SPLITS:
        (folder / f"{part}.txt").write_text(f"a\tr\tb\n\n{part}\tr\tb\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pykeen", raising=False)
    made = read_triples(benchmark_folder("umls"), seed=0)
    assert made.concepts == ("a", "b", "test", "train", "valid")
    assert [len(getattr(made, part)) for part in SPLITS] == [2, 1, 1]
    with pytest.raises(InputError, match="no benchmark 'uml'"):
        benchmark_folder("uml")
    (folder / "test.txt").unlink()
    with pytest.raises(InputError, match="has no test"):
        read_triples(folder, seed=0)

    table = tmp_path / "ring.tsv"
    rows = [f"c{place}\tnext\tc{(place + step) % 20}" for place in range(20) for step in (1, 2, 3)]
    table.write_text("\n".join(rows))
    made = read_triples(table, seed=1)
    assert [len(getattr(made, part)) for part in SPLITS] == [48, 6, 6]
    table.write_text("a\tr\tb\na\tr\n")
    with pytest.raises(InputError, match=r"ring.tsv, line 2: 2 cells"):
        read_triples(table, seed=0)
    table.write_text("a\tr\tb\n")
    with pytest.raises(InputError, match="too few"):
        read_triples(table, seed=0)
    with pytest.raises(InputError, match="No such file"):
        read_triples(tmp_path / "none.tsv", seed=0)
