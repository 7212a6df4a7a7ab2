"""Checks whether freed memory is overwritten in this process.

This service overwrites face templates after comparison, but copies remain in buffers of TLS, gRPC,
protobuf and Python. The C library overwrites these buffers when they are freed, if the process was
started with `GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0`, as `tartip up`
does. Memory blocks of up to 512 bytes are not overwritten, because Python itself manages them. A
template needs 512 bytes plus an object header, so it is never in such a block.
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
    """Return whether freed memory is overwritten. To find out, this function frees objects and then
    reads the memory that they occupied."""
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
