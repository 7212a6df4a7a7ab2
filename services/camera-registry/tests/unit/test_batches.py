"""Two batches of an import have one hash only if every field of every row is the same."""

from pathlib import Path

from camera_registry.messages import read_batch
from chassis.clock import new_id, system_clock
from law.guards import load
from tartip.cameras.v1 import cameras_pb2 as pb
from vault.keyring import Keyring


async def test_the_hash_of_a_batch_covers_the_version_of_rows_with_secrets(tmp_path: Path) -> None:
    keyring, import_id = Keyring(tmp_path), str(new_id())
    kinds = load().at(system_clock()).camera_kinds
    stream = pb.CameraStream(url="rtsp://camera.example/1", password="a secret")
    hashes = set()
    for owner in ("", "900101300017"):
        for streams in ([], [stream]):
            for version in (0, 1, 2):
                description = pb.CameraDescription(owner_iin=owner, streams=streams)
                row = pb.ImportedCamera(row=1, description=description, version=version)
                request = pb.ImportCamerasRequest(import_id=import_id, number=1, cameras=[row])
                hashes.add((await read_batch(request, kinds, keyring)).sha256)
    assert len(hashes) == 2 * 2 * 3
