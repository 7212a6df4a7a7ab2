"""Which spellings of a serial number are the same number."""

import unicodedata

# Capital letters that look like a Latin one: Cyrillic with Kazakh, then Greek. No digit is ever
# taken for a letter, nor a letter for a digit: makers use both.
_LOOKALIKES = str.maketrans(
    "АВЕКМНОРСТУХІЅЈҺҮԚԜ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "ABEKMHOPCTYXISJHYQW" + "ABEZHIKMNOPTYX",
)


def folded(text: str) -> str:
    """A serial number or maker's name as it is compared.

    Case, blanks, invisible characters and the script of letters that look alike make no difference.
    "" where nothing is visible.
    """
    capitals = unicodedata.normalize("NFKC", text).upper()
    kept = (each for each in capitals if unicodedata.category(each)[0] in "LNPS")
    return "".join(kept).translate(_LOOKALIKES)
