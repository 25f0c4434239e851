"""Questions and answers: `Any fever?` states nothing until the next speaker says no or yes."""

from __future__ import annotations

import re

from kg.mentions.statement import Assertion

_ASKS = frozenset({"do", "does", "did", "have", "has", "are", "is", "any", "what", "how", "when"})
_ASKS_CHINESE = re.compile(r"(吗|么|嘛|没有|有没有.*|是否.*|有无.*|是不是.*|会不会.*)[。，,.!！]*$")

_END = r"(?:\s*$|\s*[,.!;，。！；、]|\s+(?:doctor|dr|sir|ma'?am|i|not|never|nothing|thanks?)\b)"
_NO = re.compile(
    r"^\W*(?:(?:no|nope|nah|never|none|nothing|not really|not at all|not yet"
    rf"|i (?:do not|don['\u2019]t|did not|didn['\u2019]t|have not|haven['\u2019]t)){_END}"
    r"|(?:没有|都没有|从来没有|没|无|都无|不是|不|否|不会|没有的|没有啊|没有了|没)[的了过啊呢]?(?:$|[，。！,.!；;\s]))",
    re.IGNORECASE,
)
_YES = re.compile(
    rf"^\W*(?:(?:yes|yeah|yep|yup|correct|right|i do|i have|i did|sure){_END}"
    r"|(?:有|有的|是|是的|对|对的|嗯|有点|有一点|会|都有)[的了过啊呢]?(?:$|[，。！,.!；;\s]))",
    re.IGNORECASE,
)


def is_question(sentence: str, speaker: str) -> bool:
    """Whether a sentence asks; a doctor's may do so without a question mark."""
    written = sentence.rstrip()
    if written.endswith(("?", "？")):
        return True
    if _ASKS_CHINESE.search(written) and speaker != "patient":
        return speaker == "doctor" or not written.endswith("没有")
    first = re.match(r"\W*(\w+)", written)
    return speaker == "doctor" and first is not None and first[1].lower() in _ASKS


def answer(sentence: str) -> Assertion | None:
    """What a sentence that opens with a bare no or yes answers, or None."""
    if _NO.match(sentence):
        return "absent"
    return "present" if _YES.match(sentence) else None
