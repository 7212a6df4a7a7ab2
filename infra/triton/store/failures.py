"""What ends the set-up: one line that says what to do."""


class BuildFailed(Exception):
    """One line that says what to do."""
