"""Questions and answers: `Any fever?` states nothing until the next speaker says no or yes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from kg.mentions.statement import Assertion

_ASKS = frozenset(
    {
        *("do", "does", "did", "have", "has", "are", "is", "any", "what", "how", "when", "was"),
        *("were", "can", "could", "which", "where", "who", "had"),
    }
)
_ASKS_CHINESE = re.compile(
    r"(吗|么|嘛|呢|没有|有没有.*|是否.*|有无.*|是不是.*|会不会.*)[。，,.!！]*$"
)

_END = (
    r"(?:\s*$|\s*[,.!;，。！；、-]"
    r"|\s+(?:doctor|dr|sir|ma'?am|i|not|never|nothing|thanks?|and|but|only|just|since|for)\b)"
)
_CHINESE_END = r"[的了过啊呢吧]*(?:$|[，。！、,.!；;\s])"

_OF_ALL = r"(?:them|these|those|that|the above)"
_ENGLISH: tuple[tuple[Assertion, bool, tuple[str, ...]], ...] = (
    (
        "absent",
        True,
        (
            r"(?:no|none) to (?:all|any|both)(?: of \w+)?",
            f"none of {_OF_ALL}",
            r"neither(?: of \w+)?",
        ),
    ),
    ("uncertain", True, (r"(?:i'm |i am )?not (?:really )?sure", "i don'?t (?:know|think so)")),
    ("uncertain", True, ("maybe", "perhaps", "possibly", "hard to (?:say|tell)")),
    ("uncertain", True, ("not that (?:i know|i'm aware)(?: of)?",)),
    ("absent", True, ("no", "nope", "nah", "never", "none", "nothing", "negative", "not yet")),
    ("absent", True, ("not really", "not at all", "i (?:do|did|have|am) not", "i'm not")),
    ("absent", True, ("i don'?t", "i didn'?t", "i haven'?t")),
    ("present", True, ("yes to all", f"all of {_OF_ALL}", r"both(?: of \w+)?")),
    ("present", False, ("(?:unfortunately |oh )?(?:yes|yeah|yep|yup)", "correct", "right", "sure")),
    (
        "present",
        False,
        ("exactly", "definitely", "absolutely", "of course", "i (?:do|have|did|am)"),
    ),
    ("present", False, ("a (?:little|bit)(?: bit)?", "slightly", "somewhat", "sometimes")),
)
_CHINESE: tuple[tuple[Assertion, bool, tuple[str, ...]], ...] = (
    ("uncertain", True, ("不清楚", "不知道", "不确定", "不太清楚", "可能", "也许", "不好说")),
    ("absent", True, ("(?:都|从来|一直|暂时|现在|目前)?(?:没有|没|无|不是|不会|不|否)", "没事")),
    ("present", True, ("都有", "全都有")),
    ("present", False, ("有的?", "是的?", "对的?", "嗯+", "有一?点", "有一?些", "会", "偶尔")),
)


class Reply(NamedTuple):
    """A bare answer: its assertion, and True if it answers all questions at once."""

    assertion: Assertion
    of_all: bool


_PATTERNS = [
    (Reply(assertion, of_all), re.compile(rf"\W*(?:{'|'.join(words)}){end}", re.IGNORECASE))
    for replies, end in ((_ENGLISH, _END), (_CHINESE, _CHINESE_END))
    for assertion, of_all, words in replies
]


def is_question(sentence: str, speaker: str) -> bool:
    """True if a sentence is a question; a doctor's may lack a question mark."""
    written = sentence.rstrip()
    if written.endswith(("?", "？")):
        return True
    if _ASKS_CHINESE.search(written) and speaker != "patient":
        return speaker == "doctor" or not written.endswith("没有")
    first = re.match(r"\W*(\w+)", written)
    return speaker == "doctor" and first is not None and first[1].lower() in _ASKS


def replies(sentence: str) -> list[Reply]:
    """The bare answers a sentence opens with, in order (`no, yes, no`)."""
    return list(_replies(sentence.replace("\u2019", "'")))


def _replies(sentence: str) -> Iterator[Reply]:
    place = 0
    while True:
        for reply, pattern in _PATTERNS:
            match = pattern.match(sentence, place)
            if match is not None:
                yield reply
                place = match.end()
                break
        else:
            return
        if place >= len(sentence) or sentence[place - 1] not in ",，、;":
            return
