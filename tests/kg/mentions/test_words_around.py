"""Slips, shared words, and what is said of a mention beside its assertion."""

from __future__ import annotations

import pytest

from encoders.study import Passage
from kg.files.store import load_shipped
from kg.mentions.linker import MentionLinker
from kg.mentions.spelling import Speller
from kg.mentions.statement import Statement


@pytest.fixture(scope="module")
def shipped() -> MentionLinker:
    return MentionLinker(load_shipped())


def read(linker: MentionLinker, text: str, part: str = "findings") -> dict[str, Statement]:
    return {s.concept.removeprefix("ckg:"): s for s in linker.link([Passage(part, text)])}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("pneumothroax", "pneumothorax"),  # swapped
        ("pnumothorax", "pneumothorax"),  # one too few
        ("pneumothoraxi", "pneumothoraxi"),  # another ending
        ("pneeumothorax", "pneumothorax"),  # one too many
        ("pneumothotax", "pneumothorax"),  # one wrong
        ("lobulated", "lobulated"),  # too short to tell a wrong letter from another word
        ("pneumothroaxx", "pneumothroaxx"),  # two slips
        ("penumothorax", "pneumothorax"),  # swapped at its beginning
        ("withotu", "without"),  # swapped
        ("withot", "without"),  # any slip in a negation
        ("wthout", "without"),
        ("nodulr", "nodulr"),  # too short for other slips
        ("hypoinflation", "hypoinflation"),
        ("pneumonic", "pneumonic"),
        ("modular", "modular"),
        ("effusion", "effusion"),
    ],
)
def test_slips(written: str, meant: str) -> None:
    right = {
        "without",
        "pneumothorax",
        "loculated",
        "hyperinflation",
        "pneumonia",
        "nodular",
        "effusion",
    }
    assert Speller(right).mend(written) == meant


@pytest.mark.parametrize(
    ("written", "negation"),
    [
        ("noeffusion", "no"),
        ("withoutnodule", "without"),
        ("nodule", ""),  # a word of its own
        ("nonodular", ""),  # no word of the lexicon after it
        ("noair", ""),  # too short
        ("no", ""),
    ],
)
def test_a_negation_written_together_with_its_word(written: str, negation: str) -> None:
    assert Speller({"effusion", "nodule", "air"}).negation_in(written) == negation


def test_a_negation_apart_from_its_word_keeps_its_place(shipped: MentionLinker) -> None:
    text = "Nopneumothorax or effusion."
    found = read(shipped, text)
    assert text[found["pneumothorax"].start : found["pneumothorax"].end] == "pneumothorax"
    assert found["pleural_effusion"].assertion == "absent"


def test_a_slip_with_two_possible_words_stays() -> None:
    assert Speller({"stenosing", "stenoting"}).mend("stenosting") == "stenosting"


@pytest.mark.parametrize(
    ("text", "concept", "sites", "side", "severity", "change"),
    [
        ("Small right basilar effusion.", "pleural_effusion", "lung_bases", "right", "mild", ""),
        ("Opacity in the left lower lobe is unchanged.", "lung_opacity", "left_lower_lobe", "left",
         "", "stable"),
        ("The heart is mildly enlarged.", "cardiomegaly", "heart", "", "mild", ""),
        ("Bibasilar atelectasis.", "atelectasis", "lung_bases", "bilateral", "", ""),
        ("New nodule in the right upper lobe.", "lung_nodule", "right_upper_lobe", "right", "",
         "new"),
        ("RLL consolidation has increased.", "consolidation", "right_lower_lobe", "right", "",
         "increased"),
        ("Severe emphysema.", "emphysema", "", "", "severe", ""),
        ("Decreasing left pneumothorax.", "pneumothorax", "", "left", "", "decreased"),
        ("Old rib fracture.", "rib_fracture", "rib", "", "", "old"),
        ("Opacity in both lungs.", "lung_opacity", "lung", "bilateral", "", ""),
        # another mention, a comma or a joining word ends what a word reaches
        ("Small effusion and large pneumothorax.", "pleural_effusion", "", "", "mild", ""),
        ("Effusion, left nodule.", "pleural_effusion", "", "", "", ""),
        ("Left atelectasis with effusion.", "pleural_effusion", "", "", "", ""),
    ],
)  # fmt: skip
def test_modifiers(
    shipped: MentionLinker,
    text: str,
    concept: str,
    sites: str,
    side: str,
    severity: str,
    change: str,
) -> None:
    found = read(shipped, text)[concept]
    assert tuple(f"ckg:{site}" for site in sites.split()) == found.sites
    assert (found.side, found.severity, found.change) == (side, severity, change)


def test_a_lent_word_keeps_its_own_span(shipped: MentionLinker) -> None:
    text = "No pleural effusion or thickening."
    thickening = read(shipped, text)["pleural_thickening"]
    assert text[thickening.start : thickening.end] == "thickening"
    assert "pleural_thickening" not in read(shipped, "Pleural effusion. Thickening.")


def test_a_section_of_earlier_studies_states_nothing_sure(shipped: MentionLinker) -> None:
    found = read(shipped, "Small effusion on the film of last year.", "comparison")
    assert found["pleural_effusion"].assertion == "uncertain"
    assert found["pleural_effusion"].rule == "history_section"


def test_what_was_read_before_reads_the_same(shipped: MentionLinker) -> None:
    """A remembered sentence keeps places and parts of its own."""
    text = "No effusion. Small nodule. No effusion."
    first = shipped.link([Passage("findings", text)])
    again = shipped.link([Passage("findings", text)])
    assert first == again
    assert [s.start for s in first] == [3, 19, 30]
    assert shipped.link([Passage("impression", text)])[0].part == "impression"


def test_order_and_empty_text_do_not_matter(shipped: MentionLinker) -> None:
    assert shipped.link([]) == []
    assert shipped.link([Passage("findings", "")]) == []
    assert shipped.link([Passage("findings", "\n\n. ? ;")]) == []
