"""Writes that come while another is written share the next commit; nobody waits for a batch."""

import asyncio
from collections.abc import Sequence
from itertools import chain
from uuid import UUID

import pytest
from sqlalchemy import Column, MetaData, Table, Text
from statements.shared_commits import TOGETHER_MAX, SharedCommits
from statements.writes import RequestId, Writes

notes = Table("notes", MetaData(), Column("content", Text), Column("title", Text))


class Unreachable(Exception):
    """Concerns every write."""


class Storage:
    """Keeps what was committed; each commit waits until the test lets it go on."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []
        self.used: set[UUID] = set()
        self.away = False
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, scope: str, together: Sequence[Writes]) -> set[int]:
        await self.open.wait()
        if self.away:
            raise Unreachable
        contents = [
            row["content"] for each in together for rows in each.rows.values() for row in rows
        ]
        if "wrong" in contents:
            raise ValueError("wrong")
        self.commits.append(contents)
        new = set()
        for place, each in enumerate(together):
            if each.request is None or each.request.request_id not in self.used:
                new.add(place)
            if each.request is not None:
                self.used.add(each.request.request_id)
        return new


def of(content: str, number: int | None = None, **more: str) -> Writes:
    writes = Writes()
    writes.add(notes, {"content": content, **more})
    if number is not None:
        writes.request = RequestId("partner/kaspi", UUID(int=number), b"")
    return writes


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def commits(storage: Storage) -> SharedCommits[str]:
    return SharedCommits(storage.write, concerns_all=lambda error: isinstance(error, Unreachable))


async def test_who_comes_alone_is_written_alone_and_the_next_ones_together(
    storage: Storage, commits: SharedCommits[str]
) -> None:
    storage.open.clear()
    first = asyncio.create_task(commits.write("a", of("1", 1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(commits.write("a", of(str(n), n))) for n in range(2, 6)]
    await asyncio.sleep(0)
    storage.open.set()
    assert await asyncio.gather(first, *others) == [True] * 5
    assert storage.commits == [["1"], ["2", "3", "4", "5"]]


async def test_scopes_and_shapes_are_not_mixed(
    storage: Storage, commits: SharedCommits[str]
) -> None:
    ways = [("a", of("1")), ("b", of("2")), ("a", of("3", title="t")), ("a", of("4", 4))]
    await asyncio.gather(*(commits.write(scope, writes) for scope, writes in ways))
    assert sorted(storage.commits) == [["1"], ["2"], ["3"], ["4"]]


async def test_no_batch_is_longer_than_the_limit_or_holds_an_id_twice(
    storage: Storage, commits: SharedCommits[str]
) -> None:
    many = [commits.write("a", of(str(n), n)) for n in range(2 * TOGETHER_MAX + 1)]
    same = [commits.write("a", of("same", 1000)) for _ in range(3)]
    answers = await asyncio.gather(*same, *many)
    assert answers[:3] == [True, False, False] and all(answers[3:])
    assert max(map(len, storage.commits)) <= TOGETHER_MAX
    assert all(commit.count("same") <= 1 for commit in storage.commits)


async def test_a_wrong_one_fails_alone(storage: Storage, commits: SharedCommits[str]) -> None:
    contents = ["1", "2", "wrong", "4"]
    calls = [commits.write("a", of(content, n)) for n, content in enumerate(contents)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers.pop(2), ValueError) and answers == [True] * 3
    assert sorted(chain(*storage.commits)) == ["1", "2", "4"]


async def test_what_concerns_all_is_told_to_all_and_the_next_one_is_written(
    storage: Storage, commits: SharedCommits[str]
) -> None:
    storage.away = True
    calls = [commits.write("a", of(str(n), n)) for n in range(5)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(each, Unreachable) for each in answers)
    storage.away = False
    assert await commits.write("a", of("1", 1))


async def test_a_caller_who_leaves_takes_nobody_along(
    storage: Storage, commits: SharedCommits[str]
) -> None:
    storage.open.clear()
    calls = [asyncio.create_task(commits.write("a", of(str(n), n))) for n in range(4)]
    await asyncio.sleep(0)
    calls[0].cancel()
    calls[2].cancel()
    await asyncio.sleep(0)
    storage.open.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [answers[1], answers[3]] == [True, True]
    assert sorted(chain(*storage.commits)) == ["0", "1", "2", "3"]
