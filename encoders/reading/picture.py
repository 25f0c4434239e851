"""Read any picture file, raster or DICOM, as one grey array in [0, 1]."""

from __future__ import annotations

from pathlib import Path

from encoders.reading.limits import Grey, check_file
from encoders.reading.raster import read_raster


def read_picture(path: Path | str, *, target: int | None = None) -> Grey:
    """Read a picture, telling its type by its content and never by its ending.

    Args:
        path: The file.
        target: Side in pixels it will be resized to; a large JPEG is then decoded smaller, both
            sides staying at least `target`. None reads every pixel.

    Returns:
        Grey values `[H, W]` in [0, 1].

    Raises:
        RejectedImage: With a reason code, if it cannot be read; see `rejected.py`.
    """
    file = Path(path)
    check_file(file)
    with file.open("rb") as opened:
        begins = opened.read(132)
    # pydicom costs a quarter of a second to import, so it comes in with the first DICOM file
    if begins[128:132] == b"DICM" or begins[:2] in (b"\x08\x00", b"\x02\x00"):
        from encoders.reading.dicom import read_dicom

        return read_dicom(file)
    return read_raster(file, target=target)
