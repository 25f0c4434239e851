"""Download one file with pooch: checked against its checksum, and resumed where it broke off.

pooch checks and moves; the bytes come through `Resumed`, which keeps what has arrived beside the
target and asks a server only for the rest. What has arrived belongs to one version of the file:
the server is told its tag, and sends all of it where it has another one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from kg.errors import InputError
from kg.files.json_text import json_in

__all__ = ["Resumed", "download"]

CHUNK = 1 << 18
ATTEMPTS = 3
BROKEN = (
    *(requests.ConnectionError, requests.Timeout),
    requests.exceptions.ChunkedEncodingError,
)
"""What says that a connection broke off, so that it is worth trying again."""
TIMEOUT = 60
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def download(url: str, checksum: str, target: Path, through: Resumed) -> tuple[Path, str]:
    """Download a file; gives where it is and its SHA-256.

    Args:
        url: Where it is; `https`, or on this machine.
        checksum: `sha256:...` or `md5:...`; empty = whatever comes.
        target: File to write.
        through: What gets the bytes.

    Raises:
        InputError: If it cannot be had, is not what its checksum says, or too large.
    """
    import pooch

    _check_address(url)
    pooch.get_logger().setLevel("WARNING")
    through.keep(target.with_name(target.name + ".part"))
    try:
        arrived = pooch.retrieve(
            url, checksum or None, fname=target.name, path=target.parent, downloader=through
        )
    except requests.RequestException as error:
        raise InputError(
            f"{url}: cannot be fetched: {_reason(error)}", "try again; what has arrived is kept"
        ) from None
    except ValueError:
        through.forget()
        raise InputError(
            f"{url}: what came is not what its checksum {checksum} says; it was removed",
            "try again; if it stays so, the published file has changed",
        ) from None
    except OSError as error:
        raise InputError(
            f"{target.parent} cannot be written: {error.strerror or error}",
            "free space; what has arrived is kept",
        ) from None
    path = Path(arrived)
    with path.open("rb") as opened:
        return path, hashlib.file_digest(opened, "sha256").hexdigest()


class Resumed:
    """A downloader for pooch that goes on where an earlier one broke off.

    Args:
        size: Bytes the file has; 0 = not known.
        tell: Called with the address, the bytes that are there and those there will be.
    """

    def __init__(self, size: int, tell: Callable[[str, int, int], None] | None = None) -> None:
        self.size, self.tell = size, tell
        self.part = Path()

    def keep(self, part: Path) -> None:
        """Say where to keep what has arrived."""
        self.part = part
        self.tag = part.with_name(part.name + ".tag")

    def forget(self) -> None:
        """Remove what has arrived."""
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Fetch `url` into `output_file`, in a few attempts that each go on with the last."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._go_on(url)
                break
            except BROKEN:
                if attempt == ATTEMPTS:
                    raise
        shutil.move(self.part, output_file)
        self.forget()

    def _go_on(self, url: str) -> None:
        """Ask for what has not arrived, and write it."""
        here = self.part.stat().st_size if self.part.is_file() else 0
        tag = json_in(self.tag) if here and self.tag.is_file() else ""
        headers = {"Accept-Encoding": "identity"}
        if here and tag:
            headers |= {"Range": f"bytes={here}-", "If-Range": tag}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            _check_address(answer.url)
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self.forget()
                raise requests.ConnectionError("what has arrived does not fit what is there")
            answer.raise_for_status()
            goes_on = answer.status_code == requests.codes.partial_content
            begin = here if goes_on else 0
            length = int(answer.headers.get("Content-Length") or 0)
            self._check_room(url, begin + length, length)
            self.tag.write_text(json.dumps(_tag(answer)))
            self._write(url, answer, begin, begin + length if length else 0)

    def _write(self, url: str, answer: requests.Response, begin: int, whole: int) -> None:
        """Write what comes from `begin` on.

        Raises:
            InputError: If more comes than there should be.
        """
        most = self.size or whole
        with self.part.open("r+b" if begin else "wb") as part:
            part.seek(begin)
            part.truncate()
            for chunk in answer.iter_content(CHUNK):
                part.write(chunk)
                if most and part.tell() > most:
                    self.forget()
                    raise InputError(f"{url}: more than {most:,} bytes come", "report it")
                if self.tell is not None:
                    self.tell(url, part.tell(), most)
            if whole and part.tell() < whole:
                raise requests.ConnectionError(f"broke off at {part.tell():,} of {whole:,} bytes")

    def _check_room(self, url: str, whole: int, length: int) -> None:
        """Refuse a file of another size than published, or for which there is no room."""
        if self.size and length and whole != self.size:
            raise InputError(
                f"{url}: has {whole:,} bytes, {self.size:,} are published", "report it"
            )
        free = shutil.disk_usage(self.part.parent).free
        if length > free:
            raise InputError(
                f"{self.part.parent}: {free:,} bytes are free, {url} needs {length:,}",
                "free space, or fetch to another disk",
            )


def _check_address(url: str) -> None:
    """Refuse an address that is neither encrypted nor on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise InputError(f"{url}: is not an https address", "report it")


def _tag(answer: requests.Response) -> str:
    """What tells one version of the file from another; empty where the server says nothing."""
    tag = answer.headers.get("ETag", "")
    return "" if tag.startswith("W/") else tag or answer.headers.get("Last-Modified", "")


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server says {error.response.status_code} {error.response.reason}"
    return str(error) or type(error).__name__
