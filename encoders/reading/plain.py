"""Make clean text of whatever bytes or string a report came as, and flag what had to be done."""

from __future__ import annotations

import html
import logging
import re
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, cast

from encoders.study import Language
from kg.errors import InputError
from kg.files.regular import read_file

logger = logging.getLogger(__name__)

Flag = Literal[
    "empty",
    "byte_order_mark",
    "invalid_utf8",
    "read_as_utf_16",
    "read_as_gb18030",
    "read_as_big5",
    "read_as_cp1252",
    "nul_bytes",
    "control_characters",
    "hidden_characters",
    "markup",
    "cut_at_limit",
    "no_headers",
    "only_headers",
    "no_speakers",
    "interleaved",
    "other_language",
]

MAX_CHARACTERS = 200_000
"""Longer texts are cut here (the longest real report has some ten thousand characters)."""

LARGEST = 64 << 20
"""Bytes of the largest file of a text."""

ENCODINGS = ("gb18030", "big5", "cp1252", "utf_16_le", "utf_16_be")
"""Encodings that are tried where a text is not UTF-8."""

FEW, FEW_SHARE = 2, 0.1
"""Wrong bytes that are put up with in UTF-8, and their share where no other encoding fits."""

_HIDDEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.")
_BLOCK = re.compile(
    r"</?(?:br|p|div|li|[ou]l|tr|table|tbody|h[1-6]|hr|pre|html|body|head)\b[^<>\n]{0,200}>", re.I
)
_INLINE = re.compile(
    r"</?(?:[abisu]|em|strong|span|font|su[bp]|center|small|tt|code)"
    r"(?:\s[^<>\n=]{1,40}=[^<>\n]{0,200})?\s?/?>",
    re.I,
)
_CELL = re.compile(r"</?t[dh]\b[^<>\n]{0,200}>", re.I)
_ENTITY = re.compile(r"&(?:#\d{1,6}|#[xX][0-9A-Fa-f]{1,5}|[A-Za-z]{2,8}\d{0,2});")
_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_LATIN = re.compile("[A-Za-z]+")
_ACCENTS = str.maketrans("\u00e1\u00e9\u00ed\u00f3\u00fa\u00f1", "aeioun")
_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH = frozenset(
    {
        *("the", "a", "an", "and", "or", "of", "to", "in", "is", "are", "was", "i", "you", "my"),
        *("your", "have", "has", "had", "with", "for", "it", "this", "that", "be", "do", "not"),
        *("any", "but", "on", "since", "what", "there", "if", "from", "he", "she", "can", "am"),
    }
)
"""Words hardly an English text of some length goes without."""

_SPANISH = frozenset(
    {
        *("con", "sin", "del", "una", "que", "las", "hay", "signos", "derecho", "derecha"),
        *("derech", "izquierdo", "izquierda", "izquierd", "hallazgos", "hallazg", "derrame"),
        *("derram", "cambios", "cambi", "aumento", "aument", "infiltrado", "infiltrados"),
        *("infiltr", "neumonia", "neumoni", "neumotorax", "cardiomegalia", "cardiomegali"),
        *("silueta", "siluet", "senos", "libres", "pinzamiento", "pinzamient", "engrosamiento"),
        *("engros", "pulmonar", "pulmonares", "pulmon", "pulmones", "epoc", "cronicos"),
        *("cronic", "escoliosis", "cifosis", "atelectasia", "atelectasias", "atelectasi"),
        *("nodulos", "nodul", "radiografia", "costofrenico", "costofrenicos", "costofren"),
        *("hilios", "hili", "elongacion", "elong", "estudio", "estudi", "previo", "previ"),
        *("respecto", "respect", "aprecia", "aprecian", "apreci", "observa", "observan"),
        *("observ", "existe", "existen", "densidad", "densid", "origen", "orig", "fractura"),
        *("fractur", "antigua", "sonda", "tubo", "descartar", "tamano"),
    }
)
"""Frequent words of Spanish reports, whole or stemmed, without accents, that English lacks."""

SPANISH_SHARE = 0.15
"""Share of `_SPANISH` among the words of a text from which on it is read as Spanish."""

FEWEST_WORDS = 12
"""Below this many words a text is too short to tell its language."""

ENGLISH_SHARE = 0.1
"""Share of `_ENGLISH` among the words of a text below which it is another language."""


class CleanText(NamedTuple):
    """Text with line feeds only and nothing invisible in it.

    Args:
        text: The text, stripped.
        flags: What was found and mended, sorted.
    """

    text: str
    flags: tuple[Flag, ...]


def clean_text(raw: bytes | str) -> CleanText:
    """Decode and take out what is no text.

    Bytes are UTF-8, or UTF-16 by its byte-order mark; where many are neither, the encoding that
    fits is found, and the flag says which. A few wrong bytes become U+FFFD. NUL bytes, control
    characters, terminal codes, zero-width and direction characters are dropped; carriage returns
    become line feeds. Tags of HTML end a line or are dropped, its entities become what they stand
    for.

    Raises:
        InputError: If bytes are a text in none of these encodings.
    """
    flags: set[Flag] = set()
    text = _decode(raw, flags) if isinstance(raw, bytes) else raw
    if text.startswith("\ufeff"):
        flags.add("byte_order_mark")
        text = text[1:]
    if len(text) > MAX_CHARACTERS:
        flags.add("cut_at_limit")
        text = text[:MAX_CHARACTERS]
    if "\ufffd" in text:
        flags.add("invalid_utf8")
    text = _unmarked(_drop(text, flags), flags)
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        flags.add("empty")
    return CleanText(text, tuple(sorted(flags)))


def text_file(path: Path) -> bytes:
    """The bytes of a report's or dialogue's file, which are a text.

    Raises:
        InputError: If it is no regular file, too large, or no text in a known encoding.
    """
    raw = read_file(path, LARGEST)
    flags: set[Flag] = set()
    try:
        _decode(raw, flags)
    except InputError as error:
        raise InputError(f"{path}: {error.message}", error.hint) from None
    for flag in flags - {"byte_order_mark"}:
        _tell(flag, path)
    return raw


@cache
def _tell(flag: Flag, path: Path) -> None:
    logger.warning("%s: is not UTF-8, %s", path, flag.replace("_", " "))


def _decode(raw: bytes, flags: set[Flag]) -> str:
    # no character takes more than four bytes
    raw = raw[: 4 * MAX_CHARACTERS + 4]
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        flags.add("byte_order_mark")
        return raw.decode("utf-32" if raw[2:4] == b"\0\0" else "utf-16", errors="replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("utf-8", errors="replace")
    wrong = text.count("\ufffd")
    if wrong <= FEW:
        return text
    from charset_normalizer import from_bytes

    found = from_bytes(raw, cp_isolation=list(ENCODINGS)).best()
    if found is not None:
        name = found.encoding.removesuffix("_le").removesuffix("_be")
        flags.add(cast(Flag, f"read_as_{name}"))
        return str(found)
    if wrong > FEW_SHARE * len(text):
        known = "UTF-8, UTF-16, GB 18030, Big5 or Windows-1252"
        raise InputError(f"the text is not written in {known}", "save it as UTF-8")
    return text


def _drop(text: str, flags: set[Flag]) -> str:
    if "\x00" in text:
        flags.add("nul_bytes")
        text = text.replace("\x00", "")
    shown = _CONTROL.sub("", _ANSI.sub("", text))
    if shown != text:
        flags.add("control_characters")
    visible = _HIDDEN.sub("", shown)
    if visible != shown:
        flags.add("hidden_characters")
    return visible


def _unmarked(text: str, flags: set[Flag]) -> str:
    """The text without the tags and entities of HTML; a lone `<` or `&` stays."""
    plain = text
    if "<" in text:
        plain = _INLINE.sub("", _CELL.sub(" ", _BLOCK.sub("\n\n", text)))
    if "&" in plain:
        plain = _ENTITY.sub(lambda entity: html.unescape(entity[0]).replace("\xa0", " "), plain)
    if plain != text:
        flags.add("markup")
    return plain


def language_of(text: str, usual: Language = "en") -> Language:
    """`zh` where Chinese characters are at least as many as Latin words; `es` as Spanish reports.

    Spanish are texts a good part of whose words is Spanish, and more of them than English.

    Args:
        text: The text.
        usual: Language of a text without a word that tells English from Spanish.
    """
    chinese = len(_CHINESE.findall(text))
    if chinese and chinese >= len(_LATIN.findall(text)):
        return "zh"
    words = _WORD.findall(text.lower())
    spanish = sum(word.translate(_ACCENTS) in _SPANISH for word in words)
    english = sum(word in _ENGLISH for word in words)
    if spanish > english and spanish >= SPANISH_SHARE * len(words):
        return "es"
    return "en" if spanish or english else usual


def other_language(text: str) -> bool:
    """True if a text of some length is neither English nor Chinese."""
    words = _WORD.findall(text.lower())
    if language_of(text) == "zh" or len(words) < FEWEST_WORDS:
        return False
    return sum(word in _ENGLISH for word in words) < ENGLISH_SHARE * len(words)
