"""The pace of the check that reads all evidence: even over its period, by the hashes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from inference_gateway.evidence.model import LAST_SHA256, Round

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
MONTH = timedelta(days=30)
HASHES = sorted(sha256(str(number).encode()).hexdigest() for number in range(3000))


def due(at: timedelta) -> int:
    until = Round(BEGAN).due_until(BEGAN + at, MONTH)
    return sum(found <= until for found in HASHES)


def test_what_is_due_grows_evenly_and_is_all_at_the_end() -> None:
    assert due(timedelta()) == 0
    for day in range(31):
        assert abs(due(timedelta(days=day)) - 100 * day) < 150
    assert due(MONTH) == due(2 * MONTH) == len(HASHES)


def test_nothing_is_due_before_the_round_began() -> None:
    """The clock may have gone back."""
    assert due(timedelta(days=-400)) == 0


def test_a_round_tells_how_far_it_has_come_and_how_late_it_is() -> None:
    middle = replace(Round(BEGAN), read_until=HASHES[1500])
    assert abs(middle.read_share - 0.5) < 0.05
    assert middle.behind(BEGAN + 0.4 * MONTH, MONTH) == timedelta()
    late = middle.behind(BEGAN + 0.75 * MONTH, MONTH)
    assert 0.2 * MONTH < late < 0.3 * MONTH


def test_a_round_that_read_the_last_hash_has_ended() -> None:
    ended = replace(Round(BEGAN), read_until=LAST_SHA256)
    assert ended.has_ended and ended.read_share == 1.0
    assert not replace(ended, read_until=HASHES[-1]).has_ended
    assert HASHES[-1] < LAST_SHA256
