"""Fetching from a server on this machine: checked, resumed, unpacked, and said where to ask."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from experiments.cli import data as data_commands
from experiments.datasets import Download, NeededFile
from experiments.datasets.table import Table
from experiments.preparation import download as downloading
from experiments.preparation.fetch import fetch
from experiments.preparation.inspection import check
from kg.errors import CheckFailed, InputError

CONTENT = bytes(range(256)) * 4096
TABLE = b"study,note,Cardiomegaly\ns1,Pain.,1\ns2,None.,0\n"


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; breaks off after `limit` bytes of an answer, notes the ranges asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.limit = 0
        self.tag = '"1"'
        self.ranges: list[str] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.strip("/")
        asked = self.headers.get("Range", "")
        self.server.ranges.append(asked)
        if name not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files[name]
        begin = 0
        if asked and self.headers.get("If-Range") == self.server.tag:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.send_header("ETag", self.server.tag)
        self.end_headers()
        sent = content[begin:]
        self.wfile.write(sent[: self.server.limit] if self.server.limit else sent)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    serving = Server()
    serving.files["big.bin"] = CONTENT
    thread = threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield serving
    serving.shutdown()
    serving.server_close()


def sha(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def zipped(path: Path, name: str, content: bytes) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path.read_bytes()


class Needs:
    """A data set that needs these files."""

    def __init__(self, *files: NeededFile) -> None:
        self.files = files
        self.label_choices = Table().label_choices

    def read(self, root: Path, *, labels: str) -> Any:
        return Table().read(root, labels=labels)


def big(server: Server, **more: Any) -> Needs:
    wanted = Download(server.url("big.bin"), **({"checksum": sha(CONTENT)} | more))
    return Needs(NeededFile("big.bin", "bytes", "the server", downloads=(wanted,)))


def test_a_file_is_fetched_once_and_checked(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    needs = big(server, size=len(CONTENT))
    rows = fetch(needs, tmp_path / "set", lambda url, here, of: seen.append((here, of)))
    assert [row.state for row in rows] == ["fetched"]
    assert (tmp_path / "set" / "big.bin").read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [here for here, _ in seen] == sorted(here for here, _ in seen)
    noted = json.loads((tmp_path / "set" / "fetched.json").read_text())
    assert noted == {server.url("big.bin"): sha(CONTENT)}
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["big.bin", "fetched.json"]
    assert [row.state for row in fetch(needs, tmp_path / "set")] == ["there"]
    assert server.ranges == [""]


def test_what_broke_off_goes_on(server: Server, tmp_path: Path) -> None:
    server.limit = 300_000
    with pytest.raises(InputError, match="cannot be fetched") as caught:
        fetch(big(server), tmp_path)
    assert "received bytes are kept" in caught.value.hint
    assert len(server.ranges) == downloading.ATTEMPTS
    assert not (tmp_path / "big.bin").exists()
    server.limit, before = 0, len(server.ranges)
    fetch(big(server), tmp_path)
    assert (tmp_path / "big.bin").read_bytes() == CONTENT
    begun = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in server.ranges[1:]]
    assert begun == sorted(begun)
    assert begun[before - 1] > 600_000


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(
    server: Server, tmp_path: Path
) -> None:
    server.limit = 300_000
    with pytest.raises(InputError):
        fetch(big(server), tmp_path)
    server.files["big.bin"] = other = CONTENT[::-1]
    server.tag, server.limit = '"2"', 0
    fetch(big(server, checksum=sha(other)), tmp_path)
    assert (tmp_path / "big.bin").read_bytes() == other


def test_what_is_not_as_published_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not have the checksum"):
        fetch(big(server, checksum=sha(b"other")), tmp_path)
    with pytest.raises(InputError, match=r"has 1,048,576 bytes, 1,000 are published"):
        fetch(big(server, size=1000), tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    missing = Download(server.url("gone.bin"), sha(CONTENT))
    with pytest.raises(InputError, match="the server says 404"):
        fetch(Needs(NeededFile("gone.bin", "", "", downloads=(missing,))), tmp_path)
    for url in ("http://example.org/a.bin", "file:///etc/passwd", "ftp://example.org/a"):
        with pytest.raises(InputError, match="is not an https address"):
            fetch(Needs(NeededFile("a.bin", "", "", downloads=(Download(url),))), tmp_path)


def test_a_file_without_checksum_has_its_hash_noted(server: Server, tmp_path: Path) -> None:
    md5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
    assert fetch(big(server, checksum=md5), tmp_path / "a")[0].what == server.url("big.bin")
    row = fetch(big(server, checksum=""), tmp_path / "b")[0]
    assert f"no checksum is published; {sha(CONTENT)}" in row.what


def test_archives_are_unpacked_one_by_one(server: Server, tmp_path: Path) -> None:
    for name in ("one", "two"):
        packed = zipped(tmp_path / f"{name}.zip", f"images/{name}.png", name.encode())
        server.files[f"{name}.zip"] = packed
    bad = zipped(tmp_path / "bad.zip", "../../out.png", b"pwned")
    wanted = [
        Download(server.url(f"{name}.zip"), sha(server.files[f"{name}.zip"]), unpack=True)
        for name in ("one", "two")
    ]
    needs = Needs(NeededFile("images", "pictures", "the server", downloads=tuple(wanted)))
    good, server.files["two.zip"] = server.files["two.zip"], bad
    wanted[1] = Download(wanted[1].url, sha(bad), unpack=True)
    broken = Needs(NeededFile("images", "pictures", "the server", downloads=tuple(wanted)))
    root = tmp_path / "a" / "set"
    with pytest.raises(InputError, match="leads out of the folder"):
        fetch(broken, root)
    assert [path.name for path in (root / "images").iterdir()] == ["one.png"]
    assert not list(tmp_path.rglob("out.png"))
    server.files["two.zip"] = good
    asked = len(server.ranges)
    assert fetch(needs, root)[0].what.endswith("two.zip (1 files)")
    assert len(server.ranges) == asked + 1
    assert sorted(path.name for path in (root / "images").iterdir()) == ["one.png", "two.png"]
    assert fetch(needs, root)[0].state == "there"


def test_what_is_not_free_says_where_to_apply_or_what_makes_it(tmp_path: Path) -> None:
    needs = Needs(
        NeededFile("a.csv", "labels", "the giver", apply="Apply at https://example.org/apply."),
        NeededFile("b.csv", "table", "you", command="python -m make {root}/b.csv"),
        NeededFile("c.csv", "table", "a colleague"),
    )
    rows = fetch(needs, tmp_path / "set")
    assert [(row.state, row.what) for row in rows] == [
        ("ask", "Apply at https://example.org/apply."),
        ("make", f"made by: python -m make {tmp_path / 'set'}/b.csv"),
        ("ask", "from a colleague"),
    ]
    assert not (tmp_path / "set").exists()
    assert [row.mend for row in check(needs, tmp_path / "set")] == [row.what for row in rows]


def test_check_compares_size_and_hash_with_what_is_published(
    server: Server, tmp_path: Path
) -> None:
    server.files["studies.csv"] = TABLE
    wanted = Download(server.url("studies.csv"), sha(TABLE))
    file = NeededFile(
        "studies.csv", "studies", "the server", ("study",),
        size=len(TABLE), checksum=sha(TABLE), downloads=(wanted,),
    )  # fmt: skip
    root = tmp_path / "mine"
    (row,) = check(Needs(file), root, "mine")
    assert (row.state, row.mend) == ("missing", f"kgdx data fetch mine --root {tmp_path}")
    fetch(Needs(file), root)
    assert [row.state for row in check(Needs(file), root)] == ["found", "found"]
    (root / "studies.csv").write_bytes(TABLE.replace(b"Pain", b"Gain"))
    (row,) = check(Needs(file), root, "mine")
    assert (row.state, row.what) == ("wrong", "its sha256 is not that of the published file")
    assert row.mend == f"remove it, then: kgdx data fetch mine --root {tmp_path}"
    (root / "studies.csv").write_bytes(TABLE[:-1])
    (row,) = check(Needs(file), root)
    assert row.what == f"has {len(TABLE) - 1} bytes, the published file {len(TABLE)}"


def test_the_command_ends_with_1_while_something_has_to_be_asked_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = NeededFile("reports", "reports", "the giver", apply="Apply at https://example.org.")

    class Set(Table):
        files = (*big(server).files, asked)

    monkeypatch.setattr(data_commands, "load_dataset", lambda name: Set())
    done = CliRunner().invoke(data_commands.fetch, ["table", "--root", str(tmp_path)])
    assert isinstance(done.exception, CheckFailed)
    assert "still missing: reports" in done.exception.message
    assert "fetched\tbig.bin" in done.output
    assert "ask\treports\tApply at https://example.org." in done.output
    assert (tmp_path / "table" / "big.bin").read_bytes() == CONTENT
