"""Galleries of face templates (embeddings) in memory, one for each region, with exact search.

A gallery has the templates of all watch-list entries in force in its region. A face is compared
with every template in the gallery of the camera's region. Templates are in half precision (256
bytes each instead of 512); `timing.py` measures how many matches are lost by rounding.
"""

import threading
from dataclasses import dataclass
from typing import Final

import faiss
import numpy as np
import numpy.typing as npt
from vision.arrays import Floats
from vision.faces.recognition import TEMPLATE_LENGTH

SHARD_ROWS: Final = 65_536
"""The most rows of a shard: memory grows by at most so many, and is freed early as it is outgrown.
"""
MOST_NEAR: Final = 3
"""Entries returned for one face: somebody may be searched for in more than one case."""
NOBODY: Final = 0
# Of a row that is free: as a half float far from any template, and still finite when squared.
FREE: Final = 0x7B


@dataclass(frozen=True, slots=True)
class Near:
    """The number of a watch-list entry that a search found, and the L2 distance of the entry's
    template from the query."""

    number: int
    distance: float


class Shard:
    """A part of a gallery: rows of templates, each with the number of its entry."""

    def __init__(self) -> None:
        self._index = faiss.IndexScalarQuantizer(
            TEMPLATE_LENGTH, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2
        )
        self._numbers: npt.NDArray[np.int64] = np.zeros(0, np.int64)

    @property
    def rows(self) -> int:
        return int(self._index.ntotal)

    @property
    def memory_bytes(self) -> int:
        return int(self._index.codes.size()) + self._numbers.nbytes

    def add(self, numbers: npt.NDArray[np.int64], templates: Floats) -> None:
        self._index.add(np.ascontiguousarray(templates, np.float32))
        self._numbers = np.concatenate([self._numbers, numbers])

    def put(self, row: int, number: int, template: Floats) -> None:
        """Write the template [128] of the entry with this number into a free row."""
        self._codes()[row] = template.astype(np.float16).view(np.uint8)
        self._numbers[row] = number

    def remove(self, number: int) -> bool:
        """Remove an entry by overwriting its template. Returns False if the entry is not in this
        shard."""
        found = np.flatnonzero(self._numbers == number)
        if not len(found):
            return False
        self._codes()[found] = FREE
        self._numbers[found] = NOBODY
        return True

    def free_row(self) -> int | None:
        free = np.flatnonzero(self._numbers == NOBODY)
        return int(free[0]) if len(free) else None

    def search(self, queries: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Search the nearest templates to each of the queries [n, 128]. Return the squared L2
        distances and the entry numbers of these templates, both [n, MOST_NEAR].

        In each row the nearest comes first. If there are too few templates, the last numbers are
        NOBODY.
        """
        squared, rows = self._index.search(queries, MOST_NEAR)
        return squared, np.where(rows >= 0, self._numbers[rows], NOBODY)

    def _codes(self) -> npt.NDArray[np.uint8]:
        """A view of the index's memory, [rows, bytes of a template]; invalid after an `add`."""
        codes = self._index.codes
        view: npt.NDArray[np.uint8] = faiss.rev_swig_ptr(codes.data(), codes.size())
        return view.reshape(-1, self._index.code_size)


class RegionGallery:
    """The templates of all watch-list entries in force in one region. Methods that change or search
    the templates block the calling thread, and may be called from several threads."""

    def __init__(self) -> None:
        self._shards: list[Shard] = []
        self._lock = threading.Lock()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def memory_bytes(self) -> int:
        """The memory of templates and numbers, in bytes."""
        return sum(shard.memory_bytes for shard in self._shards)

    def add(self, number: int, template: Floats) -> None:
        """Add an entry's template [128], or replace it."""
        with self._lock:
            self._remove(number)
            self._size += 1
            for shard in self._shards:
                row = shard.free_row()
                if row is not None:
                    shard.put(row, number, template)
                    return
            self._append(np.array([number]), template[None])

    def fill(self, numbers: npt.NDArray[np.int64], templates: Floats) -> None:
        """Add several new entries: numbers [n] and templates [n, 128]."""
        with self._lock:
            self._size += len(numbers)
            self._append(numbers, templates)

    def remove(self, number: int) -> None:
        """Remove an entry's template, if present."""
        with self._lock:
            self._remove(number)

    def search(self, queries: Floats, *, within: float) -> list[list[Near]]:
        """Return, for each of the float32 queries [n, 128], at most MOST_NEAR entries, nearest
        first. Entries at an L2 distance above `within` are left out."""
        with self._lock:
            found = [shard.search(queries) for shard in self._shards]
        return [_nearest(found, place, within) for place in range(len(queries))]

    def _append(self, numbers: npt.NDArray[np.int64], templates: Floats) -> None:
        while len(numbers):
            if not self._shards or self._shards[-1].rows >= SHARD_ROWS:
                self._shards.append(Shard())
            room = SHARD_ROWS - self._shards[-1].rows
            self._shards[-1].add(numbers[:room], templates[:room])
            numbers, templates = numbers[room:], templates[room:]

    def _remove(self, number: int) -> None:
        if any(shard.remove(number) for shard in self._shards):
            self._size -= 1


def _nearest(
    found: list[tuple[Floats, npt.NDArray[np.int64]]], place: int, within: float
) -> list[Near]:
    near = [
        Near(int(number), float(np.sqrt(max(squared, 0.0))))
        for all_squared, numbers in found
        for squared, number in zip(all_squared[place], numbers[place], strict=True)
        if number != NOBODY and squared <= within * within
    ]
    return sorted(near, key=lambda one: one.distance)[:MOST_NEAR]


def one_thread() -> None:
    """Make faiss search on one thread, because other work needs the other processor cores."""
    faiss.omp_set_num_threads(1)
