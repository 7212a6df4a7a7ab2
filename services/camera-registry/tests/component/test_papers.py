"""What measures speed has its papers, and what searches for persons has a basis in law."""

from typing import Any

import pytest
from tartip.cameras.v1 import cameras_pb2 as pb

from .test_register import Describe, Register, refused

FACE = pb.FunctionBasis(function=pb.AI_FUNCTION_FACE, basis="Law on biometrics, Art. 9; order 12")


@pytest.mark.parametrize("kind", [pb.CAMERA_KIND_SPEED_POINT, pb.CAMERA_KIND_SPEED_SECTION])
async def test_a_camera_that_measures_speed_without_papers_is_refused(
    register: Register, describe: Describe, kind: pb.CameraKind
) -> None:
    refusal = await refused(register(describe(kind=kind, verifications=[], certificate_number="")))
    assert refusal.code == "PAPERS_REQUIRED"
    assert {error.field for error in refusal.fields} == {
        "description.certificate_number",
        "description.verifications",
    }


async def test_other_kinds_need_no_papers(register: Register, describe: Describe) -> None:
    await register(describe(kind=pb.CAMERA_KIND_OVERVIEW, verifications=[], certificate_number=""))


async def test_faces_are_searched_for_only_on_a_basis_that_is_named(
    register: Register, describe: Describe
) -> None:
    functions = [pb.AI_FUNCTION_FACE, pb.AI_FUNCTION_CROWD]
    assert (await refused(register(describe(functions=functions)))).code == "BASIS_REQUIRED"
    camera = await register(describe(functions=functions, bases=[FACE]))
    assert list(camera.description.bases) == [FACE]


@pytest.mark.parametrize(
    "bases",
    [
        [FACE],  # a function that the camera does not have
        [pb.FunctionBasis(function=pb.AI_FUNCTION_PLATE, basis=text) for text in ("one", "two")],
        [pb.FunctionBasis(function=pb.AI_FUNCTION_PLATE, basis=" ")],
        [pb.FunctionBasis(function=pb.AI_FUNCTION_PLATE, basis="x" * 501)],
        [pb.FunctionBasis(basis="a law")],
    ],
    ids=["of another function", "twice", "blank", "too long", "of no function"],
)
async def test_a_wrong_basis_is_named(
    register: Register, describe: Describe, bases: list[pb.FunctionBasis]
) -> None:
    refusal = await refused(register(describe(functions=[pb.AI_FUNCTION_PLATE], bases=bases)))
    assert {error.field for error in refusal.fields} == {"description.bases"}


async def test_a_change_that_changes_nothing_leaves_no_version_event_or_audit_entry(
    administrator: Any, register: Register, describe: Describe, engines: Any
) -> None:
    given = describe(bases=[pb.FunctionBasis(function=pb.AI_FUNCTION_PLATE, basis="a law")])
    camera = await register(given)
    same = pb.ChangeCameraRequest(camera_id=camera.camera_id, version=1, description=given)
    assert (await administrator.call("ChangeCamera", same)).camera == camera
    given.bases[0].basis = "another law"
    other = pb.ChangeCameraRequest(camera_id=camera.camera_id, version=1, description=given)
    changed = (await administrator.call("ChangeCamera", other)).camera
    assert (changed.version, changed.description.bases[0].basis) == (2, "another law")
