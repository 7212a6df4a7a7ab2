"""The exception that a scenario ends with where the adapter is not safe."""


class Wrong(Exception):
    """What the adapter did wrong, as a sentence without its full stop."""
