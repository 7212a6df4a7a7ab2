"""The exception that ends the build of Triton's environment and models."""


class BuildFailed(Exception):
    """Triton or its models cannot be built; the message is one line: the cause, or what to do."""
