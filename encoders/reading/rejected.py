"""RejectedImage: why an image was not read, as an error that can also be counted and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from kg.errors import InputError

Reason = Literal[
    "missing",
    "not_readable",
    "not_a_file",
    "empty",
    "truncated",
    "damaged",
    "not_an_image",
    "too_many_pixels",
    "too_much_beside",
    "too_many_parts",
    "too_small",
    "degenerate",
    "blank_after_decode",
    "needs_decoder",
]

REASONS: tuple[Reason, ...] = get_args(Reason)
"""Every reason there is, in the order they are checked for."""

_SAYS: dict[Reason, tuple[str, str]] = {
    "missing": ("there is no such file", "check the path and the data set's root"),
    "not_readable": ("the file cannot be opened", "check its permissions and the disk"),
    "not_a_file": ("there is no file, but something else", "name a file, or a folder of slices"),
    "empty": ("the file is empty", "fetch or export it again"),
    "truncated": ("the file ends before its picture does", "fetch or export it again"),
    "damaged": ("its picture cannot be decoded", "export it again, uncompressed"),
    "not_an_image": ("it holds no picture", "give JPEG, PNG, TIFF, DICOM, NIfTI or a clip"),
    "too_many_pixels": ("the picture is too large", "reduce it before reading"),
    "too_much_beside": ("it holds too much beside its pixels", "export it without texts"),
    "too_many_parts": ("it holds too many slices or frames", "cut it into shorter ones"),
    "too_small": ("the picture is too small", "give one whose sides have 8 pixels or more"),
    "degenerate": ("all pixels are equal, or some are not numbers", "look at it in a viewer"),
    "blank_after_decode": ("all pixels are zero after decoding", "export it again, uncompressed"),
    "needs_decoder": ("no installed decoder reads its compression", "install one, or decompress"),
}


class RejectedImage(InputError):
    """An image that is refused, with the reason as a code.

    The message names the file and never anything that stands inside it, so no patient's name can
    get into a log. A row for `rejected.csv` is `(str(error.path), error.reason)`.

    Args:
        path: The file; control characters in its name are escaped in the message.
        reason: One of `REASONS`.
        detail: What was found (sizes, a compression's name), never taken from patient fields.
        hint: What the user can do, where the usual hint does not fit.
    """

    def __init__(self, path: Path, reason: Reason, detail: str = "", hint: str = "") -> None:
        says, usual_hint = _SAYS[reason]
        name = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))
        super().__init__(
            f"{name}: {says}{f' ({detail})' if detail else ''} [{reason}]", hint or usual_hint
        )
        self.path = path
        self.reason: Reason = reason
        self.detail = detail
