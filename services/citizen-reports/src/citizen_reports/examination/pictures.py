"""Makes the clean forms of photographs: reads their metadata, then encodes the picture anew.

Runs in the child process. A photograph with too many pixels, by its header, is refused before its
picture is decoded.
"""

from datetime import UTC, datetime, time
from typing import IO, Any, Final

from law.zone import start_of
from PIL import ExifTags, Image, ImageOps
from vision.stills import as_seen

from citizen_reports.examination.verdict import BeyondLimits
from citizen_reports.model.findings import Finding, Taken

FORMATS: Final = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/heic": "HEIF",
}
# The limit of decoded pixels. A JPEG with more, up to JPEG_PIXELS_MAX, is decoded at half its size.
PIXELS_MAX: Final = 50_000_000
JPEG_PIXELS_MAX: Final = 200_000_000
# Above PIXELS_UNCHECKED, a PNG or WebP may have at most so many pixels per byte of the file, as all
# photographs do. Others are made to fill memory: 49 million pixels of one colour are 190 KB.
PIXELS_UNCHECKED: Final = 12_000_000
PIXELS_A_BYTE_MAX: Final = 100
QUALITY: Final = 95

Image.MAX_IMAGE_PIXELS = None  # `_check_size` decides


def clean_picture(file: IO[bytes], size: int, content_type: str, clean: IO[bytes]) -> Finding:
    """Write the clean form of a photograph to `clean`: upright and without metadata. A PNG stays a
    PNG, all others become JPEG. Return the media types, and when and where the picture was taken.

    `size` is the file's size in bytes, `content_type` a key of FORMATS. Raises BeyondLimits for too
    many pixels, and the decoder's errors for a damaged file.
    """
    if content_type == "image/heic":
        _register_heic()
    with Image.open(file, formats=[FORMATS[content_type]]) as image:
        _check_size(image, size, content_type)
        exif = image.getexif()
        taken = taken_of(exif)
        if content_type == "image/jpeg":
            _decode_smaller(image)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        picture = as_seen(image)
        bare = picture.copy() if picture is image else picture
    bare.info.clear()  # some formats write from it what was read
    clean_type = "image/png" if content_type == "image/png" else "image/jpeg"
    if clean_type == "image/png":
        bare.save(clean, "PNG")
    else:
        bare.save(clean, "JPEG", quality=QUALITY, subsampling=0)
    return Finding(content_type, clean_type, taken)


def taken_of(exif: Image.Exif) -> Taken:
    """Return when and where a photograph was taken by its EXIF data; None for what is missing."""
    shot, place = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    latitude = _degrees(place, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, 90)
    longitude = _degrees(place, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, 180)
    if latitude is None or longitude is None:
        latitude = longitude = None
    return Taken(_moment(shot, place), latitude, longitude)


def _register_heic() -> None:
    """Let Pillow open HEIC. The library for it is imported here, only for files that need it."""
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False)


def _check_size(image: Image.Image, size: int, content_type: str) -> None:
    pixels = image.width * image.height
    most = JPEG_PIXELS_MAX if content_type == "image/jpeg" else PIXELS_MAX
    if content_type in ("image/png", "image/webp"):
        most = min(most, max(PIXELS_UNCHECKED, size * PIXELS_A_BYTE_MAX))
    if pixels > most:
        raise BeyondLimits


def _decode_smaller(image: Image.Image) -> None:
    """Let Pillow decode a JPEG of more than PIXELS_MAX pixels at half of its width and height."""
    if image.width * image.height > PIXELS_MAX:
        image.draft(None, (image.width // 2, image.height // 2))


def _degrees(place: dict[int, Any], value: int, reference: int, most: int) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in place[value])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    found = degrees + minutes / 60 + seconds / 3600
    if str(place.get(reference, "")).strip("\0 ").upper() in ("S", "W"):
        found = -found
    return found if -most <= found <= most else None  # a NaN compares false


def _moment(shot: dict[int, Any], place: dict[int, Any]) -> datetime | None:
    """The time of a photograph: by the phone's clock if its zone is known, else by satellites, else
    by the clock, assumed to show the time of Almaty. None if there is no time or it is invalid."""
    clock = _text(shot, ExifTags.Base.DateTimeOriginal)
    zone = _text(shot, ExifTags.Base.OffsetTimeOriginal)
    try:
        if clock and zone:
            moment = datetime.strptime(f"{clock}{zone}", "%Y:%m:%d %H:%M:%S%z")
            return moment.astimezone(UTC)
        satellites = _by_satellites(place)
        if satellites:
            return satellites
        if not clock:
            return None
        local = datetime.strptime(f"{clock}+0000", "%Y:%m:%d %H:%M:%S%z")
        midnight = datetime.combine(local.date(), time(), UTC)
        return start_of(local.date()) + (local - midnight)
    except (ValueError, OverflowError):
        return None


def _by_satellites(place: dict[int, Any]) -> datetime | None:
    try:
        day = _text(place, ExifTags.GPS.GPSDateStamp)
        hour, minute, second = (int(float(part)) for part in place[ExifTags.GPS.GPSTimeStamp])
        found = datetime.strptime(day, "%Y:%m:%d").replace(tzinfo=UTC)
        return found.replace(hour=hour, minute=minute, second=second)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None


def _text(values: dict[int, Any], tag: int) -> str:
    return str(values.get(tag, "")).strip("\0 ")
