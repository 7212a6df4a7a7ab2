"""The number of a report: drawn at random, once for a region and year."""

import secrets
from collections.abc import Callable

from chassis.transaction import Tx

from citizen_reports.model.report import SERIALS, number_of
from citizen_reports.storage import reports

# With half of a region's year taken, this many draws all meet a taken one once in 10**19 times.
DRAWS_MAX = 64


async def drawn_number(
    tx: Tx, region: str, year: int, draw: Callable[[int], int] = secrets.randbelow
) -> str:
    """One that no report has; it is taken when the transaction commits."""
    for _ in range(DRAWS_MAX):
        number = number_of(region, year, draw(SERIALS))
        if await reports.claim_number(tx, number):
            return number
    raise RuntimeError(f"no free number was drawn for {region} in {year}")
