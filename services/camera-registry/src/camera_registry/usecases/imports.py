"""Imports cameras in batches; each batch is decided and stored in one transaction."""

from dataclasses import replace
from uuid import NAMESPACE_OID, UUID, uuid5

from audit_log.decisions import Decision as Decided
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import checks
from chassis.transaction import Tx

from camera_registry.events import camera_changed, cameras_imported
from camera_registry.keyed import keyed
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
        now = await tx.now()
        # First: a changed camera may give its serial number to one that is added.
        change, addition = (Decided(action, _facts_of(batch)) for action in ("change", "register"))
        for row in await imports.change_cameras(tx, decision.changed, change, held_from=now):
            decision.refuse_unseen(row)
        added = await imports.add_cameras(tx, decision.added.values(), addition)
        for row, camera in list(decision.added.items()):
            if camera.camera_id not in added:
                decision.refuse_unseen(row)
        outcome = outcome_of(batch, decision, await _duplicates(tx, decision))
        await imports.add_outcome(tx, batch, outcome, now)
        for camera in decision.changed.values():
            tx.emit(camera_changed(camera, now))
        written = [*decision.added.values(), *decision.changed.values()]
        regions = sorted({camera.description.place.region for camera in written})
        tx.emit(cameras_imported(batch.import_id, outcome, regions, now))
        facts = {
            "number": str(batch.number),
            "rows_sha256": batch.sha256.hex(),
            "added": str(outcome.added),
            "changed": str(outcome.changed),
        }
        region = regions[0] if len(regions) == 1 else ""
        tx.audit("import", f"import:{batch.import_id}", region=region, facts=facts)
        return outcome


def _facts_of(batch: Batch) -> dict[str, str]:
    """In the audit entries of a batch's cameras: where they come from."""
    return {"import": str(batch.import_id), "number": str(batch.number)}


async def _decision(tx: Tx, batch: Batch) -> Decision:
    await imports.plan_anew(tx)
    known = await imports.known_cameras(tx, batch.rows)
    in_service = await hubs.in_service(tx, named_hubs(batch.rows, known))
    return decide(batch.rows, known, await tx.now(), sees=tx.scope.sees, hubs=in_service)


async def _duplicates(tx: Tx, decision: Decision) -> dict[int, UUID]:
    return await imports.at_the_same_place(tx, decision.added)
