"""The graph page as a reader uses it: pointed at, clicked, searched, filtered, in a browser."""

from __future__ import annotations

import base64
import html
import io
import json
import re

import pytest
from PIL import Image

from kg.render.html import Page

READER = r"""
const told = {}, { cy } = viewer, byId = name => document.getElementById(name);
const box = cy.container().getBoundingClientRect();
const point = (type, x, y) => document.elementFromPoint(x, y).dispatchEvent(
  new MouseEvent(type, { clientX: x, clientY: y, bubbles: true, view: window, button: 0 }));
const click = node => {
  const { x, y } = node.renderedPosition();
  ["mousemove", "mousedown", "mouseup"].forEach(type => point(type, box.left + x, box.top + y));
};
const pause = time => new Promise(done => setTimeout(done, time));
const seen = () => cy.edges().not(".gone").length;
const tick = words => [...document.querySelectorAll("#filters label")]
  .find(line => line.textContent.startsWith(words)).querySelector("input").click();
const without = words => { tick(words); const left = seen(); tick(words); return left; };

(async () => {
  for (const edge of cy.edges().toArray()) {
    const { x, y } = edge.midpoint(), pan = cy.pan(), zoom = cy.zoom();
    point("mousemove", box.left + x * zoom + pan.x, box.top + y * zoom + pan.y);
    if (!byId("tip").hidden) { told.pointed = edge.data("e"); break; }
  }
  told.tip = byId("tip").innerText;
  point("mousemove", box.left + 2, box.top + 2);
  told.tipAfter = byId("tip").hidden;

  const far = cy.getElementById("n" + START.far);
  click(far); told.clicked = document.querySelector("#details h1").textContent;
  await pause(900);
  const before = viewer.drawn.size;
  click(far); told.expanded = viewer.drawn.size - before;

  told.all = seen();
  told.relation = without("co occurs with");
  told.source = without(START.source);
  told.evidence = without("mined");
  told.again = seen();

  byId("search").value = "collapse"; byId("search").dispatchEvent(new Event("input"));
  told.suggested = document.querySelector("#suggestions li").textContent;
  byId("search").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
  told.opened = document.querySelector("#details h1").textContent;

  byId("from").value = "covid-19"; byId("to").value = "lingula"; byId("path").requestSubmit();
  told.path = byId("details").innerText; told.onPath = cy.edges(".open").length;

  viewer.startAt(START.tree); byId("tree").click();
  told.tree = cy.nodes().map(node => [node.data("label"), node.position().x, node.position().y]);
  told.treeEdges = [...new Set(cy.edges().map(edge => edge.data("said")))];

  let link;
  HTMLAnchorElement.prototype.click = function () { link = this; };
  let parts;
  window.Blob = class extends Blob { constructor(of, kind) { super(of, kind); parts = of; } };
  byId("picture").click();
  told.picture = btoa(Array.from(new Uint8Array(parts[0]), n => String.fromCharCode(n)).join(""));
  told.file = link.download;

  viewer.startAt(START.long); byId("tree").click();
  const root = cy.getElementById(`n${START.long}`).renderedPosition();
  told.long = [cy.nodes().length, cy.zoom(), root.x, root.y, cy.width(), cy.height()];

  const kept = viewer.drawn.size;
  byId("whole").click();
  told.refused = [byId("message").textContent, viewer.drawn.size === kept];
})().catch(error => { told.error = String(error); }).finally(() => {
  byId("said").textContent = JSON.stringify(told);
});
"""


@pytest.fixture(scope="module")
def told(shipped, opened):
    """What a reader saw who started at atelectasis."""
    page = Page(Page.Options(start="atelectasis", drawn=500)).render(shipped).decode()
    start = {"far": shipped.index["ckg:lingula"], "source": "repo auriml"}
    start["tree"] = shipped.index["ckg:pneumonia"]
    start["long"] = shipped.index["ckg:lung_opacity"]
    script = READER
    for name, value in start.items():
        script = script.replace(f"START.{name}", json.dumps(value))
    said = f'<p id="said" hidden></p><script>{script}</script></body>'
    shown = opened(page.replace("</body>", said))
    found = json.loads(html.unescape(re.search(r'<p id="said" hidden="">(.*?)</p>', shown)[1]))
    assert "error" not in found
    return found


def test_pointing_at_an_edge_shows_its_provenance(told, shipped):
    edge = shipped.edges[told["pointed"]]
    assert shipped.concept(edge.subject).label in told["tip"]
    for item in edge.evidence[:5]:
        assert item.source in told["tip"]
        assert item.status in told["tip"]
        assert item.licence in told["tip"]
    assert told["tipAfter"]


def test_a_click_opens_a_concept_and_another_draws_its_neighbours(told, shipped):
    assert told["clicked"] == shipped.concept("ckg:lingula").label
    assert told["expanded"] > 0


def test_relation_source_and_evidence_filter_what_is_drawn(told):
    for group in ("relation", "source", "evidence"):
        assert 0 < told[group] < told["all"], group
    assert told["again"] == told["all"]


def test_search_finds_a_synonym(told):
    assert told["suggested"].startswith("Atelectasis")
    assert told["opened"] == "Atelectasis"


def test_a_path_is_drawn_and_each_step_names_its_source(told):
    head, steps, *lines = [line for line in told["path"].splitlines() if line]
    assert head == "COVID-19 → lingula"
    assert steps == f"{told['onPath']} steps"
    assert len(lines) >= 2 * told["onPath"]


def test_the_tree_shows_what_stands_above_and_below_by_is_a_alone(told):
    assert told["treeEdges"] == ["is a"]
    at = {label: (x, y) for label, x, y in told["tree"]}
    for narrower, wider in (
        ("Pneumonia", "lung disease"),
        ("viral pneumonia", "Pneumonia"),
        ("COVID-19 pneumonia", "viral pneumonia"),
    ):
        assert at[narrower][0] > at[wider][0]
        assert at[narrower][1] > at[wider][1]
    assert len({y for _, y in at.values()}) == len(at)
    assert "Pleural Effusion" not in at


def test_a_long_tree_stays_readable_and_begins_above_its_concept(told):
    concepts, zoom, left, top, width, height = told["long"]
    assert concepts > 30
    assert zoom >= 0.8
    assert 0 < left < width
    assert 0 < top < height / 2


def test_the_picture_is_a_png_with_something_on_it(told):
    assert told["file"] == "clinical.png"
    picture = Image.open(io.BytesIO(base64.b64decode(told["picture"])))
    assert picture.format == "PNG"
    assert picture.width > 300
    assert len(picture.convert("RGB").getcolors(1 << 24)) > 20


def test_more_than_can_be_read_is_not_drawn_at_once(told):
    words, stays = told["refused"]
    assert "are more than can be read at once (500)" in words
    assert stays
