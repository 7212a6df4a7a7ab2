"""Benchmark of looking up a place's region: `law.regions` against a plain shapely STRtree.

    .venv/bin/python libs/law/bench/borders.py

Each variant runs in its own process. For each, the load time in seconds, the growth in memory in
MiB and the microseconds per lookup (median of seven rounds) are printed; all time is processor
time. Places are drawn with a fixed seed: over the country and slightly beyond it, and within 15 km
of the regional capitals. Both variants must agree on every place inside a region.
"""

import gc
import json
import math
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

Place = tuple[float, float]
PLACES = 20_000
ROUNDS = 7
TOWNS = (
    (51.17, 71.45),
    (43.24, 76.95),
    (42.34, 69.59),
    (53.28, 69.38),
    (50.28, 57.17),
    (43.87, 77.07),
    (47.12, 51.88),
    (51.23, 51.37),
    (42.90, 71.37),
    (49.80, 73.10),
    (53.21, 63.62),
    (44.85, 65.48),
    (43.65, 51.17),
    (43.30, 68.25),
    (52.29, 76.97),
    (54.87, 69.15),
    (49.95, 82.62),
    (50.41, 80.23),
    (45.02, 78.37),
    (47.80, 67.71),
)


def country(rng: random.Random) -> Place:
    """Draw a place (latitude, longitude in degrees) from a rectangle around the country."""
    return rng.uniform(40.5, 55.5), rng.uniform(46.4, 87.4)


def town(rng: random.Random) -> Place:
    """Draw a place (latitude, longitude in degrees) within 15 km of a random one of `TOWNS`."""
    (latitude, longitude), km = rng.choice(TOWNS), 15 * math.sqrt(rng.random())
    angle = rng.uniform(0, 2 * math.pi)
    wide = 111.195 * math.cos(math.radians(latitude))
    return latitude + km * math.sin(angle) / 111.195, longitude + km * math.cos(angle) / wide


def with_cells() -> Callable[[float, float], str | None]:
    """Load the borders of `law.regions`; return a function from a place to its region's code.

    It returns None for places more than 5 km outside of all regions.
    """
    from law.regions.borders import borders

    known = borders()

    def code(latitude: float, longitude: float) -> str | None:
        region = known.region_of(latitude, longitude)
        return region.code if region else None

    return code


def bare_tree() -> Callable[[float, float], str | None]:
    """Build a plain STRtree; return a function from a place to its region's code.

    It returns None for places outside of all regions.
    """
    import shapely
    from law.regions.borders import read_polygons

    polygons = read_polygons()
    codes, tree = list(polygons), shapely.STRtree(list(polygons.values()))

    def code(latitude: float, longitude: float) -> str | None:
        found = sorted(tree.query(shapely.Point(longitude, latitude), predicate="intersects"))
        return codes[found[0]] if found else None

    return code


VARIANTS = {"law.regions": with_cells, "bare STRtree": bare_tree}
DRAWS = {"country": country, "towns": town}


def measure(variant: str) -> dict[str, object]:
    """Load one variant, look up all places and return the figures.

    `load` is the load time in seconds, and `mib` the growth in memory in MiB. For each set of
    places ("country", "towns"), `micros` has the microseconds per lookup, and `found` has the
    region code of each place.
    """
    import h3
    import shapely

    assert h3 and shapely  # both variants need them: their own cost is not measured
    gc.collect()
    before, start = resident_mib(), time.process_time()
    code = VARIANTS[variant]()
    loaded, found = time.process_time() - start, {}
    micros = {}
    for name, draw in DRAWS.items():
        rng = random.Random(8)
        places = [draw(rng) for _ in range(PLACES)]
        found[name] = [code(*place) for place in places]
        micros[name] = statistics.median(one_round(code, places) for _ in range(ROUNDS))
    gc.collect()
    return {"load": loaded, "mib": resident_mib() - before, "micros": micros, "found": found}


def one_round(code: Callable[[float, float], str | None], places: list[Place]) -> float:
    """Return the processor time of one lookup in microseconds, averaged over all places."""
    start = time.process_time()
    for place in places:
        code(*place)
    return (time.process_time() - start) / len(places) * 1e6


def resident_mib() -> float:
    """Return the resident memory of this process in MiB, from `/proc/self/statm`."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def main() -> None:
    """Run each variant in its own process, print the figures and assert that both agree."""
    results = {}
    for variant in VARIANTS:
        command = [sys.executable, __file__, variant]
        results[variant] = json.loads(
            subprocess.run(command, check=True, capture_output=True).stdout
        )
    for variant, result in results.items():
        micros = " ".join(f"{name} {us:.1f} us" for name, us in result["micros"].items())
        print(f"{variant:14} load {result['load']:.2f} s  {result['mib']:.1f} MiB  {micros}")
    for name in DRAWS:
        cells, tree = (results[variant]["found"][name] for variant in VARIANTS)
        assert all(found == other for found, other in zip(cells, tree, strict=True) if other)
        inside = sum(1 for code in tree if code)
        beside = sum(1 for found, other in zip(cells, tree, strict=True) if found and not other)
        print(f"{name}: {inside} of {PLACES} in a region, {beside} up to 5 km outside, all agree")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
