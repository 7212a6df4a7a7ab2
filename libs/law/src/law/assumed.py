"""Marks assumed years in the version of a table: years for which the table has no values.

Only trial runs assume years. A decision stores the versions of its tables, so that an assumed year
can be recognised later.
"""

import re

_MARK = re.compile(r"assumed:(\d{4})")


def mark_of(year: int) -> str:
    """The mark in a table's version for an assumed year, such as `assumed:2027`."""
    return f"assumed:{year}"


def assumed_years(*versions: str) -> tuple[int, ...]:
    """The years that these table versions mark as assumed, in ascending order."""
    return tuple(sorted({int(year) for version in versions for year in _MARK.findall(version)}))
