"""Concurrent callers share an answer only if all of them asked before it was begun."""

import asyncio
from dataclasses import dataclass, field

import pytest
from camera_registry.usecases.shared_answers import SharedAnswers


@dataclass
class Maker:
    """Makes answers, each the number of what has happened when it is begun; `go` lets one end."""

    happened: int = 0
    begun: int = 0
    fails: bool = False
    shared: SharedAnswers[str, int] = field(default_factory=SharedAnswers)
    go: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def ask(self, key: str = "") -> asyncio.Task[int]:
        """Ask, and return when the question has been put."""
        task = asyncio.create_task(self.shared.of(key, self._make))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return task

    async def _make(self) -> int:
        self.begun += 1
        answer = self.happened
        await self.go.acquire()
        if self.fails:
            raise OSError
        return answer


async def test_who_asks_while_an_answer_is_made_gets_the_next_one() -> None:
    maker = Maker()
    first = await maker.ask()
    maker.happened = 1
    later = [await maker.ask() for _ in range(3)]
    maker.go.release()
    assert await first == 0
    maker.go.release()
    assert await asyncio.gather(*later) == [1, 1, 1]
    assert maker.begun == 2


async def test_answers_of_two_keys_are_made_side_by_side() -> None:
    maker = Maker()
    asked = [await maker.ask("KZ-75"), await maker.ask("KZ-71")]
    assert maker.begun == 2
    maker.go.release()
    maker.go.release()
    await asyncio.gather(*asked)


async def test_an_error_is_that_of_all_who_share_and_of_nobody_later() -> None:
    maker = Maker(fails=True)
    first, second = await maker.ask(), await maker.ask()
    maker.go.release()
    with pytest.raises(OSError):
        await first
    maker.fails = False
    maker.go.release()
    assert await second == 0
    third = await maker.ask()
    maker.go.release()
    assert await third == 0


async def test_a_caller_that_goes_away_takes_no_answer_from_the_others() -> None:
    maker = Maker()
    first, second, third = [await maker.ask() for _ in range(3)]
    first.cancel()
    second.cancel()
    maker.go.release()
    maker.go.release()
    assert await third == 0
    assert maker.begun == 2
