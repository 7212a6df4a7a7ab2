"""Stores plates that a model read in photographs of reports, encrypted with the report's key."""

import json
from collections.abc import Sequence
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import exists, select
from vault.keyring import DataKey

from citizen_reports.model.proposed_plates import ProposedPlate
from citizen_reports.storage.tables import proposed_plates


def add_plates(
    tx: Tx, report_id: UUID, media_id: UUID, plates: Sequence[ProposedPlate], key: DataKey
) -> None:
    """Store the plates that a model read in a photograph, encrypted with the report's `key`. Empty
    `plates` record that it read none. If the photograph has a result already, nothing changes."""
    content = json.dumps([[plate.text, plate.confidence] for plate in plates])
    row = {
        "report_id": report_id,
        "media_id": media_id,
        "sealed": key.seal(content, _place_of(report_id, media_id)),
    }
    tx.add(proposed_plates, row, or_ignored=True)


async def was_read(tx: Tx, report_id: UUID, media_id: UUID) -> bool:
    """Return whether a result of reading plates, also an empty one, is stored for a photograph."""
    of_photograph = exists().where(
        proposed_plates.c.report_id == report_id, proposed_plates.c.media_id == media_id
    )
    return bool(await tx.scalar(select(of_photograph)))


async def plates_of(tx: Tx, report_id: UUID, key: DataKey | None) -> tuple[ProposedPlate, ...]:
    """Return the plates read in all photographs of a report, the highest confidence first. `key` is
    the report's data key; if the key was destroyed, pass None, and () is returned."""
    if key is None:
        return ()
    query = select(proposed_plates).where(proposed_plates.c.report_id == report_id)
    found = [
        ProposedPlate(row.media_id, text, confidence)
        for row in await tx.execute(query)
        for text, confidence in json.loads(
            key.open_text(row.sealed, _place_of(report_id, row.media_id))
        )
    ]
    return tuple(sorted(found, key=lambda plate: (-plate.confidence, plate.text)))


def _place_of(report_id: UUID, media_id: UUID) -> str:
    return f"proposed_plates.sealed:{report_id}:{media_id}"
