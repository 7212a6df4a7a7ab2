"""A backup opens with its key alone, and never passes for whole if anything of it is missing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from tartip_cli.backup.archive import check, writing_archive
from tartip_cli.backup.manifest import Ledger, Manifest, Member
from tartip_cli.backup.refusals import BackupRefused
from tartip_cli.backup.sealed_file import (
    CHUNK_BYTES,
    SealedReader,
    SealedWriter,
    Secret,
    read_secret,
)

SECRET = Secret(bytes(range(32)), is_passphrase=False)
PASSPHRASE = Secret(b"correct horse battery", is_passphrase=True)
STEP = 4 + CHUNK_BYTES + 16
PLAIN = bytes(range(256)) * (CHUNK_BYTES // 256)


def sealed(plain: bytes, secret: Secret = SECRET) -> bytes:
    file = io.BytesIO()
    writer = SealedWriter(file, secret)
    for start in range(0, len(plain), 100_000):
        writer.write(plain[start : start + 100_000])
    writer.close()
    return file.getvalue()


def opened(content: bytes, secret: Secret = SECRET) -> bytes:
    reader = SealedReader(io.BytesIO(content), secret)
    return b"".join(iter(lambda: reader.read(70_000), b""))


def reason(content: bytes, secret: Secret = SECRET) -> str:
    with pytest.raises(BackupRefused) as refused:
        opened(content, secret)
    return refused.value.reason


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])
@pytest.mark.parametrize("secret", [SECRET, PASSPHRASE], ids=["key", "passphrase"])
def test_what_was_sealed_is_opened_by_its_secret(size: int, secret: Secret) -> None:
    content = sealed(PLAIN[:1] * size, secret)
    assert opened(content, secret) == PLAIN[:1] * size
    if size:
        assert PLAIN[:1] * min(size, 64) not in content[200:] or size < 64


def test_a_file_without_its_end_is_cut_off_wherever_it_ends() -> None:
    content = sealed(PLAIN * 2 + b"end")
    last = len(content) - 23
    for end in (*range(last - 2, len(content), 3), last - STEP, last - STEP + 9, last - 99, 40):
        assert reason(content[:end]) == "BACKUP_CUT_OFF", end


def test_a_changed_byte_is_damage_wherever_it_lies() -> None:
    content = sealed(PLAIN * 2 + b"end")
    for place in (len(content) // 4, len(content) // 2 + 99, len(content) - 18, len(content) - 1):
        changed = bytearray(content)
        changed[place] ^= 1
        assert reason(bytes(changed)) == "BACKUP_DAMAGED", place


def test_chunks_in_another_order_and_what_follows_the_last_are_damage() -> None:
    content = sealed(PLAIN * 3)
    start = len(content) - 3 * STEP
    first, second, last = (content[start + n * STEP :][:STEP] for n in range(3))
    assert reason(content[:start] + second + first + last) == "BACKUP_DAMAGED"
    assert reason(content[:start] + first + last) == "BACKUP_DAMAGED"
    assert reason(content + b"more") == "BACKUP_DAMAGED"


def test_another_key_and_another_file_are_told_from_damage() -> None:
    assert reason(sealed(b"x"), Secret(bytes(32), is_passphrase=False)) == "BACKUP_KEY_WRONG"
    assert reason(sealed(b"x"), PASSPHRASE) == "BACKUP_KEY_WRONG"
    assert reason(sealed(b"x", PASSPHRASE), SECRET) == "BACKUP_KEY_WRONG"
    assert reason(b"PK\x03\x04 an archive of another program") == "NO_BACKUP"


@pytest.mark.parametrize("changed", [False, True])
def test_a_member_that_is_not_as_the_manifest_says_is_damage(changed: bool) -> None:
    manifest = Manifest(version="0.1.0", made_at="", heads={}, ledger=Ledger(), erasures={})
    file = io.BytesIO()
    with writing_archive(file, SECRET) as writer:
        writer.add("home/a", b"content")
        if changed:
            writer.members = {"home/a": Member(size=1, sha256="0" * 64)}
        writer.finish(manifest)

    def again() -> io.BytesIO:
        return io.BytesIO(file.getvalue())

    if changed:
        with pytest.raises(BackupRefused, match="home/a is not what"):
            check(again, SECRET, wanted=lambda name: False)
    else:
        found, taken = check(again, SECRET, wanted=lambda name: name == "home/a")
        assert (found, taken) == (manifest, {"home/a": b"content"})


def test_a_file_holds_a_key_or_a_passphrase_or_is_refused(tmp_path: Path) -> None:
    digits, words, short = tmp_path / "digits", tmp_path / "words", tmp_path / "short"
    digits.write_text(SECRET.value.hex() + "\n")
    words.write_bytes(PASSPHRASE.value + b"\n")
    short.write_text("abc")
    assert read_secret(digits) == SECRET
    assert read_secret(words) == PASSPHRASE
    with pytest.raises(BackupRefused, match="KEY_TOO_SHORT"):
        read_secret(short)
