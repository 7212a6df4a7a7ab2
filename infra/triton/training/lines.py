"""The size of the Kazakh reader's input (one line of a plate), and the classes of its characters.

Class 0 is the blank; the classes of `CHARACTERS` begin at 1.
"""

from typing import Final

CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CLASSES: Final = len(CHARACTERS) + 1
LONGEST: Final = 9
COLUMNS: Final = 40
WIDTH: Final = 160
HEIGHT: Final = 32


def encoded(text: str) -> list[int]:
    """The class of each character of a text, padded with blanks (0) to nine classes.

    Raises ValueError for a character that is not in `CHARACTERS`.
    """
    classes = [CHARACTERS.index(character) + 1 for character in text]
    return classes + [0] * (LONGEST - len(classes))


def decoded(classes: list[int]) -> str:
    """The text that CTC decoding gives: consecutive equal classes are merged, blanks removed.

    `classes` holds the most probable class of each column.
    """
    kept = [one for one, before in zip(classes, [0, *classes], strict=False) if one != before]
    return "".join(CHARACTERS[one - 1] for one in kept if one)


def written(classes: list[int]) -> str:
    """The text with these classes, without blanks: the inverse of `encoded`."""
    return "".join(CHARACTERS[one - 1] for one in classes if one)
