"""Stores plates that a model read in photographs, encrypted with the report's key."""

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
    """Store what was read in a photograph, also if it was nothing. What is stored already stays."""
    content = json.dumps([[plate.text, plate.confidence] for plate in plates])
    row = {
        "report_id": report_id,
        "media_id": media_id,
        "sealed": key.seal(content, _place_of(report_id, media_id)),
    }
    tx.add(proposed_plates, row, or_ignored=True)


async def was_read(tx: Tx, report_id: UUID, media_id: UUID) -> bool:
    """Whether it is stored what was read in a photograph."""
    of_photograph = exists().where(
        proposed_plates.c.report_id == report_id, proposed_plates.c.media_id == media_id
    )
    return bool(await tx.scalar(select(of_photograph)))


async def plates_of(tx: Tx, report_id: UUID, key: DataKey | None) -> tuple[ProposedPlate, ...]:
    """Return the plates of all photographs of a report, the surest first; () if its key was
    destroyed."""
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
