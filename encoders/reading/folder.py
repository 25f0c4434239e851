"""The images in the folder of one study: files, and series of slices as one image each."""

from __future__ import annotations

from pathlib import Path

from encoders.reading.kinds import kind_of

ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".svs", ".bmp", ".webp", ".gif", ".dcm", ".dicom"),
    *(".nii", ".nii.gz", ".mp4", ".mov", ".avi", ".webm", ".mkv", ".mpg", ".mpeg"),
)
"""Endings of image files; a file of another ending is one where its content says so."""


def study_pictures(folder: Path) -> list[Path]:
    """Images of a study, sorted by name.

    Two or more DICOM slices (CT, MR, PET) in one folder are a series, and the folder stands for
    them; folders in the folder are looked into for series alone. What looks like an image by its
    name is listed even if it cannot be read, or is no file at all: reading it tells.
    """
    inner = [one for one in _visible(folder) if one.is_dir()]
    series = [one for one in inner if len(_slices(one)) > 1 or _named_so(one)]
    slices = set(_slices(folder))
    files = [one for one in _visible(folder) if one not in inner and one not in slices]
    pictures = [one for one in files if _is_picture(one)]
    whole = [folder] if len(slices) > 1 else sorted(slices)
    return [*whole, *sorted([*pictures, *series])]


def _slices(folder: Path) -> list[Path]:
    found = [one for one in _visible(folder) if one.is_file() and kind_of(one) == "dicom"]
    if not found:
        return []
    from encoders.reading.series import cross_section

    return [one for one in found if cross_section(one)]


def _named_so(path: Path) -> bool:
    return path.name.lower().endswith(ENDINGS)


def _is_picture(path: Path) -> bool:
    if _named_so(path) or not path.is_file():
        return _named_so(path) or not path.suffix
    kind = kind_of(path)
    return kind != "raster" or (not path.suffix and path.stat().st_size > 0)


def _visible(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if not one.name.startswith("."))
