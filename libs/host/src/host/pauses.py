"""Short pauses of a process that serves calls."""

import gc
import sys

# A thread that encodes spans gives way to the loop after this, in seconds. By default it is 5 ms,
# and the loop waits as long after each of its system calls while spans are encoded.
SWITCH_SECONDS = 0.0005


def keep_pauses_short() -> None:
    """Let threads give way soon; exempt what is loaded by now from garbage collection.

    A full collection would go through all modules, while every call waits.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
