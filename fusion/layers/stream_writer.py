"""Writing by a single stream: hidden words told from the image and what stands before (UniLM).

Words attend to the image and to earlier words (`seq2seq`, Dong 2019). In training some words of
findings and impression are hidden, the mark of the end among them; a text is written by hiding the
next word each time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from encoders.batch import Features, Text
from encoders.study import DESCRIBING
from fusion.layers.generation import State, generate
from fusion.layers.hidden_words import WordHead, hide_words
from fusion.layers.single_stream import SingleStream

__all__ = ["hidden_report", "write_reports"]


def hidden_report(
    stream: SingleStream,
    tell: WordHead,
    image: Features,
    text: Text,
    *,
    rate: float,
) -> Tensor:
    """Mean cross-entropy of hidden words of reports; studies without an image do not count.

    Args:
        stream: The stream.
        tell: Its head of words.
        image: Image tokens.
        text: Reports with word ids; sections that do not describe the image are left out.
        rate: Share of the words that are hidden.
    """
    ids, mask = stream.words(text, DESCRIBING)
    pairs = mask & image.mask.any(1, keepdim=True)
    shown, hidden = hide_words(ids, pairs, stream.vocabulary, rate=rate)
    joint = stream(image, stream.embed(shown, mask), "seq2seq")
    return tell.loss(joint.text.tokens, ids, hidden)


@torch.no_grad()
def write_reports(
    stream: SingleStream, tell: WordHead, image: Features, *, limit: int, beams: int = 1
) -> list[str]:
    """A text about each image; empty where there is none.

    Args:
        stream: The stream.
        tell: Its head of words.
        image: Image tokens.
        limit: Largest number of words of a text.
        beams: Number of beams; 1 = greedy.
    """
    book = stream.vocabulary

    def step(last: Tensor, state: State) -> tuple[Tensor, State]:
        before, tokens, mask = state
        # the word before the first one is the mark that the stream begins with
        known = torch.cat([before, last[:, None]], 1)
        asked = torch.full_like(last[:, None], book.mask)
        shown = torch.cat([known[:, 1:], asked], 1)
        text = stream.embed(shown, torch.ones_like(shown, dtype=torch.bool))
        joint = stream(Features(tokens, mask, tokens[:, 0]), text, "seq2seq")
        return tell(joint.text.tokens[:, -1]), (known, tokens, mask)

    none = torch.zeros(len(image.mask), 0, dtype=torch.long, device=image.tokens.device)
    written = generate(
        step,
        (none, image.tokens, image.mask),
        ends=(book.start, book.end),
        limit=limit,
        beams=beams,
        never=(book.padding, book.unknown, book.mask, book.start),
    )
    texts = zip(written.words, written.mask, image.mask.any(1).tolist(), strict=True)
    return [book.decode(words[real].tolist()) if there else "" for words, real, there in texts]
