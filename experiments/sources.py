"""Source of a study: the web domain, paper, collection or data set its pictures were taken from."""

from __future__ import annotations

from encoders.study import Study

__all__ = ["source_of"]


def source_of(study: Study) -> str:
    """What a study states as its document (domain, paper, collection), else its data set."""
    return study.facts.get("document") or study.source
