"""The tables that come with this package, as bytes: their hash is part of what is decided."""

from importlib import resources


def tables(prefix: str) -> list[bytes]:
    """Every table whose name begins so, in order of their names."""
    folder = resources.files("law") / "tables"
    found = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return [entry.read_bytes() for entry in found if entry.name.startswith(prefix)]
