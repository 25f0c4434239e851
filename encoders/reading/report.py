"""Read a radiology report: free text in, its sections as passages out.

A header is one of the names below, in any case, that stands at the start of a line and is followed
by a colon or stands alone on its line; or, in capitals and with a colon, anywhere (`... FINDINGS:
...`). Text before the first header is the section `other`. A text without any header is taken as
`findings`: that is what a bare report is, and what the text policies then count it as.
Sections keep the order of the text; one that occurs twice gives two passages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from encoders.reading.plain import Flag, clean_text, language_of
from encoders.study import Passage

HEADERS: dict[str, tuple[str, ...]] = {
    "indication": (
        *("indication", "indications", "clinical indication", "history", "clinical history"),
        *("clinical information", "clinical data", "clinical details", "clinical statement"),
        *("reason for exam", "reason for examination", "reason for study", "reason for this exam"),
        *("chief complaint", "symptoms", "clinical question", "history of present illness"),
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
    ),
    "comparison": (
        *("comparison", "comparisons", "comparison studies", "prior studies", "prior study"),
        *("对比", "比较", "对照", "既往检查"),
    ),
    "technique": (
        *("technique", "procedure", "exam", "examination", "study", "views", "exam type"),
        *("检查技术", "检查方法", "扫描技术", "扫描方法", "检查名称", "检查部位", "检查项目"),
    ),
    "findings": (
        *("findings", "finding", "observations", "radiographic findings", "report"),
        *("检查所见", "影像所见", "影像学所见", "影像表现", "影像学表现", "ct所见", "ct表现"),
        *("x线所见", "x线表现", "超声所见", "超声表现", "放射学表现", "所见", "影像描述"),
    ),
    "impression": (
        *("impression", "impressions", "conclusion", "conclusions", "opinion", "interpretation"),
        *("summary", "diagnosis", "final diagnosis", "impression and plan"),
        *("诊断意见", "印象", "诊断", "影像诊断", "影像学诊断", "诊断印象", "诊断结论", "结论"),
        *("检查结论", "放射学诊断", "超声提示", "影像意见", "初步诊断", "检查提示"),
    ),
    "recommendation": ("recommendation", "recommendations", "follow up", "follow-up", "建议"),
    "addendum": ("addendum", "addenda", "wet read", "补充报告", "补充", "附加报告", "修正报告"),
    "note": ("note", "notes", "clinical note", "clinical notes", "备注"),
    "comment": ("comment", "comments", "notification", "remark", "remarks", "评论"),
}
"""Section names and the headers that open them."""

_SECTION_OF = {header: name for name, headers in HEADERS.items() for header in headers}
_WRITTEN = sorted(_SECTION_OF, key=len, reverse=True)
_NAMES = "|".join(re.escape(name).replace(r"\ ", r"[ \t]{1,9}") for name in _WRITTEN)
_CAPITALS = "|".join(re.escape(name.upper()) for name in _WRITTEN)
_GAP = r"[ \t]{0,9}"
_BEFORE = rf"{_GAP}(?:[#*=_>\-]+{_GAP}|\d{{1,2}}[.、)]{_GAP})?[\[【(（]?{_GAP}"
_AFTER = rf"{_GAP}(?:\([^)\n]{{0,40}}\)|/[A-Za-z ]{{1,30}})?{_GAP}[\]】)）]?{_GAP}[*_]*"
_HEADER = re.compile(
    rf"^{_BEFORE}(?i:(?P<line>{_NAMES})){_AFTER}{_GAP}(?:[:：]{_GAP}[*_]*|(?=\n|\Z))"
    rf"|(?<=[\s.;。])(?P<inline>{_CAPITALS}){_GAP}[:：]"
    rf"|[【\[](?P<boxed>{_NAMES}|{_CAPITALS})[】\]][:：]?",
    re.MULTILINE,
)


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
    headers = list(_HEADER.finditer(clean.text))
    if clean.text and not headers:
        flags.add("no_headers")
        sections: Iterator[tuple[str, str]] = iter([(without_headers, clean.text)])
    else:
        sections = _sections(clean.text, headers)
    passages = tuple(Passage(name, text, language_of(text)) for name, text in sections if text)
    if headers and not passages:
        flags.add("only_headers")
    return ReadText(passages, tuple(sorted(flags)))


def _sections(text: str, headers: list[re.Match[str]]) -> Iterator[tuple[str, str]]:
    starts = [header.start() for header in headers] + [len(text)]
    yield "other", text[: starts[0]].strip()
    for header, end in zip(headers, starts[1:], strict=True):
        written = header["line"] or header["inline"] or header["boxed"]
        yield _section_of(written), text[header.end() : end].strip()


def _section_of(written: str) -> str:
    plain = " ".join(written.lower().split())
    return _SECTION_OF.get(plain) or _SECTION_OF[plain.replace("-", " ")]
