"""Refuses changes of units after which routing rules would send reports to an unfit unit."""

from chassis.clock import Clock
from chassis.transaction import Tx
from law.report_routing import ReportRouting

from citizen_reports.model.refusals import UnitReceivesReports
from citizen_reports.model.routing import is_fit_for
from citizen_reports.storage import routing
from citizen_reports.usecases.active_routing import ActiveRouting


class RoutedUnits:
    """Checks changes of units against the active and the planned routing rules."""

    def __init__(self, clock: Clock, table: ReportRouting, active: ActiveRouting) -> None:
        self._clock = clock
        self._table = table
        self._active = active

    async def lock(self, tx: Tx) -> None:
        """Keep other transactions from activating rules or changing units until `tx` ends."""
        await routing.lock_targets(tx)

    async def require_fit(self, tx: Tx, name: str) -> None:
        """Check the unit `name` after `tx`, which must hold the `lock`, has changed the unit.

        Raises UnitReceivesReports if a rule sends reports to the unit while it does not exist, or
        reports that the unit may not take.
        """
        schedule = await self._active.read(tx)
        for start, end, rules in schedule.periods(self._clock()):
            unit = (await routing.units_during(tx, start, end)).get(name)
            for rule in rules.everywhere():
                is_fit = unit is not None and is_fit_for(self._table, rule, unit)
                if rule.goes_to(name) and not is_fit:
                    facts = {"version": str(rules.version), "rule": rule.name}
                    raise UnitReceivesReports(facts=facts)
