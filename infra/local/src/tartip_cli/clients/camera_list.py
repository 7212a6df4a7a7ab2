"""Reads the camera register's list of cameras page by page. Also finds out how many cameras a list
will have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from chassis.channels import peers_refusals
from chassis.refusals import Refusal
from tartip.cameras.v1 import cameras_pb2 as pb

from tartip_cli.clients.journeys import PASSING

PAGE = 200
_SECONDS = 15.0
_ATTEMPTS, _PAUSE_SECONDS = 10, 1.0


async def each_camera(stub: Any, wanted: pb.ListCamerasRequest) -> AsyncIterator[pb.Camera]:
    """Yield every camera that matches `wanted`. The list is read page by page; the field `page` of
    `wanted` is ignored.

    Raises Refusal if a refusal is not temporary, or if more than ten attempts in a row fail.
    """
    request = pb.ListCamerasRequest()
    request.CopyFrom(wanted)
    request.page.size = PAGE
    while True:
        answer = await _page(stub, request)
        for camera in answer.cameras:
            yield camera
        if not answer.next_page_token:
            return
        request.page.token = answer.next_page_token


async def expected(stub: Any, wanted: pb.ListCamerasRequest) -> int | None:
    """Return the number of cameras that match `wanted`, for a progress bar. None if the register's
    statistics do not have this number.

    The statistics count the cameras of a region, in total or by one of kind, function and status.
    They have no number for a combination of these, nor for a serial number or name.
    """
    if wanted.serial_or_name or sum(map(bool, (wanted.kind, wanted.function, wanted.status))) > 1:
        return None
    request = pb.GetStatisticsRequest(region=wanted.region)
    total = (await stub.GetStatistics(request, timeout=_SECONDS)).total
    counts: list[pb.StatusCounts] = []
    if wanted.kind:
        counts = [each.counts for each in total.kinds if each.kind == wanted.kind]
    elif wanted.function:
        counts = [each.counts for each in total.functions if each.function == wanted.function]
    if wanted.kind or wanted.function:
        return sum(each.registered for each in counts)
    if wanted.status:
        name = pb.CameraStatus.Name(wanted.status).removeprefix("CAMERA_STATUS_").lower()
        return int(getattr(total, name))
    return int(total.registered)


async def _page(stub: Any, request: pb.ListCamerasRequest) -> pb.ListCamerasResponse:
    broken = 0
    while True:
        try:
            with peers_refusals():
                answer: pb.ListCamerasResponse = await stub.ListCameras(request, timeout=_SECONDS)
            return answer
        except Refusal as refusal:
            broken += 1
            if refusal.kind not in PASSING or broken > _ATTEMPTS:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
