"""Classification: binary cross-entropy on stated findings, or softmax for an exclusive set."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from fusion.objectives import Forward
from fusion.system import Setting
from kg.bounds import NotNegative, ShareBelow1
from kg.options import Options as PartOptions

__all__ = ["Classification"]


class Classification(nn.Module):
    """Cross-entropy against the targets of the label policy; NaN targets never count.

    The sum over stated labels is divided by all labels of the batch, stated or not, so that the
    gradient of a batch is the mean of the gradients of its parts on several devices.
    """

    class Options(PartOptions):
        """Options of the objective.

        Args:
            smoothing: Share of the target moved to the other class.
            balance: Exponent of (negatives / positives) as weight of positives; 0 = none.
        """

        smoothing: ShareBelow1 = 0.0
        balance: NotNegative = 0.0

    weight: Tensor

    def __init__(self, options: Options, *, setting: Setting, width: int) -> None:
        super().__init__()
        self.options = options
        self.exclusive = setting.exclusive
        share = Tensor(setting.prevalence or (0.5,) * len(setting.findings)).clamp(1e-3, 1 - 1e-3)
        self.register_buffer("weight", ((1 - share) / share) ** options.balance, persistent=False)

    def forward(self, output: Forward, batch: StudyBatch) -> Tensor:
        """Mean loss over the labels of the batch."""
        return self.of(output.logits, batch.targets)

    def of(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of logits and targets `[B, C]`."""
        stated = ~targets.isnan()
        targets = targets.nan_to_num(0.0)
        if self.exclusive:
            rows = stated.all(1)
            each = F.cross_entropy(
                logits, targets, reduction="none", label_smoothing=self.options.smoothing
            )
            return (each * rows).mean()
        soft = targets * (1 - self.options.smoothing) + 0.5 * self.options.smoothing
        each = F.binary_cross_entropy_with_logits(
            logits, soft, pos_weight=self.weight, reduction="none"
        )
        return (each * stated).mean()
