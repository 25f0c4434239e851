"""Names only: concept vectors as their names give them, no message passing (control)."""

from __future__ import annotations

from encoders.graph._residual import ResidualGraph
from kg.options import Options as BaseOptions

__all__ = ["Identity"]


class Identity(ResidualGraph):
    """No layer at all; only the normalisation the other graph encoders start with."""

    class Options(BaseOptions):
        """No options."""

    def __init__(self, options: Options, *, width: int, relations: int, concepts: int) -> None:
        super().__init__((), width=width, dropout=0.0)
