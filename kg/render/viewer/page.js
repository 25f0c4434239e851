"use strict";
(function () {
const graph = JSON.parse(document.getElementById("graph").textContent);
const N = graph.id.length, E = graph.subject.length;
const AT_ONCE = 40;        // neighbours drawn by one click
const ROOM = 20000;        // square pixels that a concept with its label needs at first sight
const byId = name => document.getElementById(name);

// ---- words and colours
const KIND_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6100", "#56b4e9", "#6a51a3", "#b5a900", "#7f3b08", "#4d4d4d", "#a50f5c", "#1b7f7f", "#9e9ac8", "#ff9896", "#74c476", "#c49c94", "#3b3b98", "#e0a100", "#5c8a00", "#b39ddb"];
const kindColour = [];
const kindCounts = graph.kinds.map(() => 0);
graph.kind.forEach(kind => { kindCounts[kind]++; });
graph.kinds.map((_, i) => i).sort((a, b) => kindCounts[b] - kindCounts[a]).forEach((kind, rank) => { kindColour[kind] = KIND_COLOURS[rank % KIND_COLOURS.length]; });
const relationColour = graph.relations.map((_, i) => `hsl(${Math.round((i * 137.5) % 360)}, 70%, 40%)`);
const said = name => name.replaceAll("_", " ");
const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

// ---- edges around each concept, in compressed rows
const start = new Int32Array(N + 1);
for (let e = 0; e < E; e++) { start[graph.subject[e] + 1]++; if (graph.object[e] !== graph.subject[e]) start[graph.object[e] + 1]++; }
for (let n = 0; n < N; n++) start[n + 1] += start[n];
const around = new Int32Array(start[N]), fill = start.slice(0, N);
for (let e = 0; e < E; e++) { around[fill[graph.subject[e]]++] = e; if (graph.object[e] !== graph.subject[e]) around[fill[graph.object[e]]++] = e; }
const other = (e, n) => graph.subject[e] === n ? graph.object[e] : graph.subject[e];
const itemsOf = e => graph.evidence.slice(graph.first[e], graph.first[e + 1]).map(place => graph.items[place]);

// ---- filters: an edge is seen where its relation and at least one item of its evidence are ticked
const ticked = {
  relation: graph.relations.map(one => !one.bookkeeping), source: graph.sources.map(() => true),
  status: graph.statuses.map(() => true), dataset: graph.datasets.map(() => true),
};
const itemSeen = new Uint8Array(graph.items.length), seen = new Uint8Array(E);
function refilter() {
  graph.items.forEach((one, place) => { itemSeen[place] = ticked.source[one[0]] && ticked.status[one[1]] && ticked.dataset[one[2]] ? 1 : 0; });
  for (let e = 0; e < E; e++) {
    seen[e] = 0;
    if (!ticked.relation[graph.relation[e]]) continue;
    for (let i = graph.first[e]; i < graph.first[e + 1]; i++) if (itemSeen[graph.evidence[i]]) { seen[e] = 1; break; }
  }
}
function counts(column, size) {
  const found = new Array(size).fill(0), last = new Int32Array(size).fill(-1);
  for (let e = 0; e < E; e++) for (let i = graph.first[e]; i < graph.first[e + 1]; i++) {
    const word = graph.items[graph.evidence[i]][column];
    if (last[word] !== e) { last[word] = e; found[word]++; }
  }
  return found;
}
function relationCounts() { const found = graph.relations.map(() => 0); for (let e = 0; e < E; e++) found[graph.relation[e]]++; return found; }

// ---- small elements
function make(tag, words, attributes) {
  const element = document.createElement(tag);
  if (words !== undefined && words !== null) element.textContent = words;
  for (const [key, value] of Object.entries(attributes || {})) key === "class" ? element.className = value : key.startsWith("on") ? element[key] = value : element.setAttribute(key, value);
  return element;
}
function append(parent, ...children) { parent.append(...children.filter(Boolean)); return parent; }
const go = n => make("button", graph.label[n], { class: "go", onclick: () => { open(n); } });
function tell(words) { byId("message").textContent = words || ""; clearTimeout(tell.timer); if (words) tell.timer = setTimeout(() => { byId("message").textContent = ""; }, 6000); }

function section(title, group, names, found, colour) {
  const order = names.map((_, i) => i).filter(i => found[i]).sort((a, b) => found[b] - found[a]);
  if (!order.length) return;
  const all = make("button", "all / none", { type: "button" }), boxes = [];
  all.onclick = () => { const on = !order.every(i => ticked[group][i]); order.forEach((i, k) => { ticked[group][i] = on; boxes[k].checked = on; }); changed(); };
  const list = make("div", null, { class: order.length > 9 ? "long" : "" });
  order.forEach(i => {
    const box = make("input", null, { type: "checkbox" });
    box.checked = ticked[group][i]; boxes.push(box);
    box.onchange = () => { ticked[group][i] = box.checked; changed(); };
    const line = append(make("label", null, { title: group === "relation" ? graph.relations[i].meaning : names[i] }), box);
    if (colour) { const bar = make("i"); bar.style.background = colour[i]; line.append(bar); }
    append(list, append(line, make("span", names[i] || "no data set"), make("small", found[i].toLocaleString("en"))));
  });
  append(byId("filters"), append(make("h2", title), all), list);
}

// ---- drawing
const cy = cytoscape({
  container: byId("drawing"), minZoom: 0.05, maxZoom: 4, boxSelectionEnabled: false,
  textureOnViewport: false, hideEdgesOnViewport: false, pixelRatio: "auto",
  style: [
    { selector: "node", style: { "background-color": "data(colour)", width: "data(size)", height: "data(size)", label: "data(label)", "font-size": 13, "font-family": "system-ui, sans-serif", color: "#22262b", "text-wrap": "wrap", "text-max-width": 105, "text-valign": "bottom", "text-margin-y": 3, "text-outline-color": "#fff", "text-outline-width": 2, "min-zoomed-font-size": 6, "border-width": 0 } },
    { selector: "edge", style: { width: 1.8, "line-color": "data(colour)", "line-opacity": 0.85, "curve-style": "bezier", "target-arrow-shape": "data(arrow)", "target-arrow-color": "data(colour)", "arrow-scale": 0.7, "font-size": 9, color: "#5d636b", "text-rotation": "autorotate", "text-outline-color": "#fff", "text-outline-width": 2, "min-zoomed-font-size": 8 } },
    { selector: "edge.plain", style: { "curve-style": "haystack", "haystack-radius": 0, "target-arrow-shape": "none", width: 0.7, "line-opacity": 0.35 } },
    { selector: "node.tree", style: { "text-halign": "right", "text-valign": "center", "text-margin-y": 0, "text-margin-x": 4, "text-max-width": 260 } },
    { selector: "edge.tree", style: { "curve-style": "taxi", "taxi-direction": "leftward", "taxi-turn": "100%", "target-arrow-shape": "none" } },
    { selector: "node.faint", style: { opacity: 0.3 } }, { selector: "edge.faint", style: { opacity: 0.16 } },
    { selector: "node.open", style: { "border-width": 3, "border-color": "#22262b", "font-weight": 700, "font-size": 15 } },
    { selector: "edge.open", style: { width: 2.6, "line-opacity": 1, label: "data(said)" } },
    { selector: ".gone", style: { display: "none" } },
  ],
});
const degree = n => start[n + 1] - start[n];
const drawn = new Set();
let opened = -1, many = false;

function addNode(n, position) {
  if (drawn.has(n)) return;
  drawn.add(n);
  cy.add({ group: "nodes", data: { id: `n${n}`, n, label: graph.label[n], colour: kindColour[graph.kind[n]], size: 12 + 5 * Math.log10(1 + degree(n)) }, position });
}
function joinDrawn(fresh, wanted = e => seen[e]) {
  const elements = [], here = new Set(fresh);
  for (const n of fresh) for (let i = start[n]; i < start[n + 1]; i++) {
    const e = around[i], m = other(e, n);
    if (!wanted(e) || !drawn.has(m) || (here.has(m) && m < n) || cy.getElementById(`e${e}`).length) continue;
    const kind = graph.relations[graph.relation[e]];
    elements.push({ group: "edges", classes: many ? "plain" : "", data: { id: `e${e}`, e, source: `n${graph.subject[e]}`, target: `n${graph.object[e]}`, colour: relationColour[graph.relation[e]], arrow: kind.symmetric ? "none" : "triangle", said: said(kind.name) } });
  }
  cy.add(elements);
}
function legend() {
  const found = new Map();
  for (const n of drawn) found.set(graph.kind[n], (found.get(graph.kind[n]) || 0) + 1);
  byId("legend").replaceChildren(...[...found].sort((a, b) => b[1] - a[1]).slice(0, 8).map(([kind]) => { const dot = make("i"); dot.style.background = kindColour[kind]; const line = make("li"); line.append(dot, said(graph.kinds[kind])); return line; }));
}
function settle() {
  const count = cy.nodes(":visible").length;
  if (count > 1 && count <= 400) cy.layout({ name: "cose", animate: false, randomize: false, fit: false, nodeDimensionsIncludeLabels: true, nodeRepulsion: () => 60000, idealEdgeLength: () => 120, nodeOverlap: 30, gravity: 0.3, numIter: count > 150 ? 120 : 500, componentSpacing: 80 }).run();
  legend();
}
function show(margin) { legend(); cy.resize(); cy.fit(undefined, margin); if (cy.zoom() > 1.3) { cy.zoom(1.3); cy.center(); } }
// neighbours that are seen, taken in turn from each relation, those of fewest edges (they say most) first
function neighbours(n) {
  const groups = new Map();
  for (let i = start[n]; i < start[n + 1]; i++) {
    const e = around[i], m = other(e, n);
    if (!seen[e] || m === n) continue;
    const key = graph.relation[e] * 2 + (graph.subject[e] === n ? 0 : 1);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(m);
  }
  const lists = [...groups.values()].map(list => list.sort((a, b) => degree(a) - degree(b))), found = new Set();
  for (let turn = 0; lists.some(list => turn < list.length); turn++) for (const list of lists) if (turn < list.length) found.add(list[turn]);
  return [...found];
}
function expand(n) {
  const fresh = neighbours(n).filter(m => !drawn.has(m)), room = Math.max(0, graph.drawn - drawn.size), taken = fresh.slice(0, Math.min(AT_ONCE, room));
  const centre = cy.getElementById(`n${n}`).position();
  cy.startBatch();
  taken.forEach((m, i) => { const turn = i * 2.39996, far = 50 + 13 * Math.sqrt(i + 1); addNode(m, { x: centre.x + far * Math.cos(turn), y: centre.y + far * Math.sin(turn) }); });
  joinDrawn(taken);
  cy.endBatch();
  if (taken.length) { settle(); show(45); }
  if (fresh.length > taken.length) tell(room <= AT_ONCE && taken.length === room ? `${graph.drawn.toLocaleString("en")} concepts are drawn, which is the most that can be read: start over from one of them` : `${plural(fresh.length - taken.length, "more neighbour")}: click again, or take them from the list`);
}
function highlight() {
  cy.elements().removeClass("open faint");
  if (opened < 0) return;
  const node = cy.getElementById(`n${opened}`), near = node.closedNeighborhood();
  if (!many) cy.elements().difference(near).addClass("faint");
  node.addClass("open");
}
function open(n) {
  const first = !drawn.has(n);
  if (first) {
    const link = neighbours(n).find(m => drawn.has(m)), beside = link === undefined ? { x: 0, y: 0 } : cy.getElementById(`n${link}`).position();
    if (link === undefined || drawn.size >= graph.drawn) { startAt(n); return; }
    addNode(n, { x: beside.x + 60, y: beside.y + 20 }); joinDrawn([n]);
  }
  opened = n; highlight(); describe(n); legend();
  cy.animate({ center: { eles: cy.getElementById(`n${n}`) } }, { duration: 200 });
}
function startAt(n) {
  cy.elements().remove(); drawn.clear(); many = false; opened = n;
  cy.batch(() => addNode(n, { x: 0, y: 0 }));
  // as many as have room for their labels, on two ellipses of the canvas's own shape
  const { clientWidth: width, clientHeight: height } = byId("drawing");
  const fresh = neighbours(n).slice(0, Math.max(6, Math.min(AT_ONCE, Math.round(width * height / ROOM))));
  cy.batch(() => { 
    const ringed = fresh.map(m => [around.subarray(start[m], start[m + 1]).find(e => seen[e] && other(e, m) === n), m]).sort((a, b) => graph.relation[a[0]] - graph.relation[b[0]]);
    ringed.forEach(([, m], i) => {
      const turn = i * 6.2832 / fresh.length - 1.5708, far = fresh.length > 9 && i % 5 % 2 ? 0.52 : 1;
      addNode(m, { x: far * Math.max(110, width / 2 - 70) * Math.cos(turn), y: far * Math.max(110, height / 2 - 50) * Math.sin(turn) });
    });
    joinDrawn([n, ...fresh]);
  });
  show(20); highlight(); describe(n);
}
// everything above a concept by is_a, and everything below it, one line each
function showTree(n) {
  const isA = graph.relations.findIndex(one => one.name === "is_a"), of = e => graph.relation[e] === isA;
  const step = (m, down) => { const found = []; for (let i = start[m]; i < start[m + 1]; i++) { const e = around[i]; if (of(e) && (down ? graph.object : graph.subject)[e] === m) found.push(other(e, m)); } return found; };
  const reach = down => { const found = new Set([n]); for (const m of found) if (found.size < graph.drawn) step(m, down).forEach(k => found.add(k)); return found; };
  const all = new Set([...reach(false), ...reach(true)]);
  if (all.size === 1) { tell(`${graph.label[n]} stands in no is_a relation`); return; }
  const place = new Map();
  const put = (m, column) => {
    if (place.has(m)) return;
    place.set(m, { x: 36 * column, y: 34 * place.size });
    step(m, true).filter(k => all.has(k)).sort((a, b) => graph.label[a].localeCompare(graph.label[b])).forEach(k => put(k, column + 1));
  };
  [...[...all].filter(m => !step(m, false).length), n].forEach(m => put(m, 0));
  cy.elements().remove(); drawn.clear(); many = false; opened = n;
  cy.batch(() => { place.forEach((at, m) => addNode(m, at)); joinDrawn([...all], of); cy.elements().addClass("tree"); cy.getElementById(`n${n}`).addClass("open"); });
  show(30); describe(n);
  if (cy.zoom() >= 0.8) return;
  // a long tree stays readable: it begins above the concept, and the rest is reached by dragging
  const top = cy.elements().boundingBox(), at = cy.getElementById(`n${n}`).position().y, zoom = 0.9;
  cy.viewport({ zoom, pan: { x: 30 - zoom * top.x1, y: Math.min(30 - zoom * top.y1, cy.height() / 3 - zoom * at) } });
}
function showAll() {
  const wanted = [];
  for (let n = 0; n < N; n++) for (let i = start[n]; i < start[n + 1]; i++) if (seen[around[i]]) { wanted.push(n); break; }
  if (wanted.length > graph.drawn) { tell(`${plural(wanted.length, "concept")} are more than can be read at once (${graph.drawn.toLocaleString("en")}): tick fewer relations or sources, or stay with what is around one concept`); return; }
  cy.elements().remove(); drawn.clear(); many = wanted.length > 150; opened = -1;
  // one sector a kind of concept, the best connected in the middle
  const byKind = new Map();
  wanted.forEach(n => { if (!byKind.has(graph.kind[n])) byKind.set(graph.kind[n], []); byKind.get(graph.kind[n]).push(n); });
  let angle = 0;
  cy.batch(() => {
    for (const [, list] of [...byKind].sort((a, b) => b[1].length - a[1].length)) {
      const width = 6.2832 * list.length / wanted.length;
      list.sort((a, b) => degree(b) - degree(a)).forEach((n, i) => {
        const far = 26 * Math.sqrt(wanted.length) * Math.sqrt((i + 0.7) / list.length), turn = angle + width * (0.04 + 0.92 * ((i * 0.61803) % 1));
        addNode(n, { x: far * Math.cos(turn), y: far * Math.sin(turn) });
      });
      angle += width;
    }
    joinDrawn(wanted);
  });
  show(30); welcome();
}
function changed() {
  refilter();
  cy.batch(() => {
    cy.edges().forEach(edge => { edge.toggleClass("gone", !seen[edge.data("e")]); });
    joinDrawn([...drawn]);
    cy.nodes().forEach(node => { node.toggleClass("gone", node.data("n") !== opened && !node.connectedEdges().some(edge => !edge.hasClass("gone"))); });
  });
  highlight();
  if (opened >= 0) describe(opened);
}

// ---- details
function evidenceList(e, most = Infinity) {
  const list = make("ul", null, { class: "evidence" });
  itemsOf(e).slice(0, most).forEach(one => {
    const figures = [graph.statuses[one[1]], graph.datasets[one[2]], one[6] || (one[4] === null ? "" : String(one[4])), one[5] === null ? "" : `n=${one[5]}`, graph.licences[one[3]]].filter(Boolean);
    append(list, make("li", `${graph.sources[one[0]]} (${figures.join(", ")})`));
  });
  return list;
}
const sentence = e => `${graph.label[graph.subject[e]]} ${said(graph.relations[graph.relation[e]].name)} ${graph.label[graph.object[e]]}`;
const carried = e => graph.set[e] === undefined ? "" : ` (convention of ${graph.sets[graph.set[e]]})`;
function describe(n) {
  const box = byId("details"), groups = new Map();
  for (let i = start[n]; i < start[n + 1]; i++) {
    const e = around[i], key = graph.relation[e] * 2 + (graph.subject[e] === n ? 0 : 1);
    if (seen[e]) { if (!groups.has(key)) groups.set(key, []); groups.get(key).push(e); }
  }
  box.replaceChildren(make("h1", graph.label[n]), make("p", `${graph.id[n]} · ${said(graph.kinds[graph.kind[n]])}`, { class: "id" }));
  append(box, append(make("div", null, { class: "row" }), make("button", "Expand", { onclick: () => expand(n) }), make("button", "Start here", { onclick: () => startAt(n) }), make("button", "Path from here", { onclick: () => { choose("from", n); byId("to").focus(); } }), make("button", "to here", { onclick: () => { choose("to", n); findPath(); } })));
  if (graph.definition[n]) append(box, make("p", graph.definition[n]), make("p", graph.defined[n], { class: "soft" }));
  if (graph.synonyms[n]) append(box, make("p", `Also called ${graph.synonyms[n].join(", ")}`, { class: "soft" }));
  if (graph.xrefs[n]) append(box, make("p", graph.xrefs[n].join(", "), { class: "soft" }));
  for (const [key, edges] of [...groups].sort((a, b) => b[1].length - a[1].length)) {
    const kind = graph.relations[key >> 1], list = make("ul"), title = kind.symmetric || key % 2 === 0 ? said(kind.name) : `← ${said(kind.name)}`;
    edges.slice(0, 60).forEach(e => append(list, append(make("li"), go(other(e, n)), make("button", ` ${plural(graph.first[e + 1] - graph.first[e], "source")}`, { class: "go soft", title: "Show the evidence", onclick: event => { const line = event.target.parentNode, there = line.querySelector("ul"); there ? there.remove() : line.append(evidenceList(e)); } }))));
    append(box, make("h2", `${title} (${edges.length.toLocaleString("en")})`, { title: kind.meaning }), list, edges.length > 60 ? make("p", `and ${edges.length - 60} more`, { class: "soft" }) : null);
  }
  if (!groups.size) append(box, make("p", "No edge passes the filters.", { class: "soft" }));
}
function describeEdge(e) {
  byId("details").replaceChildren(make("h1", said(graph.relations[graph.relation[e]].name)), make("p", graph.relations[graph.relation[e]].meaning, { class: "id" }),
    append(make("p"), go(graph.subject[e])), append(make("p", "→ "), go(graph.object[e])), make("p", carried(e), { class: "soft" }), make("h2", plural(graph.first[e + 1] - graph.first[e], "item") + " of evidence"), evidenceList(e));
}
function welcome() {
  byId("details").replaceChildren(make("h1", graph.name), make("p", `${plural(N, "concept")}, ${plural(E, "edge")}, fingerprint ${graph.fingerprint.slice(0, 12)}`, { class: "id" }), make("p", "Click a concept to read about it, double-click to expand it. Point at an edge to see why it is there."));
}

// ---- paths: fewest steps over what is ticked, of those the one past the least connected concepts
function findPath() {
  const a = chosen("from"), b = chosen("to");
  if (a < 0 || b < 0) { tell("Choose two concepts from the lists"); return; }
  const steps = new Int32Array(N).fill(-1), cost = new Float64Array(N), by = new Int32Array(N).fill(-1);
  let layer = [a]; steps[a] = 0;
  while (layer.length && steps[b] < 0) {
    const after = [];
    for (const n of layer) for (let i = start[n]; i < start[n + 1]; i++) {
      const e = around[i], m = other(e, n), paid = cost[n] + degree(n);
      if (!seen[e]) continue;
      if (steps[m] < 0) { steps[m] = steps[n] + 1; after.push(m); } else if (steps[m] !== steps[n] + 1 || paid >= cost[m]) continue;
      cost[m] = paid; by[m] = e;
    }
    layer = after;
  }
  const box = byId("details");
  if (steps[b] < 0) { box.replaceChildren(make("h1", "No path"), make("p", `Nothing that is ticked leads from ${graph.label[a]} to ${graph.label[b]}.`)); return; }
  const edges = [], stops = [b];
  for (let n = b; n !== a;) { edges.unshift(by[n]); n = other(by[n], n); stops.unshift(n); }
  cy.elements().remove(); drawn.clear(); many = false; opened = -1;
  cy.batch(() => { stops.forEach((n, i) => addNode(n, { x: i * 240, y: (i % 2) * 70 })); joinDrawn(stops); });
  cy.elements().addClass("faint");
  stops.forEach(n => cy.getElementById(`n${n}`).removeClass("faint").addClass("open"));
  edges.forEach(e => cy.getElementById(`e${e}`).removeClass("faint").addClass("open"));
  show(80);
  const list = make("ol");
  edges.forEach(e => append(list, append(make("li", sentence(e) + carried(e)), evidenceList(e))));
  box.replaceChildren(make("h1", `${graph.label[a]} → ${graph.label[b]}`), make("p", plural(edges.length, "step"), { class: "id" }), list);
}

// ---- search
const folded = graph.label.map(word => word.toLowerCase());
function found(words) {
  const asked = words.trim().toLowerCase();
  if (!asked) return [];
  const ranked = [];
  for (let n = 0; n < N; n++) {
    let rank = folded[n] === asked ? 0 : folded[n].startsWith(asked) ? 1 : folded[n].includes(" " + asked) ? 2 : folded[n].includes(asked) ? 3 : 9, by = "";
    if (rank > 1 && graph.synonyms[n]) for (const word of graph.synonyms[n]) { const lower = word.toLowerCase(), r = lower === asked ? 0.5 : lower.startsWith(asked) ? 1.5 : lower.includes(asked) ? 3.5 : 9; if (r < rank) { rank = r; by = word; } }
    if (rank > 0 && graph.id[n].toLowerCase().endsWith(asked)) rank = Math.min(rank, 0.6);
    if (rank < 9) ranked.push([rank, -degree(n), n, by]);
  }
  return ranked.sort((a, b) => a[0] - b[0] || a[1] - b[1]).slice(0, 14);
}
const choices = { from: -1, to: -1 };
function choose(field, n) { choices[field] = n; byId(field).value = graph.label[n]; }
function chosen(field) {
  const words = byId(field).value;
  if (choices[field] >= 0 && graph.label[choices[field]] === words) return choices[field];
  const best = found(words)[0];
  if (best) choose(field, best[2]);
  return best ? best[2] : -1;
}
function searchable(field, taken) {
  const input = byId(field), list = byId("suggestions");
  let at = 0, rows = [];
  const hide = () => { list.hidden = true; };
  const take = n => { hide(); taken(n); };
  const draw = () => {
    list.replaceChildren(...rows.map(([, , n, by], i) => append(make("li", graph.label[n], { role: "option", "aria-selected": String(i === at), onmousedown: event => { event.preventDefault(); take(n); } }), make("small", [by, said(graph.kinds[graph.kind[n]])].filter(Boolean).join(" · ")))));
    const place = input.getBoundingClientRect();
    list.style.left = `${Math.min(place.left, innerWidth - 290)}px`; list.style.top = `${place.bottom + 4}px`; list.hidden = !rows.length;
  };
  input.oninput = () => { rows = found(input.value); at = 0; draw(); };
  input.onblur = hide;
  input.onkeydown = event => {
    if (event.key === "Escape") hide();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") { at = (at + (event.key === "ArrowDown" ? 1 : rows.length - 1)) % (rows.length || 1); draw(); event.preventDefault(); }
    else if (event.key === "Enter" && !list.hidden && rows[at]) { event.preventDefault(); take(rows[at][2]); }
  };
}

// ---- pointing and clicking
const tip = byId("tip");
function showTip(event, ...content) {
  tip.replaceChildren(...content); tip.hidden = false;
  const { x, y } = event.originalEvent ? { x: event.originalEvent.clientX, y: event.originalEvent.clientY } : { x: 0, y: 0 };
  tip.style.left = `${Math.min(x + 14, innerWidth - tip.offsetWidth - 8)}px`; tip.style.top = `${Math.min(y + 14, innerHeight - tip.offsetHeight - 8)}px`;
}
cy.on("mouseover", "edge", event => {
  const e = event.target.data("e"), more = graph.first[e + 1] - graph.first[e] - 5;
  showTip(event, make("b", sentence(e) + carried(e)), evidenceList(e, 5), ...(more > 0 ? [make("span", `and ${more} more`, { class: "soft" })] : []));
});
cy.on("mouseover", "node", event => { const n = event.target.data("n"); showTip(event, make("b", graph.label[n]), make("span", `${said(graph.kinds[graph.kind[n]])}, ${plural(degree(n), "edge")}`, { class: "soft" })); });
cy.on("mouseout", () => { tip.hidden = true; });
cy.on("viewport", () => { tip.hidden = true; });
cy.on("tap", "node", event => { const n = event.target.data("n"); if (n === opened && !many) expand(n); opened = n; highlight(); describe(n); });
cy.on("dbltap", "node", event => { expand(event.target.data("n")); highlight(); });
cy.on("tap", "edge", event => describeEdge(event.target.data("e")));
cy.on("tap", event => { if (event.target === cy) { opened = -1; highlight(); welcome(); } });

byId("path").onsubmit = event => { event.preventDefault(); findPath(); };
byId("clear").onclick = () => startAt(first);
byId("whole").onclick = showAll;
byId("tree").onclick = () => showTree(opened < 0 ? first : opened);
byId("filter").onclick = () => { byId("filter").setAttribute("aria-expanded", String(byId("filters").classList.toggle("shown"))); };
byId("fit").onclick = () => show(45);
addEventListener("resize", () => show(20));
byId("picture").onclick = () => {
  const picture = cy.png({ output: "blob", full: true, scale: drawn.size > 400 ? 1 : 2, bg: "#fff", maxWidth: 8000, maxHeight: 8000 });
  const link = make("a", null, { href: URL.createObjectURL(picture), download: `${graph.name.replace(/[^\w-]+/g, "_")}.png` });
  link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
searchable("search", n => { byId("search").value = ""; open(n); });
searchable("from", n => choose("from", n));
searchable("to", n => { choose("to", n); if (chosen("from") >= 0) findPath(); });

// ---- what the page opens on
byId("graph-name").textContent = graph.name;
byId("graph-size").textContent = `${plural(N, "concept")}, ${plural(E, "edge")}`;
section("Relations", "relation", graph.relations.map(one => said(one.name)), relationCounts(), relationColour);
section("Evidence", "status", graph.statuses, counts(1, graph.statuses.length));
section("Data sets", "dataset", graph.datasets, counts(2, graph.datasets.length));
section("Sources", "source", graph.sources, counts(0, graph.sources.length));
refilter();
function richest() {
  let best = 0, most = -1;
  for (let n = 0; n < N; n++) {
    const kinds = new Set(); let clinical = 0;
    for (let i = start[n]; i < start[n + 1]; i++) if (seen[around[i]]) { kinds.add(graph.relation[around[i]] * 2 + (graph.subject[around[i]] === n ? 0 : 1)); clinical++; }
    const score = kinds.size + Math.min(clinical, 60) / 100;
    if (score > most) { most = score; best = n; }
  }
  return best;
}
const named = graph.id.indexOf(decodeURIComponent(location.hash.slice(1)));
const first = named >= 0 ? named : graph.start === null ? richest() : graph.start;
if (N) startAt(first); else welcome();
window.viewer = { cy, open, expand, startAt, showAll, showTree, findPath, choose, drawn };
document.documentElement.dataset.ready = "yes";
})();
