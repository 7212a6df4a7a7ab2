"""`python writer.py URL FOLDER`: writes the notes in FOLDER/ids, 64 at once, in shared commits.

Prints the id of each note once it is committed; a test kills it.
"""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from chassis.clock import system_clock
from chassis.db import Database
from chassis.event import Event
from chassis.transaction import Scope
from google.protobuf.wrappers_pb2 import StringValue
from sqlalchemy import Column, MetaData, Table, Text, Uuid
from vault.keyring import Keyring

BANK = Scope("partner", "kaspi", ("KZ-75",))
CALLERS = 64
notes = Table(
    "notes",
    MetaData(),
    Column("note_id", Uuid, primary_key=True),
    Column("region", Text, nullable=False),
    Column("content", Text),
)


async def main(url: str, folder: Path) -> None:
    db = Database(
        url.replace("+asyncpg", ""),
        service="scratch",
        keyring=Keyring(folder / "keys"),
        clock=system_clock,
    )
    ids = [UUID(line) for line in (folder / "ids").read_text().split()]
    left = iter(ids)

    async def caller() -> None:
        for note_id in left:
            async with db.begin(BANK, shared=True) as tx:
                tx.write_once(BANK.actor, note_id, b"")
                tx.add(notes, {"note_id": note_id, "region": "KZ-75", "content": ""})
                fact = StringValue(value=str(note_id))
                tx.emit(Event("cameras.v1.registered", f"note:{note_id}", 1, "KZ-75", fact))
                tx.audit("write", f"note:{note_id}", region="KZ-75")
            sys.stdout.write(f"{note_id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
