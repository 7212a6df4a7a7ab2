"""Looks for a template byte by byte: in files, and in the memory of a process.

Any 32 bytes of it in a row give it away, wherever they begin. Such a run holds an aligned word of
8 bytes, so every word of what is searched is compared with every 8 bytes in a row of the template.
"""

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

WINDOW_BYTES = 32
WORD_BYTES = 8
CHUNK_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Traced:
    """Where at least WINDOW_BYTES of a template lie."""

    place: str
    form: str
    matching_bytes: int


@dataclass  # not frozen: it keeps what it has worked out
class Template:
    """A template in the forms in which it could lie somewhere."""

    name: str
    values: npt.NDArray[np.float32]

    @property
    def forms(self) -> dict[str, bytes]:
        return {
            "float32": self.values.astype(np.float32).tobytes(),
            "float16, as the gallery keeps it": self.values.astype(np.float16).tobytes(),
            "float64": self.values.astype(np.float64).tobytes(),
        }

    @cached_property
    def words(self) -> npt.NDArray[np.uint64]:
        """Every 8 bytes in a row of every form, sorted."""
        all_words = [
            np.frombuffer(form[start : start + (len(form) - start) // 8 * 8], "<u8")
            for form in self.forms.values()
            for start in range(WORD_BYTES)
        ]
        return np.unique(np.concatenate(all_words))

    @cached_property
    def beginnings(self) -> npt.NDArray[np.bool_]:
        """Whether a word may begin with these two bytes."""
        table = np.zeros(1 << 16, bool)
        table[(self.words & 0xFFFF).astype(np.int64)] = True
        return table


def in_files(folders: list[Path], template: Template) -> list[Traced]:
    found: list[Traced] = []
    for path in sorted({path for folder in folders for path in folder.rglob("*")}):
        if path.is_symlink() or not path.is_file() or not path.stat().st_size:
            continue
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            found += _traced(content, template, str(path))
    return found


def in_memory(pid: int, template: Template) -> list[Traced]:
    return [
        trace for place, content in _memory_of(pid) for trace in _traced(content, template, place)
    ]


def resident_bytes(pid: int) -> int:
    """Of all that `in_memory` reads."""
    return sum(len(content) for _, content in _memory_of(pid))


def _memory_of(pid: int) -> Iterator[tuple[str, bytes]]:
    """What is in memory of every mapping that can be read, a window of overlap between chunks."""
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        for start, end, name in _mappings(pid):
            for at in range(start, end, CHUNK_BYTES):
                length = min(CHUNK_BYTES + WINDOW_BYTES, end - at)
                try:
                    yield f"{at:x} {name}", os.pread(memory, length, at)
                except OSError:
                    continue  # a guard page, or gone since it was listed
    finally:
        os.close(memory)


def _mappings(pid: int) -> list[tuple[int, int, str]]:
    """Those that hold something which the process wrote: (start, end, name)."""
    found: list[tuple[int, int, str]] = []
    last: tuple[int, int, str] | None = None
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head, *rest = line.split(maxsplit=5)
        if head.endswith(":"):
            if head == "Rss:" and last is not None and int(rest[0]) > 0:
                found.append(last)
            continue
        start, end = (int(part, 16) for part in head.split("-"))
        name = rest[4] if len(rest) > 4 else "anonymous"
        # What is mapped from a file to be read only holds what the file does.
        written = rest[0].startswith("rw") or (rest[0].startswith("r") and name == "anonymous")
        last = (start, end, name) if written else None
    return found


def _traced(content: bytes | mmap.mmap, template: Template, place: str) -> Iterator[Traced]:
    count = len(content) // WORD_BYTES
    words = np.frombuffer(content, "<u8", count)
    begins = np.frombuffer(content, "<u2", count * 4)[::4]
    maybe = np.flatnonzero(template.beginnings[begins])
    hits = maybe[np.isin(words[maybe], template.words)]
    for form, needle in template.forms.items():
        longest = max(
            (_matching(content, needle, int(hit) * WORD_BYTES) for hit in hits), default=0
        )
        if longest >= WINDOW_BYTES:
            yield Traced(place, form, longest)
    del words, begins


def _matching(content: bytes | mmap.mmap, needle: bytes, at: int) -> int:
    """How many bytes of the needle lie in a row around a place of the content."""
    word, longest, start = content[at : at + WORD_BYTES], 0, -1
    while (start := needle.find(word, start + 1)) >= 0:
        before, after = 0, WORD_BYTES
        while before < min(at, start) and content[at - before - 1] == needle[start - before - 1]:
            before += 1
        most = min(len(needle) - start, len(content) - at)
        while after < most and content[at + after] == needle[start + after]:
            after += 1
        longest = max(longest, before + after)
    return longest
