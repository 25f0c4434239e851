"""What stands in a file, decoded: parquet, zip, tar, gzip and base64 alike."""

from __future__ import annotations

import base64
import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as parquet
import pytest


@pytest.fixture(scope="session")
def texts_of() -> Callable[[Path], Iterator[str]]:
    """Every text in a file, as it is and decoded."""
    return lambda path: _texts(path.read_bytes())


def _texts(content: bytes) -> Iterator[str]:
    yield content.decode("latin-1")
    yield content.replace(b"\0", b"").decode("latin-1")
    yield content.decode("utf-8", "replace")
    if content[:4] == b"PAR1":
        yield str(parquet.read_table(io.BytesIO(content)).to_pylist())
        yield str(parquet.read_schema(io.BytesIO(content)))
    elif content[:2] == b"\x1f\x8b":
        yield from _texts(gzip.decompress(content))
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as held:
            for name in held.namelist():
                yield name
                yield from _texts(held.read(name))
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                yield member.name
                file = tar.extractfile(member)
                yield from _texts(file.read() if file else b"")
    for coded in re.findall(rb"[A-Za-z0-9+/]{64,}={0,2}", content):
        yield base64.b64decode(coded + b"==").decode("latin-1")
