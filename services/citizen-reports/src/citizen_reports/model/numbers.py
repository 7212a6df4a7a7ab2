"""Report numbers such as KZ75-2026-4081937, drawn at random."""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime

from law.zone import almaty_day

# Serial numbers are random: they show neither the category nor how many reports came before. There
# is no check digit: it would leave six digits, which is a million numbers for a region and year,
# and a large city may need more.
SERIALS = 10**7
# If half of a region's numbers of a year are taken, so many draws all fail once in 10**19 times.
DRAWS_MAX = 64


def number_of(region: str, year: int, serial: int) -> str:
    """Return a report number such as KZ75-2026-4081937, for a region such as KZ-75."""
    return f"{region.replace('-', '')}-{year}-{serial:07d}"


def drawn_numbers(
    region: str, at: datetime, draw: Callable[[int], int] = secrets.randbelow
) -> Iterator[str]:
    """Yield random report numbers for a report that is registered at `at`.

    If another report already has a yielded number, the caller takes the next number. `draw` returns
    a random integer from 0 to below its argument. Raises RuntimeError after DRAWS_MAX numbers.
    """
    year = almaty_day(at).year
    for _ in range(DRAWS_MAX):
        yield number_of(region, year, draw(SERIALS))
    raise RuntimeError(f"no free number was drawn for {region} in {year}")
