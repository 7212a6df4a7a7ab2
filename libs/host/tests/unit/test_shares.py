"""Shares of callers, by a clock that the tests set."""

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from chassis.identity import Caller, Operator
from chassis.refusals import Overloaded, Refusal, ShareExceeded
from host.shares import (
    BURST_SECONDS,
    CALLERS_MAX,
    DEFAULTS,
    IDLE_SECONDS,
    PAUSE_SECONDS_MAX,
    REFUSALS_PER_SECOND,
    Quota,
    Shares,
)
from hypothesis import given
from hypothesis import strategies as st

KASPI, HALYK = Caller("partner", "kaspi"), Caller("partner", "halyk")
QUOTA = Quota(
    calls=3,
    calls_per_second=10,
    streams=2,
    bytes_per_second=1000,
    urgent_calls=2,
    urgent_calls_per_second=2,
)


class Watch:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def shares(watch: Watch) -> Shares:
    return Shares(lambda kind, name: QUOTA, now=watch)


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def hold(
    held: ExitStack,
    shares: Shares,
    caller: Caller = KASPI,
    *,
    size: int = 0,
    stream: bool = False,
    urgent: bool = False,
) -> None:
    held.enter_context(shares.place(caller, size, stream=stream, urgent=urgent))


def call(shares: Shares, caller: Caller = KASPI, *, size: int = 0, urgent: bool = False) -> None:
    with shares.place(caller, size, stream=False, urgent=urgent):
        pass


def refused(shares: Shares, **options: bool | int) -> ShareExceeded:
    with ExitStack() as stack, pytest.raises(ShareExceeded) as found:
        hold(stack, shares, **options)  # type: ignore[arg-type]
    return found.value


def limit_of(refusal: Refusal) -> tuple[str, str]:
    return refusal.facts["limit"], refusal.facts["limit_value"]


def test_calls_at_once_are_limited_and_free_their_places(shares: Shares) -> None:
    with ExitStack() as held:
        for _ in range(QUOTA.calls):
            hold(held, shares)
        found = refused(shares)
        assert limit_of(found) == ("calls", "3")
        assert found.retry_seconds == 0.5
        call(shares, HALYK)  # a neighbour does not notice
    call(shares)


def test_a_place_is_freed_when_the_call_breaks(shares: Shares) -> None:
    for _ in range(2 * QUOTA.calls):
        with contextlib.suppress(KeyError), shares.place(KASPI, 0, stream=False, urgent=False):
            raise KeyError
    with ExitStack() as held:
        for _ in range(QUOTA.calls):
            hold(held, shares)


def test_a_rate_says_when_the_next_call_is_let_through(shares: Shares, watch: Watch) -> None:
    for _ in range(int(QUOTA.calls_per_second * BURST_SECONDS)):
        call(shares)
    found = refused(shares)
    assert limit_of(found) == ("calls_per_second", "10")
    assert found.retry_seconds == pytest.approx(0.1)
    call(shares, HALYK)
    watch.now += found.retry_seconds or 0
    call(shares)
    assert limit_of(refused(shares)) == ("calls_per_second", "10")


def test_streams_have_a_limit_of_their_own(shares: Shares, held: ExitStack) -> None:
    for _ in range(QUOTA.streams):
        hold(held, shares, stream=True)
    found = refused(shares, stream=True)
    assert (limit_of(found), found.retry_seconds) == (("streams", "2"), 5.0)
    call(shares)
    hold(held, shares, HALYK, stream=True)


def test_bytes_are_limited_and_a_request_over_all_of_them_waits_for_a_full_bucket(
    shares: Shares, watch: Watch
) -> None:
    call(shares, size=5000)  # more than the 2000 that the bucket holds
    found = refused(shares, size=100)
    assert limit_of(found) == ("bytes_per_second", "1000")
    assert found.retry_seconds == pytest.approx(3.1)
    call(shares, HALYK, size=100)
    watch.now += found.retry_seconds or 0
    call(shares, size=100)


async def test_a_streams_messages_wait_for_their_bytes(
    shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("host.shares.asyncio.sleep", sleep)
    with shares.place(KASPI, 0, stream=True, urgent=False) as place:
        for size in (2000, 500, 500):
            await place.take(size)
    assert waits == pytest.approx([0, 0.5, 1.0])


def test_an_urgent_call_gets_in_when_its_callers_places_are_taken(
    shares: Shares, held: ExitStack
) -> None:
    for _ in range(QUOTA.calls):
        hold(held, shares)
    for _ in range(QUOTA.urgent_calls):
        hold(held, shares, urgent=True)
    assert limit_of(refused(shares, urgent=True)) == ("urgent_calls", "2")


def test_an_urgent_call_gets_in_when_its_callers_rate_is_used_up(
    shares: Shares, watch: Watch
) -> None:
    for _ in range(int(QUOTA.calls_per_second * BURST_SECONDS)):
        call(shares)
    for _ in range(int(QUOTA.urgent_calls_per_second * BURST_SECONDS)):
        call(shares, urgent=True)
    found = refused(shares, urgent=True)
    assert limit_of(found) == ("urgent_calls_per_second", "2")
    assert found.retry_seconds == pytest.approx(0.5)


def test_the_last_room_of_a_process_is_for_urgent_calls(watch: Watch, held: ExitStack) -> None:
    shares = Shares(now=watch, calls_max=10, urgent_reserved=2, streams_max=3)
    for number in range(8):
        hold(held, shares, Caller("partner", f"partner-{number}"))
    with pytest.raises(Overloaded) as found:
        call(shares)
    assert found.value.retry_seconds == 1.0
    for _ in range(2):
        hold(held, shares, urgent=True)
    with pytest.raises(Overloaded):
        call(shares, urgent=True)
    for number in range(3):
        hold(held, shares, Caller("partner", f"partner-{number}"), stream=True)
    with pytest.raises(Overloaded):
        hold(held, shares, stream=True)


def test_a_process_has_room_for_the_streams_of_four_partners(watch: Watch, held: ExitStack) -> None:
    """A hundred each."""
    quota = replace(QUOTA, streams=100, calls_per_second=1000)
    shares = Shares(lambda kind, name: quota, now=watch)
    for name in ("egov", "eurasian", "halyk", "kaspi"):
        for _ in range(quota.streams):
            hold(held, shares, Caller("partner", name), stream=True)


def test_what_the_process_refuses_costs_its_caller_nothing(watch: Watch, held: ExitStack) -> None:
    shares = Shares(lambda kind, name: QUOTA, now=watch, calls_max=1, urgent_reserved=0)
    hold(held, shares, HALYK)
    for _ in range(100):
        with pytest.raises(Overloaded):
            call(shares)
    held.close()
    call(shares)


def test_each_operator_has_a_share_whichever_service_speaks_for_them(watch: Watch) -> None:
    shares = Shares(now=watch)
    of = {name: Operator(name, frozenset(), ()) for name in ("one", "other")}
    speaking = {name: Caller("service", "operator-gateway", of[name]) for name in of}
    with ExitStack() as held:
        for _ in range(DEFAULTS["operator"].calls):
            hold(held, shares, speaking["one"])
        with pytest.raises(ShareExceeded):
            call(shares, speaking["one"])
        call(shares, speaking["other"])
        call(shares, Caller("service", "operator-gateway"))


@pytest.mark.parametrize("kind", ["partner", "device", "operator", "service"])
def test_no_caller_alone_takes_all_the_room(kind: str, watch: Watch) -> None:
    shares, quota = Shares(now=watch), DEFAULTS[kind]
    operator = Operator("one", frozenset(), ()) if kind == "operator" else None
    greedy = Caller("service" if operator else kind, "greedy", operator)
    with ExitStack() as held:
        for urgent, count in ((False, quota.calls), (True, quota.urgent_calls)):
            for _ in range(count):
                hold(held, shares, greedy, urgent=urgent)
        for _ in range(quota.streams):
            hold(held, shares, greedy, stream=True)
        for stream, urgent in ((False, False), (False, True), (True, False)):
            with pytest.raises(ShareExceeded):
                hold(held, shares, greedy, stream=stream, urgent=urgent)
            hold(held, shares, stream=stream, urgent=urgent)


def test_a_quota_may_change_while_calls_run(watch: Watch, held: ExitStack) -> None:
    quotas = {"kaspi": Quota(calls=1)}
    shares = Shares(lambda kind, name: quotas.get(name), now=watch)
    hold(held, shares)
    assert limit_of(refused(shares)) == ("calls", "1")
    quotas["kaspi"] = Quota(calls=2)
    hold(held, shares)
    quotas.clear()  # the default of the kind
    hold(held, shares)


def test_refusals_beyond_a_few_are_held_back(shares: Shares, watch: Watch, held: ExitStack) -> None:
    for _ in range(QUOTA.calls):
        hold(held, shares)
    for _ in range(int(REFUSALS_PER_SECOND * BURST_SECONDS)):
        assert refused(shares).pause_seconds == 0
    pauses = [refused(shares).pause_seconds for _ in range(150)]
    places = [pause for pause in pauses if pause < PAUSE_SECONDS_MAX / 2]
    assert places[0] > 0 and places == sorted(places)
    # The rest do not come back all at once.
    most = pauses[-40:]
    assert PAUSE_SECONDS_MAX / 2 <= min(most) < max(most) <= PAUSE_SECONDS_MAX
    assert len(set(most)) == len(most)
    watch.now += PAUSE_SECONDS_MAX + BURST_SECONDS
    assert refused(shares).pause_seconds == 0


def test_callers_that_are_gone_are_forgotten(watch: Watch, held: ExitStack, shares: Shares) -> None:
    for _ in range(QUOTA.calls):
        hold(held, shares)
    for number in range(CALLERS_MAX):
        call(shares, Caller("device", f"edge-{number}"))
    watch.now += IDLE_SECONDS
    call(shares, HALYK)
    assert len(shares._shares) == 2
    assert limit_of(refused(shares)) == ("calls", "3")


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 3000)), max_size=200))
def test_no_pattern_of_calls_gets_more_than_burst_and_rate(
    steps: list[tuple[float, int]],
) -> None:
    watch = Watch()
    shares = Shares(lambda kind, name: QUOTA, now=watch)
    began, calls, size_of_all = watch.now, 0, 0
    for pause, size in steps:
        watch.now += pause
        with contextlib.suppress(ShareExceeded):
            call(shares, size=size)
            calls, size_of_all = calls + 1, size_of_all + size
        seconds = watch.now - began + BURST_SECONDS
        assert calls <= QUOTA.calls_per_second * seconds + 1e-6
        assert size_of_all <= QUOTA.bytes_per_second * seconds + 3000  # one may leave a debt
