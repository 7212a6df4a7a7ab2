"""How a statement sets the scope that row-level security reads: the settings `app.…`."""

from functools import lru_cache
from itertools import count

# The settings, in the order in which statements number them.
SCOPE = ("kind", "name", "regions", "roles", "lookup")


def settings_of_scope(number: "count[int]") -> str:
    """The columns of a SELECT that sets the scope, from the next parameters of a statement."""
    return ", ".join(f"set_config('app.{name}', ${next(number)}, true) AS {name}" for name in SCOPE)


@lru_cache(maxsize=1024)
def begin(settings: tuple[tuple[str, str], ...]) -> str:
    """The statements that begin a transaction under a scope, for the simple query protocol.

    Raises ValueError for a value with NUL.
    """
    set_ = (f"set_config('app.{name}', {_literal(value)}, true)" for name, value in settings)
    return f"BEGIN; SELECT {', '.join(set_)}"


def _literal(value: str) -> str:
    """An SQL string literal (`standard_conforming_strings` is on)."""
    if "\0" in value:
        raise ValueError("a scope cannot contain NUL")
    return "'" + value.replace("'", "''") + "'"
