"""Splits texts into words normalised for comparison, and makes sort keys of names."""

import re
import unicodedata

# A longer word is compared by its beginning.
WORD_MAX = 64
ORDER_MAX = 80
_WORD = re.compile(r"[^\W_]+")
# The 42 letters in their order (the Cyrillic alphabet of Kazakh, which has all Russian letters).
_ALPHABET = "аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя"
_LATIN = "abcdefghijklmnopqrstuvwxyz"
# Digits and spaces come before code point 0x400; letters of the alphabet take the code points from
# there on, and Latin letters those after them: the order by code point is the alphabetical one.
_ORDER = {ord(letter): 0x400 + place for place, letter in enumerate(_ALPHABET + _LATIN)}


def words_of(*texts: str) -> list[str]:
    """Return the distinct words of texts in ascending order, normalised for comparison: neither
    case nor the difference between ё and е matters."""
    return sorted({word for text in texts for word in in_order(text)})


def in_order(text: str) -> list[str]:
    """Return the words of a text, normalised as in `words_of`, in the order of the text.
    Repetitions are kept."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    return [word[:WORD_MAX] for word in _WORD.findall(folded)]


def name_order(name_folded: str) -> str:
    """Return a key by which names are sorted. Keys are compared by code points.

    The order is: spaces, digits, the Kazakh alphabet, Latin letters. Only the first ORDER_MAX
    characters count. `name_folded` is a result of `storage.tables.name_folded`.
    """
    return name_folded[:ORDER_MAX].translate(_ORDER)
