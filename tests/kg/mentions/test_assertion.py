"""What single sentences assert, in English and Chinese: a fixture of own sentences."""

from __future__ import annotations

import pytest

from encoders.study import Language, Passage
from kg.mentions.linker import MentionLinker

P, A, U = "present", "absent", "uncertain"
EFF, PTX, CON, OPA = "pleural_effusion", "pneumothorax", "consolidation", "lung_opacity"
ATE, CAR, EDE, NOD = "atelectasis", "cardiomegaly", "pulmonary_edema", "lung_nodule"
PNE, FEV, COU, DYS, COV = "pneumonia", "fever", "cough", "dyspnea", "covid_19"

ENGLISH: list[tuple[str, dict[str, str]]] = [
    # plain
    ("There is a small left pleural effusion.", {EFF: P}),
    ("Bilateral effusions and pneumothoraces are seen.", {EFF: P, PTX: P}),
    ("GROUND-GLASS OPACITIES in both lungs", {"ground_glass_opacity": P}),
    ("The heart is mildly enlarged.", {CAR: P}),
    ("Cardiomegaly is unchanged.", {CAR: P}),
    ("Multiple nodules, the largest on the right.", {NOD: P}),
    # negation before
    ("No effusion.", {EFF: A}),
    ("No pleural effusion, consolidation or pneumothorax.", {EFF: A, CON: A, PTX: A}),
    ("No effusion, consolidation, or pneumothorax is seen.", {EFF: A, CON: A, PTX: A}),
    ("Lungs are clear without effusion or edema.", {EFF: A, EDE: A, OPA: A}),
    ("There is no evidence of pneumonia.", {PNE: A}),
    ("Negative for pneumothorax.", {PTX: A}),
    ("The patient denies fever or cough.", {FEV: A, COU: A}),
    ("Neither effusion nor pneumothorax.", {EFF: A, PTX: A}),
    (
        "The lungs are clear of consolidation, pneumothorax, or effusion.",
        {CON: A, PTX: A, EFF: A, OPA: A},
    ),
    ("There is not a pneumothorax.", {PTX: A}),
    ("No definite pneumothorax.", {PTX: A}),
    ("Absence of edema.", {EDE: A}),
    ("Resolution of the effusion.", {EFF: A}),
    ("No longer any consolidation.", {CON: A}),
    ("Failure to expand; no collapse, no mass.", {ATE: A, "lung_mass": A}),
    # negation after
    ("Pneumothorax is not seen.", {PTX: A}),
    ("Effusion or pneumothorax is not identified.", {EFF: A, PTX: A}),
    ("Pleural effusion has resolved.", {EFF: A}),
    ("Consolidation, atelectasis, and edema have cleared.", {CON: A, ATE: A, EDE: A}),
    ("Pneumonia has been ruled out.", {PNE: A}),
    ("Pneumonia is unlikely.", {PNE: A}),
    ("Her covid test came back negative.", {COV: A}),
    ("My fever has gone.", {FEV: A}),
    # where negation ends
    ("No effusion but a pneumothorax is present.", {EFF: A, PTX: P}),
    ("No pneumothorax. Small effusion.", {PTX: A, EFF: P}),
    ("No pneumothorax; small effusion.", {PTX: A, EFF: P}),
    ("No effusion, the heart is enlarged.", {EFF: A, CAR: P}),
    ("No pneumothorax, there is a small effusion.", {PTX: A, EFF: P}),
    ("No effusion, however atelectasis persists.", {EFF: A, ATE: P}),
    ("Atelectasis is present and effusion is not seen.", {ATE: P, EFF: A}),
    ("Mild cardiomegaly, effusion has resolved.", {CAR: P, EFF: A}),
    ("No fever except for a cough.", {FEV: A, COU: P}),
    ("Cardiomegaly without edema.", {CAR: P, EDE: A}),
    ("Consolidation with no effusion.", {CON: P, EFF: A}),
    ("No effusion, possible pneumonia.", {EFF: A, PNE: U}),
    # what looks like negation
    ("No change in the effusion.", {EFF: P}),
    ("No interval change in cardiomegaly.", {CAR: P}),
    ("Not only effusion is seen.", {EFF: P}),
    ("The pneumonia has not resolved.", {PNE: P}),
    # doubt
    ("Possible pneumonia.", {PNE: U}),
    ("Probable small effusion and atelectasis.", {EFF: U, ATE: U}),
    ("Opacity which may represent atelectasis or pneumonia.", {OPA: P, ATE: U, PNE: U}),
    ("May represent edema, pneumonia, or atelectasis.", {EDE: U, PNE: U, ATE: U}),
    ("Cannot exclude pneumonia.", {PNE: U}),
    ("Pneumonia cannot be excluded.", {PNE: U}),
    ("Pneumothorax not excluded.", {PTX: U}),
    ("Findings suspicious for pneumonia.", {PNE: U}),
    ("Opacity, likely atelectasis.", {OPA: P, ATE: U}),
    ("Atelectasis versus consolidation.", {ATE: U, CON: U}),
    ("Questionable nodule, cardiomegaly.", {NOD: U, CAR: P}),
    ("Evaluate for pneumonia.", {PNE: U}),
    ("Pneumonia?", {PNE: U}),
    ("R/O pneumonia", {PNE: U}),
    ("Pneumonia is in the differential.", {PNE: U}),
    ("Edema is possible.", {EDE: U}),
    # negation beats doubt; conditions and others state nothing; history
    ("No consolidation to suggest pneumonia.", {CON: A, PNE: A}),
    ("No suspicious nodule.", {NOD: A}),
    ("If you get fever, come back.", {}),
    ("Family history of tuberculosis.", {}),
    ("History of pneumonia.", {PNE: U}),
    ("History of asthma.", {"asthma": P}),
    ("History of fever, cough since Monday.", {FEV: U, COU: P}),
    ("Since the COVID-19 pandemic began I work at home.", {}),
    # phrases that assert
    ("Heart size is normal.", {CAR: A}),
    ("Normal heart size, lungs are clear.", {CAR: A, OPA: A}),
    ("No acute cardiopulmonary abnormality.", {"no_finding": P}),
    # nothing to link
    ("XXXX XXXX in the right base.", {}),
    ("The ___ is unchanged.", {}),
    ("Mass effect on the trachea. Pleura normal.", {}),
    ("Pericardial effusion.", {"pericardial_effusion": P}),
    ("I don't have a fever, just a dry cough.", {FEV: A, "nonproductive_cough": P}),
    ("She hasn\u2019t had dyspnea.", {DYS: A}),
    ("Approx. 2.5 cm nodule, no adenopathy.", {NOD: P, "lymphadenopathy": A}),
]

CHINESE: list[tuple[str, dict[str, str]]] = [
    ("双肺下叶见磨玻璃影。", {"ground_glass_opacity": P}),
    ("右肺中叶见结节影及斑片影。", {NOD: P, OPA: P}),
    ("未见胸腔积液。", {EFF: A}),
    ("未见明显实变及结节。", {CON: A, NOD: A}),
    ("双侧胸腔内未见积液，心影不大。", {EFF: A, CAR: A}),
    ("无胸腔积液、气胸。", {EFF: A, PTX: A}),
    ("双侧胸腔内未见异常密度影。", {EFF: A}),
    ("纵隔内未见肿大淋巴结影。", {"lymphadenopathy": A}),
    ("没有发热，有咳嗽。", {FEV: A, COU: P}),
    ("否认发热、咳嗽、呼吸困难。", {FEV: A, COU: A, DYS: A}),
    ("胸腔积液已吸收。", {EFF: A}),
    ("新冠核酸阴性。", {COV: A}),
    ("考虑病毒性肺炎。", {"viral_pneumonia": U}),
    ("疑似新冠肺炎。", {COV: U}),
    ("肺炎可能性大。", {PNE: U}),
    ("结核待排。", {"tuberculosis": U}),
    ("不除外肺炎。", {PNE: U}),
    ("可能为肺不张。", {ATE: U}),
    ("未见气胸，右侧胸腔积液。", {PTX: A, EFF: P}),
    ("无发热但咳嗽明显。", {FEV: A, COU: P}),
    ("右肺见结节影，纵隔内未见肿大淋巴结。", {NOD: P, "lymphadenopathy": A}),
    ("咳嗽未见好转。", {COU: P}),
    ("不发烧，不咳嗽。", {FEV: A, COU: A}),
    ("如果发烧请就诊。", {}),
    ("肺炎无明显变化。", {PNE: P}),
]


def asserted(linker: MentionLinker, text: str, language: Language) -> dict[str, str]:
    statements = linker.link([Passage("findings", text, language)])
    return {s.concept.removeprefix("ckg:"): s.assertion for s in statements}


@pytest.mark.parametrize(("text", "expected"), ENGLISH, ids=[text for text, _ in ENGLISH])
def test_english(linker: MentionLinker, text: str, expected: dict[str, str]) -> None:
    assert asserted(linker, text, "en") == expected


@pytest.mark.parametrize(("text", "expected"), CHINESE, ids=[text for text, _ in CHINESE])
def test_chinese(linker: MentionLinker, text: str, expected: dict[str, str]) -> None:
    assert asserted(linker, text, "zh") == expected


def test_there_are_enough_sentences() -> None:
    assert len(ENGLISH) >= 60
    assert len(CHINESE) >= 20
