"""The graph page: whole, offline, nothing in it can break out, and a limit on what it holds."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from kg.errors import InputError
from kg.options import parse_options
from kg.render import RENDERERS


def rendered(graph, **options):
    kind = RENDERERS.load("html")
    return kind(parse_options(kind.Options, options, where="html")).render(graph).decode()


def held(page):
    (text,) = re.findall(r'<script type="application/json" id="graph">(.*?)</script>', page, re.S)
    return json.loads(text)


def test_the_page_holds_every_edge_with_all_its_evidence(shipped):
    told = held(rendered(shipped))
    assert told["id"] == [concept.id for concept in shipped.concepts]
    assert told["fingerprint"] == shipped.fingerprint
    assert len(told["items"]) < len(told["evidence"])
    for place, edge in enumerate(shipped.edges):
        ends = told["id"][told["subject"][place]], told["id"][told["object"][place]]
        assert ends == (edge.subject, edge.object)
        assert told["relations"][told["relation"][place]]["name"] == edge.relation
        label_set = told["set"].get(str(place))
        assert (None if label_set is None else told["sets"][label_set]) == edge.label_set
        span = slice(told["first"][place], told["first"][place + 1])
        found = [told["items"][number] for number in told["evidence"][span]]
        for (source, status, dataset, licence, *rest), one in zip(
            found, edge.evidence, strict=True
        ):
            words = told["sources"][source], told["statuses"][status], told["licences"][licence]
            assert words == (one.source, one.status, one.licence)
            assert told["datasets"][dataset] == (one.dataset or "")
            assert rest == [one.weight, one.count, one.detail]


def test_nothing_in_the_page_refers_to_a_network(shipped):
    edge = shipped.edges[0]
    told = replace(edge.evidence[0], source="https://example.org/paper and ws://example.org")
    page = rendered(shipped.with_edges([replace(edge, evidence=(told,)), *shipped.edges[1:]]))
    assert held(page)["sources"][0] == told.source  # as words, for people to read
    assert "://" not in page
    assert not re.search(r"""\b(src|href|action)\s*=\s*["']?\s*[^"'\s>]*\.""", page)
    assert not re.search(r"@import|url\(|<link|<iframe|<img|<base|srcset", page)
    reaches = r"XMLHttpRequest|\bfetch\(|sendBeacon|WebSocket|EventSource|importScripts|\bimport\("
    assert not re.search(reaches, page)
    assert "default-src 'none'" in page
    assert "The Cytoscape Consortium" in page
    assert "Permission is hereby granted" in page
    assert len(page) < 2_000_000


def test_words_of_a_graph_stay_words(tiny):
    canary = '</script><script>alert(1)</script><!--"[[script]]'
    concepts = [replace(one, label=one.label + canary) for one in tiny.concepts]
    page = rendered(replace(tiny, concepts=tuple(concepts), name=canary))
    assert held(page)["label"][0].endswith(canary)
    assert "alert(1)</script>" not in page
    assert page.count("<script") == 3


def test_start_and_limits(tiny):
    assert held(rendered(tiny))["start"] is None
    assert held(rendered(tiny, start="consolidation"))["start"] == tiny.index["ckg:consolidation"]
    with pytest.raises(InputError, match="no concept is called"):
        rendered(tiny, start="nowhere")
    with pytest.raises(InputError, match="7 concepts are too many for a page") as caught:
        rendered(tiny, concepts=6)
    assert "--around" in caught.value.hint
