"""A serial number is used once, however it is spelt, and texts that nobody can read are refused."""

import json
from typing import Any

import asyncpg
import pytest
from tartip.cameras.v1 import cameras_pb2 as pb

from .test_register import Describe, Register, refused


async def test_a_serial_number_is_used_once(
    administrator: Any, register: Register, describe: Describe
) -> None:
    first, second = await register(), await register()
    taken = describe(serial=first.description.serial)
    assert (await refused(register(taken))).code == "SERIAL_TAKEN"
    change = pb.ChangeCameraRequest(camera_id=second.camera_id, version=1, description=taken)
    assert (await refused(administrator.call("ChangeCamera", change))).code == "SERIAL_TAKEN"


@pytest.mark.parametrize("spelt", ["{0} ", "{0}\u200b", "sn-{1}", "\u0405\u039d-{1}", "S N-{1}"])
async def test_another_spelling_of_a_serial_number_is_the_same_number(
    register: Register, describe: Describe, spelt: str
) -> None:
    serial = (await register(describe(make="Dahua"))).description.serial
    again = spelt.format(serial, serial.removeprefix("SN-"))
    refusal = await refused(register(describe(make="DAHUA", serial=again)))
    assert refusal.code == "SERIAL_TAKEN"
    await register(describe(make="Hikvision", serial=again))


async def test_a_serial_number_is_free_again_after_retirement_and_leaves_a_trace(
    administrator: Any, register: Register, describe: Describe, engines: Any
) -> None:
    first = await register()
    await administrator.call("RetireCamera", pb.RetireCameraRequest(camera_id=first.camera_id))
    second = await register(describe(serial=first.description.serial.lower()))
    request = pb.ListCamerasRequest(serial_or_name=first.description.serial, with_retired=True)
    found = (await administrator.call("ListCameras", request)).cameras
    assert {camera.camera_id for camera in found} == {first.camera_id, second.camera_id}
    connection = await asyncpg.connect(engines.database.url)
    canonical = await connection.fetchval(
        "SELECT canonical FROM camera_registry.audit"
        " WHERE position(convert_to($1, 'UTF8') in canonical) > 0",
        f"camera:{second.camera_id}",
    )
    await connection.close()
    assert json.loads(canonical)["facts"]["serial_of_retired"] == first.camera_id
    third = describe(serial=first.description.serial)
    assert (await refused(register(third))).code == "SERIAL_TAKEN"


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", "Abai\nLine"),
        ("name", "\u202eLine"),
        ("name", "\u200b"),
        ("name", "rtsp://admin:secret@10.0.0.1/1"),
        ("serial", "\u200b\u2060"),
        ("serial", "--"),
        ("make", "Dahua\r"),
        ("make", "Dah\u200bua"),
        ("site", "Mall\u2060"),
        ("model", "rtsp://root:se/cret@10.0.0.1/"),
        ("serial", "SN-\u202e1"),
    ],
)
async def test_a_text_that_nobody_can_read_in_a_list_or_that_holds_a_password_is_refused(
    register: Register, describe: Describe, field: str, text: str
) -> None:
    refusal = await refused(register(describe(**{field: text})))
    assert {error.field for error in refusal.fields} == {f"description.{field}"}
