"""What watch-list officers can do, each action in one transaction with its audit entry.

The picture in a request for an entry is not stored, only the face template computed from it. Each
template is encrypted with its own key, which is destroyed when the entry is closed.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

from audit_log.attempts import Attempts, Find, Record
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import Checks, IdReused, Refusal
from chassis.telemetry import current_story
from chassis.transaction import SYSTEM, Tx
from host.leases import Lease, hold
from vision.arrays import Floats, Picture
from vision.faces.detector import FaceDetector, forget
from vision.faces.recognition import Usable

from inference_gateway.admission import InferencePool
from inference_gateway.evidence.usecases import EvidenceStore, ShownEvidence
from inference_gateway.frames.model import open_picture
from inference_gateway.frames.storage import request_fingerprint
from inference_gateway.watchlists import storage
from inference_gateway.watchlists.events import access_refused
from inference_gateway.watchlists.gallery_sync import GallerySync
from inference_gateway.watchlists.matcher import models_away_by_name
from inference_gateway.watchlists.model import (
    Asked,
    Candidate,
    CandidateNotFound,
    CandidateState,
    Entry,
    EntryNotFound,
    EntryState,
    FaceTooPoor,
    NoFace,
    Review,
    SeveralFaces,
    Verdict,
    check_asked,
)
from inference_gateway.watchlists.storage import Closing

SWEEP_SECONDS = 30.0
SWEPT_AT_ONCE = 100
log = logging.getLogger(__name__)


class WatchlistDesk:
    def __init__(
        self,
        db: Database,
        lists: GallerySync,
        pool: InferencePool,
        detector: FaceDetector,
        clock: Clock,
        evidence_store: EvidenceStore,
    ) -> None:
        self._db = db
        self._lists = lists
        self._pool = pool
        self._detector = detector
        self._clock = clock
        self._evidence = evidence_store
        self._attempts = Attempts(db, clock, access_refused)

    def check(self, check: Checks, asked: Asked, caller: Caller) -> None:
        """Check that the caller may act for the region of a request for an entry. Also check all
        fields of the request except the picture. Every wrong field is added to `check`."""
        check_asked(check, asked, self._clock())
        check.that(
            caller.scope.sees(asked.region), "region", "must be a region that you may act for"
        )

    async def request(self, asked: Asked, picture: bytes, caller: Caller) -> Entry:
        """Store a new entry, which awaits approval by a second officer, and return it. If the
        request is repeated, return the stored entry. `asked` must have passed `check`.

        Raises IdReused, NoFace, SeveralFaces, FaceTooPoor, Shed, ModelsAway, or a refusal of
        `open_picture`.
        """
        answered = await self._answered(asked, caller)
        if answered is not None:
            return answered
        async with self._pool.slot():
            template = await self._template(await asyncio.to_thread(open_picture, picture))
        try:
            return await self._add(asked, template, caller)
        finally:
            forget(template)

    async def approve(self, entry_id: UUID, caller: Caller) -> Entry:
        """Put an entry in force and return it. The caller must not be the officer who requested the
        entry.

        Raises EntryNotFound, ApproverIsRequester or EntryClosed.
        """
        async with self._opening_entry(entry_id, caller) as tx:
            entry = await storage.entry(tx, entry_id, for_update=True)
            approved = entry.approve(caller.scope.name, self._clock())
            if approved is not entry:
                await storage.put_in_force(tx, approved)
            tx.audit("approve_entry", f"entry:{entry_id}", region=entry.region)
        await self._lists.refresh()
        return approved

    async def withdraw(self, entry_id: UUID, reason: str, caller: Caller) -> Entry:
        """Close an entry as withdrawn and return it. The template is deleted, the template's key
        will be destroyed, and the entry's open candidates are dismissed. An entry that is already
        closed stays unchanged.

        Raises EntryNotFound.
        """
        async with self._opening_entry(entry_id, caller) as tx:
            entry = await storage.entry(tx, entry_id, for_update=True)
            withdrawn = entry.withdraw()
            if withdrawn is not entry:
                closing = Closing(caller.scope.name, self._clock(), reason)
                await _close(tx, withdrawn, closing)
            tx.audit("withdraw_entry", f"entry:{entry_id}", region=entry.region)
        await self._lists.refresh()
        return withdrawn

    async def entries(
        self, state: EntryState | None, *, after: UUID | None, size: int, caller: Caller
    ) -> list[Entry]:
        """Return at most `size` entries of the caller's regions, ordered by id. If `state` is
        given, only entries in this state are returned. `after` is the last id of the previous
        page. The read of each returned entry is audited."""
        async with self._db.begin(caller.scope) as tx:
            page = await storage.entries_page(tx, state, after=after, size=size)
            for entry in page:
                tx.audit("read_entry", f"entry:{entry.entry_id}", region=entry.region)
        return page

    async def candidates(
        self,
        *,
        entry_id: UUID | None,
        state: CandidateState | None,
        before: UUID | None,
        size: int,
        caller: Caller,
    ) -> list[Candidate]:
        """Return at most `size` candidates of the caller's regions, newest first. If `entry_id` or
        `state` is given, only candidates for this entry or in this state are returned. `before` is
        the last id of the previous page.

        The read of each returned candidate is audited.
        """
        async with self._db.begin(caller.scope) as tx:
            page = await storage.candidates_page(
                tx, entry_id=entry_id, state=state, before=before, size=size
            )
            for one in page:
                tx.audit("read_candidate", f"candidate:{one.candidate_id}", region=one.region)
        return page

    async def open_evidence(self, candidate_id: UUID, caller: Caller) -> ShownEvidence:
        """Return a candidate's frame in the version that officers are shown. The audit entry is
        committed before the frame is returned.

        Raises CandidateNotFound, EvidenceNotFound, or a refusal of `EvidenceStore.shown`.
        """
        async with self._opening_candidate(candidate_id, caller) as tx:
            one = await storage.candidate(tx, candidate_id)
            found = await self._evidence.find(tx, one.evidence_sha256)
            tx.audit(
                "open_evidence",
                f"candidate:{candidate_id}",
                region=one.region,
                facts={"sha256": one.evidence_sha256},
            )
        return await self._evidence.shown(found, caller.scope)

    async def review(
        self, candidate_id: UUID, verdict: Verdict, reason: str, caller: Caller
    ) -> Candidate:
        """Add the caller's verdict on a candidate and return the candidate. A second SAME_PERSON
        makes the candidate a lead; one OTHER_PERSON dismisses it.

        Raises CandidateNotFound, or a refusal of `Candidate.review`.
        """
        async with self._opening_candidate(candidate_id, caller) as tx:
            one, entry = await storage.candidate_for_review(tx, candidate_id)
            review = Review(caller.scope.name, verdict, reason, self._clock())
            reviewed = one.review(review, entry=entry)
            await storage.add_review(tx, reviewed)
            tx.audit(
                "review_candidate",
                f"candidate:{candidate_id}",
                region=one.region,
                facts={"verdict": verdict.value, "state": reviewed.state.value},
            )
        return reviewed

    def _opening_entry(self, entry_id: UUID, caller: Caller) -> AbstractAsyncContextManager[Tx]:
        asked = f"entry:{entry_id}"

        async def find(tx: Tx) -> Record | None:
            region = await storage.region_of_entry(tx, entry_id)
            return None if region is None else Record(asked, region)

        return self._opening(asked, find, EntryNotFound, caller)

    def _opening_candidate(
        self, candidate_id: UUID, caller: Caller
    ) -> AbstractAsyncContextManager[Tx]:
        asked = f"candidate:{candidate_id}"

        async def find(tx: Tx) -> Record | None:
            region = await storage.region_of_candidate(tx, candidate_id)
            return None if region is None else Record(asked, region)

        return self._opening(asked, find, CandidateNotFound, caller)

    @asynccontextmanager
    async def _opening(
        self, asked: str, find: Find, not_found: type[Refusal], caller: Caller
    ) -> AsyncIterator[Tx]:
        """A transaction that reads one record; an attempt without access is recorded."""
        async with (
            self._attempts.recorded(caller, asked, find, not_found),
            self._db.begin(caller.scope) as tx,
        ):
            yield tx

    async def keep_sweeping(self) -> None:
        """Run `sweep` every 30 seconds, in one instance of the service at a time; never returns."""
        async with hold(self._db, "watch-list sweeper") as lease:
            while True:
                await self.sweep(lease)
                await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self, lease: Lease) -> int:
        """Close expired entries, dismiss candidates that are still open after 24 hours, and delete
        evidence that is due for deletion. Returns the sum of entries closed, candidates dismissed,
        and candidates whose evidence was deleted."""
        taken = 0
        while swept := await self._sweep_once(lease):
            taken += swept
        if taken:
            log.info("%s watch-list entries and candidates have run out", taken)
            await self._lists.refresh()
        return taken

    async def _sweep_once(self, lease: Lease) -> int:
        now = self._clock()
        async with lease.begin(SYSTEM) as tx:
            overdue = await storage.overdue(tx, now, most=SWEPT_AT_ONCE)
            for entry in overdue:
                await _close(tx, entry.expire(now), Closing("", now))
                tx.audit("expire_entry", f"entry:{entry.entry_id}", region=entry.region)
            unreviewed = await storage.unreviewed(tx, now, most=SWEPT_AT_ONCE)
            for one in unreviewed:
                await storage.decide(tx, one.candidate_id, CandidateState.DISMISSED, now)
                tx.audit("dismiss_candidate", f"candidate:{one.candidate_id}", region=one.region)
            forgettable = await storage.forgettable(tx, now, most=SWEPT_AT_ONCE)
            for one in forgettable:
                await storage.forget_evidence(tx, one, now)
                tx.audit("forget_candidate", f"candidate:{one.candidate_id}", region=one.region)
        return len(overdue) + len(unreviewed) + len(forgettable)

    async def _answered(self, asked: Asked, caller: Caller) -> Entry | None:
        """The entry of a repeated request; None for a new request. Raises IdReused."""
        async with self._db.begin(caller.scope) as tx:
            known = await request_fingerprint(tx, caller.key, asked.entry_id)
            if known is None:
                return None
            if known != hashlib.sha256(asked.content).digest():
                raise IdReused
            return await storage.entry(tx, asked.entry_id)

    async def _template(self, picture: Picture) -> Floats:
        """The template [1, 128] of the only face in a picture.

        Raises NoFace, SeveralFaces or FaceTooPoor.
        """
        async with models_away_by_name():
            faces = await self._detector.detect(picture)
            if not faces:
                raise NoFace
            if len(faces) > 1:
                raise SeveralFaces(facts={"faces": str(len(faces))})
            usable = faces[0].for_enrolment
            if usable is not Usable.YES:
                raise FaceTooPoor(facts={"why": usable.value})
            return await self._detector.templates(picture, faces)

    async def _add(self, asked: Asked, template: Floats, caller: Caller) -> Entry:
        assert asked.basis is not None
        officer = caller.scope.name
        entry = Entry(
            asked.entry_id,
            asked.region,
            asked.basis,
            asked.case_number,
            asked.purpose,
            officer,
            self._clock(),
            asked.expires_at,
        )
        async with self._db.begin(caller.scope) as tx:
            if not await tx.once(caller.key, asked.entry_id, asked.content):
                return await storage.entry(tx, asked.entry_id)
            await storage.add_entry(tx, entry, template.tobytes(), story=current_story())
            tx.audit("request_entry", f"entry:{asked.entry_id}", region=asked.region)
        return entry


async def _close(tx: Tx, entry: Entry, closing: Closing) -> None:
    for candidate_id in await storage.close(tx, entry, closing):
        tx.audit("dismiss_candidate", f"candidate:{candidate_id}", region=entry.region)
