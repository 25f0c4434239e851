"""Archives that would write where they may not, or more than they may, leave nothing behind."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.preparation.unpack import Quota, unpack
from kg.errors import InputError

GOOD = {"images/a.png": b"one", "images/b.png": b"two" * 1000, "table.csv": b"x,y\n"}


def zipped(path: Path, files: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return path


def tarred(path: Path, files: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


PACK: dict[str, Callable[[Path, list[tuple[str, bytes]]], Path]] = {"zip": zipped, "tar": tarred}
each_kind = pytest.mark.parametrize("kind", PACK)


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@each_kind
def test_a_good_archive_is_unpacked_over_what_is_there(kind: str, tmp_path: Path) -> None:
    archive = PACK[kind](tmp_path / "good.part", [*GOOD.items()])
    (tmp_path / "root" / "images").mkdir(parents=True)
    (tmp_path / "root" / "images" / "a.png").write_bytes(b"old")
    (tmp_path / "root" / ".unpacking-left").mkdir()
    assert unpack(archive, tmp_path / "root") == 3
    found = {name: (tmp_path / "root" / name).read_bytes() for name in GOOD}
    assert found == GOOD
    assert everything(tmp_path / "root") == ["images", *sorted(GOOD)]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@each_kind
@pytest.mark.parametrize(
    "name",
    [
        "../../out.txt",
        "images/../../out.txt",
        "/tmp/kgdx-out.txt",
        "..\\out.txt",
        "C:/out.txt",
        "IMAGES/c.png",
        "images/A.PNG",
        "images/a.png",
        "table.csv/inside",
    ],
)
def test_names_that_lead_astray_are_refused(kind: str, name: str, tmp_path: Path) -> None:
    archive = PACK[kind](tmp_path / "bad", [*GOOD.items(), (name, b"pwned")])
    before = everything(tmp_path)
    with pytest.raises(InputError):
        unpack(archive, tmp_path / "root")
    assert everything(tmp_path) == sorted([*before, "root"])
    assert not Path("/tmp/kgdx-out.txt").exists()


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc"),
        (tarfile.SYMTYPE, "images"),
        (tarfile.LNKTYPE, "/etc/passwd"),
        (tarfile.CHRTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_links_and_devices_are_refused(kind: bytes, target: str, tmp_path: Path) -> None:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = kind, target
    with tarfile.open(tmp_path / "a.tar", "w") as opened:
        opened.addfile(member)
        inside = tarfile.TarInfo("link/passwd")
        opened.addfile(inside, io.BytesIO(b""))
    with pytest.raises(InputError, match="is a link or device"):
        unpack(tmp_path / "a.tar", tmp_path / "root")
    assert everything(tmp_path / "root") == []


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr(entry, "/etc/passwd")
    with pytest.raises(InputError, match="is a link or device"):
        unpack(tmp_path / "a.zip", tmp_path / "root")
    assert everything(tmp_path / "root") == []


@each_kind
def test_quotas(kind: str, tmp_path: Path) -> None:
    archive = PACK[kind](tmp_path / "bomb", [*GOOD.items(), ("zeros", bytes(3_000_000))])
    assert archive.stat().st_size < 20_000
    with pytest.raises(InputError, match="unpacks to more bytes"):
        unpack(archive, tmp_path / "root", Quota(spare=100_000, expansion=20))
    with pytest.raises(InputError, match="unpacks to more bytes"):
        unpack(archive, tmp_path / "root", Quota(bytes=2_000_000))
    with pytest.raises(InputError, match="holds more than 3 files"):
        unpack(archive, tmp_path / "root", Quota(files=3))
    assert everything(tmp_path / "root") == []
    assert unpack(archive, tmp_path / "root") == 4


@each_kind
def test_damaged_archives(kind: str, tmp_path: Path) -> None:
    archive = PACK[kind](tmp_path / "whole", [("noise", bytes(range(256)) * 400)])
    content = archive.read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"fetch it again|is damaged|no zip or tar"):
        unpack(tmp_path / "cut", tmp_path / "root")
    (tmp_path / "text").write_text("<html>Sign in</html>")
    with pytest.raises(InputError, match="no zip or tar"):
        unpack(tmp_path / "text", tmp_path / "root")
    assert everything(tmp_path / "root") == []


@each_kind
def test_folders_count_and_go_so_deep_and_no_deeper(kind: str, tmp_path: Path) -> None:
    deep = PACK[kind](tmp_path / "deep", [("/".join("abcdef"), b"x")])
    with pytest.raises(InputError, match="more than 4 deep"):
        unpack(deep, tmp_path / "root", Quota(depth=4))
    assert unpack(deep, tmp_path / "root", Quota(depth=5)) == 1
    empty = tmp_path / "empty.tar"
    with tarfile.open(empty, "w") as opened:
        for number in range(20):
            folder = tarfile.TarInfo(str(number))
            folder.type = tarfile.DIRTYPE
            opened.addfile(folder)
    with pytest.raises(InputError, match="more than 19 files and folders"):
        unpack(empty, tmp_path / "root", Quota(files=19))
    assert unpack(empty, tmp_path / "root") == 0


def test_more_files_than_usual_need_a_word(tmp_path: Path) -> None:
    """A zip says how many it holds; nothing is read first."""
    archive = zipped(tmp_path / "many.zip", [(f"{number}", b"x") for number in range(2_001)])
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"PK\3\4", b"none"))
    with pytest.raises(InputError, match="2,000 files") as caught:
        unpack(archive, tmp_path / "root", Quota(files=2_000))
    assert "--files" in caught.value.hint
    assert Quota().files == 200_000


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_attributes_without_end_are_not_read(kind: bytes, tmp_path: Path) -> None:
    member = tarfile.TarInfo("long")
    member.type, member.size = kind, 2 << 20
    archive = tmp_path / "long.tar"
    archive.write_bytes(member.tobuf() + b"9" * (2 << 20) + bytes(1024))
    with pytest.raises(InputError, match=r"damaged|no zip or tar"):
        unpack(archive, tmp_path / "root")
