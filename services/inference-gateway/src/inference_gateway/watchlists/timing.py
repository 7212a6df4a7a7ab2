"""Measures the face search of a gallery, and compares it in time, memory and results with a
brute-force search in float32. Prints JSON.

    python -m inference_gateway.watchlists.timing [--templates 1000000]

The face templates are random, because a million templates of real faces must not be collected for a
measurement. Half of the queries are near a template of the gallery, the other half are of
strangers. For strangers the nearest template is the hardest to find.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from vision.arrays import Floats
from vision.faces.recognition import SAME_PERSON, TEMPLATE_LENGTH

from inference_gateway.watchlists.gallery import RegionGallery, one_thread

TEMPLATES: Final = 1_000_000
QUERIES: Final = 2000
TIMED: Final = 100
LENGTH: Final = 1.35
"""The L2 norm of dlib's templates, about."""
SAME_PERSON_APART: Final = 0.35
INNER_DIMENSIONS: Final = 32
BLOCK: Final = 100
EVERYBODY: Final = 10.0


@dataclass(frozen=True)
class SearchTiming:
    """Times in milliseconds and memory in MiB, of the gallery's search and of the brute-force
    search in float32. The fields of the brute-force search begin with `bare_`.

    `recall` is the share of queries for which both searches found the same nearest template.
    `recall_of_known` is this share among only those queries that are near a template.
    `decided_alike` is the share of queries for which both searches agree whether the nearest
    template is of the same person.
    """

    templates: int
    median_ms: float
    p95_ms: float
    memory_mib: float
    bare_median_ms: float
    bare_p95_ms: float
    bare_memory_mib: float
    queries: int
    recall: float
    recall_of_known: float
    # Of those that the search in floats holds for the same person, and the other way.
    decided_alike: float


def bench_search(*, templates: int = TEMPLATES, queries: int = QUERIES) -> SearchTiming:
    """Measure the gallery's search and the brute-force search, with random templates.

    By default this takes a minute or two and 1.5 GiB of memory. The gallery is searched on one
    thread, one query at a time.
    """
    one_thread()
    rng = np.random.default_rng(7)
    known = drawn(rng, templates)
    asked = np.concatenate([near_to(rng, known, queries // 2), drawn(rng, queries - queries // 2)])
    gallery = RegionGallery()
    gallery.fill(np.arange(1, templates + 1), known)
    times, found = [], []
    for place in range(queries):
        started = time.perf_counter()
        [near] = gallery.search(asked[place : place + 1], within=EVERYBODY)
        times.append((time.perf_counter() - started) * 1e3)
        found.append(near[0])
    bare_times, numbers, distances = bare(known, asked)
    same = np.array([one.number for one in found]) == numbers + 1
    here = np.array([one.distance for one in found]) < SAME_PERSON
    return SearchTiming(
        templates=templates,
        median_ms=float(np.median(times)),
        p95_ms=float(np.percentile(times, 95)),
        memory_mib=gallery.memory_bytes / 2**20,
        bare_median_ms=float(np.median(bare_times)),
        bare_p95_ms=float(np.percentile(bare_times, 95)),
        bare_memory_mib=known.nbytes / 2**20,
        queries=queries,
        recall=float(same.mean()),
        recall_of_known=float(same[: queries // 2].mean()),
        decided_alike=float((here == (distances < SAME_PERSON)).mean()),
    )


def bare(known: Floats, asked: Floats) -> tuple[list[float], npt.NDArray[np.int64], Floats]:
    """Search `known` [n, 128] for the template nearest to each query in `asked` by brute force.

    The first TIMED queries are searched one by one, and their times in milliseconds are returned.
    Also returned are, for all queries, the index of the nearest template and its L2 distance.
    """
    lengths = np.einsum("ij,ij->i", known, known)
    times = []
    for query in asked[:TIMED]:
        started = time.perf_counter()
        squared = known @ query
        squared *= -2
        squared += lengths
        squared.argmin()
        times.append((time.perf_counter() - started) * 1e3)
    places = np.empty(len(asked), np.int64)
    for start in range(0, len(asked), BLOCK):
        block = asked[start : start + BLOCK]
        best = np.full(len(block), np.inf, np.float32)
        for low in range(0, len(known), 100_000):
            part = known[low : low + 100_000]
            squared = lengths[low : low + 100_000, None] - 2 * (part @ block.T)
            rows = squared.argmin(0)
            values = squared[rows, np.arange(len(block))]
            nearer = values < best
            places[start : start + len(block)][nearer] = rows[nearer] + low
            best = np.minimum(best, values)
    distances = np.linalg.norm(known[places] - asked, axis=1)
    return times, places, distances


def drawn(rng: np.random.Generator, count: int) -> Floats:
    """Random templates [count, 128] near a subspace of fewer dimensions, as real templates are."""
    plane = np.random.default_rng(1).standard_normal((INNER_DIMENSIONS, TEMPLATE_LENGTH))
    inner = rng.standard_normal((count, INNER_DIMENSIONS), np.float32)
    made = inner @ (plane / np.sqrt(INNER_DIMENSIONS)).astype(np.float32)
    made += 0.3 * rng.standard_normal((count, TEMPLATE_LENGTH), np.float32)
    made *= LENGTH / np.linalg.norm(made, axis=1, keepdims=True)
    return np.asarray(made, np.float32)


def near_to(rng: np.random.Generator, known: Floats, count: int) -> Floats:
    """Return `count` random templates, each at the distance SAME_PERSON_APART from a random
    template of `known`."""
    away = rng.standard_normal((count, TEMPLATE_LENGTH), np.float32)
    away *= SAME_PERSON_APART / np.linalg.norm(away, axis=1, keepdims=True)
    return known[rng.integers(0, len(known), count)] + away


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--templates", type=int, default=TEMPLATES)
    arguments.add_argument("--queries", type=int, default=QUERIES)
    told = arguments.parse_args()
    timing = bench_search(templates=told.templates, queries=told.queries)
    json.dump(asdict(timing), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
