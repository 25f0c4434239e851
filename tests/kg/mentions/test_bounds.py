"""Reading takes work that grows with the text alone, and memory that does not grow with reports."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import pytest

import kg.mentions.linker as linker_module
import kg.mentions.spanish as spanish_module
import kg.mentions.tokens as tokens_module
from encoders.reading.report import read_report
from encoders.study import Language, Passage
from kg.files.store import load_shipped
from kg.mentions.linker import MentionLinker

LONG = {
    "a report": "There is a small effusion of {0} mm without edema. The heart is normal. ",
    "a sentence": "no effusion or mass of {0} cm and edema but nodule ",
    "a list": "no effusion, ",
    "fields": "effusion: no; edema: ",
    "brackets": "(nodule ({0} ",
    "questions": "? effusion ",
    "Chinese": "未见胸腔积液，右肺{0}结节",
}


def calls(action: Callable[[], object]) -> int:
    """Number of functions called, which no busy machine changes."""
    count = 0

    def seen(_frame: object, event: str, _what: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", LONG)
def test_work_grows_as_the_text_does(kind: str) -> None:
    language: Language = "zh" if kind == "Chinese" else "en"

    def work(times: int) -> int:
        text = "".join(LONG[kind].format(place) for place in range(times))
        reader = MentionLinker(load_shipped())
        reader.link([Passage("findings", LONG[kind].format(0) * 2, language)])
        return calls(lambda: reader.link([Passage("findings", text, language)]))

    once, fourfold = work(200), work(800)
    assert 3 < fourfold / once < 4.8


def made_up() -> Iterator[str]:
    place = 0
    while True:
        place += 1
        yield f"FINDINGS: Mass of {place} mm. IMPRESSION: Derived word{place} and no edema."


def peak(reports: Iterable[str]) -> int:
    """Greatest memory while reports are read by a new reader that has read some before."""
    reader = MentionLinker(load_shipped())
    for report in islice(made_up(), 200):
        reader.link(read_report(report))
    tracemalloc.start()
    for report in reports:
        reader.link(read_report(report))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linker_module, "REMEMBERED", 100)
    monkeypatch.setattr(tokens_module, "MOST_WORDS", 100)
    # a report that is remembered takes some 1,000 bytes
    grown = peak(islice(made_up(), 2000)) - peak(islice(made_up(), 500))
    assert grown / 1500 < 100


def test_memory_does_not_grow_with_spanish_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spanish_module, "REMEMBERED", 100)
    reader = MentionLinker(load_shipped())
    for place in range(1000):
        reader.link([Passage("findings", f"derrame pleural de {place} cm", "es")])
    assert reader._spanish is not None
    assert len(reader._spanish._read_before) <= 100


def test_long_pieces_are_not_remembered() -> None:
    reader = MentionLinker(load_shipped())
    reader.link([Passage("findings", "no effusion and " * 1000)])
    assert len(reader._read_before["report"]) == 0
