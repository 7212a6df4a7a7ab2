"""Files are examined in a process of their own: what they are, and the clean form made of them."""

import asyncio
import hashlib
import io
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import psutil
import pytest
from citizen_reports.examination import limits
from citizen_reports.examination.process import Examiner
from citizen_reports.model.findings import Finding
from citizen_reports.model.media_kinds import FAMILY_OF, Family, kind_of, type_of
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from .sample_media import (
    LATITUDE,
    LONGITUDE,
    SECRET,
    exif,
    film,
    one_of_each,
    photograph,
    pixel_bomb,
    recording,
    zipped,
)

PIECE = 512 * 1024
MIB = 1024 * 1024
EACH = one_of_each()
HTML = b"<html><script>alert(1)</script></html>"


@dataclass(frozen=True)
class Outcome:
    finding: Finding | None
    reason: str
    clean: bytes


async def examine(content: bytes, examiner: Examiner | None = None) -> Outcome:
    async with (examiner or Examiner()).examine(pieces(content)) as examined:
        clean = b"".join([piece async for piece in examined.clean])
    return Outcome(examined.finding, examined.reason, clean)


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]


@pytest.mark.parametrize("name", EACH)
async def test_what_phones_make_is_taken_and_made_anew(name: str) -> None:
    announced, content = EACH[name]
    outcome = await examine(content)
    assert outcome.finding is not None, outcome.reason
    assert outcome.finding.content_type == type_of(announced)
    assert kind_of(outcome.clean).content_type in (outcome.finding.clean_type, "video/3gpp")
    assert FAMILY_OF[outcome.finding.clean_type] is FAMILY_OF[outcome.finding.content_type]
    assert SECRET.encode() not in outcome.clean
    assert (await examine(outcome.clean)).finding is not None, "the clean form is a file itself"


@pytest.mark.parametrize("name", ["3GP", "MOV", "MOV with HEVC", "MP4"])
async def test_a_clean_film_has_each_picture_and_sound_of_its_original(name: str) -> None:
    content = EACH[name][1]
    clean = (await examine(content)).clean
    assert packets(clean) == packets(content)


def packets(content: bytes) -> dict[str, int]:
    """By kind of stream: how many packets there are, and of sound their bytes."""
    found: dict[str, int] = {}
    with av.open(io.BytesIO(content), "r") as container:
        for packet in container.demux():
            kind = packet.stream.type
            found[kind] = found.get(kind, 0) + bool(packet.size)
            if kind == "audio":  # of films messages in the picture are left out
                found["bytes"] = found.get("bytes", 0) + packet.size
    return found


async def test_a_photograph_is_upright_and_bare_and_says_when_and_where_first() -> None:
    content = photograph(exif=exif(orientation=6)) + HTML
    outcome = await examine(content)
    assert outcome.finding is not None
    taken = outcome.finding.taken
    assert taken.at == datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    assert (taken.latitude, taken.longitude) == (LATITUDE, LONGITUDE)
    with Image.open(io.BytesIO(outcome.clean)) as image:
        image.load()
        assert image.size == (200, 320), "it stands upright"
        corner = image.convert("L").crop((110, 10, 190, 90))
        assert not any(corner.histogram()[40:]), "what was left is above"
        assert not image.getexif() and set(image.info) <= {
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
        }
    assert outcome.clean.endswith(b"\xff\xd9"), "nothing lies behind the picture"


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "HEIF"])
async def test_other_photographs_say_when_and_where_too(file_format: str) -> None:
    outcome = await examine(photograph(file_format, exif=exif()))
    assert outcome.finding is not None
    assert outcome.finding.taken.at == datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    assert outcome.finding.taken.latitude == LATITUDE
    assert SECRET.encode() not in outcome.clean and b"xif" not in outcome.clean


@pytest.mark.parametrize("says", ["zone", "satellites", "nothing"])
async def test_a_time_without_a_zone_is_of_the_satellites_or_of_this_country(says: str) -> None:
    written = exif()
    if says != "zone":
        del written.get_ifd(0x8769)[0x9011]
    if says == "satellites":
        written.get_ifd(0x8825).update({29: "2026:11:23", 7: (6.0, 45.0, 0.0)})
    outcome = await examine(photograph(exif=written))
    assert outcome.finding is not None
    minute = 45 if says == "satellites" else 30
    assert outcome.finding.taken.at == datetime(2026, 11, 23, 6, minute, tzinfo=UTC)


@pytest.mark.parametrize("wrong", ["", "0000:00:00 00:00:00", "9999:99:99 99:99:99", "\0" * 20])
async def test_a_time_that_is_none_is_left_out(wrong: str) -> None:
    written = exif()
    written.get_ifd(0x8769)[0x9003] = wrong
    outcome = await examine(photograph(exif=written))
    assert outcome.finding is not None and outcome.finding.taken.at is None


async def test_a_film_says_when_and_where_it_was_taken() -> None:
    metadata = {
        "com.apple.quicktime.location.ISO6709": "+43.2500+076.9500+800.000/",
        "com.apple.quicktime.creationdate": "2026-11-23T11:30:00+0500",
    }
    content = film("mov", metadata=metadata, options={"movflags": "use_metadata_tags"})
    outcome = await examine(content)
    assert outcome.finding is not None
    taken = outcome.finding.taken
    assert taken.at == datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    assert (taken.latitude, taken.longitude) == (LATITUDE, LONGITUDE)
    assert b"076.95" not in outcome.clean and b"2026" not in outcome.clean


@pytest.mark.parametrize("wrong", [(99.0, 0.0, 0.0), (IFDRational(0, 0), 0.0, 0.0), ()])
async def test_a_place_that_is_none_is_left_out(wrong: tuple[Any, ...]) -> None:
    written = exif()
    written.get_ifd(0x8825)[2] = wrong
    outcome = await examine(photograph(exif=written))
    assert outcome.finding is not None
    assert (outcome.finding.taken.latitude, outcome.finding.taken.longitude) == (None, None)


INDEX_FIRST = {"moov_size": "20000"}
REFUSED = {
    "SVG with a script": (b"<svg onload='alert(1)'/>", "MEDIA_KIND_NOT_TAKEN"),
    "HTML": (HTML, "MEDIA_KIND_NOT_TAKEN"),
    "GIF": (photograph("GIF"), "MEDIA_KIND_NOT_TAKEN"),
    "a ZIP that unpacks a thousandfold": (zipped(), "MEDIA_KIND_NOT_TAKEN"),
    "the start of a film, then HTML": (
        b"\x00\x00\x00\x18ftypmp42" + HTML,
        "MEDIA_NOT_A_PICTURE",
    ),
    "the start of a film, then noise": (
        b"\x00\x00\x00\x18ftypisom" + hashlib.sha512(b"7").digest() * 99,
        "MEDIA_NOT_A_PICTURE",
    ),
    "the start of a photograph, then HTML": (b"\xff\xd8\xff\xe0" + HTML, "MEDIA_NOT_A_PICTURE"),
    "bytes": (bytes(1000), "MEDIA_NOT_A_PICTURE"),
    "a photograph cut in the middle": (photograph()[:9000], "MEDIA_NOT_A_PICTURE"),
    "a HEIC cut in the middle": (photograph("HEIF")[:9000], "MEDIA_NOT_A_PICTURE"),
    "a film cut in the middle": (film()[:90_000], "MEDIA_NOT_A_PICTURE"),
    "a film with its index first, cut": (
        film(options=INDEX_FIRST)[:90_000],
        "MEDIA_NOT_A_PICTURE",
    ),
    "an OGG cut in the middle": (one_of_each()["OGG"][1][:-9], "MEDIA_NOT_A_PICTURE"),
    "an AMR cut in the middle": (one_of_each()["AMR"][1][:-9], "MEDIA_NOT_A_PICTURE"),
    "an AAC cut in the middle": (one_of_each()["AAC"][1][:-9], "MEDIA_NOT_A_PICTURE"),
    "a WAV cut in the middle": (
        recording("wav", audio="pcm_s16le")[:9000],
        "MEDIA_NOT_A_PICTURE",
    ),
    "a playlist": (b"#EXTM3U\nhttp://127.0.0.1/a.ts\n", "MEDIA_NOT_A_PICTURE"),
    "a picture drawn to fill memory": (pixel_bomb(), "MEDIA_BEYOND_LIMITS"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_cannot_be_used_is_refused_by_its_own_name(name: str) -> None:
    content, reason = REFUSED[name]
    outcome = await examine(content)
    assert (outcome.finding, outcome.reason, outcome.clean) == (None, reason, b"")


@pytest.mark.parametrize("behind", [HTML, zipped(b"x")], ids=["HTML", "ZIP"])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP", "HEIC", "MP4", "MOV"])
async def test_what_lies_behind_a_picture_or_film_is_not_in_its_clean_form(
    name: str, behind: bytes
) -> None:
    outcome = await examine(EACH[name][1] + behind)
    assert outcome.finding is not None, outcome.reason
    assert behind[:10] not in outcome.clean and b"<script" not in outcome.clean


@pytest.mark.parametrize("progressive", [False, True])
async def test_a_photograph_of_108_megapixels_is_taken(progressive: bool) -> None:
    content = photograph(size=(12_000, 9_000), quality=30, progressive=progressive)
    outcome = await examine(content)
    assert outcome.finding is not None, outcome.reason
    with Image.open(io.BytesIO(outcome.clean)) as image:
        assert image.size == (6_000, 4_500), "in half of its size"


@pytest.mark.parametrize("name", ["AMR", "3GP with voice alone"])
async def test_voice_that_no_browser_plays_is_encoded_anew(name: str) -> None:
    clean = (await examine(EACH[name][1])).clean
    with av.open(io.BytesIO(clean), "r") as container:
        [stream] = container.streams
        assert stream.codec_context.name == "aac"
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples == pytest.approx(8000, abs=1500), "all of the second"


async def test_voice_in_a_film_is_found_to_be_voice_and_the_other_way_round() -> None:
    voice = await examine(recording("mp4", audio="aac"))
    assert voice.finding is not None and voice.finding.content_type == "audio/mp4"
    moving = await examine(film().replace(b"ftypisom", b"ftypM4A "))
    assert moving.finding is not None and moving.finding.content_type == "video/mp4"
    assert FAMILY_OF[moving.finding.content_type] is Family.FILM


async def test_the_process_is_bounded_and_has_neither_network_nor_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TARTIP_DATABASE_URL", "postgresql://secret")
    examiner = Examiner()
    waits = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield photograph()
        await waits.wait()

    async def run() -> None:
        async with examiner.examine(slowly()):
            pass

    task = asyncio.ensure_future(run())
    child = await confined_child()
    assert child.environ() == {} and child.cwd() == "/"
    assert child.rlimit(psutil.RLIMIT_AS) == (limits.MEMORY_BYTES, limits.MEMORY_BYTES)
    assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_CPU)[0] == limits.CPU_SECONDS
    assert child.rlimit(psutil.RLIMIT_FSIZE)[0] == limits.FILE_BYTES
    assert child.rlimit(psutil.RLIMIT_NOFILE)[0] == limits.FILES
    assert len(child.open_files()) == 0 and child.net_connections() == []
    names = network_devices(child.pid)
    assert names == ["lo"], "a network of its own, with nothing in it"
    waits.set()
    await task
    assert not child.is_running(), "it ends with its file"


def network_devices(pid: int) -> list[str]:
    lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()
    return [line.split(":")[0].strip() for line in lines if ":" in line]


async def confined_child() -> psutil.Process:
    """The process that examines a file, once it has confined itself."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for child in children():
            if child.nice() > psutil.Process().nice():
                await asyncio.sleep(0.3)
                return child
        await asyncio.sleep(0.02)
    raise AssertionError("no process examines a file")


def children() -> list[psutil.Process]:
    """The processes that examine a file."""
    name = "citizen_reports.examination.child"
    return [child for child in psutil.Process().children() if name in child.cmdline()]


async def test_a_file_that_ends_its_process_is_refused_and_harms_no_other() -> None:
    examiner = Examiner()

    async def killing() -> AsyncIterator[bytes]:
        yield photograph()
        (await confined_child()).kill()
        while True:
            yield bytes(PIECE)

    async with examiner.examine(killing()) as examined:
        assert (examined.finding, examined.reason) == (None, "MEDIA_BEYOND_LIMITS")
    assert (await examine(photograph(), examiner)).finding is not None


async def test_two_files_are_examined_at_once_and_the_others_wait() -> None:
    examiner = Examiner()
    most = 0

    async def watched(content: bytes) -> AsyncIterator[bytes]:
        nonlocal most
        most = max(most, len(children()))
        yield content

    async def one() -> Finding | None:
        async with examiner.examine(watched(photograph())) as examined:
            return examined.finding

    found = await asyncio.gather(*(one() for _ in range(5)))
    assert all(found) and most == 2


async def test_files_leave_no_process_and_no_descriptor_behind() -> None:
    examiner = Examiner()
    this = psutil.Process()
    await examine(b"<svg>", examiner)
    before = this.num_fds()
    for _ in range(10):
        await asyncio.gather(*(examine(b"<svg>", examiner) for _ in range(2)))
    assert this.num_fds() <= before + 1
    assert children() == []


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.socket()",
        "open(folder + '/there')",
        "open(folder + '/new', 'w')",
        "import os; os.listdir(folder)",
        "import os; os.remove(folder + '/there')",
        "import subprocess; subprocess.run(['true'])",
    ],
)
async def test_neither_sockets_nor_files_nor_programs_can_be_opened(
    attempt: str, tmp_path: Path
) -> None:
    """Where nothing is refused, the attempts succeed: they touch files of this test alone."""
    (tmp_path / "there").touch()
    script = (
        "from citizen_reports.examination.limits import confine; assert confine()\n"
        f"folder = {str(tmp_path)!r}\n"
        f"try: {attempt}; print('done')\n"
        "except PermissionError: print('refused')\n"
    )
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", script, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await run.communicate()
    assert out.strip() == b"refused"
    assert names_in(tmp_path) == ["there"]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
