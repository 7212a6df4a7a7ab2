"""Years that a trial assumes, recorded as marks in the versions of the tables used.

The version is stored with each decision, so that an assumed year can be recognised later.
"""

import re

_MARK = re.compile(r"assumed:(\d{4})")


def mark_of(year: int) -> str:
    """The mark that is added to a table's version where its year is assumed: `assumed:2027`."""
    return f"assumed:{year}"


def assumed_years(*versions: str) -> tuple[int, ...]:
    """The years that these table versions mark as assumed, in ascending order."""
    return tuple(sorted({int(year) for version in versions for year in _MARK.findall(version)}))
