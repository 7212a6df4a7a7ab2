"""Adding, removing and listing streams, each in one transaction in the camera's region."""

from dataclasses import replace
from uuid import UUID

from chassis.db import Database
from chassis.identity import Caller
from vault.keyring import Keyring

from inference_gateway.cameras.clients import Cameras
from inference_gateway.cameras.model import Camera, check_camera_in_use
from inference_gateway.ingest.rtsp import rtsp_address
from inference_gateway.streams import storage
from inference_gateway.streams.model import FRAMES_PER_SECOND_DEFAULT, Stream

KEY_CLASS = "streams"


class StreamsDesk:
    def __init__(self, db: Database, cameras: Cameras) -> None:
        self._db = db
        self._cameras = cameras

    async def put(
        self, camera_id: UUID, address: str, *, frames_per_second: float, caller: Caller
    ) -> Stream:
        """Store or replace the camera's stream; storing the same stream again changes nothing.

        If `frames_per_second` is 0, two frames a second are used. Raises AddressNotRtsp,
        CameraNotFound or CameraRetired.
        """
        address = rtsp_address(address)
        camera, scope = await self._cameras.for_caller(camera_id, caller)
        check_camera_in_use(camera)
        rate = frames_per_second or FRAMES_PER_SECOND_DEFAULT
        # A stream that was put while the camera stood in another region is replaced too.
        async with self._db.begin(replace(scope, regions=("*",))) as tx:
            known = await storage.stream_of(tx, camera_id)
            if known is not None and self._is_same(known, camera, address, rate):
                return known
            sealed = seal_address(self._db.keyring, camera_id, address)
            put = await storage.put_stream(
                tx, camera_id, camera.region, address=sealed, frames_per_second=rate
            )
            tx.audit("put_stream", f"camera:{camera_id}", region=camera.region)
        return put

    async def remove(self, camera_id: UUID, caller: Caller) -> None:
        """Remove the camera's stream, if there is one. Raises CameraNotFound."""
        camera, scope = await self._cameras.for_caller(camera_id, caller)
        async with self._db.begin(replace(scope, regions=("*",))) as tx:
            if await storage.remove_stream(tx, camera_id):
                tx.audit("remove_stream", f"camera:{camera_id}", region=camera.region)

    async def page(
        self, region: str, *, after: UUID | None, size: int, caller: Caller
    ) -> list[Stream]:
        """Return at most `size` streams of `region` ("" for all regions) that the caller may see.

        The streams are ordered by camera id. `after` is the last camera id of the previous page.
        """
        async with self._db.begin(caller.scope) as tx:
            return await storage.list_streams(tx, region, size=size, after=after)

    def _is_same(self, known: Stream, camera: Camera, address: str, rate: float) -> bool:
        is_here = known.region == camera.region and known.frames_per_second == rate
        return is_here and open_address(self._db.keyring, known) == address


def seal_address(keyring: Keyring, camera_id: UUID, address: str) -> bytes:
    """Encrypt an RTSP address, which may contain a password, and return the result. The address can
    be decrypted only for this camera."""
    return keyring.own_key(KEY_CLASS).seal(address, _place(camera_id))


def open_address(keyring: Keyring, stream: Stream) -> str:
    """Return the decrypted RTSP address of a stream. Raises cryptography's InvalidTag if the
    address was encrypted with another key or for another camera."""
    key = keyring.own_key(KEY_CLASS)
    return key.open_text(stream.address_sealed, _place(stream.camera_id))


def _place(camera_id: UUID) -> str:
    return f"streams.address:{camera_id}"
