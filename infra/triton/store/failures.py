"""The error that ends the set-up."""


class BuildFailed(Exception):
    """The set-up cannot go on; the message is one line that says why or what to do."""
