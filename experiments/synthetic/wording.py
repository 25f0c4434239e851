"""Wording of each finding, disease and symptom, in English and in Chinese.

In a template `<...>` is the phrase that names the concept; `{side}`, `{zone}`, `{size}` and
`{degree}` are filled in by site and extent of the finding.
"""

from __future__ import annotations

from dataclasses import dataclass

SMALL_OPACITIES = (
    "There is {size} <{noun}> in the {side} {zone}.",
    "{size} <{noun}> is seen within the {side} {zone}.",
    "Interval development of <{noun}> in the {side} {zone}.",
)
PLAIN = ("There is {degree} <{noun}>.", "{degree} <{noun}> is noted.", "<{noun}> is present.")
DEVICE = ("A <{noun}> is in place.", "<{noun}> in satisfactory position.")


@dataclass(frozen=True, slots=True)
class Wording:
    """Words for a finding.

    Args:
        noun: Its name in running text.
        chinese: Its name in Chinese.
        present: Templates that state it.
        denied: True if reports list it among absent findings.
    """

    noun: str
    chinese: str
    present: tuple[str, ...] = PLAIN
    denied: bool = True


FINDINGS = {
    "ckg:cardiomegaly": Wording(
        "cardiomegaly",
        "心影增大",
        (*PLAIN, "The heart is enlarged, in keeping with {degree} <{noun}>."),
    ),
    "ckg:pleural_effusion": Wording(
        "pleural effusion",
        "胸腔积液",
        (
            "There is a {size} {side} <{noun}>.",
            "{size} {side} <{noun}> with blunting of the costophrenic angle.",
            "A {size} {side} <{noun}> has developed since XXXX.",
        ),
    ),
    "ckg:pneumothorax": Wording(
        "pneumothorax",
        "气胸",
        ("There is a {size} {side} <{noun}>.", "{size} {side} apical <{noun}> is identified."),
    ),
    "ckg:consolidation": Wording("consolidation", "实变影", SMALL_OPACITIES),
    "ckg:infiltrate": Wording("infiltrate", "浸润影", SMALL_OPACITIES),
    "ckg:atelectasis": Wording(
        "atelectasis",
        "肺不张",
        ("Bandlike <{noun}> in the {side} {zone}.", "{degree} {side} <{noun}> with volume loss."),
    ),
    "ckg:lung_nodule": Wording(
        "lung nodule",
        "肺结节",
        (
            "There is a {size} <{noun}> in the {side} {zone}.",
            "Rounded <{noun}> projecting over the {side} {zone}, XXXX in diameter.",
        ),
    ),
    "ckg:lung_mass": Wording(
        "lung mass",
        "肺肿块",
        (
            "There is a {size} <{noun}> in the {side} {zone}.",
            "A lobulated {side} <{noun}> is seen.",
        ),
    ),
    "ckg:pulmonary_edema": Wording(
        "pulmonary edema",
        "肺水肿",
        (*PLAIN, "Perihilar haze and septal lines in keeping with {degree} <{noun}>."),
    ),
    "ckg:emphysema": Wording(
        "emphysema",
        "肺气肿",
        ("The lungs are dark with flat diaphragms, as in <{noun}>.", *PLAIN[:2]),
        denied=False,
    ),
    "ckg:pulmonary_fibrosis": Wording(
        "pulmonary fibrosis",
        "肺纤维化",
        ("Coarse reticular markings at both bases due to <{noun}>.", *PLAIN[:2]),
        denied=False,
    ),
    "ckg:pleural_thickening": Wording(
        "pleural thickening",
        "胸膜增厚",
        ("There is {degree} {side} <{noun}>.", "{side} <{noun}>, unchanged from XXXX."),
        denied=False,
    ),
    "ckg:hiatal_hernia": Wording(
        "hiatal hernia",
        "食管裂孔疝",
        ("There is a {size} <{noun}>.", "A <{noun}> is again noted."),
        False,
    ),
    "ckg:ground_glass_opacity": Wording(
        "ground-glass opacity",
        "磨玻璃影",
        ("There is {side} peripheral <{noun}>.", "{degree} {side} <{noun}> along the pleura."),
    ),
    "ckg:crazy_paving_pattern": Wording(
        "crazy-paving pattern",
        "铺路石征",
        ("A <{noun}> is seen on both sides.", "Septal thickening forms a <{noun}>."),
        denied=False,
    ),
    "ckg:central_venous_catheter": Wording(
        "central venous catheter", "中心静脉导管", DEVICE, False
    ),
    "ckg:endotracheal_tube": Wording("endotracheal tube", "气管插管", DEVICE, False),
    "ckg:pacemaker": Wording("pacemaker", "心脏起搏器", DEVICE, False),
    "ckg:a_lines": Wording(
        "A-lines", "A线", ("Regular <{noun}> are seen.", "<{noun}> throughout.")
    ),
    "ckg:b_lines": Wording(
        "B-lines", "B线", ("Several <{noun}> reach the bottom of the screen.", "Multiple <{noun}>.")
    ),
    "ckg:ultrasound_consolidation": Wording(
        "ultrasound consolidation",
        "超声实变",
        ("{size} <{noun}> with bright air inside.", "There is {size} <{noun}>."),
    ),
    "ckg:irregular_pleural_line": Wording(
        "irregular pleural line",
        "胸膜线不规则",
        ("A thick, <{noun}> is seen.", "There is an <{noun}>."),
    ),
}

DISEASES = {
    "ckg:heart_failure": ("heart failure", "心力衰竭"),
    "ckg:bacterial_pneumonia": ("bacterial pneumonia", "细菌性肺炎"),
    "ckg:viral_pneumonia": ("viral pneumonia", "病毒性肺炎"),
    "ckg:covid_19": ("COVID-19", "新型冠状病毒感染"),
    "ckg:chronic_obstructive_pulmonary_disease": (
        "chronic obstructive pulmonary disease",
        "慢性阻塞性肺疾病",
    ),
    "ckg:lung_cancer": ("lung cancer", "肺癌"),
    "ckg:interstitial_lung_disease": ("interstitial lung disease", "间质性肺疾病"),
}
"""Names of the diseases, English and Chinese."""

SYMPTOMS: dict[str, tuple[tuple[str, ...], str]] = {
    "ckg:fever": (("fever",), "发热"),
    "ckg:cough": (("cough",), "咳嗽"),
    "ckg:dyspnea": (("shortness of breath", "dyspnea"), "呼吸困难"),
    "ckg:chest_pain": (("chest pain",), "胸痛"),
    "ckg:fatigue": (("fatigue", "tiredness"), "乏力"),
    "ckg:headache": (("headache",), "头痛"),
    "ckg:myalgia": (("muscle pain", "myalgia"), "肌肉酸痛"),
    "ckg:anosmia": (("loss of smell",), "嗅觉丧失"),
    "ckg:diarrhea": (("diarrhea",), "腹泻"),
    "ckg:pharyngitis": (("sore throat",), "咽痛"),
    "ckg:chills": (("chills",), "寒战"),
    "ckg:hemoptysis": (("hemoptysis", "coughing up blood"), "咯血"),
    "ckg:weight_loss": (("weight loss",), "体重下降"),
    "ckg:wheezing": (("wheezing",), "喘息"),
}
"""Names of the symptoms: English ones, and a Chinese one."""

NORMAL = {
    "cxr": (
        "The mediastinal contours are unremarkable.",
        "No acute osseous abnormality.",
        "The trachea is midline.",
        "Visualized bony structures are intact.",
        "Degenerative changes of the thoracic spine.",
    ),
    "ct": (
        "The airways are patent.",
        "No enlarged lymph nodes by size criteria.",
        "The great vessels are of normal calibre.",
    ),
    "ultrasound": (
        "Lung sliding is seen.",
        "Depth and gain are adequate.",
        "Rib shadows on both sides.",
    ),
}
"""Sentences without any concept of the made-up world."""

NORMAL_CHINESE = ("胸廓对称。", "纵隔居中。", "气管通畅。")

SITES = {
    ("upper", "right"): "upper lobe",
    ("upper", "left"): "upper lobe",
    ("upper", "both"): "upper lobes",
    ("middle", "right"): "middle lobe",
    ("middle", "left"): "mid lung",
    ("middle", "both"): "mid lungs",
    ("lower", "right"): "lower lobe",
    ("lower", "left"): "lower lobe",
    ("lower", "both"): "lower lobes",
}
SIDES_CHINESE = {"right": "右侧", "left": "左侧", "both": "双侧"}
ZONES_CHINESE = {"upper": "上肺", "middle": "中肺", "lower": "下肺"}

REASONS = (
    "Preoperative evaluation.",
    "Routine follow-up.",
    "{age} {sex}, annual examination.",
    "{age} {sex}, XXXX.",
)
"""Indications without any complaint."""
