"""Whether this process overwrites what it frees.

A template that was compared is overwritten here, but the buffers it came through belong to others:
to TLS, to gRPC, to protobuf, to Python. They free them, and the allocator can be told to overwrite
what is freed: `GLIBC_TUNABLES=glibc.malloc.perturb=165:glibc.malloc.tcache_count=0`. `tartip up`
starts the service so; this tells when somebody else did not. Python keeps blocks of up to 512 bytes
to itself; a template has 512 bytes without its object, so none lies in them.
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
    """Tried out: some objects are made and dropped, and their memory is looked at again."""
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
