"""An export is read by the import as it was written, whatever the texts hold."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from chassis.clock import new_id, to_timestamp
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2
from tartip_cli.clients.camera_export import write_csv
from tartip_cli.clients.camera_files import COLUMNS, CameraFile


def camera(name: str = "Абай – Достық", **changes: object) -> pb.Camera:
    description = pb.CameraDescription(
        name=name,
        place=common_pb2.Place(
            latitude=43.238949123456789,
            longitude=76.9,
            region="KZ-75",
            address='Абай 1; "Юг", 2',
            kato="751110000",
        ),
        kind=pb.CAMERA_KIND_SPEED_POINT,
        serial="00123",
        make="Sergek",
        model="S2",
        azimuth_degrees=0.1 + 0.2,
        owner_bin="100140000003",
        operator_bin="100140000003",
        connected=True,
        functions=[pb.AI_FUNCTION_VEHICLE, pb.AI_FUNCTION_FACE],
        certificate_number="KZ.C.1",
        speed_tolerance_kmh=1.5,
        dedupe_seconds=300,
        site="Mall",
        site_category=pb.SITE_CATEGORY_MASS_GATHERING,
        height_metres=6,
        field_of_view_degrees=92.5,
        retention_days=30,
        hub_id="01999999-9999-7999-8999-999999999999",
        onvif_profiles=["S", "T"],
        control_centre="Almaty",
        certificate_valid_until=to_timestamp(datetime(2027, 12, 31, 19, tzinfo=UTC)),
    )
    description.verifications.add(
        number="V-2",
        valid_from=to_timestamp(datetime(2026, 1, 1, 19, tzinfo=UTC)),
        valid_until=to_timestamp(datetime(2027, 1, 1, 3, 4, 5, 678901, tzinfo=UTC)),
    )
    description.bases.add(function=pb.AI_FUNCTION_FACE, basis="Law, 1")
    for field, value in changes.items():
        setattr(description, field, value)
    return pb.Camera(camera_id=str(new_id()), description=description)


_STREAM_PARTS = ("url", "user", "password")


async def exported(path: Path, *cameras: pb.Camera) -> list[pb.ImportedCamera]:
    async def each() -> AsyncIterator[pb.Camera]:
        for one in cameras:
            yield one

    counts: list[int] = []
    assert await write_csv(path, each(), after_each=counts.append) == len(cameras)
    assert counts == list(range(1, len(cameras) + 1))
    file = CameraFile(path)
    read = list(file.cameras())
    assert file.wrong == []
    return read


async def test_every_column_goes_there_and_back(tmp_path: Path) -> None:
    full = camera()
    bare = pb.Camera(camera_id=str(new_id()))
    bare.description.name, bare.description.serial = "Bare", "1"
    bare.description.place.latitude, bare.description.place.region = -1e-07, "KZ-75"
    bare.description.kind = pb.CAMERA_KIND_OVERVIEW
    path = tmp_path / "cameras.csv"
    read = await exported(path, full, bare)
    assert [each.description for each in read] == [full.description, bare.description]
    assert [each.camera_id for each in read] == [full.camera_id, bare.camera_id]
    head, first, _ = csv.reader(path.read_text("utf-8-sig").splitlines())
    # Neither streams nor the IIN of an owner are answered, so no file has them.
    assert set(COLUMNS) - set(head) == {
        "owner_iin",
        *(f"{stream}_{part}" for stream in ("stream", "substream") for part in _STREAM_PARTS),
    }
    empty = [name for name, cell in zip(head, first, strict=True) if not cell]
    assert empty == ["owner_is_person"], "the owner is an organisation"
    assert first[head.index("verified_from")] == "2026-01-02"


async def test_that_the_owner_is_a_person_is_written_and_read(tmp_path: Path) -> None:
    given = camera(owner_bin="", owner_is_person=True)
    [read] = await exported(tmp_path / "cameras.csv", given)
    assert read.description == given.description


@pytest.mark.parametrize("name", ["=1+1", "+7", "-5", "@SUM(A1)", "'=x", "''-x", "'quoted'", "O'K"])
async def test_a_text_that_looks_like_a_formula_is_none_and_comes_back_as_it_was(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "cameras.csv"
    given = camera(name, make=name)
    [read] = await exported(path, given)
    assert read.description == given.description
    cells = next(line for line in csv.reader(path.read_text("utf-8-sig").splitlines()[1:]))
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


async def test_the_last_verification_is_written(tmp_path: Path) -> None:
    """The register puts the others before it, where they were."""
    given = camera()
    given.description.verifications.insert(0, pb.Verification(number="V-1"))
    [read] = await exported(tmp_path / "cameras.csv", given)
    assert [paper.number for paper in read.description.verifications] == ["V-2"]


async def test_an_export_that_breaks_off_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[pb.Camera]:
        yield camera()
        raise OSError("the register is away")

    path = tmp_path / "cameras.csv"
    path.write_text("before")
    with pytest.raises(OSError, match="away"):
        await write_csv(path, breaking(), after_each=lambda done: None)
    assert path.read_text() == "before"
    assert not path.with_name("cameras.csv.part").exists()


def test_a_moment_without_a_time_zone_is_no_moment(tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(
        "name,latitude,longitude,kind,serial,owner_bin,verified_from\n"
        "A,43.2,76.9,anpr,1,100140000003,2026-01-01T00:00\n"
    )
    file = CameraFile(path)
    assert list(file.cameras()) == []
    assert [wrong.column for wrong in file.wrong] == ["verified_from"]
