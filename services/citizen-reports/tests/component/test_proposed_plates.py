"""Plates are read in photographs of traffic violations and proposed to the desk, and to nobody
else; a person says which plate it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from chassis.db import Database
from chassis.refusals import Kind, Refusal
from chassis.transaction import SYSTEM, Scope
from citizen_reports.model.media import Media
from citizen_reports.model.proposed_plates import PROPOSALS_MAX, ProposedPlate
from citizen_reports.usecases.plate_proposals import PlateProposals
from sqlalchemy import text
from tartip.inference.v1 import inference_pb2
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, Evidence, draft, jpeg, pieces_of, until
from .test_retention import shown
from .test_secrecy import audited, sides
from .test_uploads import stored_media


class Busy(Refusal):
    kind = Kind.OVERLOADED
    code = "OVERLOADED"


class Away(Refusal):
    kind = Kind.UNAVAILABLE
    code = "MODELS_AWAY"


class Damaged(Refusal):
    kind = Kind.DAMAGED
    code = "EVIDENCE_DAMAGED"


class NotShowable(Refusal):
    kind = Kind.STATE
    code = "EVIDENCE_NOT_SHOWABLE"


@dataclass
class Reader:
    """The models, as far as proposals ask them."""

    texts: list[str] = field(default_factory=list)
    refusal: Refusal | None = None
    asked: int = 0

    async def read_plates(self, item: Media) -> list[ProposedPlate]:
        self.asked += 1
        if self.refusal:
            raise self.refusal
        return [
            ProposedPlate(item.media_id, plate, 0.1 * index)
            for index, plate in enumerate(self.texts)
        ]


async def sent(kaspi: As, desk: As, given: pb.OpenReportRequest, picture: bytes) -> tuple[str, str]:
    """A submitted report with a photograph that lies in the evidence store; its id and the id of
    the photograph."""
    await kaspi.app("OpenReport", given)
    [piece] = pieces_of(given.report_id, picture)
    await kaspi.app("PutMedia", piece)
    await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id))
    await until(lambda: stored_media(desk, given.report_id))
    return given.report_id, piece.media_id


async def kept(db: Database, report_id: str, scope: Scope = SYSTEM) -> list[Any]:
    query = text("SELECT * FROM proposed_plates WHERE report_id = CAST(:r AS uuid)")
    async with db.begin(scope) as tx:
        return list((await tx.execute(query.bindparams(r=report_id))).all())


async def test_what_the_model_read_is_proposed_to_the_desk_and_to_nobody_else(
    kaspi: As, dispatcher: As, evidence: Evidence, db: Database
) -> None:
    picture = jpeg(next(sides))
    evidence.plates[hashlib.sha256(picture).hexdigest()] = [
        inference_pb2.Plate(text="111AAA02", confidence=0.5),
        inference_pb2.Plate(text="463DXA02", confidence=0.75),
    ]
    report_id, media_id = await sent(kaspi, dispatcher, draft(), picture)

    async def proposed() -> Any:
        return (await shown(dispatcher, report_id)).proposed_plates

    first, second = await until(proposed)
    assert (first.media_id, first.text, first.confidence) == (media_id, "463DXA02", 0.75)
    assert second.text == "111AAA02"
    whole = await shown(dispatcher, report_id)
    assert not whole.accepted_plate, "nothing is accepted but by an operator"
    app = await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))
    assert "463DXA02" not in str(app)
    listed = await dispatcher.at_desk("ListReports", pb.ReportDeskListReportsRequest())
    assert "463DXA02" not in str(listed)
    [row] = await kept(db, report_id)
    assert b"463DXA02" not in bytes(row.sealed)
    [entry] = await audited(db, "propose_plates", whole.report.receipt.number)
    assert entry["facts"] == {"media": media_id, "plates": "2"}


async def test_no_plate_is_read_of_other_kinds(
    kaspi: As, dispatcher: As, evidence: Evidence, db: Database
) -> None:
    picture = jpeg(next(sides))
    given = draft(category=pb.CATEGORY_INCIDENT)
    report_id, media_id = await sent(kaspi, dispatcher, given, picture)
    reader = Reader(texts=["463DXA02"])
    await PlateProposals(db, reader).propose(f"{report_id}:{media_id}")
    assert (reader.asked, await kept(db, report_id)) == (0, [])
    assert hashlib.sha256(picture).hexdigest() not in evidence.looked_at


async def test_proposals_are_seen_by_those_who_see_the_report(
    kaspi: As, dispatcher: As, db: Database
) -> None:
    report_id, _ = await sent(kaspi, dispatcher, draft(), jpeg(next(sides)))
    await until(lambda: kept(db, report_id))
    desk = Scope("operator", "dispatcher-almaty", ("KZ-75",), ("dispatcher",))
    assert len(await kept(db, report_id, desk)) == 1
    for scope in (
        Scope("operator", "dispatcher-almaty", ("KZ-71",), ("dispatcher",)),
        Scope("partner", "kaspi"),
        Scope("service", "violations", ("*",)),
    ):
        assert await kept(db, report_id, scope) == []


@pytest.mark.parametrize("refusal", [Away, Busy, Damaged])
async def test_work_waits_for_models_that_are_away_or_busy_and_for_evidence_that_is_damaged(
    refusal: type[Refusal], kaspi: As, dispatcher: As, db: Database
) -> None:
    key, report_id = await _not_looked_at(kaspi, dispatcher, db)
    reader = Reader(refusal=refusal())
    with pytest.raises(refusal):
        await PlateProposals(db, reader).propose(key)
    assert await kept(db, report_id) == []
    reader.refusal, reader.texts = None, [f"11{index}AAA02" for index in range(PROPOSALS_MAX + 2)]
    for _ in "12":
        await PlateProposals(db, reader).propose(key)
    assert reader.asked == 2, "once more, and not again when it is stored"
    plates = (await shown(dispatcher, report_id)).proposed_plates
    assert [plate.text for plate in plates] == list(reversed(reader.texts[2:])), "the surest five"


async def test_a_photograph_that_cannot_be_looked_at_is_left_alone(
    kaspi: As, dispatcher: As, db: Database
) -> None:
    key, report_id = await _not_looked_at(kaspi, dispatcher, db)
    await PlateProposals(db, Reader(refusal=NotShowable())).propose(key)
    assert len(await kept(db, report_id)) == 1
    assert not (await shown(dispatcher, report_id)).proposed_plates


async def _not_looked_at(kaspi: As, dispatcher: As, db: Database) -> tuple[str, str]:
    """The key of work that the service itself has not done: a report of another kind, corrected."""
    given = draft(category=pb.CATEGORY_INCIDENT)
    report_id, media_id = await sent(kaspi, dispatcher, given, jpeg(next(sides)))
    async with db.begin(SYSTEM) as tx:
        await tx.execute(
            text("UPDATE reports SET category = 'traffic_violation' WHERE report_id = :r"),
            {"r": UUID(report_id)},
        )
    return f"{report_id}:{media_id}", report_id
