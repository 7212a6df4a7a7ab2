"""Cleaning of texts that people write, before the texts are checked and stored.

A cleaned text has line breaks, tabs and visible characters, in Unicode's form NFC. Removed are all
other control characters, direction marks, and invisible characters such as zero-width spaces. Free
text is cleaned instead of refused, so that a NUL from a keyboard does not block a call for help.
Codes and numbers, which have a fixed form, are refused if they are wrong.
"""

import re
import unicodedata

from chassis.characters import is_all_visible, is_one_line, is_visible
from chassis.refusals import Checks

# A text longer than this many times its limit is not cleaned, and is later refused for its length.
# This bounds the time that cleaning takes.
RAW_TIMES = 4
# What people write between the digits of a phone number.
_BETWEEN_DIGITS = re.compile(r"[\s().\u2010-\u2015-]+")


def cleaned(text: str, *, longest: int) -> str:
    """Return a text as it is to be stored; "" if nothing of it is visible.

    Blanks at both ends are removed, and line breaks of every kind become "\\n". `longest` is how
    many characters are allowed; a text more than RAW_TIMES as long is returned unchanged.
    """
    if len(text) > RAW_TIMES * longest:
        return text
    lines = ("\t".join(map(_visible_of, line.split("\t"))) for line in text.splitlines())
    kept = unicodedata.normalize("NFC", "\n".join(lines)).strip()
    return kept if is_visible(kept) else ""


def cleaned_line(text: str, *, longest: int) -> str:
    """Return a text cleaned as by `cleaned` and in one line: line breaks, tabs and several blanks
    in a row become one blank."""
    if len(text) > RAW_TIMES * longest:
        return text
    return " ".join(cleaned(text, longest=longest).split())


def cleaned_phone(text: str, *, longest: int) -> str:
    """Return a phone number without the blanks, dashes, dots and brackets that people write between
    its digits. Other characters stay, and a later check refuses them."""
    if len(text) > RAW_TIMES * longest:
        return text
    return _BETWEEN_DIGITS.sub("", cleaned_line(text, longest=longest))


def check_length(check: Checks, field: str, text: str, *, longest: int, code: str) -> None:
    """Check that a cleaned text has at most `longest` characters; otherwise `check` gets `code`."""
    check.that(len(text) <= longest, field, f"at most {longest} characters", code=code)


def _visible_of(part: str) -> str:
    """The visible characters of a text without line breaks and tabs."""
    if is_one_line(part) and is_all_visible(part):  # the usual case, and quicker
        return part
    return "".join(each for each in part if is_one_line(each) and is_all_visible(each))
