"""Imports cameras in batches: each is one decision, one transaction and one audit entry."""

from dataclasses import replace
from uuid import NAMESPACE_OID, UUID, uuid5

from audit_log.decisions import Decision as Decided
from audit_log.decisions import audit_batch
from chassis.clock import new_id
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import checks
from chassis.transaction import Tx

from camera_registry.events import camera_changed, cameras_imported
from camera_registry.keyed import keyed
from camera_registry.model.camera import CAMERA
from camera_registry.model.imports import (
    Batch,
    Decision,
    Outcome,
    Row,
    Standing,
    decide,
    named_hubs,
    outcome_of,
)
from camera_registry.storage import hubs, imports


class Imports:
    """The use cases of administrators who import many cameras at once."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(self, batch: Batch, caller: Caller) -> Outcome:
        """Import a batch of rows and return its outcome. A batch that was imported before is not
        imported again: its first outcome is returned. A batch marked as a dry run is not imported:
        its expected outcome is returned.

        Raises BadRequest if the batch's number is not the next number of its import, or IdReused if
        the number was used before for other rows.
        """
        batch = replace(batch, rows=tuple(self._keyed(row) for row in batch.rows))
        if batch.is_dry_run:
            async with self._db.begin(caller.scope) as tx:
                decision = await _decision(tx, batch)
                return outcome_of(batch, decision, await _duplicates(tx, decision))
        request_id = uuid5(NAMESPACE_OID, f"{batch.import_id}/{batch.number}")
        async with self._db.begin(caller.scope) as tx:
            if not await tx.once(caller.key, request_id, batch.sha256):
                outcome = await imports.find_outcome(tx, batch.import_id, batch.number)
                assert outcome is not None
                return outcome
            following = await imports.last_number(tx, batch.import_id) + 1
            with checks() as check:
                check.that(batch.number == following, "number", f"{following}, the next batch")
            return await self._write(tx, batch)

    def _keyed(self, row: Row) -> Row:
        description = keyed(row.description, self._db.keyring)
        return row if description is row.description else replace(row, description=description)

    async def standing(self, import_id: UUID, caller: Caller) -> Standing:
        """Return the totals of an import of the caller, over its batches so far. Raises
        ImportNotFound."""
        async with self._db.begin(caller.scope) as tx:
            return await imports.standing(tx, import_id)

    async def _write(self, tx: Tx, batch: Batch) -> Outcome:
        decision = await _decision(tx, batch)
        now, audit_entry = await tx.now(), new_id()
        # First: a changed camera may give its serial number to one that is added.
        for row in await imports.change_cameras(tx, decision.changed, audit_entry, held_from=now):
            decision.refuse_unseen(row)
        stored = await imports.add_cameras(tx, decision.added.values(), audit_entry)
        for row, camera in list(decision.added.items()):
            if camera.camera_id not in stored:
                decision.refuse_unseen(row)
        outcome = outcome_of(batch, decision, await _duplicates(tx, decision))
        await imports.add_outcome(tx, batch, outcome, now)
        for camera in decision.changed.values():
            tx.emit(camera_changed(camera, now))
        added, changed = decision.added.values(), decision.changed.values()
        regions = sorted({camera.description.place.region for camera in (*added, *changed)})
        tx.emit(cameras_imported(batch.import_id, outcome, regions, now))
        audit_batch(
            tx,
            f"import:{batch.import_id}",
            Decided("import", _facts_of(batch, outcome), entry_id=audit_entry),
            CAMERA,
            imports.decided_rows(added, changed, held_from=now),
            region=regions[0] if len(regions) == 1 else "",
        )
        return outcome


def _facts_of(batch: Batch, outcome: Outcome) -> dict[str, str]:
    """The facts in the audit entry of a batch, beside the hashes of its cameras."""
    return {
        "number": str(batch.number),
        "rows_sha256": batch.sha256.hex(),
        "added": str(outcome.added),
        "changed": str(outcome.changed),
    }


async def _decision(tx: Tx, batch: Batch) -> Decision:
    await imports.plan_anew(tx)
    known = await imports.known_cameras(tx, batch.rows)
    in_service = await hubs.in_service(tx, named_hubs(batch.rows, known))
    return decide(batch.rows, known, await tx.now(), sees=tx.scope.sees, hubs=in_service)


async def _duplicates(tx: Tx, decision: Decision) -> dict[int, UUID]:
    return await imports.at_the_same_place(tx, decision.added)
