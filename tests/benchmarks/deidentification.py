"""Recall of de-identification on synthetic names, dates, numbers and hospitals, by language.

python tests/benchmarks/deidentification.py

It needs the extras `deidentify` and `benchmark`, and for Spanish a spaCy model. Values are drawn by
Faker, in sentences of radiology reports and of consultations; none is of a patient. The patterns of
`experiments/privacy/deidentify.py` were written with the sentences of `KNOWN` in view, and not
changed after the first measurement on those of `UNSEEN`.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version

from faker import Faker

from encoders.study import Language, Passage
from experiments.privacy.deidentify import deidentified
from kg.files.store import load_shipped
from kg.mentions.evidence import study_evidence
from kg.mentions.linker import MentionLinker

REPORTS = 400
"""Synthetic reports of each language."""

LOCALES: dict[Language, str] = {"en": "en_US", "es": "es_ES"}

KNOWN: dict[Language, tuple[str, ...]] = {
    "en": (
        "Patient {name}, MRN {id}, born {date}.",
        "{name} is a patient of {doctor}.",
        "Patient: {surname}, {first}. Accession {accession}.",
        "Comparison: chest radiograph of {date}.",
        "Compared with the prior exam dated {date} from {hospital}.",
        "The patient was transferred from {hospital} on {date}.",
        "Findings were discussed with {doctor} by telephone at {phone}.",
        "Dictated by {name} on {date}. Report {accession}.",
        "Please call {phone} or write to {email} with questions.",
        "{first} reports a cough since {date}.",
        "Read by {surname}.",
        "Lives at {street}.",
        "hello doctor my name is {lower} and i have a cough.",
        "PATIENT NAME {upper} ID {id}",
    ),
    "es": (
        "Paciente {name}, NHC {id}, nacido el {date}.",
        "{name} es paciente del {doctor}.",
        "Paciente: {surname}, {first}. Petición {accession}.",
        "Se compara con la radiografía de {date}.",
        "Se compara con el estudio previo de {date} del {hospital}.",
        "El paciente fue trasladado desde el {hospital} el {date}.",
        "Hallazgos comentados con {doctor} por teléfono en el {phone}.",
        "Informado por {name} el {date}. Informe {accession}.",
        "Llame al {phone} o escriba a {email}.",
        "{first} refiere tos desde el {date}.",
        "Leído por {surname}.",
        "Vive en {street}.",
        "hola doctor me llamo {lower} y tengo tos.",
        "NOMBRE DEL PACIENTE {upper} NHC {id}",
    ),
}

UNSEEN: dict[Language, tuple[str, ...]] = {
    "en": (
        "Exam requested by {doctor} for {name}.",
        "Prior study: {date}.",
        "{upper} / {id} / {date}",
        "i am {lower}, seen at {hospital} last week.",
        "Electronically signed by {name}, {date}.",
        "The mother of {first} called from {phone}.",
        "Results faxed to {hospital}, attention {surname}.",
        "Resident at {street}.",
        "Case {accession}; contact {email}.",
        "{surname} agrees with the reading.",
        "Last seen {date} by {doctor} ({phone}).",
        "Films of {first} from {date} were reviewed.",
    ),
    "es": (
        "Estudio solicitado por {doctor} para {name}.",
        "Estudio anterior: {date}.",
        "{upper} / {id} / {date}",
        "soy {lower}, me vieron en el {hospital} la semana pasada.",
        "Firmado electrónicamente por {name}, {date}.",
        "La madre de {first} llamó desde el {phone}.",
        "Resultados enviados al {hospital}, a la atención de {surname}.",
        "Domicilio en {street}.",
        "Caso {accession}; contacto {email}.",
        "{surname} está de acuerdo con la lectura.",
        "Visto por última vez el {date} por {doctor} ({phone}).",
        "Se revisan las placas de {first} del {date}.",
    ),
}

CLINICAL: dict[Language, tuple[str, ...]] = {
    "en": (
        "The heart is mildly enlarged, cardiothoracic ratio 0.62.",
        "There is a small left pleural effusion with adjacent atelectasis.",
        "No pneumothorax. Kerley B lines are present.",
        "Right upper lobe consolidation may be pneumonia. A 3.5 x 2.1 cm nodule.",
        "Emphysema and a calcified granuloma. Mild scoliosis.",
        "No evidence of edema. Hiatal hernia is noted.",
    ),
    "es": (
        "Cardiomegalia con índice cardiotorácico de 0,62.",
        "Pequeño derrame pleural izquierdo con atelectasia adyacente.",
        "No se observa neumotórax. Líneas B de Kerley.",
        "Consolidación en el lóbulo superior derecho, posible neumonía.",
        "Enfisema y granuloma calcificado. Escoliosis leve.",
        "Sin signos de edema. Hernia de hiato.",
    ),
}

HOSPITALS: dict[Language, tuple[str, ...]] = {
    "en": ("{city} General Hospital", "St. {first}'s Hospital", "{surname} Medical Center",
           "{surname} Memorial Clinic", "{city} Children's Hospital"),
    "es": ("Hospital Universitario de {city}", "Hospital San {first}", "Clínica {surname}",
           "Centro de Salud {city}", "Hospital General de {city}"),
}  # fmt: skip

DATES: dict[Language, tuple[str, ...]] = {
    "en": ("%m/%d/%Y", "%Y-%m-%d", "%B %d, %Y", "%d %b %Y", "%m/%d/%y", "%m/%d"),
    "es": ("%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "{d} de {m} de {y}"),
}

SPANISH_MONTHS = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto",
                  "septiembre", "octubre", "noviembre", "diciembre")  # fmt: skip


def values(fake: Faker, language: Language) -> dict[str, Callable[[], str]]:
    """Draws a value of each kind."""

    def date() -> str:
        day = fake.date_between("-90y", "today")
        form = fake.random_element(DATES[language])
        if "{d}" in form:
            return form.format(d=day.day, m=SPANISH_MONTHS[day.month - 1], y=day.year)
        return day.strftime(form)

    def hospital() -> str:
        form = fake.random_element(HOSPITALS[language])
        return form.format(city=fake.city(), first=fake.first_name(), surname=fake.last_name())

    doctor = {"en": ("Dr. ", "Dr "), "es": ("Dr. ", "Dra. ")}[language]
    return {
        "name": lambda: f"{fake.first_name()} {fake.last_name()}",
        "first": fake.first_name,
        "surname": fake.last_name,
        "lower": lambda: f"{fake.first_name()} {fake.last_name()}".lower(),
        "upper": lambda: f"{fake.last_name()}, {fake.first_name()}".upper(),
        "doctor": lambda: fake.random_element(doctor) + fake.last_name(),
        "date": date,
        "id": lambda: fake.numerify(fake.random_element(("########", "######", "##-##-##-#"))),
        "accession": lambda: fake.bothify(
            fake.random_element(("??########", "ACC#######"))
        ).upper(),
        "phone": fake.phone_number,
        "email": fake.email,
        "street": lambda: fake.street_address().replace("\n", " "),
        "hospital": hospital,
    }


KINDS = {
    "name": "full name", "first": "first name alone", "surname": "surname alone",
    "lower": "full name, lower case", "upper": "full name, capitals", "doctor": "titled name",
    "date": "date", "id": "record number", "accession": "accession number",
    "phone": "telephone number", "email": "e-mail address", "street": "street address",
    "hospital": "hospital",
}  # fmt: skip


def reports(
    language: Language, wording: Mapping[Language, tuple[str, ...]]
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Synthetic reports, each with the kind and text of what may not be left of it."""
    fake = Faker(LOCALES[language])
    fake.seed_instance(7)
    draws = values(fake, language)
    for _ in range(REPORTS):
        held: list[tuple[str, str]] = []
        sentences = []
        for form in fake.random_elements(wording[language], length=3, unique=True):
            drawn = {kind: draws[kind]() for kind in re.findall(r"{(\w+)}", form)}
            held += drawn.items()
            sentences.append(form.format(**drawn))
        sentences += fake.random_elements(CLINICAL[language], length=2, unique=True)
        yield " ".join(fake.random_sample(sentences, len(sentences))), held


def left_of(value: str, text: str) -> bool:
    """True if any word of three or more characters of a value is left in a text."""
    words = [word for word in re.findall(r"\w+", value) if len(word) > 2] or [value]
    small = {"hospital", "general", "centro", "salud", "clínica", "memorial", "medical", "center",
             "clinic", "children", "universitario", "san"}  # fmt: skip
    return any(
        re.search(rf"\b{re.escape(word)}\b", text) for word in words if word.lower() not in small
    )


def measure(
    language: Language, wording: Mapping[Language, tuple[str, ...]]
) -> tuple[Counter[str], Counter[str], int, int]:
    """Values by kind, those of which nothing is left, and clinical statements before and after."""
    linker, graph = MentionLinker(load_shipped()), load_shipped()
    every: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    stated = kept = 0
    for text, held in reports(language, wording):
        before = [Passage("findings", text, language)]
        after = list(deidentified(before))
        for kind, value in held:
            every[kind] += 1
            gone[kind] += not left_of(value, after[0].text)
        was = set(study_evidence(linker.link(before), graph))
        still = set(study_evidence(linker.link(after), graph))
        stated += len(was)
        kept += len(was & still)
    return every, gone, stated, kept


def main() -> None:
    """Print the tables."""
    warnings.simplefilter("ignore")
    wordings = {"known": KNOWN, "unseen": UNSEEN}
    measured = {
        f"{language}, {name}": measure(language, wording)
        for language in LOCALES
        for name, wording in wordings.items()
    }
    head = ["kind", *measured]
    rows = [head, ["---"] * len(head)]
    for kind, name in KINDS.items():
        cells = [f"{gone[kind] / every[kind]:.3f} ({gone[kind]}/{every[kind]})"
                 for every, gone, *_ in measured.values()]  # fmt: skip
        rows.append([name, *cells])
    whole = [f"{sum(gone.values()) / sum(every.values()):.3f}" for every, gone, *_ in
             measured.values()]  # fmt: skip
    rows.append(["all", *whole])
    rows.append(["clinical statements kept",
                 *(f"{kept / stated:.3f} ({kept}/{stated})" for *_, stated, kept in
                   measured.values())])  # fmt: skip
    sys.stdout.write("".join(f"| {' | '.join(row)} |\n" for row in rows))
    sys.stdout.write(f"\nPresidio {version('presidio-analyzer')}, spaCy {version('spacy')}\n")


if __name__ == "__main__":
    main()
