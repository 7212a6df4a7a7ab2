"""Evidence: encrypted with a key per object, addressed by the SHA-256 of its plain content.

Two versions are stored: the original file, and the version shown to operators, which has only the
picture or film, without metadata. Each version is an object (an encrypted file in the object store)
with a row in the database. If the original has no metadata, one object is both versions.

An object is written before its row, so a crash leaves at most an object without a row. Such an
object is deleted once two sweeps have found no row for it. Every read is audited first: an audit
entry with reader, reason and the content's hash is committed before any byte is sent.
"""

import asyncio
import hashlib
import logging
import math
import time
from dataclasses import dataclass, replace
from datetime import timedelta

from chassis.clock import Clock, real_clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import Kind, Refusal
from chassis.transaction import SYSTEM, Scope, Tx
from cryptography.exceptions import InvalidTag
from host.leases import Lease, hold
from vision.shown_forms import NotShowable, shown_form

from inference_gateway import metrics
from inference_gateway.evidence import storage
from inference_gateway.evidence.damage import storage as damage_storage
from inference_gateway.evidence.damage.events import evidence_damaged
from inference_gateway.evidence.model import Damage, DamagedEvidence, EvidenceDamaged, Round
from inference_gateway.evidence.storage import (
    KEY_CLASS,
    BlobStore,
    EvidenceAway,
    EvidencePlace,
    FoundEvidence,
    StoredEvidence,
    store_evidence,
)

MOST_BYTES = 100 * 1024 * 1024
SWEEP_SECONDS = 1800.0
# Far above what a transaction may take: a younger object may still be about to get its row.
ORPHAN_AGE = timedelta(hours=1)
# After an outage of the database what waits for it is written within moments; an object that was
# without a row so long before, while the database answered, is nobody's.
SUSPECTED_SECONDS = SWEEP_SECONDS / 2
SWEPT_DAYS = 2
BATCH = 500
log = logging.getLogger(__name__)


class EvidenceTooLarge(Refusal):
    kind = Kind.INVALID
    code = "EVIDENCE_TOO_LARGE"


class EvidenceDigestMismatch(Refusal):
    kind = Kind.INVALID
    code = "EVIDENCE_DIGEST_MISMATCH"


class EvidenceNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "EVIDENCE_NOT_FOUND"


class EvidenceInUse(Refusal):
    """A frame, a candidate or an original needs the evidence that is to be erased."""

    code = "EVIDENCE_IN_USE"


class EvidenceNotShowable(Refusal):
    code = "EVIDENCE_NOT_SHOWABLE"


class EvidenceFormMissing(Refusal):
    """The form that operators are to be shown is not stored."""

    code = "EVIDENCE_FORM_MISSING"


@dataclass(frozen=True)
class ShownEvidence:
    """The version of a piece of evidence that is shown to operators, decrypted. `sha256` is the
    hash of this version, `original_sha256` the hash of the original."""

    content_type: str
    content: bytes
    sha256: str
    original_sha256: str


@dataclass(frozen=True)
class AnnouncedEvidence:
    """What the owner of a record says of a file. `sha256` is the hash of its content.

    `shown_sha256` is the hash of the version that operators see, if the owner made it: that version
    is stored first, as a file for which both hashes are equal. With "", it is made here.
    """

    sha256: str
    content_type: str
    shown_sha256: str = ""


class EvidenceStore:
    def __init__(self, db: Database, objects: BlobStore, clock: Clock) -> None:
        self._db = db
        self._objects = objects
        self._clock = clock
        # Objects that the last sweep found without a row, and when (monotonic) they first were.
        self._suspects: dict[str, float] = {}

    async def seal(self, content: bytes, content_type: str) -> StoredEvidence:
        """Encrypt an original, write it to the object store and return its description. If the
        version shown to operators differs from the original, encrypt and write that version too,
        and describe it in the field `shown`.

        The objects become evidence only when `storage.store_evidence` has written their rows.
        Raises EvidenceAway if the object store is unavailable.
        """
        stored = await self._seal(content, content_type)
        return await self._with_form(stored, content)

    async def store(
        self,
        content: bytes,
        announced: AnnouncedEvidence,
        *,
        place: EvidencePlace,
        caller: Caller,
        confidential: bool,
    ) -> StoredEvidence:
        """Encrypt content and store it as evidence. `place` says who may read it. If `place`
        already has evidence with this content, the earlier evidence is kept. `confidential` hides
        the audit entry from auditors.

        Raises EvidenceDigestMismatch if the announced hash is not that of the content,
        EvidenceFormMissing if the announced version for operators is not stored, or EvidenceAway if
        the object store is unavailable.
        """
        sha256, shown_sha256 = announced.sha256, announced.shown_sha256
        if (await asyncio.to_thread(hashlib.sha256, content)).hexdigest() != sha256:
            raise EvidenceDigestMismatch
        seal = self._seal if shown_sha256 else self.seal
        stored = await seal(content, announced.content_type)
        # The rows are of the region that the owner named, not of the caller's.
        async with self._db.begin(replace(caller.scope, regions=("*",))) as tx:
            if shown_sha256 not in ("", sha256):
                form = await storage.evidence_at(tx, shown_sha256, place)
                if form is None:
                    raise EvidenceFormMissing
                stored = replace(stored, shown=form, is_form_stored=True)
            await store_evidence(tx, stored, place)
            tx.audit(
                "keep_evidence",
                f"evidence:{sha256}",
                region=place.region,
                confidential=confidential,
            )
        return stored

    async def read(self, sha256: str, scope: Scope, *, confidential: bool) -> ShownEvidence:
        """Return the version of a piece of evidence that is shown to operators; `sha256` is the
        hash of the original. The read is audited first; `confidential` hides the audit entry from
        auditors.

        Raises EvidenceNotFound, EvidenceNotShowable if the original's metadata cannot be removed,
        EvidenceAway if the object store is unavailable, or EvidenceDamaged.
        """
        async with self._db.begin(scope) as tx:
            found = await self.find(tx, sha256)
            tx.audit(
                "read_evidence",
                f"evidence:{sha256}",
                region=found.place.region,
                confidential=confidential,
            )
        return await self.shown(found, scope)

    async def erase(self, sha256: str, scope: Scope, *, confidential: bool) -> int:
        """Erase all evidence with this SHA-256 (hex), of every region and role; return how many
        objects that were. Their keys are destroyed and listed; the objects are deleted.

        `confidential` hides the audit entry from auditors. Raises EvidenceInUse.
        """
        async with self._db.begin(replace(SYSTEM, purpose=scope.purpose)) as tx:
            if await storage.is_needed(tx, sha256):
                raise EvidenceInUse
            paths = await storage.erase(tx, sha256)
            if paths:
                facts = {"objects": str(len(paths)), "for": scope.actor}
                tx.audit(
                    "erase_evidence", f"evidence:{sha256}", facts=facts, confidential=confidential
                )
        try:
            await self._objects.delete(paths)
        except EvidenceAway:  # without its key it is noise
            log.warning("%s erased objects still lie in the store", len(paths))
        return len(paths)

    async def find(self, tx: Tx, sha256: str) -> FoundEvidence:
        """Return the stored evidence whose original file has this SHA-256 (hex), read within `tx`.

        Raises EvidenceNotFound.
        """
        found = await storage.find_evidence(tx, sha256)
        if found is None:
            raise EvidenceNotFound
        return found

    async def shown(self, found: FoundEvidence, scope: Scope) -> ShownEvidence:
        """Return evidence decrypted, in the version that operators are shown. If this version is
        not stored yet, it is made from the original and stored.

        Call this outside a transaction, after the audit entry of the read is committed. Raises
        EvidenceNotShowable if this version cannot be made, or EvidenceAway if the object store is
        unavailable. Raises EvidenceDamaged if an object is missing or altered; the damage is then
        stored.
        """
        if found.shown_sha256 is None:
            content = await self._opened(found.stored, found.place)
            stored = await self._with_form(found.stored, content)
            async with self._db.begin(scope) as tx:
                await storage.note_shown(tx, stored, found.place)
        else:
            stored = replace(found.stored, is_showable=bool(found.shown_sha256))
        if not stored.is_showable:
            raise EvidenceNotShowable
        form = stored.shown or stored
        content = await self._opened(form, found.place)
        return ShownEvidence(form.content_type, content, form.sha256, stored.sha256)

    async def look_again(self, *, after: str, size: int) -> str:
        """Read a page of at most `size` objects that are recorded as damaged. Record those that are
        now intact as repaired. Return the path of the page's last object, "" if the page is empty.

        An object whose key was destroyed is on the page, but is not read: nobody can decrypt it.

        `after` is the path of the last object on the previous page, "" for the first page.
        """
        async with self._db.begin(SYSTEM) as tx:
            page = await damage_storage.damaged_objects(tx, after=after, size=size)
        for stored in filter(None, page.values()):
            try:
                await self.content_of(stored)
            except (EvidenceDamaged, EvidenceAway):
                continue
            async with self._db.begin(SYSTEM) as tx:
                await damage_storage.note_repaired(tx, stored.object_path)
            log.info("evidence %s is repaired", stored.sha256)
        return max(page, default="")

    async def _with_form(self, stored: StoredEvidence, content: bytes) -> StoredEvidence:
        try:
            form = await asyncio.to_thread(shown_form, content)
        except NotShowable:
            return replace(stored, is_showable=False)
        if form.content == content and form.content_type == stored.content_type:
            return stored
        return replace(stored, shown=await self._seal(form.content, form.content_type))

    async def _seal(self, content: bytes, content_type: str) -> StoredEvidence:
        digest = hashlib.sha256(content).hexdigest()
        key = self._db.keyring.new_data_key(KEY_CLASS)
        path = f"{self._clock():%Y-%m-%d}/{digest}.{key.key_id}"
        sealed = await asyncio.to_thread(key.seal, content, _place(digest))
        await self._objects.put(path, sealed)
        return StoredEvidence(digest, content_type, len(content), key, path)

    async def _opened(self, stored: StoredEvidence, place: EvidencePlace) -> bytes:
        try:
            return await self.content_of(stored)
        except EvidenceDamaged as error:
            async with self._db.begin(SYSTEM) as tx:
                await self.note_damage(tx, stored, place, error.damage)
            raise

    async def content_of(self, stored: StoredEvidence) -> bytes:
        """Return the decrypted content of a stored object. Raises EvidenceDamaged if the object is
        missing or altered, or EvidenceAway if the object store is unavailable."""
        sealed = await self._objects.get(stored.object_path)
        try:
            return await asyncio.to_thread(stored.key.open, sealed, _place(stored.sha256))
        except (InvalidTag, ValueError) as error:
            raise EvidenceDamaged(Damage.CHANGED) from error

    async def has_objects(self) -> bool:
        """Whether the object store contains any object. Raises EvidenceAway if the store is
        unavailable."""
        return await self._objects.has_objects()

    async def note_damage(
        self, tx: Tx, stored: StoredEvidence, place: EvidencePlace, damage: Damage
    ) -> None:
        """Record that the object `stored` is damaged. If this damage is new, also write an audit
        entry and publish an event. `place` tells who may read the evidence."""
        damage_id = await damage_storage.note_damage(tx, stored, place, damage)
        if damage_id is None:
            return
        log.error("evidence %s is %s: %s", stored.sha256, damage.value, stored.object_path)
        metrics.evidence_damage_found.add(1, {"damage": damage.value})
        tx.emit(evidence_damaged(damage_id, place.region, damage, self._clock()))
        tx.audit(
            "find_damaged_evidence",
            f"evidence:{stored.sha256}",
            region=place.region,
            facts={"damage": damage.value},
            confidential=bool(place.only_role),
        )

    async def damaged(self, *, after: str, size: int) -> tuple[list[DamagedEvidence], Round | None]:
        """Return at most `size` damaged objects that are not repaired, ordered by path. Also return
        the current or last round of the check that reads all evidence; None before the first.

        `after` is the path of the last object on the previous page, "" for the first page.
        """
        async with self._db.begin(SYSTEM) as tx:  # of all regions and roles: it tells no content
            found = await damage_storage.damaged(tx, after=after, size=size)
            return found, await damage_storage.current_round(tx)

    async def keep_sweeping(self) -> None:
        """Run `sweep` every half hour, in one instance of the service at a time; never returns."""
        async with hold(self._db, "evidence sweeper") as lease:
            while True:
                await self.sweep(lease)
                await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(
        self,
        lease: Lease,
        *,
        orphan_age: timedelta = ORPHAN_AGE,
        suspected_seconds: float = SUSPECTED_SECONDS,
    ) -> int:
        """Delete objects without a row in the database, which a crash can leave; return how many
        were deleted. `lease` ensures that only one instance of the service sweeps.

        An object is deleted if it is older than `orphan_age`, and an earlier sweep, at least
        `suspected_seconds` ago, found no row for it either.
        """
        now, swept, suspects = self._clock(), 0, dict[str, float]()
        # The store dates its objects by its own clock, which nobody moves.
        old_enough = real_clock() - orphan_age
        for day in range(SWEPT_DAYS):
            old = [
                path
                async for path, written in self._objects.under(f"{now - timedelta(day):%Y-%m-%d}")
                if written < old_enough
            ]
            for start in range(0, len(old), BATCH):
                left, deleted = await self._sweep_batch(
                    lease, old[start : start + BATCH], suspected_seconds
                )
                suspects |= left
                swept += deleted
        self._suspects = suspects
        return swept

    async def _sweep_batch(
        self, lease: Lease, paths: list[str], suspected_seconds: float
    ) -> tuple[dict[str, float], int]:
        """Return the remaining suspects by the time of first suspicion, and the number deleted."""
        async with lease.begin(SYSTEM) as tx:
            known = await storage.known_objects(tx, paths)
        asked = time.monotonic()
        orphans = {path: self._suspects.get(path, math.inf) for path in paths if path not in known}
        gone = [path for path, since in orphans.items() if asked - since >= suspected_seconds]
        if gone:
            await self._objects.delete(gone)
            log.warning("%s objects without a row were taken away", len(gone))
        for path in gone:
            del orphans[path]
        return {path: min(since, asked) for path, since in orphans.items()}, len(gone)


def _place(sha256: str) -> str:
    return f"evidence.object:{sha256}"
