"""A plate as an operator reads it from a picture: brought to one form, refused when it is none.

The exact type is decided by whoever decides the violation; here only what cannot be a plate is
turned away.
"""

import re

_LOOK_ALIKES = str.maketrans("АВЕКМНОРСТУХ", "ABEKMHOPCTYX")
_SHAPE = re.compile(r"(?=.*\d)(?=.*[A-Z])[A-Z0-9]{4,10}")


def normal_plate(text: str) -> str:
    """Upper case, Latin, without spaces, dashes and a leading country code; "" when it is none."""
    plate = re.sub(r"[\s\-·.]", "", text.upper()).translate(_LOOK_ALIKES)
    if plate.startswith("KZ") and len(plate) >= 9:
        plate = plate.removeprefix("KZ")
    return plate if _SHAPE.fullmatch(plate) else ""
