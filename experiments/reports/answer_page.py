"""Page of answers: pictures with maps, findings by importance, marked text, facts and certainty."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from markupsafe import Markup
from PIL import Image

from encoders.reading.picture import read_picture
from encoders.reading.rejected import RejectedImage
from encoders.study import Passage
from experiments.explanation.answer import (
    FindingAnswer,
    ImageMap,
    ShownImage,
    StudyAnswer,
    WordShare,
)
from experiments.explanation.plain_answer import certainty_words, fact_words
from experiments.metrics.arrays import FloatArray
from experiments.reports.fact_drawing import draw_facts
from experiments.reports.pages import FOLDER, page_style, page_templates
from experiments.reports.study_page import NORMAL

__all__ = ["Served", "render_answer_page"]

SIDE = 720
"""Longer side in pixels a picture is shown at."""
STRONGEST = 0.75
"""Opacity of the strongest place of a map."""
FOR, AGAINST = (213, 94, 0), (0, 114, 178)
TONES = {
    "present": "alarm",
    "absent": "calm",
    "uncertain": "warn",
    "no threshold": "plain",
    "not possible": "plain",
}
METHODS = {
    "occlusion": "occlusion (measured)",
    "integrated_gradients": "integrated gradients (estimate)",
    "grad_cam": "Grad-CAM (estimate)",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """Run of characters with the opacity of its mark, above 0 for and below 0 against."""

    text: str
    share: float = 0.0
    opacity: float = 0.0


class Served(Protocol):
    """What a server adds to the page: HTML that is not escaped again."""

    top: Markup

    def tools(self, answer: StudyAnswer) -> Markup:
        """Beneath the heading of a study."""

    def evidence(self, answer: StudyAnswer, finding: FindingAnswer) -> Markup:
        """At the end of a finding's evidence."""


def render_answer_page(
    answers: Sequence[StudyAnswer],
    served: Served | None = None,
    opened: Mapping[str, str] | None = None,
) -> str:
    """The page as one HTML document: everything escaped, no external references.

    Args:
        answers: The answers.
        served: What a server adds; None = the page stands alone, and brings its own policy.
        opened: The finding that is open at first, by study; else the most important.
    """
    script = (FOLDER / "answer_page.js").read_text(encoding="utf-8")
    style = page_style("dark", "answer_page")
    environment = page_templates()
    environment.globals["fact_words"] = fact_words
    return environment.get_template("answer_page.html").render(
        style=style,
        style_digest=_digest(style),
        script=Markup(script),
        digest=_digest(script),
        studies=[_study(answer, (opened or {}).get(answer.study, "")) for answer in answers],
        served=served,
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _study(answer: StudyAnswer, opened: str) -> dict[str, Any]:
    """Values of one study for the template."""
    shown = [one for one in answer.findings if one.verdict not in ("absent", "not possible")]
    return {
        "answer": answer,
        "lead": _lead(answer),
        "pictures": [_picture(one) for one in answer.images],
        "methods": {
            each.method: METHODS[each.method] for one in answer.findings for each in one.maps
        },
        "open": opened or ((shown or answer.findings)[0].finding if answer.findings else ""),
        "findings": [_finding(one, answer) for one in answer.findings],
        "untaught": [one.label for one in answer.findings if one.basis == "zero_shot"],
        "impossible": [one.label for one in answer.findings if one.basis == "not_possible"],
    }


def _lead(answer: StudyAnswer) -> str:
    """The answer in a sentence."""
    by = {
        verdict: [one.label for one in answer.findings if one.verdict == verdict]
        for verdict in TONES
    }
    parts = [f"Found: {', '.join(by['present']) or 'nothing above its threshold'}"]
    parts += [f"left open: {', '.join(by['uncertain'])}"] if by["uncertain"] else []
    parts += [f"zero-shot: {', '.join(by['no threshold'])}"] if by["no threshold"] else []
    return "; ".join(parts) + "."


def _finding(one: FindingAnswer, answer: StudyAnswer) -> dict[str, Any]:
    largest = max((float(np.abs(each.values).max()) for each in one.maps), default=0.0)
    return {
        "answer": one,
        "tone": "calm" if one.finding == NORMAL else TONES[one.verdict],
        "words": certainty_words(one).removeprefix(", "),
        "maps": [(each, _overlay(each, largest)) for each in one.maps],
        "passages": [
            (passage.name, list(_marked(place, passage, one.words)))
            for place, passage in enumerate(answer.passages)
        ],
        "drawing": draw_facts(one, answer.names),
    }


def _picture(one: ShownImage) -> tuple[str, str]:
    """Caption and address of a picture; no address where it is gone."""
    image = one.image
    caption = f"{image.modality}, {image.view}"
    caption += "" if image.frame is None else f", slice {image.frame + 1}"
    try:
        grey = read_picture(image.path, part=image.frame, target=SIDE)
    except RejectedImage:
        return caption, ""
    drawn = Image.fromarray((np.clip(grey, 0, 1) * 255).round().astype(np.uint8))
    drawn.thumbnail((SIDE, SIDE))
    return caption, _address(drawn, "JPEG")


def _overlay(each: ImageMap, largest: float) -> str:
    """A map as a transparent picture; the strongest place of its finding is the least so."""
    scaled: FloatArray = each.values / largest if largest > 0 else each.values
    if each.method != "occlusion":  # estimates have scales of their own
        scaled = each.values / max(float(np.abs(each.values).max()), 1e-12)
    colours = np.where((scaled > 0)[..., None], FOR, AGAINST)
    opacity = np.abs(scaled) * STRONGEST * 255
    made = np.concatenate([colours, opacity[..., None]], -1).round().astype(np.uint8)
    return _address(Image.fromarray(made), "PNG")


def _address(picture: Image.Image, kind: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    code = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{code}"


def _marked(place: int, passage: Passage, words: Sequence[WordShare]) -> Iterator[Mark]:
    """A passage cut at its words; the strongest word of the text is marked most."""
    largest = max((abs(word.share) for word in words), default=0.0)
    at = 0
    for word in (word for word in words if word.passage == place and word.start >= at):
        yield Mark(passage.text[at : word.start])
        text = passage.text[word.start : word.end]
        strength = abs(word.share) / largest if largest else 0.0
        yield Mark(text, word.share, round(strength, 2) if strength >= 0.1 else 0.0)
        at = word.end
    yield Mark(passage.text[at:])
