"""Statistics of the register, made anew only when a count has changed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Generic, TypeVar

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller

from camera_registry.storage import counts
from camera_registry.storage.cameras import Known
from camera_registry.storage.counts import RegionCounts, Standing

# Answers that are kept: one for each region that was asked for, by each set of regions seen.
KEPT_MAX = 512
Answer = TypeVar("Answer")


class Statistics(Generic[Answer]):
    """Answers how many cameras there are, exact at the moment of the answer.

    An answer is kept with the state of the counts from which it was made. A repeated question reads
    that state, and reads the counts again only if the state has changed.
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
        self._kept: dict[tuple[str, str], tuple[Standing, Answer]] = {}

    async def of(self, region: str, *, caller: Caller) -> Answer:
        """Counts of cameras not retired, by region; "" selects every region the caller may see."""
        known = Known.at(self._clock(), self._interval)
        scope = caller.scope
        standing = await counts.read_standing(self._db, scope, known.parameters)
        # What row-level security shows of the counts depends on nothing else.
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
