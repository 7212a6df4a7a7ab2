"""Converts still pictures to RGB with eight bits a channel, transparency shown as white."""

from typing import Final

from PIL import Image

END_OF_JPEG: Final = b"\xff\xd9"
# Rows of a transparent picture blended with white at once: copying all of it takes much memory.
ROWS_AT_ONCE: Final = 256
SIXTEEN_BITS: Final = 65535


def as_seen(image: Image.Image) -> Image.Image:
    """Return the picture in RGB with eight bits a channel, transparency blended with white."""
    if image.mode.startswith(("I", "F")):
        return _of_eight_bits(image)
    if image.has_transparency_data:
        return _over_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _of_eight_bits(image: Image.Image) -> Image.Image:
    """Reduce sixteen-bit grey to eight bits; Pillow itself would clip at 255."""
    import numpy as np  # heavy, and few pictures need it

    grey = np.asarray(image)
    hole = image.info.get("transparency")
    eight = (grey.astype(np.float32) * (255 / SIXTEEN_BITS) + 0.5).clip(0, 255).astype(np.uint8)
    if isinstance(hole, int):
        eight[grey == hole] = 255
    return Image.fromarray(eight).convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    """Blend the picture with white, so that fully transparent pixels are white."""
    page = Image.new("RGB", image.size, "white")
    for top in range(0, image.height, ROWS_AT_ONCE):
        place = (0, top, image.width, min(image.height, top + ROWS_AT_ONCE))
        rows = image.crop(place).convert("RGBA")
        page.paste(rows, place, rows)
    return page
