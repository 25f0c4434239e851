"""Measure the graph page in headless Chromium: size, time to the first view, frames while panning.

python tests/benchmarks/graph_page.py

Needs chromium, chromedriver and pip install 'kgdx[benchmark]'.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from made_graph import made_graph
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from kg.files.store import load_shipped
from kg.model.graph import KnowledgeGraph
from kg.render.html import Page

RESULT = Path(__file__).parent / "results" / "graph_page.md"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--window-size=1440,900")  # fmt: skip

PAN = """
const done = arguments[0], frames = []; let last = performance.now(), turn = 0;
function step(now) {
  frames.push(now - last); last = now;
  viewer.cy.panBy({x: 6 * Math.sin(turn / 9), y: 6 * Math.cos(turn / 9)});
  ++turn < 120 ? requestAnimationFrame(step) : done(frames.slice(5));
}
requestAnimationFrame(step);
"""
FIRST_VIEW = """
const done = arguments[0];
requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));
"""
REFUSES = """
const before = viewer.drawn.size; viewer.showAll();
return [before === viewer.drawn.size, document.getElementById('message').textContent];
"""
COLUMNS = ("graph", "concepts", "edges", "file, MB", "page built, s", "first view, s",
           "drawn", "median frame, ms", "worst of 10, ms", "\"Show all\"")  # fmt: skip


def main() -> None:
    """Write the table."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for graph in (load_shipped(), made_graph(1_400, 5_600), made_graph(20_000, 100_000)):
        lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in measured(graph)]
    RESULT.write_text("\n".join(lines) + "\n")
    sys.stdout.write(RESULT.read_text())


def measured(graph: KnowledgeGraph) -> list[list[object]]:
    """A line for the first view, and one for everything drawn at once where the page allows it."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        content = Page(Page.Options()).render(graph)
        built = time.perf_counter() - began
        page = Path(folder, "page.html")
        page.write_bytes(content)
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (*FLAGS, f"--user-data-dir={folder}/profile"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            driver.set_script_timeout(300)
            driver.get(page.as_uri())
            seen = driver.execute_async_script(FIRST_VIEW) / 1000
            told = [graph.name, len(graph.concepts), len(graph.edges), f"{len(content) / 1e6:.1f}",
                    f"{built:.1f}", f"{seen:.2f}"]  # fmt: skip
            rows = [[*told, *frames(driver), ""]]
            refused, message = driver.execute_script(REFUSES)
            rows[0][-1] = f"refused: {message}" if refused else "drawn, next line"
            if not refused:
                rows.append(["", "", "", "", "", "", *frames(driver), ""])
            assert not driver.get_log("browser")
        finally:
            driver.quit()
    return rows


def frames(driver: webdriver.Chrome) -> list[object]:
    """Concepts drawn, median and 90th percentile of the time between frames while panning."""
    driver.execute_async_script(FIRST_VIEW)
    times = driver.execute_async_script(PAN)
    drawn = driver.execute_script("return viewer.drawn.size")
    worst = statistics.quantiles(times, n=10)[-1]
    return [drawn, f"{statistics.median(times):.0f}", f"{worst:.0f}"]


if __name__ == "__main__":
    main()
