"""The health of a process: checks run every few seconds, and their last results are reported.

The standard health service (`grpc.health.v1.Health`) answers under these names:

- "": SERVING if the process itself is ready to answer calls;
- the full name of a service: SERVING if the process and all peers that the service needs are ready;
- `tartip.degraded`: NOT_SERVING during a fault that prevents no call, such as a lost broker;
- `tartip.live`: always SERVING; a process that does not answer in time hangs.

A process asks a peer only for "", which does not depend on the peer's own peers. So two processes
that need each other can both become ready. If the caller is a service, `Check` also returns what is
wrong, in the trailing metadata REASONS_KEY.
"""

import asyncio
import enum
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from chassis import call_context
from chassis.telemetry import meter
from grpc_health.v1 import health_pb2

LIVE = "tartip.live"
DEGRADED = "tartip.degraded"
REASONS_KEY = "tartip-reasons"
CHECK_SECONDS = 2.0
# A process that was itself held up finds time-outs passed, and then the answer that came meanwhile.
HELD_UP_SECONDS = 0.5
NOT_YET = "was not looked at yet"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
log = logging.getLogger(__name__)
failing = meter.create_gauge("tartip.health.failing", unit="{check}")
# What is wrong, and why: {"database": "gave no answer within 3 s"}. Empty if all is well.
Reasons = Mapping[str, str]


class Effect(enum.Enum):
    """The consequence of a check that finds something wrong."""

    UNREADY = "the process is not ready"
    DEGRADED = "the process is degraded, and goes on answering calls"
    PEER = "the services that need this peer are not ready"


@dataclass(frozen=True)
class Check:
    """A check that runs every CHECK_SECONDS: `look` returns what is wrong, or an empty mapping.

    If `look` takes longer than `within_seconds`, the check has failed. A check with the effect
    DEGRADED keeps its last result instead.
    """

    name: str
    effect: Effect
    look: Callable[[], Awaitable[Reasons]]
    within_seconds: float = 3.0


class Health:
    """The checks of a process and their last results; before the first results nothing is ready.

    `needs` maps the full name of a service to the names of the PEER checks that the service needs.
    The key "" stands for the process itself, which may need peers only if no peer checks it.
    """

    def __init__(
        self,
        checks: Sequence[Check] = (),
        needs: Mapping[str, Sequence[str]] | None = None,
        *,
        every_seconds: float = CHECK_SECONDS,
    ) -> None:
        self._checks = tuple(checks)
        self._every_seconds = every_seconds
        self._needs = {"": (), **{name: tuple(peers) for name, peers in (needs or {}).items()}}
        self._found: dict[str, Reasons] = {
            check.name: {} if check.effect is Effect.DEGRADED else {check.name: NOT_YET}
            for check in checks
        }
        self._looked_at: set[str] = set()
        self._changed = asyncio.Event()
        self._stopping = False
        if len(self._found) < len(self._checks):
            raise ValueError("two checks of one name")
        peers = {check.name for check in checks if check.effect is Effect.PEER}
        if unknown := {peer for names in self._needs.values() for peer in names} - peers:
            raise ValueError(f"needed, but nothing looks at it: {sorted(unknown)}")

    @property
    def unready(self) -> Reasons:
        """Why the process itself is not ready, apart from its peers; empty if it is ready."""
        stopping = {"process": "is stopping"} if self._stopping else {}
        return {**self._reasons(Effect.UNREADY), **stopping}

    @property
    def degraded(self) -> Reasons:
        """Why the process is degraded (see `tartip.degraded`); empty if it is not."""
        return self._reasons(Effect.DEGRADED)

    @property
    def peers(self) -> dict[str, str]:
        """What is wrong with each checked peer, by its name; "" if the peer is ready."""
        checks = (check for check in self._checks if check.effect is Effect.PEER)
        return {check.name: "; ".join(self._found[check.name].values()) for check in checks}

    def reasons(self, service: str) -> Reasons:
        """Return why a service, by its full name, is not ready; empty if it is ready.

        The name "" stands for the process itself. Raises KeyError for an unknown name.
        """
        peers = self.peers
        return {**self.unready, **{n: peers[n] for n in self._needs[service] if peers[n]}}

    def serves(self, services: Sequence[str]) -> None:
        """Add services by their full names; a service that is not in `needs` needs no peer."""
        for service in services:
            self._needs.setdefault(service, ())

    def status(self, name: str) -> "health_pb2.HealthCheckResponse.ServingStatus":
        """Return the status that the health service gives for `name`, or SERVICE_UNKNOWN."""
        if name == LIVE:
            return SERVING
        if name == DEGRADED:
            return NOT_SERVING if self.degraded else SERVING
        if name not in self._needs:
            return health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        return NOT_SERVING if self.reasons(name) else SERVING

    @property
    def names(self) -> tuple[str, ...]:
        """All names under which the health service answers."""
        return (*self._needs, LIVE, DEGRADED)

    async def looked(self) -> None:
        """Wait until each check has its first result."""
        while len(self._looked_at) < len(self._checks):
            await self._changed.wait()

    async def changes(self) -> AsyncIterator[None]:
        """Yield at once, after each change of a status, and a last time when the process stops."""
        while True:
            changed = self._changed
            yield
            if self._stopping:
                return
            await changed.wait()

    def stop(self) -> None:
        """Make the process not ready for good, because it stops."""
        self._stopping = True
        self._tell()

    async def run(self) -> None:
        """Run all checks again and again, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for check in self._checks:
                group.create_task(self._keep_looking(check))

    async def _keep_looking(self, check: Check) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                looking = group.create_task(_look(check))
                for seconds in (check.within_seconds, HELD_UP_SECONDS):
                    await asyncio.wait({looking}, timeout=seconds)
                if not looking.done():
                    self._note_late(check)
                # It is not cancelled: to end a statement asks the same database again.
                self._note(check, await looking)
                await asyncio.sleep(self._every_seconds)

    def _note_late(self, check: Check) -> None:
        if check.effect is not Effect.DEGRADED:
            self._note(check, {check.name: f"gave no answer within {check.within_seconds:.0f} s"})

    def _note(self, check: Check, found: Reasons) -> None:
        before, self._found[check.name] = self._found[check.name], found
        failing.set(int(bool(found)), {"check": check.name, "effect": check.effect.name.lower()})
        if set(found) != set(before) or check.name not in self._looked_at:
            self._looked_at.add(check.name)
            for name, reason in found.items():
                log.warning("%s %s: %s", name, reason, check.effect.value)
            if not found and NOT_YET not in before.values() and before:
                log.info("%s: well again", ", ".join(before))
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _reasons(self, effect: Effect) -> dict[str, str]:
        found = (self._found[check.name] for check in self._checks if check.effect is effect)
        return {name: reason for reasons in found for name, reason in reasons.items()}


async def _look(check: Check) -> Reasons:
    try:
        return await check.look()
    except Exception as error:  # whatever it was: it is not well
        return {check.name: f"does not answer ({type(error).__name__})"}


class HealthServicer:
    """The standard gRPC health service, which answers from a `Health`."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def Check(self, request: Any, context: Any) -> health_pb2.HealthCheckResponse:
        """Return the status under a name; end the call with NOT_FOUND if the name is unknown."""
        status = self._health.status(request.service)
        if status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no service of this name here")
        call = call_context.current_or_none()
        if call is not None and call.caller.kind == "service":
            context.set_trailing_metadata(((REASONS_KEY, self._all_reasons(request.service)),))
        return health_pb2.HealthCheckResponse(status=status)

    async def List(self, request: Any, context: Any) -> health_pb2.HealthListResponse:
        """Return the statuses under all names."""
        statuses = {
            name: health_pb2.HealthCheckResponse(status=self._health.status(name))
            for name in self._health.names
        }
        return health_pb2.HealthListResponse(statuses=statuses)

    async def Watch(
        self, request: Any, context: Any
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Yield the status under a name now, and after each change, until the process stops."""
        before = None
        async for _ in self._health.changes():
            status = self._health.status(request.service)
            if status != before:
                yield health_pb2.HealthCheckResponse(status=status)
            before = status

    def _all_reasons(self, name: str) -> str:
        own = {} if name in (LIVE, DEGRADED) else self._health.reasons(name)
        return json.dumps({**own, **self._health.degraded})


def reasons_in(metadata: Any) -> dict[str, str]:
    """Return what is wrong with a process, from the metadata that its `Check` returned.

    `metadata` is the trailing metadata of a call of `Check`. The result is empty if it names
    nothing. If the status is SERVING, the process is only degraded.
    """
    for key, value in metadata or ():
        if key == REASONS_KEY:
            return {str(name): str(reason) for name, reason in json.loads(value).items()}
    return {}
