"""Upload: the files and texts of one study, written into a private folder under neutral names.

Names of files and folders that were sent hold names of patients, and are forgotten: what is kept of
one is the ending of a known kind of image.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from encoders.reading.folder import ENDINGS
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
            most = 4 * self.limits.letters + 1
            kind = "dialogue" if "dialogue" in name.lower() else "report"
            self.add_text(kind, source.read(most).decode("utf-8", errors="replace"))
        else:
            self._write(self.folder, name, source)

    def _add_archive(self, source: BinaryIO) -> None:
        """Write the files of an archive, each of its folders as a folder of its own.

        Raises:
            Refused: If it is damaged, encrypted, or holds too much.
        """
        try:
            with zipfile.ZipFile(source) as archive:
                members = [one for one in archive.infolist() if _wanted(one)]
                for folder, of in self._folders(members):
                    for member in of:
                        with archive.open(member) as content:
                            self._write(folder, member.filename, content, unpacks=True)  # type: ignore[arg-type]
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError):
            raise Refused(
                422,
                "a zip archive is damaged, encrypted or packed in an unknown way",
                "pack it anew",
            ) from None

    def _folders(
        self, members: Iterable[zipfile.ZipInfo]
    ) -> Iterable[tuple[Path, list[zipfile.ZipInfo]]]:
        """Folders of an archive; where it has one, its files are those of the study."""
        by: dict[PurePosixPath, list[zipfile.ZipInfo]] = {}
        for member in members:
            by.setdefault(PurePosixPath(member.filename).parent, []).append(member)
        if len(by) == 1 and self.files == 0:
            return [(self.folder, of) for of in by.values()]
        made = []
        for of in by.values():
            folder = self.folder / f"series-{self.files + len(made) + 1}"
            folder.mkdir()
            made.append((folder, of))
        return made

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
