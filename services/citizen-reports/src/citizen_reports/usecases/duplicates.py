"""Scheduled work that marks reports as possible duplicates of earlier ones."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.transaction import SYSTEM

from citizen_reports.model.likeness import SHARED_MIN, are_alike, searched_class
from citizen_reports.model.stems import stems_of
from citizen_reports.storage import contents, nearby, reports, text_index
from citizen_reports.storage.nearby import Located, Neighbour
from citizen_reports.usecases.recording import SYSTEM_ACTOR, bind_trace

# At most so far apart, two incidents are taken for the same, whatever the texts say.
SAME_WITHIN = timedelta(minutes=10)
SAME_WITHIN_KM = 0.05
# At most so far apart, if the texts are alike: phones err in place, and people report later.
ALIKE_WITHIN = timedelta(minutes=30)
ALIKE_WITHIN_KM = 0.1


class Duplicates:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def find(self, key: str) -> None:
        """Mark a report as a possible duplicate of an earlier report of the same category and
        region. The two incidents must be at most 50 m and ten minutes apart or, if the two texts
        are alike, at most 100 m and half an hour. `key` is the report's id.

        A report that is marked already stays as it is. Complaints are never marked: an operator who
        sees one complaint may be an officer from whom the other complaint is hidden.
        """
        found = await nearby.located(self._db, UUID(key))
        bind_trace(found.report)
        if found.report.is_complaint or not found.place.has_point:
            return
        others = await nearby.registered_before(
            self._db,
            found.report,
            found.place.cells_within(ALIKE_WITHIN_KM),
            ALIKE_WITHIN,
            first=SAME_WITHIN,
        )
        original = _same(found, others) or await self._alike(found, others)
        if original is None:
            return
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get_for_update(tx, found.report.report_id)
            if report.duplicate_of is not None:
                return
            # The version stays, since no event is published. Step and audit entry do not name the
            # other report, which may later be hidden from somebody who still sees this one.
            marked = replace(report, duplicate_of=original.report_id)
            await reports.save_report(tx, report, marked, Decision("mark_duplicate"))
            contents.add_step(
                tx,
                marked,
                actor=SYSTEM_ACTOR,
                at=self._clock(),
                note="possible duplicate",
                key=await contents.report_key(tx, report.report_id),
            )

    async def _alike(self, found: Located, others: list[Neighbour]) -> Neighbour | None:
        """The earliest registered of the `others` within ALIKE_WITHIN_KM whose text is alike, or
        None. Reports whose text is not indexed are skipped."""
        report_class = searched_class(found.report.category)
        if report_class is None:
            return None
        near = [one for one in others if _is_within(found, one, ALIKE_WITHIN_KM)]
        near.sort(key=lambda one: one.registered_at)
        stems = stems_of(found.text) if near else frozenset[str]()
        if len(stems) < SHARED_MIN:
            return None
        hashes = text_index.hashed(self._db.keyring, report_class, stems)
        ids = [one.report_id for one in near]
        counts = await text_index.shared_with_any(self._db, hashes, ids)
        for one in near:
            other, shared = counts.get(one.report_id, (0, 0))
            if are_alike(len(stems), other, shared):
                return one
        return None


def _same(found: Located, others: list[Neighbour]) -> Neighbour | None:
    """The first of the `others` within SAME_WITHIN and SAME_WITHIN_KM, or None. Of the reports
    within SAME_WITHIN, which are first in `others`, this is the earliest registered."""
    for other in others:
        is_then = abs(other.occurred_at - found.report.occurred_at) <= SAME_WITHIN
        if is_then and _is_within(found, other, SAME_WITHIN_KM):
            return other
    return None


def _is_within(found: Located, other: Neighbour, km: float) -> bool:
    return other.place.has_point and found.place.km_to(other.place) <= km
