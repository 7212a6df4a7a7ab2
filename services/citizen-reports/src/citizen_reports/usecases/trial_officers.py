"""Adds fictitious officers when a trial run starts: without officers, nobody sees complaints."""

import asyncio
from datetime import timedelta

from chassis.clock import Clock, new_id

from citizen_reports.model.personnel import Officer, OfficerName, Posting
from citizen_reports.usecases.personnel import Personnel

SERVED_BEFORE = timedelta(days=3650)


class TrialOfficers:
    def __init__(self, personnel: Personnel, described: str, clock: Clock) -> None:
        """`described` has "log-in:unit:family name:given names" for each officer, separated by
        semicolons."""
        self._personnel = personnel
        self._described = [one.split(":") for one in described.split(";") if one]
        self._clock = clock

    async def run(self) -> None:
        """Add the officers whose log-ins no officer has yet, then wait until cancelled."""
        for log_in, unit, family, given in self._described:
            name = OfficerName(family, given)
            posting = Posting(new_id(), unit, self._clock() - SERVED_BEFORE)
            officer = Officer(new_id(), log_in, "", name, name, (posting,))
            await self._personnel.add_for_trial(officer)
        await asyncio.Event().wait()
