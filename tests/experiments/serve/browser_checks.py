"""The pages in headless Chromium: upload, maps, further findings, exports, widths, keys, names.

Run by hand: pytest -m benchmark tests/experiments/serve/browser_checks.py

Needs chromium, chromedriver and pip install 'kgdx[benchmark]'. Pictures of the pages lie in the
folder of `--basetemp`.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.benchmark

WIDTHS = {390: 844, 1280: 900, 1920: 1080}
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
REPORT = "FINDINGS: Large left pleural effusion. The heart is large. No pneumothorax."
LOOKS = 1200
"""Tenths of a second that a page is looked at until it shows what it should."""
CONTROLS = ("button", "link", "textbox", "checkbox", "slider", "combobox", "DisclosureTriangle")
POOR_CONTRAST = """
const parsed = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const over = ([r, g, b, a = 1], below) => [r, g, b].map((one, at) => one * a + below[at] * (1 - a));
const light = (colour) => colour.map((one) => one / 255)
  .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
  .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
const ground = (element) => {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
  let colour = dark ? [18, 18, 18] : [255, 255, 255];
  const line = [];
  for (let one = element; one; one = one.parentElement) line.unshift(one);
  for (const one of line) colour = over(parsed(getComputedStyle(one).backgroundColor), colour);
  return colour;
};
const poor = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
  const left = element.closest("svg, script, style, datalist");
  if (!text || left || !element.checkVisibility()) continue;
  const style = getComputedStyle(element), below = ground(element);
  const two = [light(over(parsed(style.color), below)), light(below)].sort();
  const ratio = (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
  const large = parseFloat(style.fontSize) >= 24;
  if (ratio < (large ? 3 : 4.5)) poor.push(`${ratio.toFixed(2)} ${text.slice(0, 40)}`);
}
return poor;
"""
FOCUSED = """
const one = document.activeElement, box = one.getBoundingClientRect();
const style = getComputedStyle(one);
const ring = parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== "none";
const text = one.textContent.trim().slice(0, 60);
return {tag: one.tagName, id: one.id, name: one.name || "", text, ring, seen: box.width > 0};
"""


class Visitor:
    """A browser on the pages of a server.

    Args:
        driver: The browser.
        address: Address of the server.
        folder: Folder of downloads and pictures of pages.
    """

    def __init__(self, driver: Any, address: str, folder: Path) -> None:
        self.driver = driver
        self.address = address
        self.folder = folder

    def visit(self, path: str, width: int = 1280, *, dark: bool = False) -> None:
        """Open a page at a width in pixels, in the light or the dark scheme."""
        self.look(width, dark=dark)
        self.driver.get(f"{self.address}{path}")

    def look(self, width: int, *, dark: bool = False) -> None:
        """Set the width in pixels, and the scheme."""
        sides = {"width": width, "height": WIDTHS[width]}
        more = {"deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**sides, **more})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def one(self, selector: str) -> Any:
        """The first element of a selector."""
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        """The elements of a selector."""
        return list(self.driver.find_elements("css selector", selector))

    def script(self, text: str, *arguments: Any) -> Any:
        """Value of a script."""
        return self.driver.execute_script(text, *arguments)

    def until(self, true: Callable[[], Any]) -> Any:
        """The first true value."""
        for _ in range(LOOKS):
            if value := true():
                return value
            time.sleep(0.1)
        raise AssertionError(self.script("return document.body.innerText")[:2000])

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def picture(self, name: str) -> None:
        """A picture of the whole page."""
        wide, high = self.script("return [innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": wide, "height": min(high, 6000), "scale": 1}
        given = {"clip": clip, "captureBeyondViewport": True}
        made = self.driver.execute_cdp_cmd("Page.captureScreenshot", given)
        (self.folder / f"{name}.png").write_bytes(base64.b64decode(made["data"]))

    def checked(self, name: str) -> None:
        """Check that a page fits its width, can be read, and that each control has a name."""
        self.picture(name)
        too_wide = self.script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert (name, too_wide) == (name, 0)
        assert (name, self.script(POOR_CONTRAST)) == (name, [])
        assert (name, self.nameless()) == (name, [])
        assert not self.complaints()

    def nameless(self) -> list[str]:
        """Controls of the page without a name for a screen reader, and pictures without words."""
        tree = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        roles = [(one.get("role", {}).get("value"), one) for one in tree if not one.get("ignored")]
        named = [(role, one.get("name", {}).get("value", "").strip()) for role, one in roles]
        assert any(role in CONTROLS for role, _ in named)
        return [str(role) for role, name in named if role in (*CONTROLS, "image") and not name]

    def complaints(self) -> list[str]:
        """Errors of scripts, and what a policy has refused."""
        return [one["message"] for one in self.driver.get_log("browser")]

    def upload(self, *paths: Path, report: str = REPORT) -> None:
        """Fill the form of the page, and send it."""
        self.one("#pictures").send_keys("\n".join(map(str, paths)))
        self.one("#report").send_keys(report)
        self.one("button.main").click()
        self.until(lambda: self.all(".finding"))


@pytest.fixture(scope="module")
def address(run: str, small_runs: Path, module_processes: Any) -> Iterator[str]:
    """Address of a server."""
    command = [sys.executable, "-m", "experiments.cli.main", "serve", "--run", run, "--port", "0"]
    server = module_processes.start(*command, "--runs", small_runs, stdout=subprocess.PIPE)
    yield server.stdout.readline().strip()
    server.terminate()
    server.wait()


@pytest.fixture
def visitor(address: str, tmp_path: Path) -> Iterator[Visitor]:
    """A browser."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path}/profile"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path)})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield Visitor(driver, address, tmp_path)
    finally:
        driver.quit()


@pytest.fixture
def film(tmp_path: Path, written: Callable[..., Path]) -> Path:
    """A DICOM picture."""
    rows, columns = np.mgrid[:160, :128]
    pixels = (2000 + 1500 * np.sin(rows / 20) * np.cos(columns / 15)).astype(np.uint16)
    uids = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "Modality": "DX"}
    return written(tmp_path / "film.dcm", pixels, **uids)


def test_a_study_is_sent_answered_looked_at_and_taken_away(visitor: Visitor, film: Path) -> None:
    visitor.visit("/")
    visitor.upload(film)
    # the evidence of the first finding is measured at once, and its map lies on the picture
    shown = visitor.until(lambda: [one for one in visitor.all(".map") if one.is_displayed()])
    assert len(shown) == 1
    switch = visitor.one("[data-control=map]")
    switch.click()
    assert not shown[0].is_displayed()
    switch.click()
    assert shown[0].is_displayed()
    count = len(visitor.all(".finding"))
    # another finding of the page takes its place
    closed = visitor.one(".finding:not([open]) > summary")
    name = closed.find_element("css selector", "b").text
    closed.click()
    visitor.until(lambda: visitor.one("[data-shown]").text == name)
    visitor.until(lambda: [one for one in visitor.all(".map") if one.is_displayed()])
    # a finding that was not taught, by the beginning of its name
    field = visitor.one(".ask input[name=finding]")
    field.send_keys("scolio")
    offered = visitor.until(lambda: visitor.all("#concepts option"))
    assert "zero-shot" in offered[0].get_attribute("label")
    field.clear()
    field.send_keys(offered[0].get_attribute("value"))
    visitor.one(".ask button").click()
    visitor.until(lambda: "Not taught" in visitor.one(".finding[open]").text)
    assert not visitor.complaints()
    for link in visitor.all(".exports a"):
        link.click()
    files = [
        visitor.folder / f"answer.{kind}" for kind in ("html", "json", "fhir.json", "dicom.zip")
    ]
    visitor.until(lambda: all(one.is_file() for one in files))
    assert "scoliosis" in files[0].read_text()
    assert len(json.loads(files[1].read_text())["findings"]) == count + 1
    assert json.loads(files[2].read_text())["resourceType"] == "Bundle"
    assert zipfile.ZipFile(files[3]).namelist()[0] == "report.dcm"
    visitor.one(".top button").click()
    visitor.until(lambda: visitor.all("#pictures"))


def test_a_concept_opens_the_graph_explorer_there(visitor: Visitor, film: Path) -> None:
    visitor.visit("/")
    visitor.upload(film)
    link = visitor.one(".finding[open] a[href^='/graph#']")
    name = link.text
    link.click()
    visitor.until(lambda: visitor.all("#details h1"))
    assert visitor.one("#details h1").text == name
    assert not visitor.complaints()


def test_files_are_dropped_on_the_page(visitor: Visitor, film: Path) -> None:
    visitor.visit("/")
    files = {"items": [], "files": [str(film)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        where = {"type": kind, "x": 300, "y": 300, "data": files}
        visitor.driver.execute_cdp_cmd("Input.dispatchDragEvent", where)
    visitor.until(lambda: "film.dcm" in visitor.one("#chosen").text)
    visitor.one("button.main").click()
    visitor.until(lambda: visitor.all(".stack img"))
    assert not visitor.complaints()


def test_keys_alone_are_enough(visitor: Visitor, film: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    def tab_to(matches: Callable[[dict[str, Any]], bool]) -> None:
        for _ in range(60):
            visitor.press(Keys.TAB)
            focused = visitor.script(FOCUSED)
            assert focused["ring"], focused
            assert focused["seen"], focused
            if matches(focused):
                return
        raise AssertionError("it is not reached")

    visitor.visit("/")
    tab_to(lambda one: one["id"] == "pictures")
    visitor.one("#pictures").send_keys(str(film))  # its dialog is no part of the page
    tab_to(lambda one: one["id"] == "report")
    visitor.press(REPORT)
    tab_to(lambda one: one["text"] == "Answer")
    visitor.press(Keys.ENTER)
    visitor.until(lambda: visitor.all(".finding"))
    tab_to(lambda one: one["name"] == "finding")
    visitor.press("Scoliosis", Keys.ENTER)
    visitor.until(lambda: "Not taught" in visitor.one(".finding[open]").text)
    first = visitor.one(".finding").get_attribute("data-finding")
    tab_to(lambda one: one["tag"] == "SUMMARY")
    visitor.press(Keys.SPACE)
    visitor.until(lambda: visitor.one(".finding[open]").get_attribute("data-finding") == first)
    tab_to(lambda one: one["text"] == "Scoliosis" or one["tag"] == "SUMMARY")
    assert not visitor.complaints()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_their_width_and_can_be_read_and_heard(
    visitor: Visitor, film: Path, width: int, dark: bool
) -> None:
    scheme = f"{width}-{'dark' if dark else 'light'}"
    for path, name in (
        ("/", "home"),
        ("/api", "api"),
        ("/nowhere", "refused"),
        ("/sign-in", "sign"),
    ):
        visitor.visit(path, width, dark=dark)
        if name == "home":
            visitor.one("summary").click()
        if name == "refused":
            visitor.complaints()  # the browser logs its status
        visitor.checked(f"{name}-{scheme}")
    visitor.visit("/", width, dark=dark)
    visitor.upload(film)
    visitor.until(lambda: [one for one in visitor.all(".map") if one.is_displayed()])
    for summary in visitor.all(".finding[open] details > summary"):
        summary.click()
    visitor.checked(f"answer-{scheme}")
    visitor.driver.find_element("link text", "Another beside it").click()
    visitor.upload(film, report="FINDINGS: The lungs are clear.")
    visitor.until(lambda: not visitor.all(".finding[open] .pending"))
    assert len(visitor.all(".study")) == 2
    visitor.checked(f"two-{scheme}")
    visitor.visit("/graph#ckg:pleural_effusion", width, dark=dark)
    visitor.until(lambda: visitor.all("#details h1"))
    visitor.checked(f"graph-{scheme}")
