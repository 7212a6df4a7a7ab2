"""Report numbers such as KZ75-2026-4081937, drawn at random."""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime

from law.zone import almaty_day

# Numbers of reports are drawn at random: they show neither category nor how many came before.
# There is no check digit: six digits would leave a million for a region and year, which a large
# city may need.
SERIALS = 10**7
# With half of a region's year taken, this many draws all meet a taken one once in 10**19 times.
DRAWS_MAX = 64


def number_of(region: str, year: int, serial: int) -> str:
    """Return a report number such as KZ75-2026-4081937, for a region such as KZ-75."""
    return f"{region.replace('-', '')}-{year}-{serial:07d}"


def drawn_numbers(
    region: str, at: datetime, draw: Callable[[int], int] = secrets.randbelow
) -> Iterator[str]:
    """Yield random report numbers for a report that is registered at `at`.

    Another report may already have a yielded number. The caller checks this, and then takes the
    next. `draw` returns a random integer below its argument. Raises RuntimeError after DRAWS_MAX
    numbers.
    """
    year = almaty_day(at).year
    for _ in range(DRAWS_MAX):
        yield number_of(region, year, draw(SERIALS))
    raise RuntimeError(f"no free number was drawn for {region} in {year}")
