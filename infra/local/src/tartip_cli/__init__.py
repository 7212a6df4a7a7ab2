"""The embedded run of Tartip: real parts, one machine, one command (`tartip`)."""

from pathlib import Path


def launch_path() -> Path:
    """The program that every part is started through."""
    return Path(__file__).with_name("launch.py")
