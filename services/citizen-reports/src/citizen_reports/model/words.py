"""What people write is stored without characters that show nothing or change how it is read.

Kept are line breaks, tabs and all that is visible, in Unicode's form NFC. Left out are all other
control characters, marks that turn the direction of a text, and invisible characters, such as
zero-width spaces. Free text is cleaned and not refused: a NUL from a keyboard must not keep a call
for help back. Codes and numbers, which have forms of their own, are refused if they are wrong.
"""

import re
import unicodedata

from chassis.characters import is_all_visible, is_one_line, is_visible
from chassis.refusals import Checks

# A text more than so many times as long as its limit is not cleaned, but refused as it is. So the
# time to clean a text is bounded.
RAW_TIMES = 4
# What people write between the digits of a phone number.
_BETWEEN_DIGITS = re.compile(r"[\s().\u2010-\u2015-]+")


def cleaned(text: str, *, longest: int) -> str:
    """Return a text as it is stored; "" if nothing of it is visible.

    Blanks at both ends are left out, and line breaks of every kind become "\\n". `longest` is the
    limit of its characters; a text of more than RAW_TIMES as many is returned unchanged.
    """
    if len(text) > RAW_TIMES * longest:
        return text
    lines = ("\t".join(map(_visible_of, line.split("\t"))) for line in text.splitlines())
    kept = unicodedata.normalize("NFC", "\n".join(lines)).strip()
    return kept if is_visible(kept) else ""


def cleaned_line(text: str, *, longest: int) -> str:
    """Return a text as `cleaned` does, in one line: line breaks, tabs and several blanks in a row
    become one blank."""
    if len(text) > RAW_TIMES * longest:
        return text
    return " ".join(cleaned(text, longest=longest).split())


def cleaned_phone(text: str, *, longest: int) -> str:
    """Return a phone number without what people write between its digits: blanks, dashes, dots and
    brackets. What else is in it stays, and is refused later."""
    if len(text) > RAW_TIMES * longest:
        return text
    return _BETWEEN_DIGITS.sub("", cleaned_line(text, longest=longest))


def check_length(check: Checks, field: str, text: str, *, longest: int, code: str) -> None:
    """Check that a cleaned text has at most `longest` characters."""
    check.that(len(text) <= longest, field, f"at most {longest} characters", code=code)


def _visible_of(part: str) -> str:
    """The visible characters of a text without line breaks and tabs."""
    if is_one_line(part) and is_all_visible(part):  # the usual case, and quicker
        return part
    return "".join(each for each in part if is_one_line(each) and is_all_visible(each))
