"""The gallery compares with everybody, in half the memory, and forgets whom it is told to."""

import numpy as np
import pytest
from inference_gateway.watchlists import gallery
from inference_gateway.watchlists.gallery import RegionGallery
from vision.arrays import Floats
from vision.faces.recognition import SAME_PERSON, TEMPLATE_LENGTH


def templates(count: int, seed: int = 1) -> Floats:
    drawn = np.random.default_rng(seed).standard_normal((count, TEMPLATE_LENGTH))
    length = np.linalg.norm(drawn, axis=1, keepdims=True)
    templates: Floats = (drawn / length * 1.35).astype(np.float32)
    return templates


def near_to(all_of: Floats, places: list[int], distance: float = 0.3) -> Floats:
    away = templates(len(places), seed=2) / 1.35 * distance
    return (all_of[places] + away).astype(np.float32)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "SHARD_ROWS", 50)


def filled(known: Floats) -> RegionGallery:
    made = RegionGallery()
    made.fill(np.arange(1, len(known) + 1), known)
    return made


def test_it_finds_the_same_as_a_search_in_floats() -> None:
    known = templates(333)
    queries = near_to(known, [0, 49, 50, 332])
    found = filled(known).search(queries, within=SAME_PERSON)
    for query, nearest in zip(queries, found, strict=True):
        distances = np.linalg.norm(known - query, axis=1)
        assert [one.number for one in nearest] == [int(distances.argmin()) + 1]
        assert nearest[0].distance == pytest.approx(float(distances.min()), abs=1e-3)


def test_nothing_is_near_to_a_stranger() -> None:
    assert filled(templates(100)).search(templates(3, seed=9), within=SAME_PERSON) == [[], [], []]
    assert RegionGallery().search(templates(1), within=SAME_PERSON) == [[]]
    assert filled(templates(5)).search(templates(0), within=SAME_PERSON) == []


def test_one_person_in_two_cases_is_found_twice() -> None:
    made, known = RegionGallery(), templates(1)
    made.add(7, known[0])
    made.add(8, known[0])
    assert {one.number for one in made.search(known, within=SAME_PERSON)[0]} == {7, 8}


def test_who_is_removed_is_overwritten_and_his_place_taken_again() -> None:
    known = templates(60)
    made = filled(known)
    made.remove(10)
    made.remove(10)
    assert len(made) == 59
    assert made.search(known[9:10], within=SAME_PERSON) == [[]]
    memory = b"".join(shard._codes().tobytes() for shard in made._shards)
    assert known[8].astype(np.float16).tobytes() in memory
    assert known[9].astype(np.float16).tobytes() not in memory
    rows = [shard.rows for shard in made._shards]
    made.add(99, known[9])
    assert [shard.rows for shard in made._shards] == rows
    assert made.search(known[9:10], within=SAME_PERSON)[0][0].number == 99


def test_an_entry_that_comes_again_is_not_there_twice() -> None:
    made, known = RegionGallery(), templates(2)
    made.add(1, known[0])
    made.add(1, known[1])
    assert len(made) == 1
    assert made.search(known, within=SAME_PERSON)[0] == []
    [again] = made.search(known, within=SAME_PERSON)[1]
    assert again.number == 1 and again.distance == pytest.approx(0.0, abs=1e-2)


def test_it_takes_half_the_memory_of_floats() -> None:
    made = filled(templates(50))
    held = sum(shard._codes().nbytes for shard in made._shards)
    assert held == 50 * TEMPLATE_LENGTH * 2
