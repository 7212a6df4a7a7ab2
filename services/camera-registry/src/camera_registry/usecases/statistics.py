"""Statistics of the register, computed again only when a count has changed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Generic, TypeVar

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import Scope

from camera_registry.storage import counts
from camera_registry.storage.cameras import Known
from camera_registry.storage.counts import RegionCounts, Standing
from camera_registry.usecases.shared_answers import SharedAnswers

# Answers that are kept: one for each region that was asked for, by each set of regions seen.
KEPT_MAX = 512
Answer = TypeVar("Answer")
# The regions that the caller sees, as row-level security reads them, and the region asked for.
_Key = tuple[str, str]


class Statistics(Generic[Answer]):
    """Answers how many cameras there are, exact at the time of the answer.

    An answer is cached with the state of the counts from which it was computed. A repeated question
    reads this state first, and the counts only if the state has changed. Concurrent callers share a
    read that begins after all of them have asked.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        interval: timedelta,
        convert: Callable[[list[RegionCounts]], Answer],
    ) -> None:
        """`interval` is that at which hubs report. `convert` makes an answer of the counts by
        region; an answer is never changed."""
        self._db = db
        self._clock = clock
        self._interval = interval
        self._convert = convert
        self._kept: dict[_Key, tuple[Standing, Answer]] = {}
        self._shared: SharedAnswers[_Key, Answer] = SharedAnswers()

    async def of(self, region: str, *, caller: Caller) -> Answer:
        """Return the answer for `region`: the counts of its cameras that are not retired, converted
        by the constructor's `convert`. A region of "" means every region in the caller's scope."""
        scope = caller.scope
        # What row-level security shows of the counts depends on nothing else.
        key = (scope.settings["regions"], region)
        return await self._shared.of(key, lambda: self._made(scope, region))

    async def _made(self, scope: Scope, region: str) -> Answer:
        """The answer as of a moment after the call: the kept one, or one that is kept from now."""
        known = Known.at(self._clock(), self._interval)
        standing = await counts.read_standing(self._db, scope, known.parameters)
        key = (scope.settings["regions"], region)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == standing:
            return kept[1]
        found = await counts.read_counts(self._db, scope, region, is_watched=standing.is_watched)
        answer = self._convert(found)
        # The counts may be newer than `standing`. Then nobody reads this state any more, except in
        # calls that began before the counts changed.
        if len(self._kept) >= KEPT_MAX:
            self._kept.clear()
        self._kept[key] = standing, answer
        return answer
