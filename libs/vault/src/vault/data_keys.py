"""The data keys of one schema: one per person or object, stored encrypted by the key of its class.

Destroying a key erases everything sealed with the key, including copies in backups.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    Executable,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import CursorResult

from vault.keyring import DataKey, Keyring

data_keys = Table(
    "data_keys",
    MetaData(),
    Column("key_id", Uuid, primary_key=True),
    Column("key_class", Text, nullable=False),
    # Blind index of the person whose key it is; null for the key of an object.
    Column("person", LargeBinary),
    Column("wrapped", LargeBinary),
    Column("destroyed_at", DateTime(timezone=True)),
    UniqueConstraint("key_class", "person"),
)


class Transaction(Protocol):
    """What the keys need of a transaction: added rows are written before the next statement."""

    def add(self, table: Table, row: Mapping[str, Any]) -> None: ...

    async def execute(self, statement: Executable) -> CursorResult[Any]: ...


class DataKeys:
    """The data keys within an open transaction."""

    def __init__(self, tx: Transaction, keyring: Keyring, clock: Callable[[], datetime]) -> None:
        self._tx = tx
        self._keyring = keyring
        self._clock = clock

    async def new(self, key_class: str) -> DataKey:
        """Create and store the key of one object."""
        key = self._keyring.new_data_key(key_class)
        self._tx.add(data_keys, {**_row(key, key_class), "person": None})
        return key

    async def of_person(self, key_class: str, person: str) -> DataKey:
        """The key of a person, identified by a high-entropy value such as an IIN; created if
        missing.

        Raises KeyError if that person was erased: nothing more may be stored about them.
        """
        index = self.blind_index(key_class, "person", person)
        found = await self._find(data_keys.c.person == index, key_class)
        return found or await self._of_new_person(key_class, index)

    async def get(self, key_class: str, key_id: UUID) -> DataKey:
        """The key with this id. Raises KeyError if it was destroyed or never existed."""
        found = await self._find(data_keys.c.key_id == key_id, key_class)
        if found is None:
            raise KeyError(key_id)
        return found

    async def destroy(self, key_id: UUID) -> None:
        """Destroy a key, which erases everything sealed with the key, also in backups."""
        await self._tx.execute(
            update(data_keys)
            .where(data_keys.c.key_id == key_id)
            .values(wrapped=None, destroyed_at=self._clock())
        )

    def blind_index(self, key_class: str, field_name: str, value: str) -> bytes:
        """The blind index of a value: 16 bytes, equal for equal values of one field and class."""
        return self._keyring.blind_index(key_class, field_name, value)

    async def _find(self, condition: Any, key_class: str) -> DataKey | None:
        row = (
            await self._tx.execute(
                select(data_keys).where(condition, data_keys.c.key_class == key_class)
            )
        ).one_or_none()
        if row is None or row.wrapped is None:
            return None
        return self._keyring.unwrap(key_class, row.key_id, row.wrapped)

    async def _of_new_person(self, key_class: str, person: bytes) -> DataKey:
        key = self._keyring.new_data_key(key_class)
        row = {**_row(key, key_class), "person": person}
        added = await self._tx.execute(insert(data_keys).values(row).on_conflict_do_nothing())
        if added.rowcount:
            return key
        other = await self._find(data_keys.c.person == person, key_class)
        if other is None:
            raise KeyError("erased")
        return other


def _row(key: DataKey, key_class: str) -> dict[str, Any]:
    return {"key_id": key.key_id, "key_class": key_class, "wrapped": key.wrapped}
