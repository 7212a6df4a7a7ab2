"""SQL that sets the scope of a transaction: who acts, and which rows it may see.

Row-level security reads the scope from PostgreSQL settings: `app.kind`, `app.name` and others.
"""

from functools import lru_cache
from itertools import count

# The settings, in the order in which statements number them.
SCOPE = ("kind", "name", "regions", "roles", "lookup")


def settings_of_scope(number: "count[int]") -> str:
    """Return the column list of a SELECT that, when executed, sets the scope of its transaction.

    The parameters of the SELECT are the values of the settings `SCOPE`, in order. The counter
    `number` yields the number of each parameter ($1, $2).
    """
    return ", ".join(f"set_config('app.{name}', ${next(number)}, true) AS {name}" for name in SCOPE)


@lru_cache(maxsize=1024)
def begin(settings: tuple[tuple[str, str], ...]) -> str:
    """Return the SQL text that begins a transaction and sets its scope from pairs (name, value).

    The text contains the scope's values as literals, for PostgreSQL's simple query protocol, which
    has no parameters. Raises ValueError for a value with NUL.
    """
    set_ = (f"set_config('app.{name}', {_literal(value)}, true)" for name, value in settings)
    return f"BEGIN; SELECT {', '.join(set_)}"


def _literal(value: str) -> str:
    """An SQL string literal (`standard_conforming_strings` is on)."""
    if "\0" in value:
        raise ValueError("a scope cannot contain NUL")
    return "'" + value.replace("'", "''") + "'"
