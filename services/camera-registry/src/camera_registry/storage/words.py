"""Finds the cameras that have all given words in their name, site or address.

The rarest of the words selects candidates. Each candidate is then checked for the other words, so
that few cameras are read in vain. The last word may be incomplete: it stands for all words that
begin with it.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import (
    ColumnElement,
    Text,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from statements.reads import Read

from camera_registry.storage.filters import LEAST_ID, Filters, Place, conditions_of
from camera_registry.storage.parts import SIZE
from camera_registry.storage.tables import camera_words, cameras, hub_life

# Words with the same beginning, in a region, by which cameras are sought; with more of them the
# list is read in its order instead.
ENDINGS_MAX = 100
# By how far its next so many cameras reach in the order of ids it is told how rare a word is; a
# word of fewer cameras in each region is read whole.
PROBED, FEW = 20, 1500
# Rows that are read at once at most, where few of them have the other words.
CANDIDATES_MAX = 5000
_Seed = tuple[str, str]


@dataclass(frozen=True)
class Seeds:
    """The (region, word) pairs by which a search reads its candidates: each camera to be found has
    at least one of these pairs.

    If `are_all`, the cameras with these pairs are few enough to be read all at once; without pairs,
    no camera matches. If there are no pairs and `are_all` is False, too many words match. The
    search must then read the cameras in another way.
    """

    words: list[_Seed] = field(default_factory=list)
    are_all: bool = False

    @property
    def values(self) -> dict[str, Any]:
        return {
            "seed_regions": [code for code, _ in self.words],
            "seed_words": [word for _, word in self.words],
        }


async def find_seeds(
    tx: Tx, filters: Filters, values: dict[str, Any], *, after: Place | None
) -> Seeds:
    """Return the (region, word) pairs of the rarest word that is searched for.

    `values` has the regions, the whole words and, as `prefix`, the beginning of the last word. For
    each word, the ids of its cameras after `after` are read in order, up to the PROBED-th. The
    greater the PROBED-th id, the rarer the word. A word with fewer than PROBED cameras is the
    rarest.
    """
    regions, *exact = values["regions"], *dict.fromkeys(values["words"])
    choices = [[(code, word) for code in regions] for word in exact]
    endings = await _endings(tx, regions, values["prefix"])
    if not endings:
        return Seeds(are_all=True)
    if len(endings) <= ENDINGS_MAX * len(regions) and _is_narrow(endings, bool(exact)):
        choices.append(endings)
    if not choices:
        return Seeds()
    by_id = filters.sorted_by == "camera_id"
    start = after.camera_id if after and by_id else LEAST_ID
    if len(choices) == 1 and by_id:
        return Seeds(choices[0])
    reaches = await _reaches(tx, [seed for seeds in choices for seed in seeds], start, PROBED)
    rarest = max(choices, key=lambda seeds: min(reaches.get(seed, _NEVER) for seed in seeds))
    if by_id:
        return Seeds(rarest)
    return Seeds(rarest, are_all=not await _reaches(tx, rarest, LEAST_ID, FEW // len(rarest) + 1))


# After every id: the word has not so many cameras.
_NEVER = UUID(int=2**128 - 1)
# Endings in all regions that are probed beside other words.
_NARROW = 32


def _is_narrow(endings: list[_Seed], has_others: bool) -> bool:
    return not has_others or len(endings) <= _NARROW


async def _endings(tx: Tx, regions: list[str], prefix: str) -> list[_Seed]:
    """The words in each region that begin so, one more than ENDINGS_MAX at most."""
    given = {"regions": regions, "prefix": prefix, "most": ENDINGS_MAX}
    rows = await tx.execute(_ENDINGS, given | {"end": prefix + "\U0010ffff"})
    return [(row.code, row.word) for row in rows]


async def _reaches(tx: Tx, seeds: list[_Seed], start: UUID, number: int) -> dict[_Seed, UUID]:
    """For each word that at least `number` cameras after `start` have, the id of the `number`th of
    them."""
    values = Seeds(seeds).values | {"after_id": start, "number": number}
    rows = await tx.execute(_REACHES, values)
    return {(row.region, row.word): row.camera_id for row in rows}


async def page(
    tx: Tx, filters: Filters, values: dict[str, Any], *, after: Place | None, size: int
) -> list[Any]:
    """Return the rows of up to `size` cameras, in order of id.

    The cameras match the filters, and have one of the (region, word) pairs that `Seeds.values`
    added to `values`. They come after `after` (None: from the first). Candidates are read in
    batches until the page is full or no candidate is left.
    """
    statement = _candidates(frozenset(values), filters.includes_retired)
    found: list[Any] = []
    start, number = after.camera_id if after else LEAST_ID, size
    while True:
        rows = await tx.read(statement, **values, after_id=start, size=number)
        found += [row for row in rows if row.camera_id is not None]
        if len(rows) < number or len(found) >= size:
            return found[:size]
        start = rows[-1].candidate_id
        share = max(1, sum(row.camera_id is not None for row in rows)) / len(rows)
        number = min(CANDIDATES_MAX, max(size, int(1.3 * (size - len(found)) / share)))


@lru_cache(maxsize=64)
def _candidates(given: frozenset[str], with_retired: bool) -> Read:
    """The next cameras that have a seed (a region and a word). Cameras that match the conditions
    come with their rows."""
    of = camera_words
    each = (
        select(of.c.camera_id)
        .where(of.c.region == _seed.c.region, of.c.word == _seed.c.word)
        .where(of.c.camera_id > bindparam("after_id"), _has_others())
        .order_by(of.c.camera_id)
        .limit(SIZE)
    )
    first = each.correlate(_seed).lateral("first")
    ids = select(first.c.camera_id).select_from(_seed.join(first, true())).distinct()
    candidate = ids.order_by(first.c.camera_id).limit(SIZE).subquery("candidate")
    conditions = conditions_of(given, with_retired=with_retired)
    # OFFSET keeps PostgreSQL from reading all cameras to join them.
    row = select(cameras).where(cameras.c.camera_id == candidate.c.camera_id, *conditions)
    found = row.correlate(candidate).offset(0).lateral("found")
    source = candidate.outerjoin(found, true())
    source = source.outerjoin(hub_life, hub_life.c.hub_id == found.c.hub_id)
    columns = (candidate.c.camera_id.label("candidate_id"), found, hub_life.c.heard_at)
    return Read(select(*columns).select_from(source).order_by(candidate.c.camera_id))


def _has_others() -> ColumnElement[bool]:
    """Whether a camera has all sought words other than the seed's word."""
    given = func.unnest(bindparam("words", type_=ARRAY(Text)))
    other: Any = given.table_valued("word", name="other").render_derived()
    again = camera_words.alias("again")
    # OFFSET has PostgreSQL look each word up by itself.
    row = (
        select(again.c.camera_id)
        .where(again.c.region == _seed.c.region, again.c.word == other.c.word)
        .where(again.c.camera_id == camera_words.c.camera_id)
        .offset(literal_column("0"))
        .correlate(_seed, other, camera_words)
    )
    lacking = select(other.c.word).where(other.c.word != _seed.c.word, ~exists(row))
    lacking = lacking.correlate(_seed, camera_words)
    return ~exists(lacking)


def with_seeds(conditions: list[Any]) -> Any:
    """Return the subquery for all cameras that match the conditions and have one of the (region,
    word) pairs bound at execution (those of `Seeds.values`)."""
    of = camera_words
    ids = (
        select(of.c.camera_id)
        .join_from(_seed, of, (of.c.region == _seed.c.region) & (of.c.word == _seed.c.word))
        .distinct()
        .subquery("candidate")
    )
    row = select(cameras).where(cameras.c.camera_id == ids.c.camera_id, *conditions)
    found = row.correlate(ids).offset(0).lateral("found")
    return select(found).select_from(ids.join(found, true())).subquery("seeded")


_seed = (
    func.unnest(
        bindparam("seed_regions", type_=ARRAY(Text)), bindparam("seed_words", type_=ARRAY(Text))
    )
    .table_valued("region", "word", name="seed")
    .render_derived()
)
_ONE = "SELECT word FROM camera_words AS of WHERE of.region = {code} AND of.word {after}"
_ONE += " AND of.word < :end ORDER BY of.word LIMIT 1"
# Each word is found from the one before it by one descent of the index.
_ENDINGS = text(
    "WITH RECURSIVE next(code, word, number) AS ("
    f" SELECT code, ({_ONE.format(code='code', after='>= :prefix')}), 1"
    " FROM unnest(CAST(:regions AS text[])) AS region(code)"
    " UNION ALL"
    f" SELECT code, ({_ONE.format(code='next.code', after='> next.word')}), number + 1"
    " FROM next WHERE word IS NOT NULL AND number <= :most)"
    " SELECT code, word FROM next WHERE word IS NOT NULL"
)
_REACHES = text(
    "SELECT seed.region, seed.word, reached.camera_id"
    " FROM unnest(CAST(:seed_regions AS text[]), CAST(:seed_words AS text[])) AS seed(region, word)"
    " CROSS JOIN LATERAL (SELECT camera_id FROM camera_words AS of"
    " WHERE of.region = seed.region AND of.word = seed.word"
    " AND of.camera_id > CAST(:after_id AS uuid)"
    " ORDER BY camera_id OFFSET CAST(:number AS integer) - 1 LIMIT 1) AS reached"
)
