"""Checks of the characters in texts that people read in lists, logs and pages."""

import re
import unicodedata

# Control characters, halves of surrogate pairs, line and paragraph separators.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# They turn the order of what stands beside them in a log or on a page.
_DIRECTION_MARKS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
# Format characters such as zero-width spaces and joiners; private and unassigned characters.
_UNSEEN_CATEGORIES = frozenset({"Cf", "Co", "Cn"})
# Letters, marks and symbols that Unicode draws as nothing: fillers, variation selectors, a blank
# pattern of Braille.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def is_one_line(text: str) -> bool:
    """Whether a text has no control character, line break, lone surrogate or direction mark."""
    # What is printable has none of them: the usual case, and quicker.
    return text.isprintable() or not any(map(_is_refused, text))


def is_all_visible(text: str) -> bool:
    """Whether a text has no invisible characters, such as zero-width spaces; blanks are allowed."""
    if text.isascii():
        return True
    if _UNSEEN.search(text):
        return False
    return text.isprintable() or not any(map(_is_unseen, text))


def is_visible(text: str) -> bool:
    """Whether a text shows anything: more than blanks, joiners and combining marks."""
    # A letter or a digit comes first: the usual case, and quicker.
    return (text[:1].isalnum() and not _UNSEEN.match(text)) or any(
        unicodedata.category(character)[0] in "LNPS" and not _UNSEEN.match(character)
        for character in text
    )


def _is_refused(character: str) -> bool:
    return unicodedata.category(character) in _REFUSED_CATEGORIES or character in _DIRECTION_MARKS


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN_CATEGORIES
