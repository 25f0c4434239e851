"""The settings of the made-up world."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from kg.bounds import Seed
from kg.options import Options


class Rules(Options):
    """Number of made-up studies, and their rules.

    Args:
        studies: Number of studies.
        seed: Seed of everything that is drawn.
        world: `plain` = findings by disease, all of them shown; `linked` = labels also depend on
            each other along the graph's edges, and some are known through these alone; `unlinked` =
            the same frequencies with no dependence at all; `planted` and `unplanted` = studies of
            text alone whose labels depend on edges, or on as many pairs that are none (these two
            take `studies`, `seed` and `strength`).
        strength: Increase of a probability along an edge, in [0, 1].
        hidden: Share of findings that neither image nor text shows (`linked`, `unlinked`).
        cxr: Share of patients with chest X-rays.
        ct: Share of patients with CT slices; the rest has ultrasound.
        healthy: Share of studies without disease and finding.
        hedged: Share of present findings that are stated as uncertain.
        unstated: Share of findings, present or absent, without any statement.
        lateral: Share of chest X-ray studies with a lateral view.
        dialogues: Share of studies with a conversation.
        chinese: Share of CT and ultrasound studies that are also reported in Chinese.
        size: Side of the images in pixels.
    """

    studies: int = Field(default=300, ge=1, le=100_000)
    seed: Seed = 0
    world: Literal["plain", "linked", "unlinked", "planted", "unplanted"] = "plain"
    strength: float = Field(default=0.8, ge=0, le=1)
    hidden: float = Field(default=0.3, ge=0, le=1)
    cxr: float = Field(default=0.6, ge=0, le=1)
    ct: float = Field(default=0.2, ge=0, le=1)
    healthy: float = Field(default=0.3, ge=0, le=1)
    hedged: float = Field(default=0.08, ge=0, le=1)
    unstated: float = Field(default=0.04, ge=0, le=1)
    lateral: float = Field(default=0.4, ge=0, le=1)
    dialogues: float = Field(default=0.3, ge=0, le=1)
    chinese: float = Field(default=0.4, ge=0, le=1)
    size: int = Field(default=192, ge=64, le=1024)

    @model_validator(mode="after")
    def _shares(self) -> Rules:
        if self.cxr + self.ct > 1:
            raise ValueError("cxr and ct are shares and must not exceed 1 together")
        return self

    @property
    def mix(self) -> tuple[float, float, float]:
        """Shares of chest X-ray, CT and ultrasound."""
        return self.cxr, self.ct, max(0.0, 1 - self.cxr - self.ct)
