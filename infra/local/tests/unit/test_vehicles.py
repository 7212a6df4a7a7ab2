"""The embedded vehicle register: whose each vehicle was and is, and a register from before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tartip_cli.clients.samples import next_vehicle
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Failure
from tartip_cli.parts.mesh import Mesh
from tartip_cli.provision import vehicles
from tartip_cli.settings import Settings, find_checkout

MADE_UP = vehicles.made_up(200)


def undated(vehicle: vehicles.Vehicle) -> dict[str, Any]:
    """A record as it stood there before ownerships had dates."""
    owner = vehicle.owner
    return {
        "make": vehicle.make,
        "model": vehicle.model,
        "owner": {
            "iin" if vehicle.of_a_person else "bin": owner.number,
            "name": owner.name,
            "address": owner.address,
            "phone": owner.phone,
        },
    }


def test_every_ownership_has_its_dates_and_a_seller_ends_where_the_buyer_begins(
    tmp_path: Path,
) -> None:
    path = tmp_path / "vehicles.json"
    vehicles.write(path, MADE_UP)
    content = json.loads(path.read_text())
    second_hand = [records for records in content.values() if len(records) > 1]
    assert second_hand
    for buyer, seller in second_hand:
        assert seller["until"] == buyer["since"] > seller["since"]
        assert buyer["owner"] != seller["owner"] and "until" not in buyer
    assert all("since" in records[0] for records in content.values())


def test_the_owner_of_today_is_read(tmp_path: Path) -> None:
    path = tmp_path / "vehicles.json"
    vehicles.write(path, MADE_UP)
    found = {vehicle.plate: vehicle for vehicle in vehicles.read(path)}
    assert {plate: found[plate].owner for plate in found} == {v.plate: v.owner for v in MADE_UP}
    assert [found[v.plate].since for v in MADE_UP] == [v.since for v in MADE_UP]


def test_a_demonstration_without_a_usable_vehicle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vehicles.json"
    path.write_text(json.dumps({vehicle.plate: undated(vehicle) for vehicle in MADE_UP}))
    with pytest.raises(Failure, match="`tartip seed --again`"):
        next_vehicle(DataDir(tmp_path), path)


def test_a_plate_with_two_owners_of_today_or_with_none_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "vehicles.json"
    vehicles.write(path, MADE_UP[:3])
    content = json.loads(path.read_text())
    content[MADE_UP[0].plate] *= 2
    content[MADE_UP[1].plate] = [content[MADE_UP[1].plate][0] | {"until": "2026-01-01"}]
    path.write_text(json.dumps(content))
    assert [vehicle.plate for vehicle in vehicles.read(path)] == [MADE_UP[2].plate]


def test_a_register_from_before_gets_its_dates_when_the_mesh_is_prepared(tmp_path: Path) -> None:
    theirs = undated(MADE_UP[0]) | {"make": "written by somebody"}
    old = {vehicle.plate: undated(vehicle) for vehicle in MADE_UP}
    path = tmp_path / "vehicles.json"
    path.write_text(json.dumps(old | {"001AAA01": theirs, MADE_UP[0].plate: theirs}))
    description = Mesh.build(Settings(home=tmp_path, checkout=find_checkout()))
    description.prepare()
    content = json.loads(path.read_text())
    assert content.pop("001AAA01") == content.pop(MADE_UP[0].plate) == theirs
    fresh = tmp_path / "fresh.json"
    vehicles.write(fresh, MADE_UP[1:])
    assert content == json.loads(fresh.read_text())
    before = path.read_bytes()
    description.prepare()
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_what_cannot_be_read_is_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "vehicles.json"
    path.write_text(content)
    assert vehicles.complete(path) == 0
    assert path.read_text() == content
    assert vehicles.complete(tmp_path / "none") == 0
