"""Upload: the files and texts of one study, written into a private folder under neutral names.

Names of files and folders that were sent hold names of patients, and are forgotten: what is kept of
one is the ending of a known kind of image.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from encoders.reading.folder import ENDINGS
from encoders.reading.series import cross_section
from experiments.serve.limits import Limits
from experiments.serve.refused import Refused

__all__ = ["Upload"]

CHUNK = 1 << 20
MEGABYTE = 1 << 20
IGNORED = ("DICOMDIR", "Thumbs.db")


@dataclass
class Upload:
    """Files and texts of one study on their way into its folder.

    Args:
        folder: Empty folder of the study.
        limits: Limits of the server.
    """

    folder: Path
    limits: Limits
    files: int = field(default=0, init=False)
    unpacked: int = field(default=0, init=False)

    def add_text(self, kind: str, text: str) -> None:
        """Write a report or a dialogue; an empty one is none.

        Raises:
            Refused: If it is too long.
        """
        if len(text) > self.limits.letters:
            raise Refused(
                413, f"the {kind} has {len(text)} letters, and {self.limits.letters} are the most"
            )
        if text.strip():
            self._count()
            (self.folder / f"{kind}-{self.files}.txt").write_text(text, encoding="utf-8")

    def add_file(self, name: str, source: BinaryIO) -> None:
        """Write a picture, a text, or the files of a zip archive.

        Args:
            name: Name of the file as sent.
            source: Its content.

        Raises:
            Refused: If there are too many files, or too much in an archive.
        """
        begins = source.read(4)
        source.seek(0)
        if begins == b"PK\x03\x04":
            self._add_archive(source)
        elif PurePosixPath(name).suffix.lower() == ".txt":
            self._add_text_file(name, source)
        else:
            self._write(self.folder, name, source)

    def _add_archive(self, source: BinaryIO) -> None:
        """Write the files of an archive.

        Raises:
            Refused: If it is damaged, encrypted, or holds too much.
        """
        folders: dict[PurePosixPath, Path] = {}
        try:
            with zipfile.ZipFile(source) as archive:
                for member in filter(_wanted, archive.infolist()):
                    path = PurePosixPath(member.filename)
                    folder = folders.setdefault(path.parent, self._series(len(folders)))
                    with archive.open(member) as content:
                        self._add_member(folder, path.name, cast("BinaryIO", content))
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError):
            raise Refused(
                422,
                "a zip archive is damaged, encrypted or packed in an unknown way",
                "pack it anew",
            ) from None
        for folder in folders.values():
            self._settle(folder)

    def _add_member(self, folder: Path, name: str, content: BinaryIO) -> None:
        if PurePosixPath(name).suffix.lower() == ".txt":
            self._add_text_file(name, content)
        else:
            folder.mkdir(exist_ok=True)
            self._write(folder, name, content, unpacks=True)

    def _series(self, count: int) -> Path:
        return self.folder / f"series-{self.files + 1}-{count + 1}"

    def _settle(self, folder: Path) -> None:
        """Leave the slices of a series in their folder; what else it holds are single pictures."""
        if not folder.is_dir():
            return
        files = list(folder.iterdir())
        slices = {one for one in files if cross_section(one)}
        for one in files:
            if one not in slices or len(slices) == 1:
                one.rename(self.folder / one.name)
        if len(slices) < 2:
            folder.rmdir()

    def _add_text_file(self, name: str, source: BinaryIO) -> None:
        kind = "dialogue" if "dialogue" in name.lower() else "report"
        self.add_text(kind, source.read(4 * self.limits.letters + 1).decode(errors="replace"))

    def _write(self, folder: Path, name: str, source: BinaryIO, *, unpacks: bool = False) -> None:
        self._count()
        with (folder / f"picture-{self.files:04}{_ending(name)}").open("wb") as file:
            while piece := source.read(CHUNK):
                self.unpacked += len(piece) * unpacks
                if self.unpacked > self.limits.unpacked * MEGABYTE:
                    raise Refused(
                        413,
                        f"the files of an archive are larger than {self.limits.unpacked} megabytes",
                    )
                file.write(piece)

    def _count(self) -> None:
        self.files += 1
        if self.files > self.limits.files:
            raise Refused(413, f"a study of more than {self.limits.files} files is not read")


def _wanted(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not (member.is_dir() or hidden or path.name in IGNORED)


def _ending(name: str) -> str:
    """Ending of a known kind of image; empty otherwise, and the content says what it is."""
    return next((one for one in reversed(ENDINGS) if name.lower().endswith(one)), "")
