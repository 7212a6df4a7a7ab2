"""Reads the tables of law (JSON) shipped with this library; decisions record their hashes."""

from importlib import resources


def tables(prefix: str) -> list[bytes]:
    """The content of every table whose file name starts with `prefix`, ordered by file name."""
    folder = resources.files("law") / "tables"
    found = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return [entry.read_bytes() for entry in found if entry.name.startswith(prefix)]
