"""Texts that are not UTF-8: read in the encoding they are in and flagged, or refused."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from encoders.reading.plain import clean_text, text_file
from kg.errors import InputError

CHINESE = "胸部CT平扫：两肺野清晰，未见明显实变影。印象：未见明显异常。"
TRADITIONAL = "胸部X光：雙側肺野清晰，未見明顯實變。印象：正常。"
FRENCH = "Le cœur est normal. Épanchement pleural gauche modéré, opacité à la base."
OTHERS = [
    (CHINESE, "gbk", "read_as_gb18030"),
    ("右下肺炎。", "gb18030", "read_as_gb18030"),
    (f"FINDINGS: {CHINESE}", "gbk", "read_as_gb18030"),
    (TRADITIONAL, "big5", "read_as_big5"),
    (FRENCH, "cp1252", "read_as_cp1252"),
    (CHINESE, "utf-16-be", "read_as_utf_16"),
]


@pytest.mark.parametrize(("text", "encoding", "flag"), OTHERS)
def test_the_encoding_is_found_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, encoding: str, flag: str
) -> None:
    raw = text.encode(encoding)
    assert clean_text(raw) == (text, (flag,))
    (tmp_path / "report.txt").write_bytes(raw)
    with caplog.at_level(logging.WARNING):
        assert text_file(tmp_path / "report.txt") == raw
    assert "report.txt: is not UTF-8" in caplog.text


@pytest.mark.parametrize("text", [CHINESE, FRENCH, "plain", "a\ufffdb\ufffdc\ufffd", ""])
def test_utf_8_is_utf_8(text: str) -> None:
    flags = clean_text(text.encode()).flags
    assert not [flag for flag in flags if flag.startswith("read_as")]


def test_a_stray_byte_is_put_up_with() -> None:
    assert clean_text(b"Fever 38\xb0C. No effusion.") == (
        "Fever 38\ufffdC. No effusion.",
        ("invalid_utf8",),
    )


@pytest.mark.parametrize(
    "raw",
    [
        "胸部X線：両肺野に異常を認めない。胸水なし。".encode("shift_jis"),
        "Лёгкие без очаговых изменений. Выпота нет.".encode("koi8-r"),
        np.random.default_rng(0).bytes(400),
        b"\x89PNG\r\n\x1a\n" + np.random.default_rng(1).bytes(400),
    ],
    ids=["japanese", "russian", "noise", "picture"],
)
def test_other_bytes_are_refused(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(InputError, match="not written in"):
        clean_text(raw)
    (tmp_path / "report.txt").write_bytes(raw)
    with pytest.raises(InputError, match=r"report\.txt: .*not written in") as caught:
        text_file(tmp_path / "report.txt")
    assert caught.value.hint == "save it as UTF-8"
