"""The register that the embedded run writes is one that fines can read, and fine by."""

from datetime import UTC, datetime
from pathlib import Path

from fines.clients.vehicles import VehicleFile
from fines.model.ownership import owner_holds
from law.owners import owner_rules
from tartip_cli.provision import vehicles

AT = datetime(2026, 6, 3, 6, tzinfo=UTC)


async def test_each_made_up_vehicle_has_one_owner_who_may_be_fined(tmp_path: Path) -> None:
    path = tmp_path / "vehicles.json"
    made_up = vehicles.made_up(500)
    vehicles.write(path, made_up)
    register = VehicleFile(path)
    for vehicle in made_up:
        found = await register.registrations(vehicle.plate, AT)
        assert list(owner_holds(found, vehicle.plate, AT, owner_rules())) == [], vehicle.plate
        assert found[0].owner.number == vehicle.owner.number
