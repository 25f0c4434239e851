"""Read a radiology report: free text in English, Chinese or Spanish in, its sections out.

A header is one of the names below, in any case, that stands at the start of a line and is followed
by a colon or stands alone on its line; or, in capitals and with a colon, anywhere (`... FINDINGS:
...`). Before a colon at the start of a line a name may also be one slip away (`IMPRESSON:`), be
asked for something (`REASON FOR THIS REQUEST:`) or, in capitals, end longer ones (`CHEST
FINDINGS:`). A header that tells how to read its section (`CLINICAL CONCERN:`) stays in its text.
Text before the first header is the section `other`. A text without any header is taken as
`findings`: that is what a bare report is, and what the text policies then count it as.
Sections keep the order of the text; one that occurs twice gives two passages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from encoders.reading.plain import Flag, clean_text, language_of
from encoders.study import Language, Passage
from kg.mentions.as_read import as_read
from kg.mentions.spelling import one_slip, swapped

HEADERS: dict[str, tuple[str, ...]] = {
    "indication": (
        *("indication", "indications", "clinical indication", "history", "clinical history"),
        *("clinical information", "clinical data", "clinical details", "clinical statement"),
        *("reason for exam", "reason for examination", "reason for study", "reason for this exam"),
        *(
            "chief complaint",
            "symptoms",
            "history of present illness",
            "hx",
            "clinical hx",
            "hpi",
            "h/o",
        ),
        *("medical history", "presenting complaint", "background"),
        *("clinical diagnosis", "provisional diagnosis", "working diagnosis", "referral"),
        *("admitting diagnosis", "preoperative diagnosis", "clinical context", "reason"),
        *(
            "病史",
            "临床病史",
            "临床资料",
            "临床信息",
            "临床诊断",
            "现病史",
            "主诉",
            "检查目的",
            "申请目的",
        ),
        *("indicacion", "indicaciones", "indicacion clinica", "datos clinicos", "clinica"),
        *("informacion clinica", "historia clinica", "motivo", "motivo de consulta"),
        *("motivo del estudio", "motivo de la exploracion", "motivo de peticion"),
        *("sospecha diagnostica", "diagnostico de sospecha", "sospecha clinica"),
        *("antecedentes", "antecedentes personales", "antecedentes clinicos"),
    ),
    "comparison": (
        *("comparison", "comparisons", "comparison studies", "prior studies", "prior study"),
        *("对比", "比较", "对照", "既往检查"),
        *("comparacion", "comparaciones", "estudio previo", "estudios previos"),
        *("estudio comparativo", "estudios de comparacion", "exploraciones previas"),
    ),
    "technique": (
        *("technique", "procedure", "exam", "examination", "study", "views", "exam type"),
        *("检查技术", "检查方法", "扫描技术", "扫描方法", "检查名称", "检查部位", "检查项目"),
        *("tecnica", "tecnica de estudio", "tecnica empleada", "procedimiento", "exploracion"),
        *("tipo de exploracion", "exploracion realizada", "estudio", "protocolo"),
    ),
    "findings": (
        *("findings", "finding", "observations", "radiographic findings", "report"),
        *("检查所见", "影像所见", "影像学所见", "影像表现", "影像学表现", "ct所见", "ct表现"),
        *("x线所见", "x线表现", "超声所见", "超声表现", "放射学表现", "所见", "影像描述"),
        *("检查表现", "表现", "检查描述", "影像学检查所见", "放射学所见"),
        *("hallazgos", "hallazgo", "hallazgos radiologicos", "descripcion", "informe"),
        *("observaciones", "informe radiologico"),
    ),
    "impression": (
        *("impression", "impressions", "conclusion", "conclusions", "opinion", "interpretation"),
        *(
            "summary",
            "diagnosis",
            "final diagnosis",
            "impression and plan",
            "imp",
            "impression/plan",
            "dx",
            "concl",
        ),
        *("诊断意见", "印象", "诊断", "影像诊断", "影像学诊断", "诊断印象", "诊断结论", "结论"),
        *("检查结论", "放射学诊断", "超声提示", "影像意见", "初步诊断", "检查提示"),
        *("意见", "检查意见", "诊断提示", "印象诊断", "检查印象", "影像印象", "提示"),
        *("impresion", "impresion diagnostica", "impresion radiologica"),
        *("conclusiones", "diagnostico", "diagnosticos", "juicio diagnostico", "resumen"),
        *("diagnostico radiologico", "orientacion diagnostica", "opinion diagnostica"),
    ),
    "recommendation": (
        "recommendation",
        "recommendations",
        "follow up",
        "follow-up",
        "建议",
        "recomendacion",
        "recomendaciones",
    ),
    "addendum": ("addendum", "addenda", "wet read", "补充报告", "补充", "附加报告", "修正报告"),
    "note": ("note", "notes", "clinical note", "clinical notes", "备注"),
    "comment": ("comment", "comments", "notification", "remark", "remarks", "评论"),
}
"""Section names and the headers that open them."""

TELLING = (
    *("clinical concern", "clinical question", "concern", "question", "query"),
    *("past medical history", "pmh", "past history"),
)
"""Headers of an indication whose words tell how to read it, as a question or the past."""

KINDS = frozenset(
    {
        *("final", "overall", "preliminary", "initial", "main", "key", "relevant", "general"),
        *("radiological", "radiology", "radiologic", "my"),
    }
)
"""Words before a header that only say of which kind it is (`Final impression`)."""

HEADS = frozenset({"findings", "impression", "history", "comparison", "technique", "indication"})
"""Last words of longer headers (`CHEST FINDINGS`)."""

ACCENTS = str.maketrans("áéíóúüñÁÉÍÓÚÜÑ", "aeiouunAEIOUUN")
"""Spanish letters, and how headers have them."""

SHORTEST = 7
"""Fewest letters of a header that may be written with a slip."""

_ASKED_FOR = re.compile(r"(?:reasons?|indications?|purpose) (?:for|of) (?:\w+ ?){1,4}")

_SECTION_OF = {header: name for name, headers in HEADERS.items() for header in headers}
_SECTION_OF |= dict.fromkeys(TELLING, "indication")
_WRITTEN = sorted(_SECTION_OF, key=len, reverse=True)
_NAMES = "|".join(re.escape(name).replace(r"\ ", r"[ \t]{1,9}") for name in _WRITTEN)
_CAPITALS = "|".join(re.escape(name.upper()) for name in _WRITTEN)
_GAP = r"[ \t]{0,9}"
_BEFORE = rf"{_GAP}(?:[#*=_>\-]+{_GAP}|\d{{1,2}}[.、)]{_GAP})?[\[【(（]?{_GAP}"
_AFTER = rf"{_GAP}(?:\([^)\n]{{0,40}}\)|/[A-Za-z ]{{1,30}})?{_GAP}[\]】)）]?{_GAP}[*_]*"
_HEADER = re.compile(
    rf"^{_BEFORE}(?i:(?P<line>{_NAMES})){_AFTER}{_GAP}(?:[:：]{_GAP}[*_]*|(?=\n|\Z))"
    rf"|^{_BEFORE}(?P<dashed>{_CAPITALS}){_GAP}[-–—]+(?=\s)"
    rf"|(?<=[\s.;。])(?P<inline>{_CAPITALS}){_GAP}[:：]"
    rf"|[【\[](?P<boxed>{_NAMES}|{_CAPITALS})[】\]][:：]?"
    rf"|(?<=[.;。]\s)(?P<inside>[A-Z]{{6,}}(?: [A-Z]+){{0,4}}){_GAP}[:：]"
    rf"|^{_BEFORE}(?P<near>[A-Za-z][A-Za-z /&'-]{{1,50}}?){_GAP}[:：]",
    re.MULTILINE,
)


_OPENS = re.compile("[:：\\n【\\[\u2013\u2014-]")
"""Marks that a text without any header lacks."""


class ReadText(NamedTuple):
    """Passages of a text and what was noticed while reading it.

    Args:
        passages: Sections or turns, in order.
        flags: What was mended or is missing, sorted; empty for a plain report.
    """

    passages: tuple[Passage, ...]
    flags: tuple[Flag, ...]


def read_report(raw: bytes | str, *, without_headers: str = "findings") -> tuple[Passage, ...]:
    """The sections of a report, empty ones left out.

    Args:
        raw: The report's text or the bytes of its file.
        without_headers: Section a text without any header is taken as.
    """
    return read_report_with_flags(raw, without_headers=without_headers).passages


def read_report_with_flags(raw: bytes | str, *, without_headers: str = "findings") -> ReadText:
    """As `read_report`, with what was noticed (`no_headers`, `invalid_utf8`, ...)."""
    clean = clean_text(raw)
    flags = set(clean.flags)
    # a header may be written in either Chinese script, and with accents or without
    headers = list(_headers(as_read(clean.text).translate(ACCENTS)))
    if clean.text and not headers:
        flags.add("no_headers")
        sections: Iterator[tuple[str, str]] = iter([(without_headers, clean.text)])
    else:
        sections = _sections(clean.text, headers)
    # a short section (`Masa hiliar`) is in the language of its report
    usual: Language = "es" if language_of(clean.text) == "es" else "en"
    passages = tuple(
        Passage(name, text, language_of(text, usual)) for name, text in sections if text
    )
    if headers and not passages:
        flags.add("only_headers")
    return ReadText(passages, tuple(sorted(flags)))


class _Header(NamedTuple):
    """A header `[start, end)`, the section it opens, and where the section's own text begins."""

    start: int
    end: int
    section: str
    text: int


def _headers(text: str) -> Iterator[_Header]:
    """The headers of a text; a line that only looks like one may still hold another."""
    if _OPENS.search(text) is None and _plain(text) not in _SECTION_OF:
        return
    place = 0
    while (found := _HEADER.search(text, place)) is not None:
        kind = found.lastgroup or ""
        section = _section_of(found[kind])
        if section is None:
            place = found.start(kind) + 1
            continue
        place = found.end()
        tells = _plain(found[kind]) in TELLING
        yield _Header(found.start(), place, section, found.start(kind) if tells else place)


def _sections(text: str, headers: list[_Header]) -> Iterator[tuple[str, str]]:
    starts = [header.start for header in headers] + [len(text)]
    yield "other", text[: starts[0]].strip()
    for header, end in zip(headers, starts[1:], strict=True):
        # a header is no text where nothing follows it
        if text[header.end : end].strip():
            yield header.section, text[header.text : end].strip()


def _plain(written: str) -> str:
    return " ".join(written.lower().replace("&", "and").split())


@lru_cache(maxsize=4096)
def _section_of(written: str) -> str | None:
    """The section a header opens: its name, what was asked for, or the one name a slip away."""
    plain = _plain(written)
    known = _SECTION_OF.get(plain) or _SECTION_OF.get(plain.replace("-", " "))
    if known is not None:
        return known
    if _ASKED_FOR.fullmatch(plain):
        return "indication"
    near = {
        name
        for header, name in _SECTION_OF.items()
        if len(header) >= SHORTEST and abs(len(header) - len(plain)) <= 1
        and (swapped(plain, header) or one_slip(plain, header))
    }  # fmt: skip
    if len(near) == 1:
        return near.pop()
    kind, _, name = plain.partition(" ")
    if kind in KINDS and name in _SECTION_OF:
        return _SECTION_OF[name]
    last = plain.split()[-1]
    return _SECTION_OF.get(last) if written.isupper() and last in HEADS else None
