"""Names only: concept vectors from names, without message passing (control)."""

from __future__ import annotations

from encoders.graph._residual import ResidualGraph
from kg.options import Options as BaseOptions

__all__ = ["Identity"]


class Identity(ResidualGraph):
    """No layers; only the normalisation that the other graph encoders start with."""

    class Options(BaseOptions):
        """No options."""

    def __init__(self, options: Options, *, width: int, relations: int, concepts: int) -> None:
        super().__init__((), width=width, dropout=0.0)
