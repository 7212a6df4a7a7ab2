"""Turns the steps of the change feed into responses of the RPC WatchCameras, with resume tokens."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from chassis.clock import to_timestamp
from chassis.identity import Caller
from chassis.refusals import checks
from tartip.cameras.v1 import cameras_pb2 as pb

from camera_registry.messages import check_region
from camera_registry.model.changes import Change, Step
from camera_registry.resume_tokens import ResumeTokens
from camera_registry.usecases.change_feed import ChangeFeed


class WatchedChanges:
    """Produces the responses of the streaming RPC WatchCameras."""

    def __init__(self, feed: ChangeFeed, tokens: ResumeTokens) -> None:
        self._feed = feed
        self._tokens = tokens

    async def responses(
        self, request: pb.WatchCamerasRequest, caller: Caller
    ) -> AsyncGenerator[pb.WatchCamerasResponse, None]:
        """Yield a response with a resume token for each step of the change feed.

        The steps begin after the token in `request`. Without a token, only new steps follow. Raises
        BadRequest for an invalid region, ResumeTokenWrong or ResumeTokenTooOld.
        """
        with checks() as check:
            check_region(check, request.region)
        position = None
        if request.resume_token:
            position = self._tokens.read(request.resume_token, request.region, caller)
        async with aclosing(self._feed.follow(position, request.region, caller)) as steps:
            async for step in steps:
                yield self._response(step, request.region, caller)

    def _response(self, step: Step, region: str, caller: Caller) -> pb.WatchCamerasResponse:
        return pb.WatchCamerasResponse(
            change=change_to_proto(step.change) if step.change else None,
            resume_token=self._tokens.make(step.position, region, caller),
        )


def change_to_proto(change: Change) -> pb.CameraChange:
    return pb.CameraChange(
        camera_id=str(change.camera_id),
        region=change.region,
        version=change.version,
        kind=pb.CameraChangeKind.Value(f"CAMERA_CHANGE_KIND_{change.kind}"),
        status=pb.CameraStatus.Value(f"CAMERA_STATUS_{change.status}"),
        changed_at=to_timestamp(change.changed_at),
    )
