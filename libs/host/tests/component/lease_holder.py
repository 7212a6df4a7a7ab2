"""A process that holds the lease "work" and writes under it, for a test that stops it.

    python lease_holder.py URL KEYS_FOLDER SECONDS_WITHIN

Each transaction stays open for SECONDS_WITHIN and is announced by a line. When the lease is lost,
the process tries to write once more, prints the name of the refusal and ends.
"""

import asyncio
import sys
from pathlib import Path

from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from host.leases import Lease, hold
from sqlalchemy import text
from vault.keyring import Keyring


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def write(lease: Lease, *, seconds_within: float) -> None:
    async with lease.begin(SYSTEM) as tx:
        await tx.execute(text("INSERT INTO effects VALUES ('first')"))
        say("writes")
        await asyncio.sleep(seconds_within)


async def main(url: str, keys: Path, seconds_within: float) -> None:
    db = Database(url, service="holder", keyring=Keyring(keys), clock=system_clock)
    lease: Lease | None = None
    try:
        async with hold(db, "work") as lease:
            while True:
                await write(lease, seconds_within=seconds_within)
                await asyncio.sleep(0.1)
    except Exception:
        assert lease is not None
        try:
            await write(lease, seconds_within=0)
        except Exception as refusal:
            say(f"refused: {type(refusal).__name__}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
