"""The error that ends the set-up."""


class BuildFailed(Exception):
    """The set-up cannot go on; its message is one line: the cause, or what to do about it."""
