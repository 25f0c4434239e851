"""A signed run folder tells which file was changed, added or removed, and by whose key."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from experiments.cli.main import main
from experiments.records.folder import RunFolder
from experiments.runs.signature import sign_run, signature_check
from kg.errors import InputError


def write_key(folder: Path, private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Path:
    """Both halves of a key; gives the private one."""
    plain = pem.NoEncryption()
    pkcs8, spki = pem.PrivateFormat.PKCS8, pem.PublicFormat.SubjectPublicKeyInfo
    public = private.public_key().public_bytes(pem.Encoding.PEM, spki)
    folder.mkdir()
    (folder / "private.pem").write_bytes(private.private_bytes(pem.Encoding.PEM, pkcs8, plain))
    (folder / "public.pem").write_bytes(public)
    return folder / "private.pem"


@pytest.fixture(params=[ec.SECP256R1(), ec.SECP384R1()], ids=["P-256", "P-384"])
def private(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return write_key(tmp_path / "ours", ec.generate_private_key(request.param))


@pytest.fixture
def public(private: Path) -> Path:
    return private.with_name("public.pem")


@pytest.fixture
def signed(copied: RunFolder, private: Path) -> RunFolder:
    assert sign_run(copied, private) == copied.signature
    return copied


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


DAMAGE: dict[str, tuple[Callable[[RunFolder], object], str]] = {
    "a file changed": (lambda run: change(run.config), "changed: config.yaml"),
    "a hash in the record": (lambda run: change(run.record), "changed: record.json"),
    "a file below": (
        lambda run: change(next(run.checkpoints.glob("*/*.safetensors"))),
        "changed: ",
    ),
    "a file added": (lambda run: (run.path / "more.txt").touch(), "added: more.txt"),
    "a hidden file": (lambda run: (run.path / ".gitignore").touch(), "added: .gitignore"),
    "a file removed": (lambda run: run.splits.unlink(), "removed: splits.json"),
    "renamed": (
        lambda run: run.log.rename(run.path / "other"),
        "added: other; removed: log.txt",
    ),
    "several": (
        lambda run: (change(run.config), change(run.log), run.report.unlink()),
        "changed: config.yaml, log.txt; removed: report.html",
    ),
    "a link in its place": (
        lambda run: (run.log.rename(run.path.parent / "away"), run.log.symlink_to("../away")),
        "symlink",
    ),
    "a pipe": (lambda run: os.mkfifo(run.path / "pipe"), "special file"),
    "no signature": (lambda run: run.signature.unlink(), "there is none"),
    "no JSON": (lambda run: run.signature.write_text("{"), "damaged"),
    "another JSON": (lambda run: run.signature.write_text("[]"), "damaged"),
    "nested": (lambda run: run.signature.write_text("[" * 100_000), "damaged"),
}


def test_an_untouched_run_holds_and_its_lock_does_not_count(
    signed: RunFolder, public: Path
) -> None:
    holds, said = signature_check(signed, public)()
    assert holds, said
    with signed.hold():
        assert signature_check(signed, public)()[0]
    count = sum(path.is_file() for path in signed.path.rglob("*"))
    assert said == f"all {count - 2} files are as they were signed"


@pytest.mark.parametrize("what", DAMAGE)
def test_what_was_done_to_a_signed_run_is_named(signed: RunFolder, public: Path, what: str) -> None:
    damage, expected = DAMAGE[what]
    damage(signed)
    holds, said = signature_check(signed, public)()
    assert not holds
    assert expected in said


def test_a_signature_that_is_no_file_is_not_opened(signed: RunFolder, public: Path) -> None:
    signed.signature.unlink()
    os.mkfifo(signed.signature)
    with pytest.raises(InputError, match=r"signature.json: is a pipe"):
        signature_check(signed, public)()


def test_a_forged_payload_and_another_key_are_not_taken(
    signed: RunFolder, public: Path, tmp_path: Path
) -> None:
    other = write_key(tmp_path / "theirs", ec.generate_private_key(ec.SECP256R1()))
    assert "not made with this key" in signature_check(signed, other.with_name("public.pem"))()[1]
    bundle = json.loads(signed.signature.read_text())
    change(signed.config)
    sign_run(signed, other)
    forged = json.loads(signed.signature.read_text())
    # their payload under our name
    forged["verificationMaterial"] = bundle["verificationMaterial"]
    signed.signature.write_text(json.dumps(forged))
    holds, said = signature_check(signed, public)()
    assert not holds
    assert "not made with this key" in said


def test_a_run_signed_again_is_as_it_was_signed_last(
    signed: RunFolder, private: Path, public: Path
) -> None:
    change(signed.config)
    sign_run(signed, private)
    assert signature_check(signed, public)()[0]


def test_what_cannot_be_signed_is_refused_and_leaves_nothing(
    copied: RunFolder, private: Path
) -> None:
    (copied.path / "link").symlink_to(copied.config)
    with pytest.raises(InputError, match="symlink"):
        sign_run(copied, private)
    (copied.path / "link").unlink()
    replace(copied.load_record(), status="running").save(copied.record)
    with copied.hold(), pytest.raises(InputError, match="not finished"):
        sign_run(copied, private)
    assert not copied.signature.exists()
    assert not list(copied.path.glob(".*"))


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "text", "public", "rsa", "password"])
def test_a_key_of_another_kind_is_refused(
    copied: RunFolder, tmp_path: Path, kind: str, private: Path
) -> None:
    key = tmp_path / "key.pem"
    if kind == "folder":
        key.mkdir()
    elif kind == "pipe":
        os.mkfifo(key)
    elif kind == "text":
        key.write_text("no key")
    elif kind == "public":
        shutil.copy(private.with_name("public.pem"), key)
    elif kind == "rsa":
        made = write_key(tmp_path / "rsa", rsa.generate_private_key(65537, 2048))
        shutil.copy(made, key)
    elif kind == "password":
        locked = pem.BestAvailableEncryption(b"word")
        made = ec.generate_private_key(ec.SECP256R1())
        key.write_bytes(made.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, locked))
    with pytest.raises(InputError, match="key.pem"):
        sign_run(copied, key)
    if kind != "public":
        with pytest.raises(InputError, match="key.pem"):
            signature_check(copied, key)


def test_without_the_package_it_says_what_to_install(
    copied: RunFolder, private: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model_signing", None)
    for act in (lambda: sign_run(copied, private), lambda: signature_check(copied, public)):
        with pytest.raises(InputError) as caught:
            act()
        assert "kgdx[sign]" in caught.value.hint


def test_the_commands_and_their_exit_codes(
    copied: RunFolder, private: Path, public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify = ["experiment", "verify", str(copied.path), "--key", str(public), "--json"]
    assert main(["experiment", "sign", str(copied.path), "--key", str(private)]) == 0
    assert capsys.readouterr().out.strip() == str(copied.signature)
    assert main(verify) == 0
    rows = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["signature"]["holds"]
    assert main(verify[:3]) == 0
    assert "no --key" in capsys.readouterr().out
    change(copied.log)
    assert main(verify) == 1
    rows = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["signature"]["detail"] == "changed: log.txt"
    assert main([*verify[:-2], str(copied.config)]) == 3
