"""Files: their type by content, their hash and their pieces."""

import hashlib
from pathlib import Path

import pytest
from tartip_partner.ids import new_id
from tartip_partner.media import PIECE_BYTES, Media, content_type_of, prepared


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        (b"\xff\xd8\xff\xe1" + b"0" * 12, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 8, "image/png"),
        (b"RIFF0000WEBPVP8 ", "image/webp"),
        (b"RIFF0000WAVEfmt ", "audio/wav"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "image/heic"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00", "image/heic"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00", "video/mp4"),
        (b"\x00\x00\x00\x18ftypqt  \x00\x00\x00\x00", "video/quicktime"),
        (b"\x00\x00\x00\x18ftyp3gp5\x00\x00\x00\x00", "video/3gpp"),
        (b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00", "audio/mp4"),
        (b"OggS" + b"0" * 12, "audio/ogg"),
        (b"#!AMR\n" + b"0" * 10, "audio/amr"),
        (b"ID3\x04" + b"0" * 12, "audio/mpeg"),
        (b"<html><body>    ", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_type_of_a_file_is_read_from_its_content(head: bytes, content_type: str) -> None:
    assert content_type_of(head) == content_type


def test_a_type_that_the_app_knows_is_not_changed() -> None:
    assert prepared(Media(b"x", "image/jpeg"), new_id()).content_type == "image/jpeg"


def test_a_file_and_its_bytes_are_announced_and_cut_alike(tmp_path: Path) -> None:
    content = b"\xff\xd8\xff" + bytes(range(256)) * 5000
    path = tmp_path / "photograph.txt"
    path.write_bytes(content)
    report_id = new_id()
    uploads = [prepared(given, report_id) for given in (content, path, str(path))]
    for upload in uploads:
        assert upload.sha256 == hashlib.sha256(content).hexdigest()
        assert upload.total_bytes == len(content)
        pieces = [upload.piece(at) for at in range(0, len(content), PIECE_BYTES)]
        assert b"".join(pieces) == content and len(pieces[0]) == 512 * 1024
    assert len({upload.media_id for upload in uploads}) == 1
