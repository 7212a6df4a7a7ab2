"""Small files of each kind that phones make, made here; and hostile ones."""

import io
import os
import struct
import zipfile
import zlib
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image
from pillow_heif import register_heif_opener

register_heif_opener()
SECRET = "Secret Phone 7"
# Abai Square in Almaty, and the time, as a phone writes them.
LATITUDE, LONGITUDE = 43.25, 76.95
TAKEN_AT = "2026:11:23 11:30:00"
_EXIF, _GPS = 0x8769, 0x8825
AUDIO_SAMPLES = 1024
# Of a JPEG.
BLOCK = 8


def exif(orientation: int = 1) -> Image.Exif:
    """Made by a phone that writes its name, its time and zone, and its place."""
    written = Image.Exif()
    written[0x010F] = SECRET
    written[0x0112] = orientation
    written.get_ifd(_EXIF).update({0x9003: TAKEN_AT, 0x9011: "+05:00"})
    written.get_ifd(_GPS).update({1: "N", 2: (43.0, 15.0, 0.0), 3: "E", 4: (76.0, 57.0, 0.0)})
    return written


def photograph(
    file_format: str = "JPEG", size: tuple[int, int] = (320, 200), **options: Any
) -> bytes:
    """A picture of noise, black in its upper left corner, that no other call has returned."""
    picture = Image.effect_noise(size, 60).convert("RGB")
    picture.paste((0, 0, 0), (0, 0, size[0] // 2, size[1] // 2))
    # Noise comes from the generator of C's library: seeded anew, it gives the same once more.
    shades = os.urandom(size[0] // BLOCK + 1)
    blocks = Image.frombytes("L", (len(shades), 1), shades)
    blocks = blocks.resize((BLOCK * len(shades), BLOCK), Image.Resampling.NEAREST)
    picture.paste(blocks.convert("RGB"), (0, size[1] - BLOCK))
    written = io.BytesIO()
    picture.save(written, file_format, **options)
    return written.getvalue()


def recording(
    file_format: str,
    *,
    video: str = "",
    audio: str = "",
    rate: int = 8000,
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    seed: int = 7,
) -> bytes:
    """A second of film, voice or both; each `seed` makes another film."""
    written = io.BytesIO()
    with av.open(written, "w", format=file_format, options=options or {}) as container:
        container.metadata.update({"title": SECRET, **(metadata or {})})
        streams = []
        if video:
            picture: Any = container.add_stream(video, rate=10)
            picture.width, picture.height, picture.pix_fmt = 176, 144, "yuv420p"
            streams.append((picture, _frames(seed)))
        if audio:
            sound: Any = container.add_stream(audio, rate=rate)
            sound.layout = "mono"
            streams.append((sound, _sound(rate)))
        for stream, frames in streams:
            for frame in (*frames, None):
                container.mux(stream.encode(frame))
    return written.getvalue()


def _frames(seed: int) -> list[Any]:
    random = np.random.default_rng(seed)
    pictures = [random.integers(0, 255, (144, 176, 3), dtype=np.uint8) for _ in range(10)]
    return [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pictures]


def _sound(rate: int) -> list[Any]:
    frames = []
    for start in range(0, rate, AUDIO_SAMPLES):
        wave = np.sin(np.arange(start, start + AUDIO_SAMPLES) / 7) * 9000
        frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
        frame.rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        frames.append(frame)
    return frames


def film(file_format: str = "mp4", **options: Any) -> bytes:
    return recording(file_format, **{"video": "libx264", "audio": "aac"} | options)


def one_of_each() -> dict[str, tuple[str, bytes]]:
    """By name: what a phone announces, and the file."""
    return {
        "JPEG": ("IMAGE/JPEG", photograph()),
        "HEIC": ("image/heif", photograph("HEIF")),
        "PNG": ("image/png", photograph("PNG")),
        "WebP": ("image/webp", photograph("WEBP")),
        "MP4": ("video/mp4", film()),
        "MOV": ("video/quicktime", film("mov")),
        "MOV with HEVC": ("video/quicktime", film("mov", video="libx265")),
        "3GP": ("video/3gpp", film("3gp", video="h263", audio="libopencore_amrnb")),
        "M4A": ("audio/x-m4a", recording("ipod", audio="aac")),
        "3GP with voice alone": ("audio/3gpp", recording("3gp", audio="libopencore_amrnb")),
        "OGG": ("audio/ogg; codecs=opus", recording("ogg", audio="libopus", rate=48000)),
        "AMR": ("audio/amr", recording("amr", audio="libopencore_amrnb")),
        "WAV": ("audio/x-wav", recording("wav", audio="pcm_s16le")),
        "MP3": ("audio/mp3", recording("mp3", audio="libmp3lame", rate=16000)),
        "AAC": ("audio/aac", recording("adts", audio="aac")),
    }


def pixel_bomb(side: int = 7000) -> bytes:
    """A PNG of one colour: some 190 KB that would fill 150 MB. Made without holding it."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    squeeze = zlib.compressobj(9)
    rows = b"".join(squeeze.compress(bytes(1 + side * 3)) for _ in range(side)) + squeeze.flush()
    header = struct.pack(">II", side, side) + bytes((8, 2, 0, 0, 0))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def zipped(content: bytes = bytes(10_000_000)) -> bytes:
    """A ZIP that grows a thousandfold when it is unpacked."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", content)
    return written.getvalue()
