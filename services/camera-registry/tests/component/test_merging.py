"""Two cameras that turn out to be one: which is kept, what of the other, and who learns of it."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from camera_registry.model.camera import CameraNotFound
from camera_registry.model.merging import Seen
from camera_registry.usecases.merging import Merging
from chassis.clock import new_id
from chassis.identity import Operator
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1 import events_pb2

from .conftest import _moment
from .own_register import ADMINISTRATOR, OwnRegister
from .test_facts import facts_about
from .test_register import Describe, Register, place, refused


def merging(kept: pb.Camera, duplicate: pb.Camera, **changes: Any) -> pb.MergeCamerasRequest:
    given: dict[str, Any] = {
        "camera_id": kept.camera_id,
        "version": kept.version,
        "duplicate_id": duplicate.camera_id,
        "duplicate_version": duplicate.version,
        "reason": "registered twice",
    }
    return pb.MergeCamerasRequest(**given | changes)


async def merged(administrator: Any, request: pb.MergeCamerasRequest) -> pb.Camera:
    camera: pb.Camera = (await administrator.call("MergeCameras", request)).camera
    return camera


async def read(administrator: Any, camera_id: str) -> pb.Camera:
    answer = await administrator.call("GetCamera", pb.GetCameraRequest(camera_id=camera_id))
    camera: pb.Camera = answer.camera
    return camera


def verification(number: str, year: int) -> pb.Verification:
    return pb.Verification(number=number, valid_from=_moment(year), valid_until=_moment(year + 1))


async def test_the_kept_camera_takes_over_what_it_lacks_and_nothing_else(
    administrator: Any, register: Register, describe: Describe
) -> None:
    given = describe(
        functions=[pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_CROWD],
        verifications=[verification("V-1", 2025)],
        bases=[pb.FunctionBasis(function=pb.AI_FUNCTION_PLATE, basis="Act 1")],
        device_key=b"",
    )
    kept = await register(given)
    duplicate = await register(
        describe(
            name="The other",
            functions=[pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_CROWD, pb.AI_FUNCTION_ZONE],
            verifications=[verification("V-0", 2023), verification("V-1", 2020)],
            bases=[
                pb.FunctionBasis(function=pb.AI_FUNCTION_PLATE, basis="Act 2"),
                pb.FunctionBasis(function=pb.AI_FUNCTION_CROWD, basis="Act 3"),
                pb.FunctionBasis(function=pb.AI_FUNCTION_ZONE, basis="Act 4"),
            ],
        )
    )
    answer = await merged(administrator, merging(kept, duplicate))
    assert (answer.camera_id, answer.version) == (kept.camera_id, 2)
    expected = pb.CameraDescription()
    expected.CopyFrom(given)
    expected.verifications.append(verification("V-0", 2023))
    expected.bases.add(function=pb.AI_FUNCTION_CROWD, basis="Act 3")
    found = {basis.function: basis.basis for basis in answer.description.bases}
    assert found == {basis.function: basis.basis for basis in expected.bases}
    answer.description.ClearField("bases")
    expected.ClearField("bases")
    assert answer.description == expected


async def test_the_duplicate_is_retired_and_still_answered_and_its_serial_number_is_free(
    administrator: Any, register: Register, describe: Describe
) -> None:
    kept, duplicate = await register(), await register()
    await merged(administrator, merging(kept, duplicate))
    found = await read(administrator, duplicate.camera_id)
    assert (found.merged_into, found.retired_reason) == (kept.camera_id, "registered twice")
    assert (found.status, found.version) == (pb.CAMERA_STATUS_RETIRED, 2)
    assert found.description == duplicate.description
    assert (await read(administrator, kept.camera_id)).merged_into == ""
    await register(describe(serial=duplicate.description.serial))


async def test_a_merge_is_one_entry_of_the_audit_log_and_told_by_the_events_of_both(
    administrator: Any, register: Register, describe: Describe, engines: Any
) -> None:
    kept = await register()
    duplicate = await register(describe(verifications=[verification("V-9", 2025)]))
    await merged(administrator, merging(kept, duplicate))
    told = (await facts_about(engines, duplicate.camera_id, at_least=2))[1]
    retired = events_pb2.CameraRetired.FromString(told.data or b"")
    assert (told.subject, retired.merged_into) == ("cameras.v1.retired", kept.camera_id)
    told = (await facts_about(engines, kept.camera_id, at_least=2))[1]
    changed = events_pb2.CameraChanged.FromString(told.data or b"")
    assert (told.subject, changed.version) == ("cameras.v1.changed", 2)
    connection = await asyncpg.connect(engines.database.url)
    rows = await connection.fetch(
        "SELECT canonical FROM camera_registry.audit"
        " WHERE position(convert_to($1, 'UTF8') in canonical) > 0 ORDER BY position",
        duplicate.camera_id,
    )
    await connection.close()
    entries = [json.loads(row["canonical"]) for row in rows]
    [entry] = [each for each in entries if each["action"] == "merge"]
    assert entry["object"] == f"camera:{kept.camera_id}"
    assert len(entry["facts"].pop("decided")) == 64
    assert entry["facts"] == {
        "duplicate": duplicate.camera_id,
        "version": "2",
        "reason": "registered twice",
    }
    # The retirement is decided of the duplicate, the merge of both.
    assert [each["action"] for each in entries] == ["register", "retire", "merge"]


async def test_a_kept_camera_that_lacks_nothing_has_no_new_version_and_no_event(
    administrator: Any, register: Register, engines: Any
) -> None:
    kept, duplicate = await register(), await register()
    assert (await merged(administrator, merging(kept, duplicate))) == kept
    await facts_about(engines, duplicate.camera_id, at_least=2)
    assert len(await facts_about(engines, kept.camera_id, at_least=1)) == 1


async def test_the_same_merge_again_answers_the_same_and_does_nothing(
    administrator: Any, register: Register, describe: Describe, engines: Any
) -> None:
    kept = await register()
    duplicate = await register(describe(verifications=[verification("V-8", 2025)]))
    request = merging(kept, duplicate)
    first = await merged(administrator, request)
    assert await merged(administrator, request) == first
    assert (await read(administrator, duplicate.camera_id)).version == 2
    assert len(await facts_about(engines, duplicate.camera_id, at_least=2)) == 2


async def test_the_same_merge_twice_at_once_and_crosswise_is_done_once(
    administrator: Any, register: Register
) -> None:
    kept, duplicate = await register(), await register()
    calls = [merging(kept, duplicate), merging(kept, duplicate), merging(duplicate, kept)]
    answers = await asyncio.gather(
        *(administrator.call("MergeCameras", request) for request in calls), return_exceptions=True
    )
    there = [not isinstance(answer, BaseException) for answer in answers]
    assert there in ([True, True, False], [False, False, True])
    found = [await read(administrator, each.camera_id) for each in (kept, duplicate)]
    assert sorted(camera.version for camera in found) == [1, 2]
    assert sum(camera.status == pb.CAMERA_STATUS_RETIRED for camera in found) == 1


async def test_what_cannot_be_merged_is_refused_by_name_and_stays(
    as_: Any, administrator: Any, register: Register, describe: Describe
) -> None:
    kept, duplicate = await register(), await register()
    anpr = await register(describe(kind=pb.CAMERA_KIND_ANPR))
    gone = await register()
    await administrator.call("RetireCamera", pb.RetireCameraRequest(camera_id=gone.camera_id))
    for request, code in (
        (merging(kept, duplicate, version=2), "CAMERA_CHANGED_MEANWHILE"),
        (merging(kept, duplicate, duplicate_version=2), "CAMERA_CHANGED_MEANWHILE"),
        (merging(kept, anpr), "KINDS_DIFFER"),
        (merging(kept, gone), "CAMERA_RETIRED"),
        (merging(gone, kept), "CAMERA_RETIRED"),
        (merging(kept, duplicate, duplicate_id=str(new_id())), "CAMERA_NOT_FOUND"),
        (merging(kept, duplicate, camera_id="x"), "CAMERA_NOT_FOUND"),
    ):
        assert (await refused(administrator.call("MergeCameras", request))).code == code
    wrong = merging(kept, kept, version=0, duplicate_version=-1, reason="x" * 501)
    refusal = await refused(administrator.call("MergeCameras", wrong))
    names = ["version", "duplicate_version", "duplicate_id", "reason"]
    assert [error.field for error in refusal.fields] == names
    elsewhere = as_("operator-gateway", operator="inspector-almaty")
    request = merging(kept, duplicate)
    assert (await refused(elsewhere.call("MergeCameras", request))).code == "NOT_ALLOWED"
    for camera in (kept, duplicate, anpr):
        assert await read(administrator, camera.camera_id) == camera


async def test_more_verifications_than_a_camera_may_have_are_refused(
    administrator: Any, register: Register, describe: Describe
) -> None:
    papers = [[verification(f"{name}-{n}", 2025) for n in range(60)] for name in "AB"]
    kept, duplicate = [await register(describe(verifications=each)) for each in papers]
    refusal = await refused(administrator.call("MergeCameras", merging(kept, duplicate)))
    assert [error.field for error in refusal.fields] == ["duplicate_id"]


async def test_a_camera_of_another_region_is_merged_only_by_who_sees_both(
    own: OwnRegister,
) -> None:
    kept, far = await own.camera(), await own.camera(place=place("KZ-71"))
    almaty = replace(ADMINISTRATOR, operator=Operator("cameras-2", frozenset(), ("KZ-75",)))
    merging = Merging(own.db, own.register)
    seen = Seen(1, 1)
    for pair in ((kept, far), (far, kept)):
        with pytest.raises(CameraNotFound):
            await merging.merge(*pair, seen=seen, reason="", caller=almaty)
    await merging.merge(kept, far, seen=seen, reason="", caller=ADMINISTRATOR)
    assert (await own.known(far)).merged_into == kept


@pytest.mark.parametrize("version", [1, 0])
async def test_a_retirement_may_name_the_version_that_was_read(
    administrator: Any, register: Register, version: int
) -> None:
    camera = await register()
    stale = pb.RetireCameraRequest(camera_id=camera.camera_id, version=2)
    refusal = await refused(administrator.call("RetireCamera", stale))
    assert (refusal.code, refusal.facts) == ("CAMERA_CHANGED_MEANWHILE", {"version": "1"})
    request = pb.RetireCameraRequest(camera_id=camera.camera_id, version=version)
    retired = (await administrator.call("RetireCamera", request)).camera
    assert (await administrator.call("RetireCamera", stale)).camera == retired
