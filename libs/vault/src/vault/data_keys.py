"""The data keys of one database schema: one for each person or object.

A data key is stored encrypted by the key-encryption key of its class, a kind of data such as
"person". Destroying a data key makes everything encrypted with it unreadable, copies included. If
an older copy of the table `data_keys` is restored from a backup, the key is back. So the ids of
destroyed keys are also kept outside the database (`host.erasures`).
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
    bindparam,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import CursorResult

from vault.keyring import DataKey, Keyring

# The unique constraint that a second key of one person violates.
PERSON_KEY = "data_keys_key_class_person_key"
data_keys = Table(
    "data_keys",
    MetaData(),
    Column("key_id", Uuid, primary_key=True),
    Column("key_class", Text, nullable=False),
    # Blind index of the person whose key it is; null for the key of an object.
    Column("person", LargeBinary),
    Column("wrapped", LargeBinary),
    Column("destroyed_at", DateTime(timezone=True)),
    # The id of the audit entry that records the destruction.
    Column("destroyed_by", Uuid),
    UniqueConstraint("key_class", "person", name=PERSON_KEY),
)
_CLASS = data_keys.c.key_class == bindparam("key_class")
# The key of a person by the blind index `person`; `DataKeys.unwrapped` opens what it finds.
BY_PERSON = select(data_keys.c.key_id, data_keys.c.wrapped).where(
    data_keys.c.person == bindparam("person"), _CLASS
)
_BY_ID = select(data_keys.c.key_id, data_keys.c.wrapped).where(
    data_keys.c.key_id == bindparam("key_id"), _CLASS
)


class Transaction(Protocol):
    """The methods of a database transaction that `DataKeys` needs.

    Rows given to `add` must be written before the next `execute`.
    """

    def add(self, table: Table, row: Mapping[str, Any]) -> None: ...

    async def execute(self, statement: Executable, rows: Any = None) -> CursorResult[Any]: ...


class DataKeys:
    """Creates, finds and destroys data keys within an open transaction."""

    def __init__(
        self,
        tx: Transaction,
        keyring: Keyring,
        clock: Callable[[], datetime],
        on_destroyed: Callable[[UUID], None] = lambda key_id: None,
    ) -> None:
        """`on_destroyed` is called with the id of each key that `destroy` destroys."""
        self._tx = tx
        self._keyring = keyring
        self._clock = clock
        self._on_destroyed = on_destroyed

    async def new(self, key_class: str, person: str = "") -> DataKey:
        """Create, store and return a data key: of a person if `person` is given, else of an object.

        `person` is as for `of_person`. The row is written before the transaction's next statement.
        If the person already has a key, this write violates the unique constraint `PERSON_KEY`.
        """
        key = self._keyring.new_data_key(key_class)
        index = self.blind_index(key_class, "person", person) if person else None
        self._tx.add(data_keys, {**_row(key, key_class), "person": index})
        return key

    async def of_person(self, key_class: str, person: str) -> DataKey:
        """Return a person's data key; create and store it if there is none.

        `person` is a unique number, such as an IIN (national identification number). Raises
        KeyError if the person's key was destroyed: nothing more may be stored about that person.
        """
        index = self.blind_index(key_class, "person", person)
        found = await self._find(BY_PERSON, key_class, person=index)
        return found or await self._of_new_person(key_class, index)

    async def get(self, key_class: str, key_id: UUID) -> DataKey:
        """The key with this id. Raises KeyError if it was destroyed or never existed."""
        found = await self._find(_BY_ID, key_class, key_id=key_id)
        if found is None:
            raise KeyError(key_id)
        return found

    def unwrapped(self, key_class: str, key_id: UUID, wrapped: bytes | None) -> DataKey | None:
        """Decrypt a data key from a row already read, for instance by a join.

        Returns None if `wrapped` is None (key destroyed). Raises InvalidTag, like `Keyring.unwrap`.
        """
        return self._keyring.unwrapped(key_class, key_id, wrapped)

    async def destroy(self, key_id: UUID, *, recorded_by: UUID | None = None) -> None:
        """Destroy a key for good: what it encrypted can never be read again.

        The function `on_destroyed` is called with the key's id, so that the key can be destroyed
        again after a restore from a backup. `recorded_by` is the id of the audit entry that records
        the destruction. The row of a key that was destroyed earlier stays unchanged.
        """
        await self.discard(key_id, recorded_by=recorded_by)
        self._on_destroyed(key_id)

    async def discard(self, key_id: UUID, *, recorded_by: UUID | None = None) -> None:
        """Destroy a key in this database only; `on_destroyed` is not called.

        If the database is restored to an earlier moment, the key is there again. This is for data
        that the restored database still needs, such as an unfinished job: once the job is done in
        that database, the key is discarded again. `recorded_by` is as for `destroy`.
        """
        await self._tx.execute(
            update(data_keys)
            .where(data_keys.c.key_id == key_id, data_keys.c.wrapped.is_not(None))
            .values(wrapped=None, destroyed_at=self._clock(), destroyed_by=recorded_by)
        )

    def blind_index(self, key_class: str, field_name: str, value: str) -> bytes:
        """The blind index of a value: 16 bytes, equal for equal values of one field and class."""
        return self._keyring.blind_index(key_class, field_name, value)

    async def _find(self, query: Executable, key_class: str, **values: Any) -> DataKey | None:
        found = await self._tx.execute(query, {"key_class": key_class, **values})
        row = found.one_or_none()
        return None if row is None else self.unwrapped(key_class, row.key_id, row.wrapped)

    async def _of_new_person(self, key_class: str, person: bytes) -> DataKey:
        key = self._keyring.new_data_key(key_class)
        row = {**_row(key, key_class), "person": person}
        added = await self._tx.execute(insert(data_keys).values(row).on_conflict_do_nothing())
        if added.rowcount:
            return key
        other = await self._find(BY_PERSON, key_class, person=person)
        if other is None:
            raise KeyError("erased")
        return other


def _row(key: DataKey, key_class: str) -> dict[str, Any]:
    return {"key_id": key.key_id, "key_class": key_class, "wrapped": key.wrapped}
