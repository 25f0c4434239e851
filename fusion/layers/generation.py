"""Text generation word by word, greedy or by beam search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Generated", "State", "Step", "generate"]

State = tuple[Tensor, ...]
"""State of a decoder; the first dimension of each tensor is that of the texts."""

Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""Last words `[R]` and a state to logits of the next words `[R, W]` and the next state."""


@dataclass(frozen=True)
class Generated:
    """Generated texts.

    Args:
        words: Word ids without start and end, padded with the end, `[B, L]`.
        mask: True where there is a word, `[B, L]`.
        score: Log-probability of each text, end included, `[B]`.
    """

    words: Tensor
    mask: Tensor
    score: Tensor


@torch.no_grad()
def generate(
    step: Step,
    state: State,
    *,
    ends: tuple[int, int],
    limit: int,
    beams: int = 1,
    never: tuple[int, ...] = (),
    length_penalty: float = 0.0,
) -> Generated:
    """Write one text for each row of a state; a text never depends on the others.

    Args:
        step: Decoder step for the next word.
        state: Initial state, tensors `[B, ...]`.
        ends: Word before the first one, and word after the last.
        limit: Largest number of words of a text.
        beams: Width of the beam search; 1 = greedy.
        never: Words that are never generated, for example padding.
        length_penalty: Log-probabilities are divided by the number of words to this power before
            the best beam is chosen; 0 favours short texts, 1 compares means.
    """
    start, end = ends
    texts = len(state[0])
    device = state[0].device
    state = tuple(each.repeat_interleave(beams, 0) for each in state)
    first = torch.arange(texts, device=device)[:, None] * beams
    written = torch.full((texts, beams, 1), start, device=device)
    # all beams start the same, so that only one of them may go on at first
    score = torch.zeros(texts, beams, device=device)
    score[:, 1:] = float("-inf")
    for _ in range(limit):
        logits, state = step(written[..., -1].flatten(), state)
        logits[:, list(never)] = float("-inf")
        chance = logits.log_softmax(-1).view(texts, beams, -1)
        chance = _ended(chance, written[..., -1] == end, end)
        score, chosen = (score[..., None] + chance).flatten(1).topk(beams)
        origin, word = chosen // chance.shape[-1], chosen % chance.shape[-1]
        state = tuple(each[(first + origin).flatten()] for each in state)
        before = written.gather(1, origin[..., None].expand_as(written))
        written = torch.cat([before, word[..., None]], -1)
        if bool((word == end).all()):
            break
    return _best(written[..., 1:], score, end, length_penalty)


def _ended(chance: Tensor, done: Tensor, end: int) -> Tensor:
    """Log-probabilities under which an ended text continues with `end` at no cost."""
    only = torch.full_like(chance[0, 0], float("-inf"))
    only[end] = 0.0
    return torch.where(done[..., None], only, chance)


def _best(written: Tensor, score: Tensor, end: int, length_penalty: float) -> Generated:
    """The best beam of each text, of `[B, K, L]`."""
    there = (written != end).cumprod(-1).bool()
    number = (there.sum(-1) + 1).clamp_max(written.shape[-1])
    best = (score / number**length_penalty).argmax(1)
    rows = torch.arange(len(best), device=best.device)
    mask = there[rows, best]
    longest = int(mask.sum(1).max()) if len(mask) else 0
    return Generated(written[rows, best][:, :longest], mask[:, :longest], score[rows, best])
