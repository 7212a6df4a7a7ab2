"""Every log line about an event names the event, its trace and the SQLSTATE, where there is one."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from chassis.db import Database
from chassis.transaction import Tx
from google.protobuf.wrappers_pb2 import StringValue
from host.broker import Broker
from host.consumer import Meta, Poison
from host.telemetry.log_lines import JsonLines
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy import text

from .test_events import SUBJECT, effects, emit, flowing, write


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """The lines that the consumer writes, as on stdout; spans have ids as in a service."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    written: list[dict[str, Any]] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(json.loads(self.format(record)))

    handler, logger = Lines(), logging.getLogger("host.consumer")
    handler.setFormatter(JsonLines("scratch"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield written
    logger.removeHandler(handler)
    logger.setLevel(level)


async def one_of(lines: list[dict[str, Any]], message: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while not (found := [line for line in lines if message in line["message"]]):
            await asyncio.sleep(0.05)
    return found[0]


async def test_a_failed_handlers_line_names_event_trace_and_sqlstate(
    db: Database, producer: Broker, consumer_broker: Broker, lines: list[dict[str, Any]]
) -> None:
    failed: list[Meta] = []

    async def fails_at_first(tx: Tx, event: StringValue, meta: Meta) -> None:
        if len(failed) < 2:  # in the batch, and alone
            failed.append(meta)
            await tx.execute(text("INSERT INTO effects VALUES (NULL)"))
        await write(tx, event, meta)

    async with flowing(db, producer, consumer_broker, fails_at_first):
        await emit(db, "a")
        line = await one_of(lines, f"{SUBJECT} again later")
        await effects(db, at_least=1)
    assert line["event_id"] == str(failed[0].event_id)
    assert line["sqlstate"] == "23502", "a null where none may be"
    assert len(line["trace_id"]) == 32 and len(line["span_id"]) == 16


async def test_a_dead_letters_line_names_event_and_trace(
    db: Database, producer: Broker, consumer_broker: Broker, lines: list[dict[str, Any]]
) -> None:
    async def poisoned(tx: Tx, event: StringValue, meta: Meta) -> None:
        raise Poison("cannot be understood")

    async with flowing(db, producer, consumer_broker, poisoned):
        await emit(db, "bad")
        line = await one_of(lines, "dead letter")
    assert line["event_id"] in line["message"] and len(line["trace_id"]) == 32


async def test_an_event_that_cannot_be_read_is_buried_in_a_span_that_names_it(
    db: Database, producer: Broker, consumer_broker: Broker, lines: list[dict[str, Any]]
) -> None:
    event = "018f2b6e-0000-7000-8000-000000000001"
    async with flowing(db, producer, consumer_broker):
        await producer.jetstream.publish(SUBJECT, b"\xff\xff", headers={"ce-id": event})
        line = await one_of(lines, f"dead letter {event}")
        await producer.jetstream.publish(SUBJECT, b"\xff\xff", headers={"ce-id": "900101300123"})
        other = await one_of(lines, "dead letter CAMERAS:")
    assert line["event_id"] == event and len(line["trace_id"]) == 32
    assert "event_id" not in other
    assert "900101300123" not in str(lines), "an id that is none may be anything"
