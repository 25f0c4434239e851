"""Safe unpacking of archives.

Members are written to a temporary folder and moved only when all of them are valid, so a refused
archive leaves nothing behind. Refused are names that lead out of the folder or are absolute, links,
devices, names that differ only in case or denote one file, and more files, bytes or expansion than
allowed.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from kg.errors import InputError

__all__ = ["Quota", "remove_unfinished", "unpack"]

UNFINISHED = ".unpacking-"
CHUNK = 1 << 20
LONGEST = 8 << 10
"""Bytes of a name or attribute; some versions of Python take the square of it in time."""

DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(ValueError, NotImplementedError, RuntimeError),
)
"""Errors of the standard library for damaged, encrypted or unusual archives."""

Member = tuple[str, Callable[[], IO[bytes] | None]]
"""Name of a file in the archive, and how to read it."""


@dataclass(frozen=True)
class Quota:
    """Limits of an archive.

    Args:
        files: Maximum number of files and folders.
        depth: Maximum depth of folders.
        bytes: Maximum unpacked bytes, at most the free space of the disk; 0 = by `expansion`.
        expansion: Maximum unpacked bytes per byte of the archive, beyond the first `spare`.
        spare: Unpacked bytes that any archive may have.
    """

    files: int = 200_000
    depth: int = 32
    bytes: int = 0
    expansion: float = 200.0
    spare: int = 64_000_000


STANDARD = Quota()


def unpack(archive: Path, folder: Path, quota: Quota = STANDARD) -> int:
    """Unpack a zip or tar archive (also compressed) into a folder; returns the number of files.

    Args:
        archive: The archive; its type is recognised by its content.
        folder: Target folder; files of the same names are replaced.
        quota: Limits of the archive.

    Raises:
        InputError: If it is no archive, damaged or refused; nothing is left behind then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_unfinished(folder)
    inside = folder / f"{UNFINISHED}{archive.name}"
    usual = int(quota.spare + quota.expansion * archive.stat().st_size)
    allowed = min(quota.bytes or usual, shutil.disk_usage(folder).free)
    try:
        inside.mkdir()
        names = _write(archive, inside, quota, allowed)
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (inside / name).replace(target)
    except DAMAGE as error:
        raise InputError(f"{archive}: is damaged: {error}", "fetch it again") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{archive}: cannot be unpacked into {folder}: {reason}", "check its permissions"
        ) from None
    finally:
        shutil.rmtree(inside, ignore_errors=True)
    return len(names)


def remove_unfinished(folder: Path) -> None:
    """Remove the files of a killed unpacking from a folder."""
    for left in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)


def _write(archive: Path, inside: Path, quota: Quota, allowed: int) -> list[str]:
    """Write every member; returns their names."""
    taken: dict[str, str] = {}
    names: list[str] = []
    for count, (name, read) in enumerate(_members(archive, quota.files), start=1):
        place = _place(archive, name)
        if count > quota.files:
            raise _too_many(archive, quota.files)
        if place.count("/") > quota.depth:
            message = f"{archive}: has folders more than {quota.depth:,} deep"
            raise InputError(message, "if it is what you expect, allow it with --depth")
        _check_case(archive, place, taken)
        content = read()
        if content is None:
            continue
        target = inside / place
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("xb") as written:
            while chunk := content.read(CHUNK):
                allowed -= len(chunk)
                if allowed < 0:
                    raise InputError(
                        f"{archive}: unpacks to more bytes than it may (at {name!r})",
                        "if it is what you expect, make room, or allow it with --bytes",
                    )
                written.write(chunk)
        names.append(place)
    return names


def _members(archive: Path, files: int) -> Iterator[Member]:
    """Files of an archive; anything that is neither a file nor a folder is refused."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            if len(opened.filelist) > files:
                raise _too_many(archive, files)
            for entry in opened.infolist():
                kind = stat.S_IFMT(entry.external_attr >> 16)
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise _refused(archive, entry.filename, "is a link or device")
                yield entry.filename, _reader(opened, entry)
        return
    try:
        packed = tarfile.open(archive, tarinfo=_Header)  # noqa: SIM115 - closed below
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError):
        raise InputError(f"{archive}: is no zip or tar archive", "fetch it again") from None
    with packed:
        for member in packed:
            if not (member.isreg() or member.isdir()):
                raise _refused(archive, member.name, "is a link or device")
            yield member.name, lambda member=member: packed.extractfile(member)  # type: ignore[misc]


class _Header(tarfile.TarInfo):
    """A header of a tar archive; long names and attributes are read whole, up to a size."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size > LONGEST and not (self.isreg() or self.isdir()):
            raise tarfile.ReadError(f"a name or attribute is longer than {LONGEST:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


def _too_many(archive: Path, files: int) -> InputError:
    return InputError(
        f"{archive}: holds more than {files:,} files and folders",
        "if it is what you expect, allow it with --files",
    )


def _reader(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], IO[bytes] | None]:
    return lambda: None if entry.is_dir() else opened.open(entry)


def _place(archive: Path, name: str) -> str:
    """Path of a member relative to the folder, normalised."""
    plain = name.replace("\\", "/")
    path = PurePosixPath(plain)
    if path.is_absolute() or ".." in path.parts or "\0" in name or plain[1:2] == ":":
        raise _refused(archive, name, "leads out of the folder")
    return path.as_posix()


def _check_case(archive: Path, place: str, taken: dict[str, str]) -> None:
    """Raise for a name that some file systems cannot distinguish from an earlier one."""
    steps = PurePosixPath(place)
    for path in (steps, *steps.parents):
        written = path.as_posix()
        earlier = taken.setdefault(written.casefold(), written)
        if earlier != written:
            raise _refused(archive, place, f"differs from {earlier!r} in case alone")


def _refused(archive: Path, name: str, why: str) -> InputError:
    return InputError(
        f"{archive}: refused, nothing was unpacked: {name!r} {why}",
        "get the archive from its publisher again, and report it there",
    )
