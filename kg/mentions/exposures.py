"""Exposures told by a speaker: contacts, travels, work and a measured temperature.

Such words name people, places and numbers freely (`my MD tested positive for covid`), so that they
are patterns over the tokens of a sentence rather than phrases of a lexicon. Every gap is bounded:
the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_ILLNESS = r"(?:(?:novel )?(?:covid(?:19| 19)?|corona ?virus|c[oa]rona(?: virus)?|ncov)|the virus)"
_WORD = r"[\w']+"
_PERSON = (
    r"(?:someone|somebody|anyone|person|people|patient|individual|case|carrier|colleague|coworker"
    r"|co worker|friend|boss|neighbou?r|roommate|housemate|client|customer|agent|teacher|student"
    r"|classmate|passenger|guest|md|doctor|physician|nurse|uncle|aunt|cousin|member|employee)"
)
_NEAR = (
    r"(?:expos(?:ed|ure) to|contact with|interact(?:ed|ion|ing) with|been (?:around|near|close to)"
    r"|in the (?:vicinity|presence) of|liv(?:e|ing) with|car(?:ed|ing) for|next to|near"
    r"|same (?:room|house|office|flight|car) (?:as|with))"
)
_ABOARD = r"(?:abroad|oversea|out(?:side)?(?: of)?(?: the| my| our)? country)"
_NOT_TRAVEL = r"(?!(?:the |a |my )?(?:work|hospital|school|doctor|shop|store|gym|office|bed|er)\b)"

_PATTERNS = {
    "ckg:contact_with_confirmed_covid_19_case": (
        rf"(?:in )?(?:close |direct |indirect |physical |any )*{_NEAR}(?: {_WORD}){{0,6}}?"
        rf" (?:{_ILLNESS}|(?:tested )?positive(?:ly)?|infected|confirmed)"
        rf"(?: (?:positive|infected|confirmed))?(?: (?:for|with) {_ILLNESS})?(?: {_PERSON}\b)?",
        rf"{_NEAR} (?:{_WORD} ){{0,3}}?(?:has|have|had) (?:recently )?(?:travell?ed|been)"
        rf" {_ABOARD}",
        r"(?:indirect|close|direct) contact\b(?! with)|contact with a case",
        rf"{_PERSON}(?: {_WORD}){{0,5}}? (?:tested positive|test positive|is positive"
        rf"|was positive|diagnosed with {_ILLNESS}|(?:has|have|had|got) {_ILLNESS})"
        rf"(?: (?:for|with) {_ILLNESS})?",
        rf"(?:confirmed|positive) (?:case of {_ILLNESS}|{_ILLNESS} case|{_ILLNESS} patient)",
    ),
    "ckg:travel_to_epidemic_area": (
        rf"travell?(?:ed|ing)? (?:(?:back|here|recently) )?(?:to|from|through|via|in|by|across)"
        rf" (?!work\b)(?:the )?{_WORD}",
        rf"travell?(?:ed|ing)? (?:recently|{_ABOARD}|internationally)|travel history|history of"
        r"(?: recent| foreign| international| any)* travel|(?:foreign|international|recent) travel",
        r"travell?ed(?: anywhere)?(?= [^\w ]|$)",
        rf"(?:been|gone|went|was|were|go) {_ABOARD}",
        rf"(?:returned|came back|come back|got back|arrived|arrive|flew|flown)(?: back| home)?"
        rf"(?: to {_WORD}| in {_WORD}){{0,1}} (?:from|after visiting) {_NOT_TRAVEL}"
        rf"(?:a |the )?{_WORD}",
        rf"(?:trip|flight|cruise|vacation|holiday) (?:to|from|in) {_WORD}",
    ),
    "ckg:healthcare_worker_exposure": (
        rf"(?:am|i'm|is|she's|he's|as) (?:a |an )(?:{_WORD} )?(?:nurse|paramedic|physician|dentist"
        r"|pharmacist|medical student|health worker|health ?care worker)",
        rf"work(?:ing|ed)? (?:in|at|for) (?:a |an |the )?(?:{_WORD} )?(?:hospital|clinic|icu|ward"
        r"|dialysis cent(?:er|re)|nursing home|care home|emergency room)",
        r"(?:front ?line|health|health ?care) worker",
    ),
    "ckg:fever": (
        rf"(?:temperature|temp) (?:{_WORD} ){{0,3}}(?:38(?:\.\d)?|39(?:\.\d)?|4[01](?:\.\d)?"
        r"|10[1-5](?:\.\d)?|100\.[4-9])",
    ),
    "ckg:mass_gathering_exposure": (
        rf"attend(?:ed|ing)? (?:a |an |the )?(?:{_WORD} )?(?:wedding|funeral|conference|event"
        r"|concert|festival|party|gathering|church|match)",
    ),
}
_COMPILED = [
    (concept, re.compile(rf"(?<!\S)(?:{pattern})(?!\S)"))
    for concept, patterns in _PATTERNS.items()
    for pattern in patterns
]
_HINT = re.compile(
    r"expos|contact|interact|around|near|close|vicinity|presence|liv|car[ei]|next|same|positive"
    r"|diagnosed|travel|abroad|oversea|country|from|visiting|trip|flight|cruise|vacation|holiday"
    r"|temp|nurse|work|attend|confirmed|paramedic|physician|dentist|pharmacist|student|got|has|had|have"
)


class Exposure(NamedTuple):
    """An exposure told in tokens `[start, end)` of a sentence."""

    concept: str
    start: int
    end: int


def exposures(words: list[str]) -> list[Exposure]:
    """The exposures a sentence tells of, in order; of overlapping ones the first and longest."""
    text = " ".join(words)
    if not _HINT.search(text):
        return []
    found = sorted(_matches(text), key=lambda one: (one.start, -one.end))
    kept: list[Exposure] = []
    for one in found:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def _matches(text: str) -> Iterator[Exposure]:
    for concept, pattern in _COMPILED:
        start = counted = 0
        for match in pattern.finditer(text):
            start += text.count(" ", counted, match.start())
            counted = match.start()
            yield Exposure(concept, start, start + match[0].count(" ") + 1)
