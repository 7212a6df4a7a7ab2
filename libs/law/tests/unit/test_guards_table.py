"""A table of guards that does away with a guard does not load."""

import json
from importlib import resources
from typing import Any

import pytest
from law.guards import TableWrong, read

RAW = (resources.files("law") / "guards" / "tables" / "guards-2024-12-04.json").read_bytes()


def changed(section: str, **values: Any) -> bytes:
    table = json.loads(RAW)
    table[section] |= values
    return json.dumps(table).encode()


def test_an_edition_is_known_by_version_and_hash() -> None:
    guards = read(RAW)
    assert guards.version == "2024-12-04.1" and len(guards.sha256) == 64
    assert read(RAW + b"\n").sha256 != guards.sha256


@pytest.mark.parametrize(
    ("section", "bound", "least", "below"),
    [
        ("passage", "radius_metres", 50, 49.9),
        ("passage", "window_seconds", 10, 9.9),
        ("journey", "speed_max_kmh", 140, 139),
        ("journey", "speed_max_kmh", 400, 401),
        ("journey", "country_km", 2900, 2899),
        ("journey", "place_slack_metres", 300, 299),
        ("journey", "clock_slack_seconds", 10, 9),
        ("speed", "limit_min_kmh", 5, 0),
        ("speed", "limit_step_kmh", 1, 0),
        ("speed", "speed_min_kmh", 1, 0),
        ("signal", "age_max_seconds", 1, 0),
        ("device_clock", "ahead_seconds", 0, -1),
        ("device_clock", "behind_seconds", 3600, 3599),
        ("device_clock", "behind_seconds", 604800, 604801),
    ],
)
def test_a_bound_out_of_bounds_is_named(
    section: str, bound: str, least: float, below: float
) -> None:
    read(changed(section, **{bound: least}))
    with pytest.raises(TableWrong, match=f"{section}.{bound}"):
        read(changed(section, **{bound: below}))


def test_a_device_clock_may_not_run_ahead_by_minutes() -> None:
    read(changed("device_clock", ahead_seconds=30))  # the slack of journeys covers both clocks
    with pytest.raises(TableWrong, match=r"device_clock\.ahead_seconds"):
        read(changed("device_clock", ahead_seconds=61))


@pytest.mark.parametrize(
    "tolerances",
    [
        {},
        {"SPEED_POINT": {"kmh": 0, "share": 0}},
        {"SPEED_POINT": {"kmh": 0.9, "share": 0.02}},
        {"SPEED_POINT": {"kmh": 2, "share": -0.01}},
    ],
)
def test_a_tolerance_of_nothing_does_not_load(tolerances: dict[str, Any]) -> None:
    read(changed("speed", tolerances={"SPEED_POINT": {"kmh": 1, "share": 0}}))
    with pytest.raises(TableWrong, match=r"speed\.tolerances"):
        read(changed("speed", tolerances=tolerances))


@pytest.mark.parametrize("kind", ["OVERVIEW", "FACE", "BODY", "DRONE"])
def test_a_camera_that_measures_nothing_finds_nothing(kind: str) -> None:
    with pytest.raises(TableWrong, match="camera_kinds"):
        read(changed("camera_kinds", **{kind: ["SPEED"]}))


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b"nonsense",
        changed("passage", source=" "),
        changed("passage", radius_metres=None),
        changed("speed", limit_max_kmh="much"),
        changed("speed", limit_max_kmh=float("nan")),
        changed("journey", speed_max_kmh=float("inf")),
        changed("camera_kinds", ANPR=["PARKING"]),
        changed("offences", SPEED=7),
    ],
)
def test_what_is_no_table_is_refused(raw: bytes) -> None:
    with pytest.raises(TableWrong):
        read(raw)


def test_all_that_is_wrong_is_named_at_once() -> None:
    table = json.loads(RAW)
    table["passage"]["radius_metres"] = 1
    table["signal"]["age_max_seconds"] = 0
    with pytest.raises(TableWrong, match=r"passage\.radius_metres, signal\.age_max_seconds"):
        read(json.dumps(table).encode())
