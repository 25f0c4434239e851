"""Chinese reports and dialogues: own sentences, and the same statements as their English."""

from __future__ import annotations

import pytest

from encoders.study import Passage
from kg.files.store import load_shipped
from kg.mentions.linker import MentionLinker

P, A, U = "present", "absent", "uncertain"
GGO, OPA, CON, NOD = "ground_glass_opacity", "lung_opacity", "consolidation", "lung_nodule"
EFF, PTX, LIN, RET = "pleural_effusion", "pneumothorax", "linear_opacity", "reticular_pattern"
BVM, LYM, BRO = "bronchovascular_markings", "lymphadenopathy", "bronchial_occlusion"
FEV, LOW, COU, DRY = "fever", "low_grade_fever", "cough", "nonproductive_cough"
PRO, DYS, THR, FAT = "productive_cough", "dyspnea", "pharyngitis", "fatigue"
CONTACT, TRAVEL = "contact_with_confirmed_covid_19_case", "travel_to_epidemic_area"

REPORTS: list[tuple[str, dict[str, str]]] = [
    ("右肺上叶见磨玻璃影，边缘模糊。", {GGO: P}),
    ("双肺多发斑片状磨玻璃影。", {GGO: P}),
    ("左肺下叶见实变影，其内见支气管气像。", {CON: P, "air_bronchogram": P}),
    ("右肺中叶小片状实变影及条索影。", {CON: P, LIN: P}),
    ("左肺上叶见小结节影，边界清楚。", {NOD: P}),
    ("两肺见多发小结节影。", {"multiple_nodules": P}),
    ("右肺门见肿块影。", {"lung_mass": P}),
    ("双肺胸膜下见网格影。", {RET: P}),
    ("左肺舌段见胸膜下线影。", {"subpleural_curvilinear_line": P}),
    ("右肺尖见肺大疱。", {"bulla": P}),
    ("双肺气肿改变。", {"emphysema": P}),
    ("右肺上叶见空洞影。", {"cavitation": P}),
    ("右肺中叶支气管扩张，管壁增厚。", {"bronchiectasis": P, "bronchial_wall_thickening": P}),
    ("左肺下叶见树芽征。", {"tree_in_bud_sign": P}),
    (
        "双肺见小叶间隔增厚，呈铺路石征。",
        {"interlobular_septal_thickening": P, "crazy_paving_pattern": P},
    ),
    ("病灶周围见晕征。", {"halo_sign": P}),
    ("左肺下叶反晕征。", {"reversed_halo_sign": P}),
    ("右侧胸腔积液，右肺下叶肺不张。", {EFF: P, "atelectasis": P}),
    ("左侧胸腔内见弧形低密度影。", {EFF: P}),
    ("心包积液，心影增大。", {"pericardial_effusion": P, "cardiomegaly": P}),
    ("左侧气胸，皮下气肿。", {PTX: P, "subcutaneous_emphysema": P}),
    ("纵隔淋巴结肿大。", {"mediastinal_lymphadenopathy": P}),
    ("主动脉钙化。", {"aortic_calcification": P}),
    ("肋骨见骨质破坏。", {"osseous_destruction": P}),
    ("左侧胸膜增厚。", {"pleural_thickening": P}),
    ("双肺纹理增多。", {BVM: P}),
    ("双肺纹理清晰。", {BVM: A}),
    ("胸廓对称，纵隔居中。", {"thoracic_cage_deformation": A, "mediastinal_shift": A}),
    ("叶段支气管通畅。", {BRO: A}),
    ("双侧胸腔内未见异常密度影。", {EFF: A}),
    ("两肺未见实变及结节。", {CON: A, NOD: A}),
    ("未见磨玻璃影、实变影。", {GGO: A, CON: A}),
    ("无气胸及胸腔积液。", {PTX: A, EFF: A}),
    ("纵隔内未见肿大淋巴结影，双肺见磨玻璃影。", {LYM: A, GGO: P}),
    ("未见胸腔积液，但见气胸。", {EFF: A, PTX: P}),
    ("气胸已吸收。", {PTX: A}),
    ("胸腔积液基本吸收。", {EFF: A}),
    ("实变影未见明显变化。", {CON: P}),
    ("考虑病毒性肺炎可能。", {"viral_pneumonia": U}),
    ("不除外肺结核。", {"tuberculosis": U}),
    ("右肺结节，肺癌待排。", {NOD: P, "lung_cancer": U}),
    ("疑似少量积液。", {EFF: U}),
    ("可疑肋骨骨折。", {"rib_fracture": U}),
    ("既往肺结核病史。", {"tuberculosis": U}),
    ("胸部平扫未见异常。", {"no_finding": P}),
    ("肺水肿不明显。", {"pulmonary_edema": A}),
    ("前纵隔内见三角形致密影。", {}),
    ("患者姓名，检查日期。", {}),
]

TOLD: list[tuple[str, dict[str, str]]] = [
    ("我发烧三天了。", {FEV: P}),
    ("不发烧，不咳嗽。", {FEV: A, COU: A}),
    ("没有发热，就是有点咳嗽。", {FEV: A, COU: P}),
    ("一直干咳，没有痰。", {DRY: P, PRO: A}),
    ("昨天开始低烧，浑身无力。", {LOW: P, FAT: P}),
    ("嗓子疼，流鼻涕。", {THR: P, "rhinorrhea": P}),
    ("胸闷气短，喘不上气。", {DYS: P}),
    ("头疼，恶心，没有呕吐。", {"headache": P, "nausea": P, "vomiting": A}),
    ("拉肚子两次，肚子疼。", {"diarrhea": P, "abdominal_pain": P}),
    ("闻不到味道，没有味觉。", {"anosmia": P, "ageusia": P}),
    ("晚上盗汗。", {"night_sweats": P}),
    ("痰中带血。", {"hemoptysis": P}),
    ("全身酸痛，怕冷。", {"body_ache": P, "chills": P}),
    ("食欲不振，瘦了五斤。", {"poor_appetite": P, "weight_loss": P}),
    ("头晕，心跳加速。", {"dizziness": P, "tachycardia": P}),
    ("我有高血压和糖尿病。", {"hypertension": P, "diabetes_mellitus": P}),
    ("我有哮喘病史。", {"asthma": P}),
    ("不抽烟。", {"smoking": A}),
    ("我怀孕五个月。", {"pregnancy": P}),
    ("我去过武汉。", {TRAVEL: P}),
    ("没有去过武汉。", {TRAVEL: A}),
    ("没有接触史。", {CONTACT: A}),
    ("我是密切接触者。", {CONTACT: P}),
    ("核酸检测阴性。", {"positive_rt_pcr": A}),
    ("核酸阳性，确诊新冠肺炎。", {"positive_rt_pcr": P, "covid_19": P}),
    ("我是不是得了新冠？", {"covid_19": U}),
    ("担心是肺炎。", {"pneumonia": U}),
    ("吃了退烧药和止咳药。", {}),
    ("我要去发热门诊吗？", {}),
    ("疫情期间新冠很多，我不敢出门。", {}),
    ("没有其他症状。", {}),
    ("除了咳嗽没有别的症状", {COU: P}),
    ("请问这是肺炎吗", {"pneumonia": U}),
    ("这个是肺炎的概率大不大", {"pneumonia": U}),
    ("没有接触过冠状病毒感染的病人", {CONTACT: A}),
    ("喉咙不舒服，头不疼", {THR: P, "headache": A}),
    ("咳嗽好了，还有痰", {COU: A, PRO: P}),
]

ASKED: list[tuple[str, str, dict[str, str]]] = [
    ("发烧吗？", "没有", {FEV: A}),
    ("咳嗽吗？", "有的", {COU: P}),
    ("有没有胸闷？", "有一点", {"chest_tightness": P}),
    ("有无发热、咳嗽？", "都没有", {FEV: A, COU: A}),
    ("有没有接触史？", "不清楚", {CONTACT: U}),
    ("发烧吗？咳嗽吗？", "没有，有。", {FEV: A, COU: P}),
    ("是否有腹泻", "无", {"diarrhea": A}),
    ("乏力吗？", "三天了", {}),
]

DOCTOR: list[tuple[str, dict[str, str]]] = [
    ("新冠的症状是发热和干咳。", {}),
    ("您的咳嗽考虑肺炎。", {COU: P, "pneumonia": U}),
    ("如果发热请来医院。", {}),
    ("片子上是肺炎。", {"pneumonia": P}),
    ("孕妇感冒后多休息，如果出现咳嗽、嗓子痛，可以吃其他药。", {}),
]

BILINGUAL = [
    (
        "双肺见磨玻璃影，未见胸腔积液。",
        "Ground-glass opacities in both lungs, no pleural effusion.",
    ),
    ("右肺结节，考虑肺癌可能。", "Right lung nodule, possible lung cancer."),
    ("未见气胸、实变。", "No pneumothorax or consolidation."),
    ("心影增大，主动脉钙化。", "Cardiomegaly. Aortic calcification."),
]


@pytest.fixture(scope="module")
def clinic() -> MentionLinker:
    return MentionLinker(load_shipped())


def said(linker: MentionLinker, *turns: tuple[str, str]) -> dict[str, str]:
    statements = linker.link([Passage(name, text, "zh") for name, text in turns])
    return {s.concept.removeprefix("ckg:"): s.assertion for s in statements}


@pytest.mark.parametrize(("text", "expected"), REPORTS)
def test_reports(clinic: MentionLinker, text: str, expected: dict[str, str]) -> None:
    assert said(clinic, ("findings", text)) == expected


@pytest.mark.parametrize(("text", "expected"), TOLD)
def test_patients(clinic: MentionLinker, text: str, expected: dict[str, str]) -> None:
    assert said(clinic, ("patient", text)) == expected


@pytest.mark.parametrize(("question", "answer", "expected"), ASKED)
def test_questions(
    clinic: MentionLinker, question: str, answer: str, expected: dict[str, str]
) -> None:
    assert said(clinic, ("doctor", question), ("patient", answer)) == expected


@pytest.mark.parametrize(("text", "expected"), DOCTOR)
def test_doctors(clinic: MentionLinker, text: str, expected: dict[str, str]) -> None:
    assert said(clinic, ("doctor", text)) == expected


@pytest.mark.parametrize(("chinese", "english"), BILINGUAL)
def test_both_languages_say_the_same(clinic: MentionLinker, chinese: str, english: str) -> None:
    assert said(clinic, ("findings", chinese)) == said(clinic, ("findings", english)) != {}


def test_there_are_enough_sentences() -> None:
    assert len(REPORTS) + len(TOLD) + len(ASKED) + len(DOCTOR) >= 80
