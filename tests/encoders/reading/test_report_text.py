"""Reports to sections, in English and Chinese, and text that is hardly text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from encoders.reading.plain import MAX_CHARACTERS, clean_text, language_of
from encoders.reading.report import HEADERS, read_report, read_report_with_flags
from encoders.study import SECTIONS, Passage


def sections(text: str | bytes) -> list[tuple[str, str]]:
    return [(passage.name, passage.text) for passage in read_report(text)]


def test_usual_report() -> None:
    text = """EXAM: Chest, two views
CLINICAL HISTORY: Cough and fever.

COMPARISON: None.
TECHNIQUE: PA and lateral.

FINDINGS:
The heart is normal in size.
No effusion.

IMPRESSION:
1. No acute disease.
RECOMMENDATIONS: none.
ADDENDUM: read again.
"""
    assert sections(text) == [
        ("technique", "Chest, two views"),
        ("indication", "Cough and fever."),
        ("comparison", "None."),
        ("technique", "PA and lateral."),
        ("findings", "The heart is normal in size.\nNo effusion."),
        ("impression", "1. No acute disease."),
        ("recommendation", "none."),
        ("addendum", "read again."),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "findings: clear\nimpression: normal",
        "Findings\nclear\nImpression\nnormal",
        "**Findings:** clear\n**Impression:** normal",
        "# FINDINGS\nclear\n\n# IMPRESSION\nnormal",
        "FINDINGS: clear IMPRESSION: normal",
        "[FINDINGS] clear\n[IMPRESSION] normal",
        "\ufeffFINDINGS :clear\r\nIMPRESSION:\r\nnormal\r\n",
        "影像所见：clear\n诊断意见：normal",
        "【检查所见】clear【印象】normal",
    ],
)
def test_ways_to_write_headers(text: str) -> None:
    assert sections(text) == [("findings", "clear"), ("impression", "normal")]


def test_chinese_report() -> None:
    passages = read_report("临床诊断：发热\n影像所见：\n双肺见磨玻璃影。\n印象：病毒性肺炎可能。")
    assert passages == (
        Passage("indication", "发热", "zh"),
        Passage("findings", "双肺见磨玻璃影。", "zh"),
        Passage("impression", "病毒性肺炎可能。", "zh"),
    )


SPANISH = {
    "indication": (
        *("DATOS CLÍNICOS", "Datos clinicos", "INDICACIÓN", "indicacion", "MOTIVO DEL ESTUDIO"),
        *("ANTECEDENTES", "Antecedentes", "Sospecha diagnóstica", "Información clínica"),
    ),
    "technique": ("TÉCNICA", "TECNICA", "Técnica", "tecnica de estudio", "EXPLORACIÓN"),
    "comparison": ("COMPARACIÓN", "Comparacion", "ESTUDIOS PREVIOS", "estudio previo"),
    "findings": ("HALLAZGOS", "Hallazgos", "hallazgos", "Descripción", "INFORME RADIOLÓGICO"),
    "impression": (
        *("IMPRESIÓN", "IMPRESION", "Impresión diagnóstica", "impresión", "CONCLUSIÓN"),
        *("Conclusiones", "DIAGNÓSTICO", "Juicio diagnóstico", "diagnostico"),
    ),
    "recommendation": ("RECOMENDACIÓN", "Recomendaciones"),
}


@pytest.mark.parametrize(
    ("header", "section"), [(one, name) for name, headers in SPANISH.items() for one in headers]
)
@pytest.mark.parametrize(
    "way", ["Rx de tórax.\n{}: Masa hiliar.", "{}\nMasa hiliar.", "{}.- x\n{}:\nMasa hiliar."]
)
def test_spanish_headers(header: str, section: str, way: str) -> None:
    last = read_report(way.format(header, header))[-1]
    assert (last.name, last.text) == (section, "Masa hiliar.")


def test_a_spanish_report_is_read_by_its_sections() -> None:
    text = (
        "DATOS CLÍNICOS: Sospecha de neumonía. TÉCNICA: Proyección PA. "
        "HALLAZGOS: Sin derrame pleural ni neumotórax. IMPRESIÓN: Masa hiliar."
    )
    passages = read_report(text)
    assert [p.name for p in passages] == ["indication", "technique", "findings", "impression"]
    assert passages[-1].language == "es"
    assert [text.index(p.text) for p in passages] == sorted(text.index(p.text) for p in passages)


def test_a_section_in_english_stays_english() -> None:
    text = "HALLAZGOS: Derrame pleural del seno derecho.\nCOMMENT: There is an effusion."
    assert [p.language for p in read_report(text)] == ["es", "en"]


@pytest.mark.parametrize(
    ("header", "section"),
    [
        *((one, "findings") for one in ("所见", "检查所见", "影像表现", "表现", "檢查所見")),
        *(
            (one, "impression")
            for one in ("印象", "诊断", "意见", "检查意见", "診斷意見", "诊断提示")
        ),
        *((one, "indication") for one in ("病史", "临床诊断", "主诉")),
        *((one, "technique") for one in ("检查方法", "检查技术")),
        *((one, "comparison") for one in ("对比", "既往检查")),
    ],
)
def test_chinese_headers(header: str, section: str) -> None:
    for way in (
        "胸部CT。\n{}：右肺结节。",
        "{}\n右肺结节。",
        "【{}】右肺结节。",
        "胸部CT。{}：右肺结节。",
    ):
        last = read_report(way.format(header))[-1]
        assert (last.name, last.text) == (section, "右肺结节。")


def test_a_report_as_mimic_cxr_writes_it() -> None:
    text = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  Woman with cough.  // pneumonia?

 COMPARISON:  Radiograph of ___.

 FINDINGS:

 No effusion.  Small
 nodule.

 IMPRESSION:

 No acute process.

 NOTIFICATION:  Told to Dr. ___ at 9:03.
 WET READ: Dr. ___ at 9:00 PM
 Small effusion.
"""
    assert sections(text) == [
        ("other", "FINAL REPORT"),
        ("technique", "CHEST (PA AND LAT)"),
        ("indication", "Woman with cough.  // pneumonia?"),
        ("comparison", "Radiograph of ___."),
        ("findings", "No effusion.  Small\n nodule."),
        ("impression", "No acute process."),
        ("comment", "Told to Dr. ___ at 9:03."),
        ("addendum", "Dr. ___ at 9:00 PM\n Small effusion."),
    ]


def test_a_header_word_in_a_sentence_is_no_header() -> None:
    text = "These findings are stable. Clinical history of cough and impression of fever."
    assert sections(text) == [("findings", text)]


def test_text_without_headers_is_findings_unless_told_otherwise() -> None:
    assert read_report_with_flags("Lungs are clear.").flags == ("no_headers",)
    assert sections("Lungs are clear.") == [("findings", "Lungs are clear.")]
    assert read_report("Lungs are clear.", without_headers="note")[0].name == "note"


def test_text_before_the_first_header() -> None:
    assert sections("Dear colleague,\nFINDINGS: clear") == [
        ("other", "Dear colleague,"),
        ("findings", "clear"),
    ]


def test_every_header_leads_to_a_section() -> None:
    assert set(HEADERS) <= set(SECTIONS)
    for name, headers in HEADERS.items():
        for header in headers:
            assert sections(f"{header}: text") == [(name, "text")], header
            assert sections(f"{header.upper()}\ntext") == [(name, "text")], header


@pytest.mark.parametrize("raw", ["", " \n\t ", b"", "\ufeff", "\u200b\u200b", b"\x00\x00"])
def test_empty(raw: str | bytes) -> None:
    read = read_report_with_flags(raw)
    assert read.passages == ()
    assert "empty" in read.flags


@pytest.mark.parametrize(
    ("header", "section"),
    [
        ("NDICATION", "indication"),
        ("Indicaton", "indication"),
        ("INDICATIONS FOR EXAMINATION", "indication"),
        ("REASON FOR THIS EXAM", "indication"),
        ("Reason for the request", "indication"),
        ("Hx", "indication"),
        ("COMPARSION", "comparison"),
        ("FNDINGS", "findings"),
        ("CHEST FINDINGS", "findings"),
        ("IMPERSSION", "impression"),
        ("IMP", "impression"),
        ("IMPRESSION & PLAN", "impression"),
        ("檢查所見", "findings"),
        ("診斷意見", "impression"),
    ],
)
def test_headers_with_a_slip_or_another_wording(header: str, section: str) -> None:
    assert sections(f"EXAM: chest\n{header}: text") == [("technique", "chest"), (section, "text")]


@pytest.mark.parametrize("line", ["Pneumothorax: none", "Chest findings: none", "Bindings: none"])
def test_a_field_of_a_form_is_no_header(line: str) -> None:
    assert sections(line) == [("findings", line)]


def test_a_header_within_a_line_that_looks_like_one() -> None:
    assert sections("Chest PA and lateral FINDINGS: clear. IMPRESSON: normal") == [
        ("other", "Chest PA and lateral"),
        ("findings", "clear."),
        ("impression", "normal"),
    ]


def test_a_header_that_tells_how_to_read_its_section_stays() -> None:
    assert sections("CLINICAL CONCERN: edema\nFINDINGS: clear\nPMH:\n") == [
        ("indication", "CLINICAL CONCERN: edema"),
        ("findings", "clear"),
    ]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("No edema&nbsp;or mass", "No edema or mass"),
        ("No&#160;edema &amp; no mass", "No edema & no mass"),
        ("No edema<br>Mass", "No edema\n\nMass"),
        ("<P class='x'>No <b>edema</b>.</P>", "No edema."),
        ("<ul><li>edema</li></ul>", "edema"),
        ("nodule &lt; 5 mm", "nodule < 5 mm"),
    ],
)
def test_markup_is_taken_out(raw: str, text: str) -> None:
    clean = clean_text(raw)
    assert clean.text == text
    assert clean.flags == ("markup",)


@pytest.mark.parametrize("text", ["nodule <5 mm and mass > 3 cm", "A & B", "&c; a<b and b>c"])
def test_signs_that_are_no_markup_stay(text: str) -> None:
    assert clean_text(text) == (text, ())


def test_only_headers() -> None:
    read = read_report_with_flags("FINDINGS:\n\nIMPRESSION:\n")
    assert read.passages == ()
    assert read.flags == ("only_headers",)


@pytest.mark.parametrize(
    ("raw", "text", "flag"),
    [
        (b"no \xff effusion", "no \ufffd effusion", "invalid_utf8"),
        (b"no \x00effusion", "no effusion", "nul_bytes"),
        ("no ef\u200bfu\u00adsion", "no effusion", "hidden_characters"),
        ("no \u202eeffusion\u202c", "no effusion", "hidden_characters"),
        ("no \x1b[31meffusion\x1b[0m\x07", "no effusion", "control_characters"),
        ("\ufeffno effusion", "no effusion", "byte_order_mark"),
        ("no effusion".encode("utf-16"), "no effusion", "byte_order_mark"),
        ("no\r\neffusion\rseen", "no\neffusion\nseen", None),
        ("لا يوجد انصباب", "لا يوجد انصباب", None),
    ],
)
def test_what_is_mended_is_flagged(raw: str | bytes, text: str, flag: str | None) -> None:
    clean = clean_text(raw)
    assert clean.text == text
    assert clean.flags == ((flag,) if flag else ())


@pytest.mark.parametrize(
    "raw",
    [
        "No effusion. " * 160_000,
        "FINDINGS " * 220_000,
        "FINDINGS: x\n" * 170_000,
        " \t" * 1_000_000 + "x",
        "- " * 1_000_000 + "x",
        "(" * 2_000_000,
    ],
)
def test_two_megabytes_are_cut_and_flagged_and_cost_no_more_than_their_length(
    raw: str, growth: Callable[..., float]
) -> None:
    def read_first(count: int) -> None:
        read_report_with_flags(raw[:count])

    assert growth(read_first, MAX_CHARACTERS // 8) < 24
    assert growth(read_first, len(raw) // 8) < 3
    read = read_report_with_flags(raw)
    assert "cut_at_limit" in read.flags
    assert sum(len(passage.text) for passage in read.passages) <= MAX_CHARACTERS


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The lungs are clear.", "en"),
        ("双肺清晰。", "zh"),
        ("CT显示双肺磨玻璃影, COVID-19 可能", "zh"),
        ("Patient from Wuhan 武汉 with cough and fever", "en"),
        ("", "en"),
        ("123", "en"),
        ("No se observa derrame pleural. Cardiomegalia.", "es"),
        ("Cardiomegalia.", "es"),
        ("Silueta cardíaca de tamaño normal. Senos libres.", "es"),
        ("Neumotórax derecho.", "es"),
        (" sin hallazg signific . cardiomegali .", "es"),
        ("Cardiomegaly, LA enlarged, de novo. El Paso.", "en"),
        ("Roux-en-Y. Status post cardiac catheterization, hernia.", "en"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert language_of(text) == language
