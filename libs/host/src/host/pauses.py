"""Shortens the pauses that thread switches and garbage collection cause in a serving process."""

import gc
import sys

# A thread that encodes spans gives way to the loop after this, in seconds. By default it is 5 ms,
# and the loop waits as long after each of its system calls while spans are encoded.
SWITCH_SECONDS = 0.0005


def keep_pauses_short() -> None:
    """Make threads yield after `SWITCH_SECONDS`; exclude existing objects from garbage collection.

    Call this function once, after start-up. Without it, each full collection would go through all
    loaded modules while every call waits.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
