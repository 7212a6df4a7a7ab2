"""Applies the same edits, such as "connected=yes", to the descriptions of many cameras."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from types import TracebackType

from tartip.cameras.v1 import cameras_pb2 as pb

from tartip_cli.clients.camera_files import COLUMNS, read_cell
from tartip_cli.failures import Exit, Failure

# Each camera has its own; the region follows from the place.
_OWN = ("camera_id", "serial", "latitude", "longitude", "region")
# Each camera has its own too, and neither secrets nor persons belong on a command line.
_SECRET = ("owner_iin", "owner_is_person", *(name for name in COLUMNS if "stream_" in name))
FIELDS = tuple(name for name in COLUMNS if name not in _OWN + _SECRET)
_PAPER = ("verification_number", "verified_from", "verified_until")
_LENGTH_BYTES = 4


class Edits:
    """Edits to apply to cameras, given as texts "field=value". An empty value clears the field."""

    def __init__(self, given: Sequence[str]) -> None:
        """Read edits such as "connected=yes". Raises Failure that names everything wrong."""
        self._sample = pb.ImportedCamera()
        self._names: list[str] = []
        wrong = [said for said in map(self._read, given) if said]
        papers = [name for name in _PAPER if name in self._names]
        if papers and len(papers) < len(_PAPER):
            wrong.append(f"a verification has all of {', '.join(_PAPER)}")
        if wrong or not given:
            raise Failure("; ".join(wrong) or "nothing to --set", Exit.USAGE)

    def apply(self, description: pb.CameraDescription) -> None:
        """Edit a description in place. If the edits remove a function of the camera, the legal
        basis of that function is removed too."""
        for name in self._names:
            _APPLY.get(name, _set(name))(description, self._sample.description)
        kept = [basis for basis in description.bases if basis.function in description.functions]
        if len(kept) < len(description.bases):
            _replace(description.bases, kept)

    def _read(self, edit: str) -> str:
        """Add an edit; return what is wrong with it, "" if nothing is."""
        name, is_pair, value = edit.partition("=")
        if name not in FIELDS or not is_pair:
            return f"no field to set: {edit}; there are {', '.join(FIELDS)}"
        if name in self._names:
            return f"{name} is set twice"
        self._names.append(name)
        try:
            if value.strip():
                read_cell(self._sample, name, value.strip())
        except ValueError:
            return f"{name}: {COLUMNS[name].expected}"
        return ""


_Apply = Callable[[pb.CameraDescription, pb.CameraDescription], None]


def _set(name: str) -> _Apply:
    def apply(description: pb.CameraDescription, sample: pb.CameraDescription) -> None:
        setattr(description, name, getattr(sample, name))

    return apply


def _set_of_place(name: str) -> _Apply:
    def apply(description: pb.CameraDescription, sample: pb.CameraDescription) -> None:
        setattr(description.place, name, getattr(sample.place, name))

    return apply


def _functions(description: pb.CameraDescription, sample: pb.CameraDescription) -> None:
    description.functions[:] = sample.functions


def _onvif_profiles(description: pb.CameraDescription, sample: pb.CameraDescription) -> None:
    description.onvif_profiles[:] = sample.onvif_profiles


def _owner_bin(description: pb.CameraDescription, sample: pb.CameraDescription) -> None:
    """The owner is the organisation then, and no person."""
    description.owner_bin, description.owner_is_person = sample.owner_bin, False


def _certificate_valid_until(
    description: pb.CameraDescription, sample: pb.CameraDescription
) -> None:
    description.ClearField("certificate_valid_until")
    if sample.HasField("certificate_valid_until"):
        description.certificate_valid_until.CopyFrom(sample.certificate_valid_until)


def _face_basis(description: pb.CameraDescription, sample: pb.CameraDescription) -> None:
    others = [basis for basis in description.bases if basis.function != pb.AI_FUNCTION_FACE]
    _replace(description.bases, [*others, *sample.bases])


def _verification(description: pb.CameraDescription, sample: pb.CameraDescription) -> None:
    """Add the verification, in place of one of the same number."""
    numbers = {paper.number for paper in sample.verifications}
    others = [paper for paper in description.verifications if paper.number not in numbers]
    _replace(description.verifications, [*others, *sample.verifications])


def _nothing(description: pb.CameraDescription, sample: pb.CameraDescription) -> None:
    """The number of the verification brings its days."""


def _replace(repeated: object, messages: Sequence[object]) -> None:
    # Copied first: they are parts of what is cleared.
    copies = [_copy(message) for message in messages]
    del repeated[:]  # type: ignore[attr-defined]
    repeated.extend(copies)  # type: ignore[attr-defined]


def _copy(message: object) -> object:
    copied = type(message)()
    copied.CopyFrom(message)  # type: ignore[attr-defined]
    return copied


_APPLY: Mapping[str, _Apply] = {
    "address": _set_of_place("address"),
    "kato": _set_of_place("kato"),
    "functions": _functions,
    "onvif_profiles": _onvif_profiles,
    "owner_bin": _owner_bin,
    "certificate_valid_until": _certificate_valid_until,
    "face_basis": _face_basis,
    "verification_number": _verification,
    "verified_from": _nothing,
    "verified_until": _nothing,
}


class ChangedRows:
    """Import rows of the cameras that some edits change, stored in a temporary file. The field
    `matched` is the number of all cameras that were read. The field `changed` is the number of
    stored rows."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__
        self.matched = 0
        self.changed = 0

    def __enter__(self) -> ChangedRows:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    async def read(
        self, cameras: AsyncIterator[pb.Camera], edits: Edits, after_each: Callable[[int], None]
    ) -> None:
        """Apply the edits to each camera. A row is stored for each camera that the edits change.
        After each camera, `after_each` is called with the number of cameras read so far."""
        async for camera in cameras:
            self.matched += 1
            before = camera.description.SerializeToString(deterministic=True)
            edits.apply(camera.description)
            if camera.description.SerializeToString(deterministic=True) != before:
                self.changed += 1
                self._add(camera)
            after_each(self.matched)

    def rows(self) -> Iterator[pb.ImportedCamera]:
        """Yield the stored rows; may be called again. A row has the version of the camera that was
        read. The register can therefore refuse the row if the camera was changed meanwhile."""
        self._file.seek(0)
        while length := self._file.read(_LENGTH_BYTES):
            yield pb.ImportedCamera.FromString(self._file.read(int.from_bytes(length)))

    def _add(self, camera: pb.Camera) -> None:
        content = pb.ImportedCamera(
            row=self.changed,
            camera_id=camera.camera_id,
            description=camera.description,
            version=camera.version,
        ).SerializeToString()
        self._file.write(len(content).to_bytes(_LENGTH_BYTES) + content)
