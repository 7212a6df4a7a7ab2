"""Reports are found by the words of their texts, in any form, by those alone who see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.usecases.duplicates import Duplicates
from citizen_reports.usecases.text_index import TextIndex
from sqlalchemy import text
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, Register, complaint, draft, refused, until
from .test_raised_reports import raising
from .test_retention import Runs, withdrawn
from .test_secrecy import audited
from .test_triage import shown


@pytest.fixture
def mark() -> str:
    """A number that no other text has."""
    return str(new_id().int % 10**12)


async def found(desk: As, words: str, **wanted: Any) -> list[str]:
    request, ids = pb.SearchReportsRequest(words=words, **wanted), list[str]()
    request.page.size = request.page.size or 50
    while True:
        answer = await desk.at_desk("SearchReports", request)
        ids += [row.report.report_id for row in answer.reports]
        assert len(ids) == len(set(ids)), "a page begins where the one before it ended"
        assert not any(row.text or row.reporter.iin for row in answer.reports)
        request.page.token = answer.next_page_token
        if not answer.next_page_token:
            return ids


async def stems_in(db: Database, report_id: str) -> set[bytes]:
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT stem FROM report_stems WHERE report_id = CAST(:r AS uuid)")
        return set((await tx.execute(query.bindparams(r=report_id))).scalars())


async def indexed(db: Database, *report_ids: str) -> None:
    for report_id in report_ids:

        async def has_stems(wanted: str = report_id) -> bool:
            return bool(await stems_in(db, wanted))

        await until(has_stems)


async def test_a_report_is_found_by_another_form_of_its_words(
    dispatcher: As, register: Register, db: Database, mark: str
) -> None:
    mixed = f"Мектептің алдында үлкен собака балаларды қорқытып тұр {mark}"
    report_id, receipt = await register(draft(category=pb.CATEGORY_OTHER, text=mixed))
    other, _ = await register(draft(text=f"Собаку видели у школы {mark}"))
    third, _ = await register(draft(text=f"Мектеп жабық {mark}"))
    await indexed(db, report_id, other, third)
    for words in (f"собаки {mark}", f"СОБАКОЙ, {mark}!"):
        assert await found(dispatcher, words) == [other, report_id], "the newest first"
    assert await found(dispatcher, f"мектептер собак {mark}") == [report_id], "all words"
    assert await found(dispatcher, f"баланы {mark}") == [report_id]
    assert await found(dispatcher, f"кошки {mark}") == []
    assert await found(dispatcher, f"собаки {mark}", region="KZ-71") == []
    [entry] = [one for one in await audited(db, "found", receipt.number)][:1]
    assert (entry["actor"], entry["class"]) == ("operator/dispatcher-almaty", "confidential")
    assert mark not in str(entry)


async def test_pages_join_and_closed_reports_are_found_too(
    kaspi: As, dispatcher: As, register: Register, db: Database, mark: str
) -> None:
    ids = [(await register(draft(text=f"Сломанный светофор {mark}")))[0] for _ in range(5)]
    await kaspi.app("WithdrawReport", pb.WithdrawReportRequest(report_id=ids[0]))
    await indexed(db, *ids)
    words = f"светофоры {mark}"
    page = common_pb2.Page(size=2)
    assert await found(dispatcher, words, page=page) == ids[::-1]
    first = await dispatcher.at_desk(
        "SearchReports", pb.SearchReportsRequest(words=words, page=page)
    )
    other = pb.SearchReportsRequest(words=f"светофор {mark}", page=page)
    other.page.token = first.next_page_token
    assert (await refused(dispatcher.at_desk("SearchReports", other))).code == "PAGE_TOKEN_WRONG"


async def test_who_does_not_see_a_report_does_not_find_it(
    dispatcher: As,
    security: As,
    as_: Callable[..., As],
    register: Register,
    db: Database,
    mark: str,
) -> None:
    words = f"Разбитая витрина {mark}"
    plain, _ = await register(draft(category=pb.CATEGORY_INCIDENT, text=words))
    traffic, _ = await register(draft(text=words))
    await indexed(db, plain, traffic)
    assert await found(dispatcher, words) == [traffic, plain]
    assert await found(as_(operator="inspector-almaty"), words) == [traffic]
    assert await found(as_(operator="inspector-astana"), words) == []
    for caller in (security, as_(operator="auditor-1")):
        request = pb.SearchReportsRequest(words=words)
        assert (await refused(caller.at_desk("SearchReports", request))).code == "NOT_ALLOWED"
    without = as_(operator="dispatcher-almaty", purpose="")
    refusal = await refused(without.at_desk("SearchReports", pb.SearchReportsRequest(words=words)))
    assert refusal.code == "PURPOSE_REQUIRED"


async def test_what_is_protected_or_sealed_has_no_stems_and_is_not_found(
    dispatcher: As, register: Register, db: Database, mark: str
) -> None:
    words = f"Пьяный кричит на лестнице {mark}"
    secret = [
        (await register(draft(category=kind, text=words)))[0]
        for kind in (pb.CATEGORY_DOMESTIC_VIOLENCE, pb.CATEGORY_INCIDENT_WITH_CHILD)
    ]
    secret.append((await register(complaint(text=words)))[0])
    raised, _ = await register(draft(category=pb.CATEGORY_OTHER, text=words))
    await indexed(db, raised)
    await TextIndex(db, system_clock).index_all()
    assert [await stems_in(db, one) for one in secret] == [set()] * 3
    assert await found(dispatcher, words) == [raised]
    await dispatcher.at_desk("RaiseReport", raising(raised, pb.CATEGORY_DOMESTIC_VIOLENCE))
    assert await stems_in(db, raised) == set(), "in the same transaction"
    await TextIndex(db, system_clock).index_all()
    assert await found(dispatcher, words) == []


async def test_more_new_reports_than_one_page_are_indexed_at_once(
    register: Register, db: Database, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("citizen_reports.usecases.text_index.LOOKED_AT", 2)
    begun = system_clock()
    new = [(await register(draft(text=f"Снег на крыше {mark}")))[0] for _ in range(5)]
    for report_id in new:
        await indexed(db, report_id)
    async with db.begin(SYSTEM) as tx:
        gone = text("DELETE FROM report_stems WHERE report_id = ANY(CAST(:r AS uuid[]))")
        await tx.execute(gone.bindparams(r=new))
    await TextIndex(db, system_clock).index_new(begun)
    assert all([await stems_in(db, report_id) for report_id in new])


async def test_what_was_erased_is_not_found_and_not_indexed_again(
    kaspi: As, dispatcher: As, db: Database, mark: str
) -> None:
    words = f"Бродячий табун на трассе {mark}"
    report_id, _ = await withdrawn(kaspi, dispatcher, draft(text=words))
    await indexed(db, report_id)
    assert await found(dispatcher, words) == [report_id]
    await Runs(db).after(timedelta(days=1096))
    assert await stems_in(db, report_id) == set()
    await TextIndex(db, system_clock).index_all()
    assert await stems_in(db, report_id) == set()
    assert await found(dispatcher, words) == []


async def test_a_report_of_before_is_indexed_and_a_moved_one_is_found_in_its_region(
    dispatcher: As, as_: Callable[..., As], register: Register, db: Database, mark: str
) -> None:
    words = f"Открытый люк {mark}"
    report_id, _ = await register(draft(text=words))
    await indexed(db, report_id)
    async with db.begin(SYSTEM) as tx:
        gone = text("DELETE FROM report_stems WHERE report_id = CAST(:r AS uuid)")
        await tx.execute(gone.bindparams(r=report_id))
    assert await found(dispatcher, words) == []
    assert await TextIndex(db, system_clock).index_all() >= 1
    assert await found(dispatcher, words) == [report_id]
    request = pb.RouteReportRequest(
        report_id=report_id, unit="KZ-71-traffic", region="KZ-71", reason="it lies there"
    )
    await dispatcher.at_desk("RouteReport", request)
    elsewhere = as_(operator="inspector-astana")

    async def has_moved() -> bool:
        return await found(elsewhere, words) == [report_id]

    assert await until(has_moved)
    assert await found(dispatcher, words) == []


async def test_keys_differ_by_class_and_words_are_nowhere(
    register: Register, db: Database, mark: str
) -> None:
    words = f"Канализация затопила подвал {mark}"
    ids = [
        (await register(draft(category=kind, text=words)))[0]
        for kind in (pb.CATEGORY_TRAFFIC_VIOLATION, pb.CATEGORY_ROAD_ACCIDENT, pb.CATEGORY_OTHER)
    ]
    await indexed(db, *ids)
    violation, accident, other = [await stems_in(db, one) for one in ids]
    assert violation == accident and len(violation) == len(other) > 4
    assert not violation & other
    assert {len(stem) for stem in violation} == {16}
    async with db.begin(SYSTEM) as tx:
        rows = (await tx.execute(text("SELECT report_stems::text FROM report_stems"))).scalars()
        assert not any(mark in row or mark.encode().hex() in row for row in rows)


async def test_what_cannot_be_sought_is_refused_by_name(dispatcher: As) -> None:
    for words, region, codes in (
        ("", "", {"WORDS_REQUIRED"}),
        ("и на не", "", {"WORDS_REQUIRED"}),
        (" ".join(f"{number}{number}" for number in range(10, 21)), "", {"WORDS_TOO_MANY"}),
        ("а" * 201, "KZ-99", {"WORDS_REQUIRED", "WORDS_TOO_MANY", "REGION_UNKNOWN"}),
    ):
        request = pb.SearchReportsRequest(words=words, region=region)
        refusal = await refused(dispatcher.at_desk("SearchReports", request))
        assert {field.code for field in refusal.fields} == codes


async def test_texts_that_are_alike_propose_a_duplicate_around_the_place_and_time(
    dispatcher: As, register: Register, db: Database, mark: str
) -> None:
    one, near = draft(), draft()

    def beside(given: pb.OpenReportRequest, words: str) -> pb.OpenReportRequest:
        there = draft(category=pb.CATEGORY_OTHER, text=words, place=one.place)
        there.occurred_at.CopyFrom(given.occurred_at)
        return there

    late = draft(occurred=system_clock() - timedelta(minutes=22))
    first, _ = await register(beside(late, f"Рухнула стена старого дома {mark}"))
    await indexed(db, first)
    alike, _ = await register(beside(near, f"Старый дом, рухнули стены! {mark}"))
    other, _ = await register(
        beside(draft(occurred=system_clock() - timedelta(minutes=45)), "Шумит кафе во дворе")
    )
    await indexed(db, alike, other)
    for report_id in (alike, other):
        await Duplicates(db, system_clock).find(report_id)
    [related] = (await shown(dispatcher, alike)).related
    assert (related.report_id, related.relation) == (first, "possible")
    assert 50 <= related.alike_percent <= 100
    assert not (await shown(dispatcher, other)).related
    assert UUID(first)
