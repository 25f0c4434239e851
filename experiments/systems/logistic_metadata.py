"""logistic_metadata: logistic regression on facts about a study that must not diagnose (probe).

Source, document, picture size, sex, age: whatever `facts` names. A system's score stands only
beside this one, because public COVID data tie the class to where a picture came from.
"""

from __future__ import annotations

from torch import Tensor

from encoders.batch import StudyBatch
from experiments.systems._logistic import LogisticOptions, LogisticSystem
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Positive
from kg.errors import InputError

__all__ = ["LogisticMetadata"]


class LogisticMetadata(LogisticSystem):
    """Logistic regression on encoded facts.

    Args:
        options: Strength of the regularisation.
        setting: What the run is about; needs facts.
    """

    class Options(LogisticOptions):
        """Options of the regression."""

        strength: Positive = 0.1

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        if not setting.facts_width:
            raise InputError("logistic_metadata reads facts", "name some, as in facts: [document]")
        super().__init__(options, setting, stages, setting.facts_width)

    def features(self, batch: StudyBatch) -> Tensor:
        """Encoded facts `[B, F]`."""
        if batch.metadata is None:
            raise ValueError("the batch has no facts")
        return batch.metadata
