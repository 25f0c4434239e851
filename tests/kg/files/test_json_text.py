"""JSON from outside is a value that can be written again, or an error of its text."""

from __future__ import annotations

import pytest

from kg.files.json_text import json_of

HALVES = ('"\\ud800"', '{"a": ["\\udfff"]}', '{"\\uD83D": 1}', '"\\ude00\\ud83d"', '"\ud800"')


@pytest.mark.parametrize("text", HALVES)
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="half a character"):
        json_of(text)


@pytest.mark.parametrize("raw", [b'"\xed\xa0\x80"', b'"\xff"', b'\xff\xfe"\0\0', b"\x80"])
def test_bytes_that_are_no_text_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="codec can't decode|JSON|half|Expecting"):
        json_of(raw)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_whole_characters_are_read_in_every_encoding_of_json(encoding: str) -> None:
    text = '{"a": "\\ud83d\\ude00 \U0001f600 \\\\ud800"}'
    assert json_of(text.encode(encoding)) == {"a": "\U0001f600 \U0001f600 \\ud800"}
