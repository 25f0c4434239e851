"""Changes to text files: to tokens, lines, nesting and encoding, and to the values of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

LARGEST = 2_000_000
"""Characters a file grows to at most."""

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")

WORDS = (
    *("", "0", "-1", "1e999", "nan", "-0", "00", "null", "true", "~", "{}", "[]", "''", '"', "\\"),
    *("\0", "\ufeff", "\u202e", "\u2028", "\x85", "\x0b", "\x1b[31m", "\U0001f600", "\ud7ff"),
    *("9" * 400, "A" * 100_000, "a b" * 30_000, "\u00df" * 5000, "é" * 3000),
    *("=cmd()", "../../etc/passwd", "/dev/zero", "<script>", "&amp;", "&#0;", "&x;", "%s%n", "*"),
    *("\\u0000", "\\ud800", "\\x", "#", "'", ":", "-", "|", "\t", "\n", "\r", "\r\n", ";", ","),
)
"""Tokens that stand in the place of others."""

_COUNTS = (2, 50, 1000, 30_000)


class Grammar(NamedTuple):
    """What a text format is sensitive to.

    Args:
        nests: Openings and closings that go inside one another.
        snippets: Pieces that are put anywhere.
        tree: Whether the file is JSON; `line` = each of its lines is.
    """

    nests: tuple[tuple[str, str], ...] = ()
    snippets: tuple[str, ...] = ()
    tree: str = ""


def changed(text: str, grammar: Grammar, draw: Random) -> str:
    """One change, chosen at random."""
    kinds: list[Callable[[str, Grammar, Random], str]] = [_token, _token, _token, _line, _line]
    kinds += [_nest] if grammar.nests else []
    kinds += [_snippet, _snippet] if grammar.snippets else []
    kinds += [_tree] * 5 if grammar.tree else []
    return draw.choice(kinds)(text, grammar, draw)[:LARGEST]


def _token(text: str, _: Grammar, draw: Random) -> str:
    tokens = _TOKEN.findall(text) or [""]
    at, other = draw.randrange(len(tokens)), draw.randrange(len(tokens))
    kind = draw.choice(("word", "word", "word", "drop", "double", "swap", "many", "join"))
    if kind == "word":
        tokens[at] = draw.choice(WORDS)
    elif kind == "drop":
        tokens[at] = ""
    elif kind == "double":
        tokens[at] *= 2
    elif kind == "swap":
        tokens[at], tokens[other] = tokens[other], tokens[at]
    elif kind == "many":
        tokens[at] *= draw.choice(_COUNTS)
    else:
        tokens[at] += draw.choice(WORDS)
    return "".join(tokens)


def _line(text: str, _: Grammar, draw: Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    kind = draw.choice(("drop", "double", "swap", "many", "join", "shuffle", "indent", "cut"))
    if kind == "drop":
        del lines[at]
    elif kind == "double":
        lines[at] *= 2
    elif kind == "swap":
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == "many":
        lines[at] *= draw.choice((10, 1000, 10_000))
    elif kind == "join":
        lines[at] = lines[at].rstrip("\n")
    elif kind == "shuffle":
        draw.shuffle(lines)
    elif kind == "indent":
        lines[at] = draw.choice((" ", "\t", "    ", "\u00a0")) + lines[at]
    else:
        lines[at] = lines[at][: draw.randrange(len(lines[at]) + 1)]
        lines[at + 1 :] = []
    return "".join(lines)


def _nest(text: str, grammar: Grammar, draw: Random) -> str:
    opening, closing = draw.choice(grammar.nests)
    count = draw.choice(_COUNTS)
    inside = opening * count + (closing * count if draw.random() < 0.7 else "")
    return _put(text, inside, draw)


def _snippet(text: str, grammar: Grammar, draw: Random) -> str:
    return _put(text, draw.choice(grammar.snippets), draw)


def _put(text: str, piece: str, draw: Random) -> str:
    """A piece at the place of a token, before one, or on a line of its own."""
    tokens = _TOKEN.findall(text) or [""]
    at = draw.randrange(len(tokens))
    if draw.random() < 0.5:
        lines = text.splitlines(keepends=True) or [""]
        lines.insert(draw.randrange(len(lines) + 1), f"{piece}\n")
        return "".join(lines)
    tokens[at] = piece + (tokens[at] if draw.random() < 0.5 else "")
    return "".join(tokens)


_VALUES = (
    *(None, True, False, 0, -1, 2**63, 10**400, 1.5, float("nan"), float("inf"), "", "x", "\0"),
    *("\x1b[31m", "A" * 100_000, [], {}, [[]], [None], {"": None}, ["a", "a"], {"@id": "x"}),
    *("https://example.invalid/x", "ckg:no_such", "<b>", "\u202e", "1", " ", "\ud800"),
)


def _tree(text: str, grammar: Grammar, draw: Random) -> str:
    """The file with one value of it changed; as it was where it is no JSON any more."""
    lines = text.splitlines() if grammar.tree == "line" else [text]
    at = draw.randrange(len(lines)) if lines else 0
    try:
        value = json.loads(lines[at])
        lines[at] = json.dumps(_altered(value, draw), ensure_ascii=draw.random() < 0.5)
    except (ValueError, IndexError, RecursionError):
        return text
    return "\n".join(lines) + "\n"


def _altered(value: Any, draw: Random) -> Any:
    """A value with one of the values in it replaced, dropped, wrapped, renamed or repeated."""
    inside: list[Any] = [*value] if isinstance(value, dict) else []
    if isinstance(value, list):
        inside = [*range(len(value))]
    if not inside or draw.random() < 0.25:
        wrapped = [value, [value], {"x": value}, [value] * 1000, str(value)]
        return draw.choice((*_VALUES, *wrapped))
    key = draw.choice(inside)
    kind = draw.choice(("inside", "inside", "inside", "inside", "drop", "rename"))
    if kind == "inside":
        value[key] = _altered(value[key], draw)
    elif kind == "drop":
        del value[key]
    elif isinstance(value, dict):
        value[draw.choice(("", "x", "@id", f"{key} ", *map(str, inside)))] = value.pop(key)
    else:
        value.append(value[key])
    return value


_ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "gb18030")


def encoded(text: str, draw: Random) -> bytes:
    """The text as bytes: mostly UTF-8; else another encoding, or with bytes that are none."""
    plain = text.encode("utf-8", errors="surrogatepass")
    kind = draw.random()
    if kind < 0.75:
        return plain
    if kind < 0.85:
        return text.encode(draw.choice(_ENCODINGS), errors="replace")
    if kind < 0.92:
        return plain.replace(b"\n", draw.choice((b"\r\n", b"\r", b"\n\n", b"\0")))
    at = draw.randrange(len(plain) + 1)
    piece = draw.choice((b"\xff\xfe", b"\x80", b"\0", b"\xc3", b"\xed\xa0\x80", draw.randbytes(20)))
    return plain[:at] + piece * draw.choice((1, 1, 500)) + plain[at:]
