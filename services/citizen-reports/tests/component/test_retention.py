"""Ended reports are erased part by part at their terms, and nothing else is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.db import Database
from chassis.refusals import Kind, Refusal
from chassis.transaction import SYSTEM
from citizen_reports.model.retention import Part, rules_of
from citizen_reports.storage import retention as stored
from citizen_reports.usecases.retention import Retention
from law.report_retention import read_report_retention
from sqlalchemy import text
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1 import retention_pb2 as kept
from tartip.reports.v1 import retention_pb2_grpc
from tartip_testing.audit import served_differences
from tartip_testing.mesh import RunningTestMesh

from .conftest import SERVICE, As, Register, complaint, draft, jpeg, pieces_of, refused, until
from .sample_media import film
from .test_secrecy import audited, sides
from .test_uploads import blurred_media

TABLE = read_report_retention()
# Of the class "open", that of traffic violations.
YEAR, THREE_YEARS = timedelta(days=366), timedelta(days=1096)


class Away(Refusal):
    kind = Kind.UNAVAILABLE
    code = "EVIDENCE_AWAY"


@dataclass
class Eraser:
    """The evidence store, as far as erasing goes."""

    erased: list[str] = field(default_factory=list)
    away: bool = False

    async def erase(self, sha256: str, *, confidential: bool) -> None:
        if self.away:
            raise Away
        self.erased.append(sha256)


@dataclass
class HoldingEraser(Eraser):
    """Places a hold on one of two reports while evidence of the other is erased."""

    numbers: dict[str, str] = field(default_factory=dict)
    place_hold: Callable[[str], Awaitable[object]] | None = None

    async def erase(self, sha256: str, *, confidential: bool) -> None:
        await super().erase(sha256, confidential=confidential)
        if sha256 in self.numbers and self.place_hold is not None:
            [other] = [number for sha, number in self.numbers.items() if sha != sha256]
            place, self.place_hold = self.place_hold, None
            await place(other)


@dataclass
class Runs:
    """Runs of the erasing loop at moments to come."""

    db: Database
    eraser: Eraser = field(default_factory=Eraser)

    async def after(self, time: timedelta) -> int:
        def later() -> datetime:
            return system_clock() + time

        return await Retention(self.db, later, TABLE, self.eraser).erase_due()


@pytest.fixture
def runs(db: Database) -> Runs:
    return Runs(db)


async def withdrawn(
    kaspi: As,
    seen_by: As,
    given: pb.OpenReportRequest,
    picture: bytes = b"",
    content_type: str = "image/jpeg",
) -> tuple[str, str]:
    """The id and the number of a report that its reporter took back."""
    await kaspi.app("OpenReport", given)
    if picture:
        [piece] = pieces_of(given.report_id, picture, content_type=content_type)
        await kaspi.app("PutMedia", piece)
    request = pb.SubmitReportRequest(report_id=given.report_id)
    number = (await kaspi.app("SubmitReport", request)).receipt.number
    if picture:
        await until(lambda: blurred_media(seen_by, given.report_id))
    await kaspi.app("WithdrawReport", pb.WithdrawReportRequest(report_id=given.report_id))
    return given.report_id, number


async def parts_of(db: Database, report_id: str) -> set[str]:
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT part FROM report_erasures WHERE report_id = CAST(:r AS uuid)")
        return set((await tx.execute(query.bindparams(r=report_id))).scalars())


async def shown(desk: As, report_id: str) -> Any:
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    return (await desk.at_desk("GetReport", request)).report


async def test_each_part_goes_at_its_term_and_leaves_a_proof(
    engines: RunningTestMesh, kaspi: As, dispatcher: As, db: Database, runs: Runs
) -> None:
    report_id, number = await withdrawn(kaspi, dispatcher, draft(), jpeg(next(sides)))
    [item] = (await shown(dispatcher, report_id)).media
    await runs.after(timedelta(days=364))
    assert await parts_of(db, report_id) == set()
    await runs.after(YEAR)
    assert await parts_of(db, report_id) == {"reporter", "original", "clean", "copies"}
    forms = {item.shown_sha256, item.blurred_sha256}
    ours = [one for one in runs.eraser.erased if one in {item.evidence_sha256, *forms}]
    assert ours == [item.evidence_sha256, *sorted(forms)], "the original first"
    left = await shown(dispatcher, report_id)
    assert left.text and not left.reporter.iin
    await runs.after(THREE_YEARS)
    assert "text" in await parts_of(db, report_id)
    left = await shown(dispatcher, report_id)
    assert (left.text, left.place.address, left.reporter.name) == ("", "", "")
    assert left.report.receipt.number == number, "the row stays, for figures"
    async with db.begin(SYSTEM) as tx:
        query = text(
            "SELECT wrapped, EXISTS (SELECT FROM work WHERE kind = 'list_erasure'"
            " AND key = CAST(data_keys.key_id AS text)) AS is_listed"
            " FROM contents JOIN data_keys USING (key_id) WHERE report_id = CAST(:r AS uuid)"
        )
        key = (await tx.execute(query.bindparams(r=report_id))).one()
    assert key.wrapped is None and key.is_listed
    entries = await audited(db, "erase_part", number)
    assert sorted(entry["facts"]["part"] for entry in entries) == sorted(Part)
    assert {entry["facts"]["table"] for entry in entries} == {TABLE.version}
    assert "900101300017" not in str(entries)
    differences = await served_differences(engines, SERVICE)
    assert not [line for line in differences if number in line], "what was decided still fits"
    assert (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report.status


async def test_the_first_frame_of_a_film_goes_with_the_film_that_operators_see(
    kaspi: As, dispatcher: As, db: Database, runs: Runs
) -> None:
    content = film(seed=next(sides))
    report_id, _ = await withdrawn(kaspi, dispatcher, draft(), content, "video/mp4")
    [item] = (await shown(dispatcher, report_id)).media
    forms = {item.shown_sha256, item.blurred_sha256, item.first_frame_sha256}
    assert len(forms) == 3 and "" not in forms
    await runs.after(YEAR)
    assert await parts_of(db, report_id) >= {"original", "clean", "copies"}
    ours = [one for one in runs.eraser.erased if one in {item.evidence_sha256, *forms}]
    assert ours == [item.evidence_sha256, *sorted(forms)]


async def test_what_is_open_answered_or_disputed_is_never_erased(
    kaspi: As, dispatcher: As, register: Register, db: Database, runs: Runs
) -> None:
    (fresh, _), (disputed, _) = [await register() for _ in "12"]
    await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=disputed))
    answer = pb.AnswerReportRequest(
        report_id=disputed, answer="The lamp is mended", outcome="measures_taken"
    )
    await dispatcher.at_desk("AnswerReport", answer)
    await runs.after(THREE_YEARS)
    assert await parts_of(db, disputed) == set(), "answered: it may still be disputed"
    dispute = pb.DisputeAnswerRequest(report_id=disputed, text="It is not mended.")
    await kaspi.app("DisputeAnswer", dispute)
    await runs.after(10 * THREE_YEARS)
    for report_id in (fresh, disputed):
        assert await parts_of(db, report_id) == set()
        assert (await shown(dispatcher, report_id)).text


async def test_the_classes_have_terms_of_their_own(
    kaspi: As, dispatcher: As, security: As, db: Database, runs: Runs
) -> None:
    sealed, number = await withdrawn(kaspi, security, complaint())
    personal, _ = await withdrawn(kaspi, dispatcher, draft(category=pb.CATEGORY_OTHER))
    await runs.after(THREE_YEARS)
    assert await parts_of(db, sealed) == set()
    assert await parts_of(db, personal) == {"reporter", "original", "clean", "copies"}
    await runs.after(timedelta(days=1826))
    assert await parts_of(db, sealed) == set(Part) == await parts_of(db, personal)
    entries = await audited(db, "erase_part", number)
    assert {entry["class"] for entry in entries} == {"confidential"}


async def hold(as_: Callable[..., As], method: str, request: Any) -> Any:
    command = as_("tartip-cli", kind="service")
    stub: Any = retention_pb2_grpc.RetentionStub(command.channels.to(command.address, SERVICE))
    return await getattr(stub, method)(request, timeout=10)


async def test_a_report_that_the_law_holds_is_kept_until_the_hold_ends(
    kaspi: As, dispatcher: As, as_: Callable[..., As], db: Database, runs: Runs
) -> None:
    report_id, number = await withdrawn(kaspi, dispatcher, draft())
    until_then = to_timestamp(system_clock() + timedelta(days=800))
    request = kept.PlaceHoldRequest(
        hold_id=str(new_id()), number=number, reason="court", ends_at=until_then
    )
    placed = (await hold(as_, "PlaceHold", request)).hold
    assert (await hold(as_, "PlaceHold", request)).hold == placed
    await runs.after(YEAR)
    assert await parts_of(db, report_id) == set()
    await runs.after(timedelta(days=801))
    assert "reporter" in await parts_of(db, report_id), "it has ended"
    other, number = await withdrawn(kaspi, dispatcher, draft())
    request.hold_id, request.number = str(new_id()), number
    await hold(as_, "PlaceHold", request)
    lift = kept.LiftHoldRequest(hold_id=request.hold_id)
    lifted = (await hold(as_, "LiftHold", lift)).hold
    assert lifted.HasField("lifted_at") and (await hold(as_, "LiftHold", lift)).hold == lifted
    await runs.after(YEAR)
    assert "reporter" in await parts_of(db, other)
    assert len(await audited(db, "hold", number)) == 1
    for changes, code in (
        ({"reason": "somebody likes it"}, "HOLD_REASON_UNKNOWN"),
        ({"ends_at": to_timestamp(system_clock() - timedelta(days=1))}, "HOLD_END_WRONG"),
        ({"number": "KZ75-2026-0000000"}, "REPORT_NOT_FOUND"),
    ):
        wrong = kept.PlaceHoldRequest()
        wrong.CopyFrom(request)
        wrong.hold_id = str(new_id())
        wrong.MergeFrom(kept.PlaceHoldRequest(**changes))
        assert (await refused(hold(as_, "PlaceHold", wrong))).code == code
    unknown = kept.LiftHoldRequest(hold_id=str(new_id()))
    assert (await refused(hold(as_, "LiftHold", unknown))).code == "HOLD_NOT_FOUND"


async def test_a_hold_that_is_placed_during_a_run_keeps_the_evidence(
    kaspi: As, dispatcher: As, as_: Callable[..., As], db: Database
) -> None:
    eraser = HoldingEraser()
    for _ in range(2):
        report_id, number = await withdrawn(kaspi, dispatcher, draft(), jpeg(next(sides)))
        [item] = (await shown(dispatcher, report_id)).media
        eraser.numbers[item.evidence_sha256] = number

    async def place_hold(number: str) -> None:
        until_then = to_timestamp(system_clock() + timedelta(days=800))
        request = kept.PlaceHoldRequest(
            hold_id=str(new_id()), number=number, reason="court", ends_at=until_then
        )
        await hold(as_, "PlaceHold", request)

    eraser.place_hold = place_hold
    await Runs(db, eraser).after(YEAR)
    assert len(eraser.numbers.keys() & set(eraser.erased)) == 1


@pytest.mark.parametrize(
    ("outcome", "is_due"),
    [("", False), ("fine_issued", False), ("violation_rejected", True)],
)
async def test_what_was_accepted_as_evidence_is_kept_for_the_violation(
    kaspi: As, dispatcher: As, db: Database, outcome: str, is_due: bool
) -> None:
    report_id, _ = await withdrawn(kaspi, dispatcher, draft())
    rule, later = rules_of(TABLE)[0], system_clock() + THREE_YEARS
    assert (rule.report_class, rule.part) == ("open", Part.TEXT)
    change = text(
        "UPDATE reports SET offence_code = 'RED_LIGHT', outcome = :o"
        " WHERE report_id = CAST(:r AS uuid)"
    )
    async with db.begin(SYSTEM) as tx:
        try:
            async with tx.savepoint():  # undone: nobody decided it
                await tx.execute(change.bindparams(o=outcome, r=report_id))
                found = await stored.lock_due(tx, rule, later, UUID(report_id))
                raise InterruptedError
        except InterruptedError:
            assert (found is not None) == is_due


async def test_a_file_that_another_report_needs_stays_until_both_have_ended(
    kaspi: As, dispatcher: As, db: Database, runs: Runs
) -> None:
    picture = jpeg(next(sides))
    other = draft()
    await kaspi.app("OpenReport", other)
    await kaspi.app("PutMedia", pieces_of(other.report_id, picture)[0])
    await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=other.report_id))
    [item] = await until(lambda: blurred_media(dispatcher, other.report_id))
    report_id, _ = await withdrawn(kaspi, dispatcher, draft(), picture)
    await runs.after(YEAR)
    assert await parts_of(db, report_id) >= {"original", "clean"}
    ours = {item.evidence_sha256, item.shown_sha256, item.blurred_sha256}
    assert len(ours) == 3 and not ours & set(runs.eraser.erased)
    await kaspi.app("WithdrawReport", pb.WithdrawReportRequest(report_id=other.report_id))
    await runs.after(YEAR)
    assert ours <= set(runs.eraser.erased)


async def test_what_the_evidence_store_cannot_erase_now_stays_due(
    kaspi: As, dispatcher: As, db: Database, runs: Runs
) -> None:
    report_id, _ = await withdrawn(kaspi, dispatcher, draft(), jpeg(next(sides)))
    runs.eraser.away = True
    await runs.after(YEAR)
    assert await parts_of(db, report_id) == {"reporter", "copies"}
    runs.eraser.away = False
    await runs.after(YEAR)
    assert await parts_of(db, report_id) >= {"original", "clean"}


async def test_a_file_on_its_way_to_the_store_arrives_before_anything_of_it_is_erased(
    engines: RunningTestMesh, kaspi: As, dispatcher: As, db: Database, runs: Runs
) -> None:
    """Its pieces are the copies, and are sealed with the key of the text."""
    report_id, _ = await withdrawn(kaspi, dispatcher, draft(), jpeg(next(sides)))
    await in_state(engines, report_id, "complete")
    await runs.after(THREE_YEARS)
    assert await parts_of(db, report_id) == {"reporter"}
    await in_state(engines, report_id, "stored")
    await runs.after(THREE_YEARS)
    assert await parts_of(db, report_id) == set(Part)


async def in_state(engines: RunningTestMesh, report_id: str, state: str) -> None:
    connection = await asyncpg.connect(engines.database.url)
    await connection.execute(
        "UPDATE citizen_reports.media SET state = $2 WHERE report_id = $1", report_id, state
    )
    await connection.close()


async def test_what_a_restore_brings_back_is_erased_again(
    engines: RunningTestMesh, kaspi: As, dispatcher: As, db: Database, runs: Runs
) -> None:
    report_id, _ = await withdrawn(kaspi, dispatcher, draft())
    admin = await asyncpg.connect(engines.database.url)
    await admin.execute("SET search_path = citizen_reports")
    await admin.execute(
        f"CREATE TEMP TABLE backup AS SELECT * FROM reporters WHERE report_id = '{report_id}'"
    )
    await runs.after(YEAR)
    assert not (await shown(dispatcher, report_id)).reporter.iin
    await admin.execute("INSERT INTO reporters SELECT * FROM backup")
    await admin.execute(f"DELETE FROM report_erasures WHERE report_id = '{report_id}'")
    assert (await shown(dispatcher, report_id)).reporter.iin
    await runs.after(YEAR)
    assert not (await shown(dispatcher, report_id)).reporter.iin
    await admin.close()


async def test_a_dry_run_tells_counts_by_day_and_erases_nothing(
    kaspi: As, dispatcher: As, as_: Callable[..., As], db: Database
) -> None:
    report_id, number = await withdrawn(kaspi, dispatcher, draft())
    due = system_clock() + timedelta(days=365)
    request = kept.GetRetentionRequest(until=to_timestamp(due + timedelta(hours=1)))
    answer = await hold(as_, "GetRetention", request)
    assert answer.table_version == TABLE.version
    assert len(answer.terms) == len(TABLE.terms)
    planned = {
        (one.report_class, one.part, one.day): (one.reports, one.held) for one in answer.planned
    }
    reports, held = planned["open", "reporter", f"{due:%Y-%m-%d}"]
    assert reports > held
    assert not [one for one in answer.planned if (one.report_class, one.part) == ("open", "text")]
    assert number not in str(answer)
    assert await parts_of(db, report_id) == set()
