"""Signature of a run folder: every file by its hash, signed with an elliptic-curve key, offline.

The signature is a Sigstore bundle, made and checked by the package `model-signing`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from experiments.records.atomic import atomic_path
from experiments.records.folder import RunFolder
from kg.errors import InputError
from kg.files.json_text import json_in, json_of
from kg.files.regular import read_file

__all__ = ["sign_run", "signature_check"]

_LARGEST_KEY = 1 << 20


def sign_run(folder: RunFolder, key: Path) -> Path:
    """Sign every file of a run; gives the file of the signature.

    Args:
        folder: The run's folder; it is locked meanwhile.
        key: Private elliptic-curve key (P-256, P-384 or P-521), as PEM without a password.

    Raises:
        InputError: If the run is still running, holds a link or something that is no file, or if
            the key cannot be used.
    """
    if folder.load_record().status == "running":
        raise InputError(f"{folder.run} is not finished", "sign it when it is")
    signing = _library().signing.Config().set_hashing_config(_hashing(folder))
    try:
        signer = signing.use_elliptic_key_signer(private_key=_key_file(key))
    except (TypeError, ValueError, AttributeError):
        hint = "openssl ecparam -name prime256v1 -genkey -noout -out private.pem"
        needed = "a private elliptic-curve key without a password"
        raise InputError(f"{key} is not {needed}", hint) from None
    with folder.hold(), atomic_path(folder.signature) as path:
        try:
            signer.sign(folder.path, path)
        except ValueError as error:
            raise InputError(str(error), "leave only files and folders in it") from None
    return folder.signature


def signature_check(folder: RunFolder, key: Path) -> Callable[[], tuple[bool, str]]:
    """A check whether a run is as it was signed; it gives the answer, with every other file.

    Args:
        folder: The run's folder.
        key: Public key of the one who signed it, as PEM.

    Raises:
        InputError: If the key cannot be used; by the check, if the signature is no file.
    """
    verifying = _library().verifying.Config().set_hashing_config(_hashing(folder))
    try:
        verifier = verifying.use_elliptic_key_verifier(public_key=_key_file(key))
    except (TypeError, ValueError, AttributeError):
        hint = "openssl ec -in private.pem -pubout -out public.pem"
        raise InputError(f"{key} is not a public elliptic-curve key", hint) from None

    def check() -> tuple[bool, str]:
        if not folder.signature.exists():
            return False, "there is none"
        read_file(folder.signature)  # the library would wait for a pipe
        try:
            # the library warns on standard output, where results go
            with redirect_stdout(io.StringIO()):
                verifier.verify(folder.path, folder.signature)
        except Exception as error:  # whatever a forged signature raises, it does not hold
            return False, _reason(folder, error)
        return True, f"all {len(_signed(folder))} files are as they were signed"

    return check


def _reason(folder: RunFolder, error: Exception) -> str:
    """Why a signature does not hold."""
    said = str(error)
    if said.startswith("Signature mismatch"):  # the signature is good, files are others
        return _differences(_signed(folder), _present(folder))
    if said.startswith("Cannot use"):  # a link or a pipe
        return said
    if said.startswith("Key mismatch") or type(error).__name__ == "InvalidSignature":
        return "it was not made with this key, or was changed"
    return "it is damaged"


def _differences(signed: dict[str, str], present: dict[str, str]) -> str:
    """Every file that was changed, added or removed."""
    both = signed.keys() & present.keys()
    kinds = {
        "changed": {name for name in both if signed[name] != present[name]},
        "added": present.keys() - signed.keys(),
        "removed": signed.keys() - present.keys(),
    }
    return "; ".join(
        f"{kind}: {', '.join(sorted(names))}" for kind, names in kinds.items() if names
    )


def _signed(folder: RunFolder) -> dict[str, str]:
    """Hash of each file, as a signature that was verified states it."""
    payload = json_of(base64.b64decode(json_in(folder.signature)["dsseEnvelope"]["payload"]))
    return {each["name"]: each["digest"] for each in payload["predicate"]["resources"]}


def _present(folder: RunFolder) -> dict[str, str]:
    """Hash of each file as it is now."""
    found = _hashing(folder).hash(folder.path).resource_descriptors()
    return {each.identifier: each.digest.digest_hex for each in found}


def _hashing(folder: RunFolder) -> Any:
    """Every file counts but the signature itself and the lock, which names a process."""
    return (
        _library()
        .hashing.Config()
        .set_ignored_paths(paths=[folder.signature.name, folder.lock.name], ignore_git_paths=False)
    )


def _key_file(key: Path) -> Path:
    """The path of a key, after a look whether it is a file of a key's size."""
    read_file(key, _LARGEST_KEY)
    return key


def _library() -> Any:
    try:
        import model_signing
    except ImportError:
        raise InputError("model-signing is not installed", "pip install 'kgdx[sign]'") from None
    return model_signing
