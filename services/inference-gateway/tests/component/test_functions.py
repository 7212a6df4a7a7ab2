"""Functions of cameras: configured over the wire, and told of from films."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from tartip.inference.v1 import functions_pb2 as pb
from tartip.inference.v1 import functions_pb2_grpc
from tartip_testing.mesh import RunningTestMesh

from .callers import As, refused
from .peers import SERVICE, Device, credentials
from .processes import Process

GATE = {
    "name": "gate",
    "corners": [{"x": 0.1, "y": 0.1}, {"x": 0.9, "y": 0.1}, {"x": 0.5, "y": 0.9}],
}
FUNCTIONS = {
    "urgency": "URGENCY_URGENT",
    "plates": {},
    "crowds": [{"zone": GATE, "people": 20}],
    "zones": [
        {
            "zone": GATE,
            "labels": ["person"],
            "schedule": {"days": [1], "start": "22:00", "end": "06:00"},
        }
    ],
}


def functions(told: dict[str, Any] = FUNCTIONS) -> pb.CameraFunctions:
    return json_format.ParseDict(told, pb.CameraFunctions())


class Desk:
    def __init__(self, stub: Any, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self._stub = stub
        self._metadata = metadata

    def configure(self, device: Device, told: pb.CameraFunctions, *, version: int = 0) -> int:
        request = pb.ConfigureCameraRequest(
            camera_id=device.camera_id, version=version, functions=told
        )
        answer = self._stub.ConfigureCamera(request, timeout=20, metadata=self._metadata)
        return int(answer.version)

    def get(self, device: Device) -> pb.GetConfigurationResponse:
        request = pb.GetConfigurationRequest(camera_id=device.camera_id)
        return self._stub.GetConfiguration(  # type: ignore[no-any-return]
            request, timeout=20, metadata=self._metadata
        )


@pytest.fixture
def desk_of(engines: RunningTestMesh, service: Process) -> Iterator[Callable[..., Desk]]:
    channels: list[grpc.Channel] = []

    def open_as(name: str = "tartip-cli", *, operator: str = "") -> Desk:
        secured = credentials(engines, "service", name)
        channels.append(grpc.secure_channel(engines.address(SERVICE), secured))
        token = engines.token(operator) if operator else ""
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        return Desk(functions_pb2_grpc.FunctionsStub(channels[-1]), metadata)

    yield open_as
    for channel in channels:
        channel.close()


def test_a_camera_that_was_never_configured_has_its_plates_read(
    desk_of: Callable[..., Desk], device: Device
) -> None:
    told = desk_of().get(device)
    assert told.version == 0
    assert told.functions == functions({"urgency": "URGENCY_NORMAL", "plates": {}})
    with refused("CAMERA_NOT_FOUND"):
        desk_of().get(Device())


def test_a_configuration_is_versioned_and_the_same_again_answers_the_same(
    desk_of: Callable[..., Desk], device: Device, rows: Callable[[str], list[Any]]
) -> None:
    desk, other = desk_of(), functions({**FUNCTIONS, "faces": {}})
    assert desk.configure(device, functions()) == 1
    assert desk.configure(device, functions()) == 1
    assert desk.get(device).functions == functions()
    assert desk.configure(device, other, version=1) == 2
    with refused("CONFIGURATION_CHANGED_MEANWHILE"):
        desk.configure(device, functions(), version=1)
    with refused("CONFIGURATION_CHANGED_MEANWHILE"):  # nobody has read a version of tomorrow
        desk.configure(device, other, version=7)
    assert desk.get(device).functions == other
    audited = [row for row in rows("SELECT canonical FROM audit") if device.camera_id in str(row)]
    assert sum("configure_camera" in str(row) for row in audited) == 2


def test_of_two_at_once_one_is_told(desk_of: Callable[..., Desk], device: Device) -> None:
    desk = desk_of()

    def configure(people: int) -> str:
        told = functions({"crowds": [{"zone": GATE, "people": people}]})
        try:
            return str(desk.configure(device, told))
        except grpc.RpcError as error:
            return error.code().name

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(configure, [1, 2, 3, 4]))
    assert outcomes == ["1", "ABORTED", "ABORTED", "ABORTED"]


@pytest.mark.usefixtures("triton")
def test_everything_wrong_is_named_at_once(desk_of: Callable[..., Desk], device: Device) -> None:
    two = {"name": "two", "corners": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]}
    told = functions(
        {
            "zones": [{"zone": two, "labels": ["person"]}, {"zone": GATE, "labels": ["unicorn"]}],
            "vehicles": [
                {
                    "line": {
                        "name": "dot",
                        "start": {"x": 0.5, "y": 0.5},
                        "end": {"x": 0.5, "y": 0.5},
                    }
                }
            ],
            "outside_models": ["nowhere"],
        }
    )
    with refused("BAD_REQUEST") as refusals:
        desk_of().configure(device, told)
    assert {(wrong.field, wrong.code) for wrong in refusals[0].fields} == {
        ("functions.zones[0].zone", "PLACE_UNUSABLE"),
        ("functions.zones[1].labels", "RULE_UNUSABLE"),
        ("functions.vehicles[0].line", "PLACE_UNUSABLE"),
        ("functions.outside_models[0]", "MODEL_UNKNOWN"),
    }


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (
            {
                "zones": [
                    {
                        "zone": {"name": "z", "corners": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]},
                        "labels": ["car"],
                    }
                ]
            },
            "PLACE_UNUSABLE",
        ),
        ({"crowds": [{"zone": GATE}]}, "RULE_UNUSABLE"),
        ({"outside_models": ["nowhere"]}, "MODEL_UNKNOWN"),
    ],
)
@pytest.mark.usefixtures("triton")
def test_what_cannot_be_watched_is_refused_by_name(
    told: dict[str, Any], reason: str, desk_of: Callable[..., Desk], device: Device
) -> None:
    with refused(reason):
        desk_of().configure(device, functions(told))


def test_who_may_configure(
    desk_of: Callable[..., Desk], register: tuple[Any, str], device: Device
) -> None:
    administrator = desk_of("operator-gateway", operator="cameras-1")
    assert administrator.configure(device, functions()) == 1
    elsewhere = Device(region="KZ-11")
    register[0].add(elsewhere)
    assert desk_of().configure(elsewhere, functions()) == 1
    assert desk_of("operator-gateway", operator="auditor-1").get(elsewhere).version == 1
    with refused("CAMERA_NOT_FOUND"):
        desk_of("operator-gateway", operator="dispatcher-almaty").get(elsewhere)
    with refused("NOT_ALLOWED"):
        desk_of("operator-gateway", operator="inspector-almaty").configure(device, functions())
    retired = Device()
    register[0].add(retired, retired=True)
    with refused("CAMERA_RETIRED"):
        desk_of().configure(retired, functions())


@pytest.mark.usefixtures("triton")
def test_a_camera_without_plates_has_none_read(
    desk_of: Callable[..., Desk], device: Device, edge: As, scene: bytes
) -> None:
    assert edge.ingest(device, scene).plates
    zones_alone = {key: told for key, told in FUNCTIONS.items() if key != "plates"}
    desk_of().configure(device, functions(zones_alone))
    time.sleep(2.2)  # as long as a copy of the service may go by what it knew
    seen = edge.ingest(device, scene)
    assert seen.objects and not seen.plates
