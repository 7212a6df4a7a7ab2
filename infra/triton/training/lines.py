"""A line of a plate as the Kazakh reader sees it: its size, its characters, and their classes."""

from typing import Final

CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CLASSES: Final = len(CHARACTERS) + 1
LONGEST: Final = 9
COLUMNS: Final = 40
WIDTH: Final = 160
HEIGHT: Final = 32


def encoded(text: str) -> list[int]:
    """The class of each character of a text, filled up with blanks (0) to nine classes."""
    classes = [CHARACTERS.index(character) + 1 for character in text]
    return classes + [0] * (LONGEST - len(classes))


def decoded(classes: list[int]) -> str:
    """The text of the likeliest class in each column, without repeats and blanks (CTC)."""
    kept = [one for one, before in zip(classes, [0, *classes], strict=False) if one != before]
    return "".join(CHARACTERS[one - 1] for one in kept if one)


def written(classes: list[int]) -> str:
    """The text whose classes are given: the inverse of `encoded`."""
    return "".join(CHARACTERS[one - 1] for one in classes if one)
