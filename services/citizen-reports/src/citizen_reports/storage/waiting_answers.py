"""Stores waiting answers: answers that are sent after a while, and that their operator can undo.

Their texts are encrypted with the report's key and bound to answer, report, operator and outcome:
the text of a row in which one of these was changed cannot be decrypted.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

from chassis.tables import data_keys
from chassis.transaction import Tx
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    LargeBinary,
    Select,
    Table,
    Text,
    Uuid,
    cast,
    select,
    update,
)
from vault.keyring import DataKey

from citizen_reports.model.report import Report
from citizen_reports.model.waiting_answers import AnswerState, WaitingAnswer
from citizen_reports.storage.contents import REPORT, report_key
from citizen_reports.storage.tables import contents, metadata

waiting_answers = Table(
    "waiting_answers",
    metadata,
    Column("answer_id", Uuid, primary_key=True),
    Column("report_id", Uuid, nullable=False),
    Column("request_id", Uuid, nullable=False),
    Column("operator", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("template_version", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("given_at", DateTime(timezone=True), nullable=False),
    Column("leaves_at", DateTime(timezone=True), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
)
_IS_WAITING = waiting_answers.c.state == AnswerState.WAITING.value
# Selects the keys of the scheduled work that sends answers: the ids of the waiting ones.
TO_SEND: Select[Any] = select(cast(waiting_answers.c.answer_id, Text).label("key")).where(
    _IS_WAITING
)


async def add(tx: Tx, answer: WaitingAnswer) -> None:
    """Add an answer, with its text encrypted. Raises KeyError if the report's key was destroyed."""
    key = await report_key(tx, answer.report_id)
    row = {
        "answer_id": answer.answer_id,
        "report_id": answer.report_id,
        "request_id": answer.request_id,
        "operator": answer.operator,
        "template": answer.template,
        "template_version": answer.template_version,
        "outcome": answer.outcome,
        "given_at": answer.given_at,
        "leaves_at": answer.leaves_at,
        "sealed": key.seal(answer.text, _place_of(answer)),
        "state": answer.state.value,
    }
    tx.add(waiting_answers, row)


async def find(tx: Tx, answer_id: UUID) -> WaitingAnswer | None:
    """Return the answer with this id, without its text; None if the scope has no such answer."""
    query = select(waiting_answers).where(waiting_answers.c.answer_id == answer_id)
    row = (await tx.execute(query)).one_or_none()
    return _to_answer(row) if row else None


async def find_given(
    tx: Tx, operator: str, request_id: UUID, report_id: UUID
) -> WaitingAnswer | None:
    """Return the answer that an operator gave to a report by the request with this id, without its
    text; None if there is none."""
    given = await given_by(tx, operator, request_id)
    return next((answer for answer in given if answer.report_id == report_id), None)


async def given_by(tx: Tx, operator: str, request_id: UUID) -> list[WaitingAnswer]:
    """Return the answers that an operator gave by the request with this id, without their texts."""
    query = select(waiting_answers).where(
        waiting_answers.c.operator == operator, waiting_answers.c.request_id == request_id
    )
    rows = await tx.execute(query.order_by(waiting_answers.c.report_id))
    return [_to_answer(row) for row in rows]


async def waiting_on(tx: Tx, listed: Iterable[Report]) -> dict[UUID, WaitingAnswer]:
    """Return the waiting answers of the `listed` reports, by report id, without their texts."""
    ids = [report.waiting_answer for report in listed if report.waiting_answer is not None]
    if not ids:
        return {}
    query = select(waiting_answers).where(waiting_answers.c.answer_id.in_(ids))
    return {row.report_id: _to_answer(row) for row in await tx.execute(query)}


async def with_text(tx: Tx, answer_id: UUID) -> WaitingAnswer | None:
    """Return the answer with this id and its text, which is "" if the report's key was destroyed;
    None if the transaction's scope has no such answer."""
    query = (
        select(waiting_answers, contents.c.key_id, data_keys.c.wrapped)
        .join(contents, contents.c.report_id == waiting_answers.c.report_id)
        .outerjoin(data_keys, data_keys.c.key_id == contents.c.key_id)
        .where(waiting_answers.c.answer_id == answer_id)
    )
    row = (await tx.execute(query)).one_or_none()
    return _to_answer(row, tx.keys.unwrapped(REPORT, row.key_id, row.wrapped)) if row else None


async def end(tx: Tx, answer: WaitingAnswer, state: AnswerState) -> None:
    """Store the final state of a waiting answer. The transaction must have locked its report."""
    of_answer = waiting_answers.c.answer_id == answer.answer_id
    await tx.execute(update(waiting_answers).where(of_answer).values(state=state.value))


def _to_answer(row: Any, key: DataKey | None = None) -> WaitingAnswer:
    answer = WaitingAnswer(
        answer_id=row.answer_id,
        report_id=row.report_id,
        request_id=row.request_id,
        operator=row.operator,
        template=row.template,
        template_version=row.template_version,
        outcome=row.outcome,
        given_at=row.given_at,
        leaves_at=row.leaves_at,
        state=AnswerState(row.state),
    )
    if key is None:
        return answer
    return replace(answer, text=key.open_text(row.sealed, _place_of(answer)))


def _place_of(answer: WaitingAnswer) -> str:
    bound = (answer.answer_id, answer.report_id, answer.operator, answer.outcome)
    return "waiting_answers.sealed:" + ":".join(map(str, bound))
