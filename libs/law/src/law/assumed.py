"""Years that a trial assumes, as they stand in the versions of what was decided with them.

The mark travels with the version, so whatever is decided says for ever what it was decided with.
"""

import re

_MARK = re.compile(r"assumed:(\d{4})")


def mark_of(year: int) -> str:
    """The mark that is added to a table's version where its year is assumed: `assumed:2027`."""
    return f"assumed:{year}"


def assumed_years(*versions: str) -> tuple[int, ...]:
    """The years that are marked in these versions, in order."""
    return tuple(sorted({int(year) for version in versions for year in _MARK.findall(version)}))
