"""Which characters may stand in a text that people read in lists, logs and pages."""

import unicodedata

# Control characters, halves of surrogate pairs, line and paragraph separators.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
# They turn the order of what stands beside them in a log or on a page.
_DIRECTION_MARKS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def is_one_line(text: str) -> bool:
    """Whether a text has no control character, line break, lone surrogate or direction mark."""
    # What is printable has none of them: the usual case, and quicker.
    return text.isprintable() or not any(map(_is_refused, text))


def is_visible(text: str) -> bool:
    """Whether a text shows anything: more than blanks, joiners and combining marks."""
    # A letter or a digit comes first: the usual case, and quicker.
    return text[:1].isalnum() or any(
        unicodedata.category(character)[0] in "LNPS" for character in text
    )


def _is_refused(character: str) -> bool:
    return unicodedata.category(character) in _REFUSED_CATEGORIES or character in _DIRECTION_MARKS
