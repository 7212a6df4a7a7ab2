"""Normalises serial numbers and makers' names, so that different spellings compare as equal."""

import unicodedata

# Capital letters that look like a Latin one: Cyrillic with Kazakh, then Greek. No digit is ever
# taken for a letter, nor a letter for a digit: makers use both.
_LOOKALIKES = str.maketrans(
    "АВЕКМНОРСТУХІЅЈҺҮԚԜ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "ABEKMHOPCTYXISJHYQW" + "ABEZHIKMNOPTYX",
)


def folded(text: str) -> str:
    """Return the normal form of a serial number or maker's name, for comparison.

    Letters become capitals, blanks and invisible characters are removed, and Cyrillic and Greek
    letters are replaced by Latin ones that look alike. Returns "" if nothing visible is left.
    """
    if text.isascii() and text.isprintable():
        return text.upper().replace(" ", "")
    capitals = unicodedata.normalize("NFKC", text).upper()
    kept = (each for each in capitals if unicodedata.category(each)[0] in "LNPS")
    return "".join(kept).translate(_LOOKALIKES)
