"""Checks whether this process overwrites freed memory.

A compared template is overwritten here, but the buffers that it passed through belong to TLS, gRPC,
protobuf and Python. The allocator can overwrite what they free:
`GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0`. `tartip up` sets this; the
check reports a process started without it. Python itself keeps blocks of up to 512 bytes; a
template has 512 bytes plus its object, so none is in such a block.
"""

import ctypes
import logging

SIZES = (512, 600, 5000)
HEADER_BYTES = 64  # of a block and of an object; allocators write there anyway
log = logging.getLogger(__name__)


def warn_unless_erasing() -> None:
    if not erases_what_is_freed():
        log.warning(
            "freed memory keeps what was in it, templates of faces that match nobody too: set"
            " GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"
        )


def erases_what_is_freed() -> bool:
    """Whether freed memory is overwritten, by a test that frees objects and reads their memory."""
    return not any(_stays(size) for size in SIZES)


def _stays(size: int) -> bool:
    known = b"\x5a\xc3" * (size // 2)
    dropped, neighbour = bytearray(known), bytearray(known)
    content = (ctypes.c_char * size).from_buffer(dropped)
    place = ctypes.addressof(content)
    del content, dropped
    left = ctypes.string_at(place, size)[HEADER_BYTES:]
    del neighbour
    return left == known[HEADER_BYTES:]
