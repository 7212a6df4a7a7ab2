"""The use cases by which administrators draft, try, replay and activate routing rules."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import checks
from chassis.transaction import SYSTEM, Tx
from law.report_routing import ReportRouting

from citizen_reports.model.personnel import Unit
from citizen_reports.model.refusals import RoutingNotFound, RoutingNotReplayed
from citizen_reports.model.routing import (
    BUILT_IN,
    CLASSES,
    Facts,
    Routed,
    Rule,
    RuleSet,
    SecrecyClass,
    wrong_targets,
)
from citizen_reports.storage import routing
from citizen_reports.storage.routing import Version
from citizen_reports.usecases.active_routing import ActiveRouting
from citizen_reports.usecases.personnel import Asked

REPLAYED = timedelta(days=7)  # tidy: what is looked at, not a term
REPLAYED_MAX = 100_000
NUMBERS_MAX = 100
# A replay names reports of these classes alone: for others, the unit would reveal the category.
_TOLD = frozenset({SecrecyClass.OPEN, SecrecyClass.PERSONAL})


@dataclass(frozen=True)
class Draft:
    rules: tuple[Rule, ...]
    default_desk: str
    note: str


@dataclass(frozen=True)
class Stated:
    """A version of the routing rules and its state. `active_from` is its latest activation, past or
    planned, None if there is none. `version` is None for version 0, the table of `law`."""

    rules: RuleSet
    version: Version | None
    active_from: datetime | None = None
    is_active: bool = False


@dataclass
class Moves:
    """The result of a replay of `replayed` reports, registered from `since` on. `counts` has the
    number of reports that would go to another unit, by the pair (unit on the receipt, new unit).
    `numbers` has, by pair, up to NUMBERS_MAX numbers of these reports that may be shown."""

    since: datetime
    replayed: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    numbers: dict[tuple[str, str], list[str]] = field(default_factory=dict)


class RoutingVersions:
    def __init__(
        self, db: Database, clock: Clock, table: ReportRouting, active: ActiveRouting
    ) -> None:
        self._db = db
        self._clock = clock
        self._table = table
        self._active = active

    async def check(self, draft: Draft, caller: Caller) -> None:
        """Check the units and desks of a draft. Raises BadRequest with every wrong field."""
        async with self._db.begin(caller.scope) as tx:
            await self._check(tx, draft.rules, draft.default_desk)

    async def draft(self, draft: Draft, asked: Asked) -> Stated:
        """Store a draft as a new version; a repeated request returns the version stored before.
        Raises BadRequest with every wrong field, or IdReused."""
        async with self._db.begin(asked.caller.scope) as tx:
            if not await tx.once(asked.caller.key, asked.request_id, asked.content):
                before = await routing.version_drafted_by(tx, asked.request_id)
                return await self._stated(tx, before)
            await self._check(tx, draft.rules, draft.default_desk)
            version = await routing.add_version(
                tx, asked.request_id, draft.rules, draft.default_desk, draft.note
            )
            tx.audit("draft_routing", f"routing:{version}", facts={"rules": str(len(draft.rules))})
            await tx.flush()
            return await self._stated(tx, version)

    async def get(self, version: int | None, caller: Caller) -> Stated:
        """Return a version (None: the active one) with its rules. Raises RoutingNotFound."""
        async with self._db.begin(caller.scope) as tx:
            return await self._stated(tx, await self._named(tx, version))

    async def versions(self, *, before: int | None, size: int, caller: Caller) -> list[Stated]:
        """Return at most `size` versions below the number `before` (None: all), newest first and
        without their rules. Version 0, the table of `law`, is left out."""
        async with self._db.begin(caller.scope) as tx:
            found = await routing.page_of_versions(tx, before=before, size=size)
            return [await self._with_activation(tx, self._empty(one), one) for one in found]

    async def dry_run(self, version: int | None, facts: Facts, caller: Caller) -> Routed:
        """Return the unit to which a version (None: the active one) routes a report with these
        facts, the rule that fits, and the rules before it. Raises RoutingNotFound."""
        async with self._db.begin(caller.scope) as tx:
            rules = await self._rules(tx, await self._named(tx, version))
        return rules.decide(facts, self._active.is_working)

    async def replay(self, version: int, caller: Caller) -> Moves:
        """Compare the units on the receipts of last week's reports, at most REPLAYED_MAX, with the
        units that a version chooses. The replay is audited.

        Report numbers are returned only to a service that acts for no operator (the command line),
        and never for the classes PROTECTED and SEALED. Raises RoutingNotFound.
        """
        found = Moves(self._clock() - REPLAYED)
        async with self._db.begin(SYSTEM) as tx:
            rules = await self._rules(tx, version)
            with_kato = any(rule.districts for rule in rules.rules)
            routed = routing.routed_since(tx, found.since, REPLAYED_MAX, with_kato=with_kato)
            async for report in routed:
                self._compare(found, report, rules)
        if caller.kind != "service" or caller.operator is not None:
            found.numbers.clear()
        async with self._db.begin(caller.scope) as tx:
            if version != BUILT_IN:
                await routing.note_replay(tx, version)
            facts = {"replayed": str(found.replayed), "moved": str(found.counts.total())}
            tx.audit("replay_routing", f"routing:{version}", facts=facts)
        return found

    async def activate(self, version: int, active_from: datetime | None, asked: Asked) -> Stated:
        """Make a version active from the moment `active_from` on; None stands for now.

        Raises RoutingNotFound, RoutingNotReplayed, IdReused, or BadRequest if the moment has
        passed, or if a unit or desk of a rule does not fit while the version is active.
        """
        now = self._clock()
        async with self._db.begin(asked.caller.scope) as tx:
            if await tx.once(asked.caller.key, asked.request_id, asked.content):
                rules = await self._rules(tx, version)
                stored = await routing.find_version(tx, version)
                if stored is not None and stored.replayed_at is None:
                    raise RoutingNotReplayed
                starts = active_from or now
                with checks() as check:
                    check.that(starts >= now, "active_from", "not in the past")
                await routing.lock_targets(tx)
                end = (await self._active.read(tx)).next_start(starts)
                units = await routing.units_during(tx, starts, end)
                self._check_targets(units, rules.rules, rules.default_desk)
                routing.activate(tx, version, starts)
                facts = {"active_from": starts.isoformat()}
                tx.audit("activate_routing", f"routing:{version}", facts=facts)
                await tx.flush()
            stated = await self._stated(tx, version)
        await self._active.refresh()
        return stated

    def _compare(self, found: Moves, report: routing.Routing, rules: RuleSet) -> None:
        found.replayed += 1
        unit = rules.decide(report.facts, self._active.is_working).unit
        if unit == report.unit:
            return
        units = (report.unit, unit)
        found.counts[units] += 1
        numbers = found.numbers.setdefault(units, [])
        if CLASSES[report.facts.category] in _TOLD and len(numbers) < NUMBERS_MAX:
            numbers.append(report.number)

    async def _check(self, tx: Tx, rules: Sequence[Rule], default_desk: str) -> None:
        units = await routing.units_not_ended(tx, self._clock())
        self._check_targets(units, rules, default_desk)

    def _check_targets(
        self, units: Mapping[str, Unit], rules: Sequence[Rule], default_desk: str
    ) -> None:
        with checks() as check:
            for number, rule in enumerate(rules):
                for wrong in wrong_targets(rule, units, self._table):
                    path = f"rules[{number}].{wrong.field}"
                    check.wrong(path, wrong.description, code=wrong.code)
            default = Rule("default", desk=default_desk)
            for wrong in wrong_targets(default, units, self._table):
                check.wrong("default_desk", wrong.description, code=wrong.code)

    async def _named(self, tx: Tx, version: int | None) -> int:
        if version is not None:
            return version
        return (await self._active.read(tx)).at(self._clock()).version

    async def _rules(self, tx: Tx, version: int) -> RuleSet:
        rules = await self._active.rules_of(tx, version)
        if rules is None:
            raise RoutingNotFound
        return rules

    async def _stated(self, tx: Tx, version: int) -> Stated:
        rules = await self._rules(tx, version)
        stored = None if version == BUILT_IN else await routing.find_version(tx, version)
        return await self._with_activation(tx, rules, stored)

    async def _with_activation(self, tx: Tx, rules: RuleSet, stored: Version | None) -> Stated:
        starts = await routing.activations(tx)
        mine = [one.active_from for one in starts if one.version == rules.version]
        active = (await self._active.read(tx)).at(self._clock()).version
        last = mine[-1] if mine else None
        return Stated(rules, stored, last, is_active=active == rules.version)

    def _empty(self, version: Version) -> RuleSet:
        return replace(
            self._active.built_in,
            version=version.version,
            rules=(),
            default_desk=version.default_desk,
        )
