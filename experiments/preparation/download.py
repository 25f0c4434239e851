"""Download of one file with pooch, with checksum and resumption.

pooch checks and moves the file; `Resumed` downloads it, keeps received bytes beside the target and
requests only the rest. Received bytes belong to one version of the file: the server is told its
tag, and sends the whole file where it has another version.
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
"""Errors of interrupted connections, after which a download is retried."""
TIMEOUT = 60
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def download(url: str, checksum: str, target: Path, through: Resumed) -> tuple[Path, str]:
    """Download a file; returns its path and SHA-256.

    Args:
        url: Address; `https`, or on this machine.
        checksum: `sha256:...` or `md5:...`; empty = not checked.
        target: File to write.
        through: Downloader.

    Raises:
        InputError: If it cannot be fetched, has another checksum, or is too large.
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
            f"{url}: cannot be fetched: {_reason(error)}", "try again; received bytes are kept"
        ) from None
    except ValueError:
        through.forget()
        raise InputError(
            f"{url}: the file does not have the checksum {checksum}; it was removed",
            "try again; if it fails again, the published file has changed",
        ) from None
    except OSError as error:
        raise InputError(
            f"{target.parent} cannot be written: {error.strerror or error}",
            "free space; received bytes are kept",
        ) from None
    path = Path(arrived)
    with path.open("rb") as opened:
        return path, hashlib.file_digest(opened, "sha256").hexdigest()


class Resumed:
    """Downloader for pooch that resumes interrupted downloads.

    Args:
        size: Bytes of the file; 0 = not known.
        tell: Called with the address, the received and the total bytes.
    """

    def __init__(self, size: int, tell: Callable[[str, int, int], None] | None = None) -> None:
        self.size, self.tell = size, tell
        self.part = Path()

    def keep(self, part: Path) -> None:
        """Set the file for received bytes."""
        self.part = part
        self.tag = part.with_name(part.name + ".tag")

    def forget(self) -> None:
        """Remove received bytes."""
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download `url` to `output_file` in a few attempts, each resuming the last."""
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
        """Request the missing bytes and write them."""
        here = self.part.stat().st_size if self.part.is_file() else 0
        tag = json_in(self.tag) if here and self.tag.is_file() else ""
        headers = {"Accept-Encoding": "identity"}
        if here and tag:
            headers |= {"Range": f"bytes={here}-", "If-Range": tag}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            _check_address(answer.url)
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self.forget()
                raise requests.ConnectionError("received bytes do not fit the published file")
            answer.raise_for_status()
            goes_on = answer.status_code == requests.codes.partial_content
            begin = here if goes_on else 0
            length = int(answer.headers.get("Content-Length") or 0)
            self._check_room(url, begin + length, length)
            self.tag.write_text(json.dumps(_tag(answer)))
            self._write(url, answer, begin, begin + length if length else 0)

    def _write(self, url: str, answer: requests.Response, begin: int, whole: int) -> None:
        """Write the response from byte `begin` on.

        Raises:
            InputError: If there are more bytes than expected.
        """
        most = self.size or whole
        with self.part.open("r+b" if begin else "wb") as part:
            part.seek(begin)
            part.truncate()
            for chunk in answer.iter_content(CHUNK):
                part.write(chunk)
                if most and part.tell() > most:
                    self.forget()
                    raise InputError(f"{url}: more than {most:,} bytes were sent", "report it")
                if self.tell is not None:
                    self.tell(url, part.tell(), most)
            if whole and part.tell() < whole:
                raise requests.ConnectionError(f"broke off at {part.tell():,} of {whole:,} bytes")

    def _check_room(self, url: str, whole: int, length: int) -> None:
        """Raise for a file of another size than published, or larger than the free space."""
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
    """Raise for an address that is neither https nor on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise InputError(f"{url}: is not an https address", "report it")


def _tag(answer: requests.Response) -> str:
    """Version tag of the file; empty where the server gives none."""
    tag = answer.headers.get("ETag", "")
    return "" if tag.startswith("W/") else tag or answer.headers.get("Last-Modified", "")


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server says {error.response.status_code} {error.response.reason}"
    return str(error) or type(error).__name__
