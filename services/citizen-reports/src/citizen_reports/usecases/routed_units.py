"""Keeps the units to which routing rules send reports: nobody handles what goes to an ended one."""

from chassis.clock import Clock
from chassis.transaction import Tx
from law.report_routing import ReportRouting

from citizen_reports.model.refusals import UnitReceivesReports
from citizen_reports.model.routing import is_fit_for
from citizen_reports.storage import routing
from citizen_reports.usecases.active_routing import ActiveRouting


class RoutedUnits:
    """Checks changes of units against the rules that are active now and those that will be."""

    def __init__(self, clock: Clock, table: ReportRouting, active: ActiveRouting) -> None:
        self._clock = clock
        self._table = table
        self._active = active

    async def lock(self, tx: Tx) -> None:
        """Let no rules become active until the transaction has ended."""
        await routing.lock_targets(tx)

    async def require_fit(self, tx: Tx, name: str) -> None:
        """Check a unit after it was changed in `tx`, which must hold the `lock`.

        Raises UnitReceivesReports if rules send reports to the unit while it does not exist, or
        reports that it may not take.
        """
        schedule = await self._active.read(tx)
        for start, end, rules in schedule.periods(self._clock()):
            unit = (await routing.units_during(tx, start, end)).get(name)
            for rule in rules.everywhere():
                is_fit = unit is not None and is_fit_for(self._table, rule, unit)
                if rule.goes_to(name) and not is_fit:
                    facts = {"version": str(rules.version), "rule": rule.name}
                    raise UnitReceivesReports(facts=facts)
