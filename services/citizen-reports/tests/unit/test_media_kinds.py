"""What a file is, by its first bytes; and the names that phones give its type."""

import pytest
from citizen_reports.model.media_kinds import FAMILY_OF, NAMES, TYPES, Family, kind_of, type_of


@pytest.mark.parametrize(
    ("start", "content_type"),
    [
        (b"\xff\xd8\xff\xe1", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heic", "image/heic"),
        (b"\x00\x00\x00\x18ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x08wide\x00\x00\x00\x00mdat", "video/quicktime"),
        (b"\x00\x00\x00\x18ftyp3gp4", "video/3gpp"),
        (b"\x00\x00\x00\x1cftypM4A ", "audio/mp4"),
        (b"OggS\x00\x02", "audio/ogg"),
        (b"#!AMR\n<", "audio/amr"),
        (b"#!AMR-WB\n", "audio/amr-wb"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
    ],
)
def test_a_file_is_known_by_its_first_bytes(start: bytes, content_type: str) -> None:
    assert kind_of(start + bytes(64)).content_type == content_type


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>", "svg"),
        (b"\xef\xbb\xbf  <?xml version='1.0'?>\n<svg onload='alert(1)'>", "svg"),
        (b"\n<!DOCTYPE html><script>alert(1)</script>", "html"),
        (b"GIF89a", "gif"),
        (b"PK\x03\x04", "zip"),
        (b"%PDF-1.7", "pdf"),
        (b"\x00\x00\x00\x1cftypavif", "avif"),
        (b"\x1aE\xdf\xa3", "matroska"),
        (b"", ""),
        (b"\x00", ""),
        (b"\xff", ""),
        (b"hello", ""),
    ],
)
def test_what_is_not_taken_is_named_where_it_is_known(start: bytes, name: str) -> None:
    kind = kind_of(start)
    assert (kind.content_type, kind.not_taken) == ("", name)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("IMAGE/JPEG", "image/jpeg"),
        ("image/jpg", "image/jpeg"),
        (" audio/ogg; codecs=opus", "audio/ogg"),
        ("audio/x-m4a", "audio/mp4"),
        ("video/mov", "video/quicktime"),
        ("audio/mp3", "audio/mpeg"),
        ("audio/x-wav", "audio/wav"),
        ("image/heif", "image/heic"),
        ("image/svg+xml", ""),
        ("image/gif", ""),
        ("text/html", ""),
        ("", ""),
    ],
)
def test_the_usual_names_of_a_type_are_understood(name: str, content_type: str) -> None:
    assert type_of(name) == content_type


def test_each_type_has_one_family_and_is_a_name_of_itself() -> None:
    assert set(FAMILY_OF.values()) == set(Family)
    assert TYPES <= NAMES
    assert all(type_of(content_type) == content_type for content_type in TYPES)
